"""The other side of WATI on loopback: its V3 endpoints, its files, and its flat webhooks.

In a test: `with WatiServer() as wati: …`. As a process of its own: `python -m tests.emulators.wati --port 8091`.
"""

import argparse
import http.client
import itertools
import json
import re
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Fault:
    """How to answer the next request whose path contains `path`; `is_taken`: after carrying it out."""

    status: int = 0
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_taken: bool = False
    hold: bool = False  # until `release`
    drop: bool = False  # the connection, without an answer
    path: str = "/send"


@dataclass(frozen=True)
class Taken:
    """A message that the emulator has accepted."""

    local_id: str
    wamid: str
    to: str
    kind: str
    body: Mapping[str, Any]


class WatiServer:
    """The emulator. Its public attributes may be changed while it runs."""

    def __init__(self, *, port: int = 0, token: str = "wati-token", webhook_url: str = "") -> None:
        self.token = token
        self.webhook_url = webhook_url  # with the path's token
        self.receipts: tuple[str, ...] = ()
        self.has_window = False  # 404 for people without an open conversation
        self.open: set[str] = set()
        self.invalid: set[str] = set()  # numbers that are not on WhatsApp
        self.channels = [{"id": "1", "name": "TimoRides", "channel": "27315550100"}]
        self.templates: list[dict[str, Any]] = []
        self.files: dict[str, tuple[bytes, str]] = {}
        self.faults: deque[Fault] = deque()
        self.taken: list[Taken] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []  # method, path, query, body
        self._lock = threading.RLock()
        self._go = threading.Event()
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.wati = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "WatiServer":
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

    def keep_template(self, name: str, body: str, **fields: Any) -> None:
        """A template as the list shows it; approved unless said otherwise."""
        variables = list(dict.fromkeys(re.findall(r"{{\s*(\w+)\s*}}", body)))
        self.templates.append(
            {
                "id": str(next(self._numbers)),
                "name": name,
                "status": "APPROVED",
                "category": "UTILITY",
                "quality": "GREEN",
                "language_option": {"key": "English", "value": "en"},
                "body_original": body,
                "custom_params": [{"name": one, "value": "Example"} for one in variables],
                **fields,
            }
        )

    def keep_file(self, content: bytes, media_type: str, name: str = "photo.jpg") -> str:
        """A file that somebody has sent; its path."""
        path = f"data/images/{name}"
        self.files[path] = (content, media_type)
        return path

    # Knocking

    def says(self, sender: str, text: str = "", **fields: Any) -> dict[str, Any]:
        """A person writes; their conversation opens. `sender` is a number or a business-scoped id."""
        self.open.add(sender)
        ids = {"waId": sender} if sender.isdigit() else {"bsuid": sender}
        return {
            "eventType": "message" if sender.isdigit() else "message_bsuid",
            "id": secrets.token_hex(12),
            "whatsappMessageId": f"wamid.{secrets.token_hex(12)}",
            "conversationId": "66b1fb044045cedb1f19538e",
            "ticketId": "66bdfba190194752bb7326d7",
            "text": text,
            "type": "text",
            "data": None,
            "timestamp": str(int(time.time())),
            "owner": False,
            "statusString": "SENT",
            "senderName": "Somebody",
            "channelPhoneNumber": self.channels[0]["channel"],
            **ids,
            **fields,
        }

    def status(self, message: Taken, event: str, **fields: Any) -> dict[str, Any]:
        """A receipt: `event` is WATI's own name of it."""
        return {
            "eventType": event,
            "id": secrets.token_hex(12),
            "localMessageId": message.local_id,
            "whatsappMessageId": message.wamid,
            "statusString": event,
            "type": message.kind,
            "timestamp": str(int(time.time())),
            "channelPhoneNumber": self.channels[0]["channel"],
            **({"waId": message.to} if message.to.isdigit() else {"bsuid": message.to}),
            **fields,
        }

    def knock(self, event: dict[str, Any], *, tries: int = 1) -> int:
        """Posts an event until the answer is 200; the last status, 0 when nobody answers."""
        parts = urlsplit(self.webhook_url)
        answer = 0
        for _ in range(tries):
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
            try:
                path = f"{parts.path}?{parts.query}" if parts.query else parts.path
                connection.request("POST", path, json.dumps(event), {"Content-Type": "application/json"})
                answer = connection.getresponse().status
            except OSError:
                answer = 0
            finally:
                connection.close()
            if answer == 200:
                break
            time.sleep(0.05)
        return answer

    # Answering

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        """What the API answers to a request that is not disturbed."""
        if headers.get("authorization") != f"Bearer {self.token}":
            return 401, b""
        match method, path:
            case "POST", "/api/ext/v3/messageTemplates/send":
                return self._template(json.loads(body))
            case "POST", "/api/ext/v3/conversations/messages/text":
                said = json.loads(body)
                return self._say(said["target"], "text", said)
            case "POST", "/api/ext/v3/conversations/messages/file":
                form = _form(headers["content-type"], body)
                return self._say(
                    form["target"].decode(), "file", {k: v.decode("latin-1") for k, v in form.items()}
                )
            case "GET", "/api/ext/v3/channels":
                return 200, {"channels": self.channels, "total": len(self.channels)}
            case "GET", "/api/ext/v3/messageTemplates":
                size, page = int(query.get("page_size", 10)), int(query.get("page_number", 1))
                rows = self.templates[(page - 1) * size : page * size]
                return 200, {
                    "templates": rows,
                    "total": len(self.templates),
                    "page_number": page,
                    "page_size": size,
                }
        if method == "GET" and path.endswith("/api/v1/getMedia"):
            found = self.files.get(query.get("fileName", ""))
            return (200, found) if found else (404, b"")
        return 404, {"message": "Not found"}

    def _template(self, body: dict[str, Any]) -> tuple[int, Any]:
        template = next((one for one in self.templates if one["name"] == body["template_name"]), None)
        if template is None or template["status"] != "APPROVED":
            return 200, {"success": False, "error": "Template not found or not approved", "recipients": []}
        answers = []
        for one in body["recipients"]:
            to = one.get("phone_number") or one.get("target") or ""
            given = {param["name"] for param in one["custom_params"]}
            errors = []
            if to in self.invalid:
                errors.append("Invalid phone number")
            if given != {param["name"] for param in template["custom_params"]}:
                errors.append("Missing custom params")
            if not errors:
                self._keep(one["local_message_id"], to, "template", body)
            answers.append({**{k: v for k, v in one.items() if k != "custom_params"}, "errors": errors})
        return 200, {
            "success": True,
            "error": None,
            "broadcast_id": secrets.token_hex(12),
            "recipients": answers,
        }

    def _say(self, target: str, kind: str, body: dict[str, Any]) -> tuple[int, Any]:
        to = target.rpartition(":")[2]
        if self.has_window and to not in self.open:
            return 404, {"message": "Conversation not found"}
        taken = self._keep(secrets.token_hex(16), to, kind, body)
        message = {"id": secrets.token_hex(12), "local_message_id": taken.local_id, "status": "sent"}
        return 200, {"message": message}

    def _keep(self, local_id: str, to: str, kind: str, body: Mapping[str, Any]) -> Taken:
        with self._lock:
            taken = Taken(local_id, f"wamid.{next(self._numbers)}{secrets.token_hex(8)}", to, kind, body)
            self.taken.append(taken)
        if self.receipts and self.webhook_url:
            threading.Thread(target=self._follow, args=(taken,), daemon=True).start()
        return taken

    def _follow(self, taken: Taken) -> None:
        for event in self.receipts:
            self.knock(self.status(taken, event), tries=20)

    def take_fault(self, path: str) -> tuple[Fault | None, threading.Event]:
        """The fault that is meant for this path, if any, and what a held answer waits for."""
        with self._lock:
            for fault in self.faults:
                if fault.path in path:
                    self.faults.remove(fault)
                    return fault, self._go
            return None, self._go


