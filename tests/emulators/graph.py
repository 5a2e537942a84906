"""The other side of WhatsApp: as much of Meta's Graph API as a business uses, on loopback.

It takes messages, templates, files and questions, refuses what Meta refuses, can be told to misbehave, keeps everything
that it took, and knocks with signed webhooks. In a test: `with Graph() as graph: …`. As a process of its own, for kill
tests and benchmarks: `python -m tests.emulators.graph --port 8090`, told what to do at `/_emulator/…`.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import itertools
import json
import re
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

KINDS = "text image video audio document sticker location contacts interactive reaction template".split()
SCOPED = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
URL_LIVES = 300.0  # seconds
Change = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """How to answer the next request whose path contains `path`.

    `is_taken`: the request is carried out before it is answered (or not answered) in this way. With no status, code,
    body or drop, the answer is the usual one, after the hold.
    """

    status: int = 0
    code: int | None = None
    words: str = "An error occurred"
    body: str | None = None  # HTML, half a JSON, nothing …
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)  # more fields of the error object
    is_taken: bool = False
    hold: bool = False  # until `release`
    drop: bool = False  # the connection, without an answer
    hangs_up: bool = False  # after the answer, without having said so
    path: str = "/messages"


@dataclass(frozen=True)
class Taken:
    """A message that the emulator has accepted."""

    wamid: str
    to: str
    our_id: str
    kind: str
    body: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Seen:
    """A request that has arrived, whatever became of it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Refusal(Exception):
    """An error object of Meta's."""

    def __init__(self, status: int, code: int, words: str, **extra: Any) -> None:
        super().__init__(code)
        self.status = status
        self.error = {
            "message": words,
            "type": "OAuthException",
            "code": code,
            "fbtrace_id": "Az8or2",
            **extra,
        }


class Graph:
    """The emulator. Its public attributes may be changed while it runs."""

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = "EAAB-token",
        app_secret: str = "app-secret",
        verify_token: str = "verify-me",
        phone_number_id: str = "106540352242922",
        waba_id: str = "102290129340398",
        webhook_url: str = "",
    ) -> None:
        self.token = token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.phone_number_id = phone_number_id
        self.waba_id = waba_id
        self.webhook_url = webhook_url
        self.receipts: tuple[str, ...] = ()  # statuses that follow every accepted message by themselves
        self.receipt_pause = 0.0
        self.fates: dict[str, tuple[str | int, ...]] = {}  # of one address; a number is the code of a failure
        self.has_window = False  # 131047 to people who have not written
        self.holds_for_quality = False
        self.phone: dict[str, Any] = {
            "id": phone_number_id,
            "display_phone_number": "+27 31 555 0100",
            "verified_name": "TimoRides",
            "quality_rating": "GREEN",
            "status": "CONNECTED",
            "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_250",
        }
        self.apps: list[dict[str, Any]] = [
            {
                "whatsapp_business_api_data": {
                    "id": "67890",
                    "name": "Driver CRM",
                    "link": "https://example.org",
                }
            }
        ]
        self.callback = ""
        self.templates: list[dict[str, Any]] = []
        self.media: dict[str, tuple[bytes, str]] = {}
        self.urls: dict[str, tuple[str, float]] = {}
        self.clock_ahead = 0.0
        self.read: list[str] = []
        self.faults: deque[Fault] = deque()
        self.taken: list[Taken] = []
        self.seen: list[Seen] = []
        self.open: set[str] = set()
        self._lock = threading.RLock()
        self._go = threading.Event()
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.graph = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Graph":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # Told by the test

    def fault(self, *faults: Fault) -> None:
        """Misbehaves in this way, once for each, in this order."""
        with self._lock:
            self.faults.extend(faults)

    def release(self) -> None:
        """Lets every held answer go."""
        with self._lock:
            self._go.set()
            self._go = threading.Event()

    def later(self, seconds: float) -> None:
        """Time passes for the addresses of files."""
        self.clock_ahead += seconds

    def keep_media(self, content: bytes, media_type: str) -> str:
        """A file that somebody has sent; its id, as a webhook names it."""
        with self._lock:
            media_id = str(10**15 + next(self._numbers))
            self.media[media_id] = (content, media_type)
        return media_id

    def keep_template(self, name: str, body: str, **fields: Any) -> dict[str, Any]:
        """A template as the list shows it; approved unless said otherwise."""
        variables = list(dict.fromkeys(re.findall(r"{{\s*(\w+)\s*}}", body)))
        part: dict[str, Any] = {"type": "BODY", "text": body}
        if variables and fields.get("parameter_format", "NAMED") == "NAMED":
            named = [{"param_name": name, "example": f"Example {name}"} for name in variables]
            part["example"] = {"body_text_named_params": named}
        elif variables:
            part["example"] = {"body_text": [[f"Example {name}" for name in variables]]}
        template = {
            "id": str(10**14 + next(self._numbers)),
            "name": name,
            "language": "en",
            "status": "APPROVED",
            "category": "UTILITY",
            "parameter_format": "NAMED",
            "components": [part],
            "quality_score": {"score": "UNKNOWN", "date": 1748454394},
            **fields,
        }
        with self._lock:
            self.templates.append(template)
        return template

    def to(self, address: str) -> list[Taken]:
        """What was accepted for an address."""
        with self._lock:
            return [one for one in self.taken if one.to == address]

    # Knocking

    def change(self, field: str = "messages", **value: Any) -> Change:
        """A change of the number's own: with its metadata."""
        own = {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": re.sub(r"\D", "", self.phone["display_phone_number"]),
                "phone_number_id": self.phone_number_id,
            },
        }
        return {"field": field, "value": {**own, **value}}

    def says(self, sender: str, text: str = "", *, name: str = "", **message: Any) -> Change:
        """A person writes; their window opens. `sender` is a number, or a business-scoped id that hides it."""
        is_scoped = SCOPED.fullmatch(sender) is not None
        scoped_id = sender if is_scoped else self.scoped_id(sender)
        with self._lock:
            self.open |= {sender, scoped_id}
            wamid = self._wamid("in")
        said = {"type": "text", "text": {"body": text}} if "type" not in message else {}
        ids = {"from_user_id": scoped_id} | ({} if is_scoped else {"from": sender})
        contact_ids = {"user_id": scoped_id} | ({} if is_scoped else {"wa_id": sender})
        return self.change(
            contacts=[{"profile": {"name": name or "Somebody"}, **contact_ids}],
            messages=[{"id": wamid, "timestamp": str(int(time.time())), **ids, **said, **message}],
        )

    def scoped_id(self, number: str) -> str:
        """The business-scoped id of the person with this number: always the same one."""
        return f"ZA.{int(hashlib.sha256(number.encode()).hexdigest(), 16) % 10**20:020}"

    def status(self, message: Taken | str, status: str, *, code: int | None = None, **fields: Any) -> Change:
        """A receipt for one of our messages."""
        wamid = message if isinstance(message, str) else message.wamid
        one: dict[str, Any] = {"id": wamid, "status": status, "timestamp": str(int(time.time()))}
        if isinstance(message, Taken):
            is_scoped = SCOPED.fullmatch(message.to) is not None
            one["recipient_user_id" if is_scoped else "recipient_id"] = message.to
            if message.our_id:
                one["biz_opaque_callback_data"] = message.our_id
        if code is not None:
            one["errors"] = [{"code": code, "title": f"Error {code}"}]
        return self.change(statuses=[{**one, **fields}])

    def body(self, *changes: Change) -> bytes:
        """One delivery with these changes."""
        entry = {"id": self.waba_id, "time": int(time.time()), "changes": list(changes)}
        return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()

    def merged(self, changes: Iterable[Change]) -> list[Change]:
        """All messages of several changes in one, and all statuses in another, as Meta batches them."""
        both: dict[str, dict[str, Any]] = {"messages": {}, "statuses": {}}
        for change in changes:
            for what, value in both.items():
                if what in change["value"]:
                    value.setdefault(what, []).extend(change["value"][what])
                    value.setdefault("contacts", []).extend(change["value"].get("contacts", []))
        return [
            self.change(**{name: part for name, part in value.items() if part})
            for value in both.values()
            if value
        ]

    def knock(
        self, body: bytes, *, secret: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        """Posts one signed body to the webhook; the status, 0 when nobody answers. `secret=""`: unsigned."""
        return _post(
            self.callback or self.webhook_url, body, self.app_secret if secret is None else secret, headers
        )

    def deliver(
        self,
        changes: Sequence[Change],
        *,
        copies: int = 1,
        batch: int = 1,
        shuffle: Random | None = None,
        tries: int = 1,
        pause: float = 0.05,
    ) -> list[int]:
        """Knocks with all changes: repeated, out of order, batched, and again until the answer is 200."""
        queue = [change for change in changes for _ in range(copies)]
        if shuffle is not None:
            shuffle.shuffle(queue)
        answers = []
        for start in range(0, len(queue), batch):
            body = self.body(*queue[start : start + batch])
            for attempt in range(tries):
                if attempt:
                    time.sleep(pause)
                answer = self.knock(body)
                if answer == 200:
                    break
            answers.append(answer)
        return answers

    def greet(self, url: str) -> bool:
        """Asks an address whether it is ours, as Meta does before it knocks there."""
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": self.verify_token}
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
        try:
            connection.request("GET", f"{parts.path}?{urlencode(query)}")
            answer = connection.getresponse()
            return answer.status == 200 and answer.read() == challenge.encode()
        except OSError:
            return False
        finally:
            connection.close()

    # Answering

    def answer(self, seen: Seen) -> tuple[int, Any]:
        """What the API answers to a request that is not disturbed."""
        parts = [part for part in seen.path.split("/") if part]
        if parts[:1] == ["_files"]:
            return self._file(parts[1:], seen)
        if not parts or not re.fullmatch(r"v\d+\.\d+", parts[0]):
            raise Refusal(400, 2500, "Unknown path components")
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, 190, "Invalid OAuth access token")
        match seen.method, parts[1:]:
            case "POST", [self.phone_number_id, "messages"]:
                return self._message(seen.json)
            case "POST", [self.phone_number_id, "media"]:
                return 200, {"id": self._upload(seen)}
            case "GET", [self.phone_number_id]:
                wanted = seen.query.get("fields", "id,verified_name,display_phone_number,quality_rating")
                return 200, {name: self.phone[name] for name in wanted.split(",") if name in self.phone}
            case "GET", [self.waba_id, "subscribed_apps"]:
                return 200, {"data": self.apps}
            case "POST", [self.waba_id, "subscribed_apps"]:
                return self._subscribe(json.loads(seen.body or b"{}"))
            case "GET", [self.waba_id, "message_templates"]:
                return self._list(seen.query)
            case "POST", [self.waba_id, "message_templates"]:
                return self._create(seen.json)
            case "GET", [media_id] if media_id in self.media:
                return self._about(media_id)
        raise Refusal(
            400,
            100,
            f"Unsupported {seen.method.lower()} request. Object with ID '{parts[1]}' does not exist",
            error_subcode=33,
        )

    def _message(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("messaging_product") != "whatsapp":
            raise Refusal(400, 100, "The parameter messaging_product is required.")
        if body.get("status") == "read":
            self.read.append(body["message_id"])
            return 200, {"success": True}
        kind, to, recipient = body.get("type", "text"), body.get("to"), body.get("recipient")
        if bool(to) == bool(recipient):
            raise Refusal(400, 100, "Exactly one of the parameters to and recipient is required.")
        if recipient and not SCOPED.fullmatch(recipient):
            raise Refusal(400, 131009, "Parameter value is not valid", error_data={"details": "recipient"})
        if kind not in KINDS or not isinstance(body.get(kind), dict):
            raise Refusal(400, 131009, "Parameter value is not valid", error_data={"details": "type"})
        if len(body.get("biz_opaque_callback_data", "")) > 512:
            raise Refusal(
                400, 131009, "Parameter value is not valid", error_data={"details": "callback data"}
            )
        self._look_at(kind, body[kind])
        address = recipient or to
        if self.has_window and kind != "template" and address not in self.open:
            raise Refusal(400, 131047, "Re-engagement message", error_data={"details": "More than 24 hours"})
        with self._lock:
            one = Taken(
                wamid=self._wamid("out"),
                to=address,
                our_id=body.get("biz_opaque_callback_data", ""),
                kind=kind,
                body=body,
                at=time.time(),
            )
            self.taken.append(one)
        self._follow(one)
        contact = {"user_id": recipient} if recipient else {"wa_id": to.lstrip("+")}
        held = {"message_status": "held_for_quality_assessment" if self.holds_for_quality else "accepted"}
        return 200, {
            "messaging_product": "whatsapp",
            "contacts": [{"input": address, **contact}],
            "messages": [{"id": one.wamid, **(held if kind == "template" else {})}],
        }

    def _look_at(self, kind: str, content: dict[str, Any]) -> None:
        """Refuses what Meta refuses."""
        if kind == "text" and not 0 < len(content.get("body", "")) <= 4096:
            raise Refusal(400, 100, "(#100) Param text['body'] must be 1 to 4096 characters long.")
        if kind in ("image", "video", "audio", "document", "sticker"):
            if content.get("id") not in self.media and not content.get("link"):
                raise Refusal(400, 131053, "Media upload error", error_data={"details": "Unknown media id"})
            if kind in ("audio", "sticker") and "caption" in content:
                raise Refusal(400, 100, f"(#100) Unexpected key caption on param {kind}.")
            if kind != "document" and "filename" in content:
                raise Refusal(400, 100, f"(#100) Unexpected key filename on param {kind}.")
        if kind == "template":
            self._look_at_template(content)

    def _look_at_template(self, content: dict[str, Any]) -> None:
        with self._lock:
            found = [
                one
                for one in self.templates
                if (one["name"], one["language"]) == (content["name"], content["language"]["code"])
            ]
        if not found or found[0]["status"] in ("PENDING", "REJECTED", "DELETED"):
            raise Refusal(404, 132001, "Template name does not exist in the translation")
        if found[0]["status"] in ("PAUSED", "DISABLED"):
            raise Refusal(400, 132015 if found[0]["status"] == "PAUSED" else 132016, "Template is paused")
        text = next((c["text"] for c in found[0]["components"] if c["type"] == "BODY"), "")
        wanted = list(dict.fromkeys(re.findall(r"{{\s*(\w+)\s*}}", text)))
        given = [p for c in content.get("components", []) if c["type"] == "body" for p in c["parameters"]]
        if len(wanted) != len(given):
            raise Refusal(400, 132000, "Number of parameters does not match")
        if found[0]["parameter_format"] == "NAMED" and {p.get("parameter_name") for p in given} != set(
            wanted
        ):
            raise Refusal(400, 132012, "Parameter format does not match format in the created template")
        if found[0]["parameter_format"] != "NAMED" and any("parameter_name" in p for p in given):
            raise Refusal(400, 132012, "Parameter format does not match format in the created template")
        for parameter in given:
            if not parameter["text"] or re.search(r"[\n\t]| {5}", parameter["text"]):
                raise Refusal(400, 100, "(#100) Param text cannot have new-line/tab characters")

    def _upload(self, seen: Seen) -> str:
        head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in message_from_bytes(head + seen.body).get_payload()
        }
        if parts["messaging_product"].get_payload(decode=True) != b"whatsapp":
            raise Refusal(400, 100, "The parameter messaging_product is required.")
        media_type = parts["type"].get_payload(decode=True).decode()
        return self.keep_media(parts["file"].get_payload(decode=True), media_type)

    def _about(self, media_id: str) -> tuple[int, Any]:
        content, media_type = self.media[media_id]
        key = secrets.token_urlsafe(12)
        with self._lock:
            self.urls[key] = (media_id, time.time() + self.clock_ahead + URL_LIVES)
        return 200, {
            "url": f"{self.url}/_files/{key}",
            "mime_type": media_type,
            "sha256": hashlib.sha256(content).hexdigest(),
            "file_size": len(content),
            "id": media_id,
            "messaging_product": "whatsapp",
        }

    def _file(self, parts: list[str], seen: Seen) -> tuple[int, Any]:
        media_id, until = self.urls.get(parts[0], ("", 0.0))
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return 401, b""
        if time.time() + self.clock_ahead > until:
            return 404, b""
        return 200, self.media[media_id][0]

    def _subscribe(self, body: dict[str, Any]) -> tuple[int, Any]:
        url = body.get("override_callback_uri", "")
        if url and not self.greet(url):
            raise Refusal(400, 2200, "Callback verification failed")
        self.callback = url
        return 200, {"success": True}

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any]:
        with self._lock:
            rows = [t for t in self.templates if query.get("name", "") in t["name"]]
        start, limit = int(query.get("after") or 0), int(query.get("limit") or 25)
        shown, following = rows[start : start + limit], start + limit
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(following)}}
        if following < len(rows):
            paging["next"] = f"{self.url}/next?after={following}"
        answer: dict[str, Any] = {"data": shown, "paging": paging}
        if "summary" in query:
            answer["summary"] = {
                "total_count": len(rows),
                "message_template_count": len(rows),
                "message_template_limit": 6000,
                "are_translations_complete": False,
            }
        return 200, answer

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if not re.fullmatch(r"[a-z0-9_]{1,512}", body.get("name", "")):
            raise Refusal(
                400, 100, "Invalid parameter", error_user_msg="The name has signs that are not allowed."
            )
        with self._lock:
            if any((t["name"], t["language"]) == (body["name"], body["language"]) for t in self.templates):
                raise Refusal(
                    400, 100, "Invalid parameter", error_subcode=2388024, error_user_msg="It exists already."
                )
        text = next(c for c in body["components"] if c["type"] == "BODY")
        wanted = set(re.findall(r"{{\s*(\w+)\s*}}", text["text"]))
        examples = {e["param_name"] for e in text.get("example", {}).get("body_text_named_params", [])}
        if wanted != examples:
            raise Refusal(400, 100, "Invalid parameter", error_user_msg="Every variable needs an example.")
        fields = {key: value for key, value in body.items() if key != "name"}
        made = self.keep_template(body["name"], text["text"], **{**fields, "status": "PENDING"})
        return 200, {name: made[name] for name in ("id", "status", "category")}

    def _follow(self, message: Taken) -> None:
        """The receipts that come by themselves, in a thread of their own."""
        fate = self.fates.get(message.to, self.receipts)
        if not fate or not (self.callback or self.webhook_url):
            return

        def knock() -> None:
            for step in fate:
                time.sleep(self.receipt_pause)
                failed = isinstance(step, int)
                change = self.status(
                    message, "failed" if failed else str(step), code=step if failed else None
                )
                self.deliver([change], tries=20)

        threading.Thread(target=knock, daemon=True).start()

    def _wamid(self, what: str) -> str:
        unique = f"{what}{next(self._numbers):08d}{secrets.token_hex(8)}".encode()
        return f"wamid.{base64.b64encode(unique).decode()}"

    def take_fault(self, path: str) -> tuple[Fault | None, threading.Event]:
        """The fault that is meant for this path, if any, and what a held answer waits for."""
        with self._lock:
            for fault in self.faults:
                if fault.path in path:
                    self.faults.remove(fault)
                    return fault, self._go
            return None, self._go

    def control(self, verb: str, body: Any) -> Any:
        """The emulator told what to do from another process."""
        match verb:
            case "accepted":
                with self._lock:
                    return [asdict(one) for one in self.taken]
            case "faults":
                self.fault(*(Fault(**one) for one in body))
            case "release":
                self.release()
            case "settings":
                for name in ("receipts", "receipt_pause", "has_window", "webhook_url", "holds_for_quality"):
                    if name in body:
                        setattr(self, name, body[name])
            case "template":
                return self.keep_template(**body)
            case "says":
                return self.deliver([self.says(**body)], tries=20)
            case "reset":
                with self._lock:
                    self.taken.clear()
                    self.seen.clear()
                    self.faults.clear()
        return {"done": True}