def _form(kind: str, body: bytes) -> dict[str, bytes]:
    parts = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    wati: WatiServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        wati = self.server.wati
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if parts.path == "/_emulator/accepted":
            self._write(200, [asdict(one) for one in wati.taken], {})
            return
        wati.seen.append((self.command, parts.path, query, body))
        fault, go = wati.take_fault(parts.path)
        is_usual = fault is None or not (fault.drop or fault.status or fault.body is not None)
        status, answer = 200, None
        if is_usual or (fault is not None and fault.is_taken):
            status, answer = wati.answer(self.command, parts.path, query, headers, body)
        if fault is not None and fault.hold:
            go.wait(120)
        if fault is not None and fault.drop:
            self.close_connection = True
            return
        if fault is not None and (fault.status or fault.body is not None):
            status, answer = fault.status or 200, (fault.body or "").encode()
        self._write(status, answer, fault.headers if fault else {})

    def _write(self, status: int, answer: Any, headers: Mapping[str, str]) -> None:
        kind = "application/json"
        if isinstance(answer, tuple):
            answer, kind = answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        lines = [f"HTTP/1.1 {status} -", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    do_GET = do_POST = _serve

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description="WATI on loopback.")
    parser.add_argument("--port", type=int, default=8091)
    parser.add_argument("--webhook", default="", help="where to knock, with the path's token")
    parser.add_argument("--token", default="wati-token")
    parser.add_argument("--receipts", default="", help="events that follow every message, by WATI's names")
    given = parser.parse_args()
    wati = WatiServer(port=given.port, token=given.token, webhook_url=given.webhook)
    wati.receipts = tuple(one for one in given.receipts.split(",") if one)
    with wati:
        sys.stdout.write(f"{wati.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