def signature(body: bytes, secret: str) -> str:
    """The header that Meta sends with a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _post(url: str, body: bytes, secret: str, headers: Mapping[str, str] | None) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
    signed = {"X-Hub-Signature-256": signature(body, secret)} if secret else {}
    try:
        connection.request(
            "POST", parts.path, body, {"Content-Type": "application/json", **signed, **(headers or {})}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    graph: Graph

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        graph = self.server.graph
        parts = urlsplit(self.path)
        seen = Seen(
            method=self.command,
            path=parts.path,
            query={name: values[-1] for name, values in parse_qs(parts.query).items()},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        if parts.path.startswith("/_emulator/"):
            self._write(200, graph.control(parts.path.split("/")[2], json.loads(seen.body or b"null")), {})
            return
        graph.seen.append(seen)
        fault, go = graph.take_fault(parts.path)
        status, answer = 200, None
        is_usual = fault is None or not (fault.drop or fault.status or fault.code or fault.body is not None)
        if is_usual or (fault is not None and fault.is_taken):
            try:
                status, answer = graph.answer(seen)
            except Refusal as refusal:
                status, answer = refusal.status, {"error": refusal.error}
        if fault is not None and fault.hold:
            go.wait(120)
        if fault is not None and fault.drop:
            self.close_connection = True
            return
        if fault is not None and fault.code is not None:
            error = Refusal(fault.status, fault.code, fault.words, **fault.extra).error
            status, answer = fault.status or 400, {"error": error}
        elif fault is not None and (fault.status or fault.body is not None):
            status, answer = fault.status or 200, (fault.body or "").encode()
        self._write(status, answer, fault.headers if fault else {})
        if fault is not None and fault.hangs_up:
            self.close_connection = True

    def _write(self, status: int, answer: Any, headers: Mapping[str, str]) -> None:
        """In one piece: two would wait for each other on the way."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "text/html" if isinstance(answer, bytes) else "application/json"
        lines = [
            f"HTTP/1.1 {status} -",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description="The Graph API on loopback.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--webhook", default="", help="where to knock")
    parser.add_argument("--app-secret", default="app-secret")
    parser.add_argument("--token", default="EAAB-token")
    parser.add_argument(
        "--receipts", default="", help="statuses that follow every message: sent,delivered,read"
    )
    parser.add_argument("--receipt-pause", type=float, default=0.0, help="seconds before each")
    given = parser.parse_args()
    graph = Graph(port=given.port, token=given.token, app_secret=given.app_secret, webhook_url=given.webhook)
    graph.receipts = tuple(one for one in given.receipts.split(",") if one)
    graph.receipt_pause = given.receipt_pause
    with graph:
        sys.stdout.write(f"{graph.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
