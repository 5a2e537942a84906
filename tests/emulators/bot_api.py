"""Telegram's side: a Bot API server on loopback, with people who press start, write, block and send files.

In a test: `with BotApi() as telegram: …`. As a process: `python -m tests.emulators.bot_api --port 8081`, told what to
do by `POST /control/<verb>` with a JSON object of its arguments, and asked by `GET /control/calls`, `sent`, `people`.
"""

import argparse
import itertools
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

Json = dict[str, Any]

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LARGEST_DOWNLOAD = 20_000_000
LARGEST_UPLOAD = 50_000_000
FILE_KINDS = ("photo", "video", "audio", "voice", "document")
UNASKED = {"message_reaction", "message_reaction_count", "chat_member"}  # sent only where asked for


@dataclass
class Person:
    """Somebody with Telegram. Nobody can be written to who has not pressed start."""

    id: int
    first_name: str = "Nomsa"
    last_name: str = "Dube"
    username: str = ""
    has_started: bool = False
    has_blocked: bool = False
    is_deactivated: bool = False

    def user(self) -> Json:
        """As `from` names them."""
        names = {"first_name": self.first_name, "last_name": self.last_name, "username": self.username}
        return {"id": self.id, "is_bot": False} | {name: value for name, value in names.items() if value}

    def chat(self) -> Json:
        """Their private chat with the bot."""
        return {key: value for key, value in self.user().items() if key != "is_bot"} | {"type": "private"}


@dataclass
class Fault:
    """What goes wrong with one call."""

    method: str = ""  # any
    status: int = 0  # 0: the true answer
    description: str = ""
    parameters: Json = field(default_factory=dict)
    body: bytes | None = None  # instead of JSON
    takes: bool = False  # does what was asked for first
    drops: bool = False  # closes the connection without an answer
    hold: threading.Event | None = None  # answers when it is set


@dataclass(frozen=True)
class Call:
    """One call as it came."""

    method: str
    params: dict[str, str]
    files: dict[str, tuple[str, bytes]]
    at: float


class Refusal(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


class Server(ThreadingHTTPServer):
    """One thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that waits no longer is what many tests want."""


class BotApi:
    """One bot and its server. Everything may be asked and told from any thread."""

    def __init__(self, *, port: int = 0, token: str = "110201543:made-up-and-opens-nothing") -> None:
        self.token = token
        self.bot = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Fleet",
            "username": "fleet_bot",
        }
        self.people: dict[int, Person] = {}
        self.calls: list[Call] = []
        self.sent: list[Json] = []  # messages that were taken
        self.pending: list[Json] = []  # updates that nobody has confirmed
        self.webhook: Json = {}
        self.last_error = ""
        self.allowed: list[str] | None = None
        self.next_update_id = 680_200_001
        self.repeats = 1  # how often the webhook gets each update
        self.retry_seconds = 0.05
        self.per_second: int | None = None  # of the bot; more is a 429
        self._faults: list[Fault] = []
        self._held: dict[str, threading.Event] = {}
        self._files: dict[str, tuple[str, bytes]] = {}
        self._message_ids: dict[int, int] = {}
        self._numbers = itertools.count(1)
        self._poll = 0
        self._window: list[float] = []
        self._is_over = False
        self._news = threading.Condition(threading.RLock())
        self._server = Server(("127.0.0.1", port), _handler(self))

    # As a server

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        threading.Thread(target=self._deliver, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._is_over = True
            for event in self._held.values():
                event.set()
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What a client takes for `https://api.telegram.org`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # What goes wrong

    def fail(self, **fault: Any) -> Fault:
        """The next call (of `method`) goes wrong once; see Fault."""
        made = Fault(**fault)
        with self._news:
            self._faults.append(made)
        return made

    def hold(self, method: str = "", *, name: str = "held", takes: bool = True) -> threading.Event:
        """The next call is answered when the returned event is set, or `release(name)` is called."""
        event = self._held[name] = threading.Event()
        self.fail(method=method, takes=takes, hold=event)
        return event

    def release(self, name: str = "held") -> None:
        """Lets a held answer go."""
        self._held[name].set()

    # What people do

    def person(self, number: int, **facts: Any) -> Person:
        """A person; `has_started` lets the bot write to them."""
        with self._news:
            self.people[number] = Person(number, **facts)
        return self.people[number]

    def start(self, number: int, token: str = "") -> Json:
        """They open the bot, by a link with a token or without one."""
        person = self.people[number]
        person.has_started, person.has_blocked = True, False
        text = f"/start {token}".strip()
        return self.message(number, text=text, entities=[{"type": "bot_command", "offset": 0, "length": 6}])

    def say(self, number: int, text: str, *, reply_to: Json | None = None) -> Json:
        """They write, perhaps as an answer to one message."""
        return self.message(number, text=text, **({"reply_to_message": reply_to} if reply_to else {}))

    def message(self, number: int, **content: Any) -> Json:
        """A message of any kind."""
        person = self.people[number]
        with self._news:
            head = {"message_id": self._message_id(number), "from": person.user(), "chat": person.chat()}
            return self.update(message=head | {"date": int(time.time())} | content)

    def edit(self, number: int, message: Json, text: str) -> Json:
        """They change what they wrote."""
        return self.update(edited_message=message | {"edit_date": int(time.time()), "text": text})

    def share_contact(self, number: int, phone: str, *, owner: int | None = None) -> Json:
        """They send a card: their own, or somebody else's."""
        card = {"phone_number": phone, "first_name": "Card", "user_id": number if owner is None else owner}
        return self.message(number, contact=card)

    def send_file(self, number: int, kind: str, content: bytes, *, name: str = "", **more: Any) -> Json:
        """They send a file; a photo in two sizes."""
        told = self._keep(name or f"{kind}.bin", content)
        if kind == "photo":
            small = self._keep("small.jpg", content[:10])
            told = [small | {"width": 90, "height": 60}, told | {"width": 900, "height": 600}]  # type: ignore[assignment]
        elif kind in ("voice", "video", "audio"):
            told |= {"duration": 3, "mime_type": {"voice": "audio/ogg"}.get(kind, f"{kind}/mp4")}
            told |= {"width": 640, "height": 480} if kind == "video" else {}
        else:
            told |= {"file_name": name, "mime_type": "application/pdf"}
        return self.message(number, **{kind: told}, **more)

    def press(self, number: int, message: Json, data: str) -> Json:
        """They press a button below a message of the bot."""
        head = {"id": str(next(self._numbers)), "from": self.people[number].user(), "chat_instance": "-31415"}
        return self.update(callback_query=head | {"message": message, "data": data})

    def block(self, number: int) -> Json:
        """They block the bot."""
        self.people[number].has_blocked = True
        return self._switch(number, "member", "kicked")

    def unblock(self, number: int) -> Json:
        """They let the bot in again."""
        self.people[number].has_blocked = False
        return self._switch(number, "kicked", "member")

    def update(self, **parts: Any) -> Json:
        """An update of any shape; those that nobody has asked for are not kept."""
        with self._news:
            made = {"update_id": self.next_update_id, **parts}
            kinds = set(parts)
            if kinds <= set(self.allowed) if self.allowed else not kinds & UNASKED:
                self.next_update_id += 1
                self.pending.append(made)
                self._news.notify_all()
        return made

    def wait_until_quiet(self, seconds: float = 5.0) -> bool:
        """Whether all updates are confirmed by then."""
        with self._news:
            return self._news.wait_for(lambda: not self.pending, seconds)

    def sent_to(self, number: int) -> list[Json]:
        """The messages that somebody has got."""
        with self._news:
            return [message for message in self.sent if message["chat"]["id"] == number]

    def _switch(self, number: int, old: str, new: str) -> Json:
        person = self.people[number]

        def state(status: str) -> Json:
            return {"status": status, "user": self.bot} | ({"until_date": 0} if status == "kicked" else {})

        return self.update(
            my_chat_member={
                "chat": person.chat(),
                "from": person.user(),
                "date": int(time.time()),
                "old_chat_member": state(old),
                "new_chat_member": state(new),
            }
        )

    def _message_id(self, number: int) -> int:
        self._message_ids[number] = self._message_ids.get(number, 0) + 1
        return self._message_ids[number]

    def _keep(self, name: str, content: bytes) -> Json:
        number = next(self._numbers)
        file_id = f"AgACAgQAAxkB{number:08}"
        ending = name.rpartition(".")[2]
        with self._news:
            self._files[file_id] = (f"documents/file_{number}.{ending}", content)
        return {"file_id": file_id, "file_unique_id": f"AQAD{number:08}", "file_size": len(content)}

    # Answers

    def answer(self, call: Call) -> tuple[int, bytes] | None:
        """Status and body; None: the connection breaks."""
        with self._news:
            self.calls.append(call)
            fault = self.next_fault("", call.method)
        if fault is None:
            return self._true_answer(call)
        answer = (
            self._true_answer(call)
            if fault.takes or not (fault.status or fault.drops or fault.hold)
            else None
        )
        if fault.hold:
            fault.hold.wait(60)
            answer = answer or (None if fault.status or fault.drops else self._true_answer(call))
        if fault.drops:
            return None
        if not fault.status:
            return answer
        if fault.body is not None:
            return fault.status, fault.body
        return _refusal(fault.status, fault.description or "Internal Server Error", fault.parameters)

    def next_fault(self, *methods: str) -> Fault | None:
        """The oldest fault for one of these methods, once; downloads are the method `file`."""
        with self._news:
            fault = next((one for one in self._faults if one.method in methods), None)
            if fault:
                self._faults.remove(fault)
            return fault

    def _true_answer(self, call: Call) -> tuple[int, bytes]:
        try:
            work: Callable[[Call], object] | None = getattr(self, f"_do_{_snake(call.method)}", None)
            if work is None:
                raise Refusal(404, "Not Found: method not found")
            return 200, json.dumps({"ok": True, "result": work(call)}).encode()
        except Refusal as refusal:
            return _refusal(refusal.status, refusal.description, refusal.parameters)

    def _do_get_me(self, _: Call) -> Json:
        return self.bot | {
            "can_join_groups": False,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def _do_send_message(self, call: Call) -> Json:
        text = call.params.get("text", "")
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        if _length(text) > LONGEST_TEXT:
            raise Refusal(400, "Bad Request: message is too long")
        return self._take(call, {"text": text})

    def _send_file(self, call: Call, kind: str) -> Json:
        return self._take(
            call, self._attached(kind, call.params.get(kind, ""), call.params.get("caption", ""), call)
        )

    def _do_send_photo(self, call: Call) -> Json:
        return self._send_file(call, "photo")

    def _do_send_video(self, call: Call) -> Json:
        return self._send_file(call, "video")

    def _do_send_audio(self, call: Call) -> Json:
        return self._send_file(call, "audio")

    def _do_send_voice(self, call: Call) -> Json:
        return self._send_file(call, "voice")

    def _do_send_document(self, call: Call) -> Json:
        return self._send_file(call, "document")

    def _do_send_media_group(self, call: Call) -> list[Json]:
        media = json.loads(call.params.get("media", "[]"))
        kinds = {one["type"] for one in media}
        if not 2 <= len(media) <= 10:
            raise Refusal(400, "Bad Request: there must be 2 to 10 media in the album")
        if len(kinds) > 1 and not kinds <= {"photo", "video"}:
            raise Refusal(400, "Bad Request: can't be mixed with other media types")
        group = {"media_group_id": str(next(self._numbers))}
        contents = [self._attached(one["type"], one["media"], one.get("caption", ""), call) for one in media]
        return [self._take(call, group | content) for content in contents]

    def _attached(self, kind: str, source: str, caption: str, call: Call) -> Json:
        if _length(caption) > LONGEST_CAPTION:
            raise Refusal(400, "Bad Request: message caption is too long")
        name, content = call.files.get(source.removeprefix("attach://") or kind, ("", b""))
        if not content:
            raise Refusal(400, "Bad Request: file must be non-empty")
        told: Any = self._keep(name, content)
        if kind == "photo":
            told = [told | {"width": 900, "height": 600}]
        elif kind == "document":
            told |= {"file_name": name}
        else:
            told |= {"duration": 3} | ({"width": 640, "height": 480} if kind == "video" else {})
        return {kind: told} | ({"caption": caption} if caption else {})

    def _take(self, call: Call, content: Json) -> Json:
        number = call.params.get("chat_id", "")
        with self._news:
            person = self.people.get(int(number)) if re.fullmatch(r"-?\d+", number) else None
            if person is None:
                raise Refusal(400, "Bad Request: chat not found")
            if person.is_deactivated:
                raise Refusal(403, "Forbidden: user is deactivated")
            if person.has_blocked:
                raise Refusal(403, "Forbidden: bot was blocked by the user")
            if not person.has_started:
                raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
            self._slow_down()
            quote = json.loads(call.params.get("reply_parameters", "{}"))
            known = [
                one
                for one in self.sent
                if (one["chat"]["id"], one["message_id"]) == (person.id, quote.get("message_id"))
            ]
            if quote and not known and not quote.get("allow_sending_without_reply"):
                raise Refusal(400, "Bad Request: message to be replied not found")
            head = {
                "message_id": self._message_id(person.id),
                "from": self.bot,
                "chat": person.chat(),
                "date": int(time.time()),
            }
            message = head | content | ({"reply_to_message": known[0]} if known else {})
            self.sent.append(message)
            return message

    def _slow_down(self) -> None:
        now = time.monotonic()
        self._window = [at for at in self._window if now - at < 1]
        if self.per_second is not None and len(self._window) >= self.per_second:
            raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        self._window.append(now)

    def _do_get_file(self, call: Call) -> Json:
        file_id = call.params.get("file_id", "")
        if file_id not in self._files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, content = self._files[file_id]
        if len(content) > LARGEST_DOWNLOAD:
            raise Refusal(400, "Bad Request: file is too big")
        told = {"file_id": file_id, "file_unique_id": file_id[::-1], "file_path": path}
        return told | {"file_size": len(content)}

    def file(self, path: str) -> bytes | None:
        """What the address of a file brings."""
        return next((content for there, content in self._files.values() if there == path), None)

    def _do_answer_callback_query(self, _: Call) -> bool:
        return True

    def _do_send_chat_action(self, _: Call) -> bool:
        return True

    # Updates

    def _allow(self, call: Call) -> None:
        if "allowed_updates" in call.params:
            self.allowed = json.loads(call.params["allowed_updates"]) or None

    def _do_set_webhook(self, call: Call) -> bool:
        url, secret = call.params.get("url", ""), call.params.get("secret_token", "")
        if not url.startswith(("https://", "http://127.0.0.1:")):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        with self._news:
            self._allow(call)
            self.webhook = {"url": url, "secret_token": secret}
            self._drop_pending(call)
            self._news.notify_all()
        return True

    def _do_delete_webhook(self, call: Call) -> bool:
        with self._news:
            self.webhook = {}
            self._drop_pending(call)
        return True

    def _drop_pending(self, call: Call) -> None:
        if call.params.get("drop_pending_updates") in ("true", "True"):
            self.pending.clear()

    def _do_get_webhook_info(self, _: Call) -> Json:
        with self._news:
            trouble = {"last_error_message": self.last_error, "last_error_date": int(time.time())}
            return {
                "url": self.webhook.get("url", ""),
                "has_custom_certificate": False,
                "pending_update_count": len(self.pending),
            } | (trouble if self.last_error else {})

    def _do_get_updates(self, call: Call) -> list[Json]:
        offset, limit = int(call.params.get("offset", 0)), int(call.params.get("limit", 100))
        ends = time.monotonic() + float(call.params.get("timeout", 0))
        with self._news:
            if self.webhook:
                raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
            self._allow(call)
            self._poll += 1
            mine = self._poll
            if offset > 0:
                self.pending = [update for update in self.pending if update["update_id"] >= offset]
            elif offset < 0:
                self.pending = self.pending[offset:]
            self._news.notify_all()
            while not self.pending and self._poll == mine and time.monotonic() < ends and not self._is_over:
                self._news.wait(max(0.0, ends - time.monotonic()))
            if self._poll != mine:
                raise Refusal(409, "Conflict: terminated by other getUpdates request")
            return self.pending[:limit]

    def _deliver(self) -> None:
        """Knocks with the oldest update until somebody answers 2xx, as often as `repeats` says."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._is_over or (self.webhook and self.pending))
                if self._is_over:
                    return
                update, hook = self.pending[0], dict(self.webhook)
            statuses = [self._knock(hook, update) for _ in range(self.repeats)]
            with self._news:
                if all(200 <= status < 300 for status in statuses):
                    self.last_error = ""
                    if update in self.pending:
                        self.pending.remove(update)
                    self._news.notify_all()
                    continue
                self.last_error = f"Wrong response from the webhook: {statuses}"
                self._news.wait(self.retry_seconds)

    def _knock(self, hook: Json, update: Json) -> int:
        headers = {"Content-Type": "application/json"}
        if hook["secret_token"]:
            headers["X-Telegram-Bot-Api-Secret-Token"] = hook["secret_token"]
        request = urllib.request.Request(hook["url"], json.dumps(update).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    # From another process

    def control(self, verb: str, arguments: Json) -> object:
        """What a driver of the emulator asks or tells it over HTTP."""
        match verb:
            case "calls":
                return [{"method": call.method, "params": call.params, "at": call.at} for call in self.calls]
            case "sent" | "people" | "pending":
                found = getattr(self, verb)
                return [vars(one) for one in found.values()] if verb == "people" else found
            case "set":
                for name in arguments.keys() & {"per_second", "repeats", "retry_seconds", "next_update_id"}:
                    setattr(self, name, arguments[name])
                return True
            case "fail":
                self.fail(**arguments)
                return True
            case "hold":
                self.hold(**arguments)
                return True
            case "release":
                self.release(**arguments)
                return True
            case "person":
                return vars(self.person(**arguments))
            case "start" | "say" | "message" | "block" | "unblock" | "press" | "share_contact" | "update":
                return getattr(self, verb)(**arguments)
        raise KeyError(verb)


def _handler(api: BotApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are written apart: else each answer takes 40 ms

        def log_message(self, *_: object) -> None:
            """The tests tell."""

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            if path.startswith("/control/"):
                result = api.control(path.removeprefix("/control/"), json.loads(body or b"{}"))
                return self._reply(200, json.dumps(result).encode())
            if path.startswith("/file/bot"):
                token, _, file = path.removeprefix("/file/bot").partition("/")
                content = api.file(file) if token == api.token else None
                fault = api.next_fault("file")
                if fault and fault.drops and content:
                    self.close_connection = True
                    return self._reply(200, content[: len(content) // 2], length=len(content))
                return self._reply(fault.status if fault else 404 if content is None else 200, content or b"")
            token, _, method = path.removeprefix("/bot").partition("/")
            if not re.fullmatch(r"\d+:[\w-]+", token):
                return self._reply(*_refusal(404, "Not Found", {}))
            if token != api.token:
                return self._reply(*_refusal(401, "Unauthorized", {}))
            if len(body) > LARGEST_UPLOAD:
                return self._reply(413, b"<html><h1>413 Request Entity Too Large</h1></html>")
            params, files = _fields(self.headers.get("Content-Type") or "", body, urlsplit(self.path).query)
            answer = api.answer(Call(method, params, files, time.time()))
            if answer is None:
                self.close_connection = True
                return None
            return self._reply(*answer)

        def _reply(self, status: int, body: bytes, *, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if body[:1] in b"{[" else "text/html")
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _refusal(status: int, description: str, parameters: Json) -> tuple[int, bytes]:
    told: Json = {"ok": False, "error_code": status, "description": description}
    return status, json.dumps(told | ({"parameters": parameters} if parameters else {})).encode()


def _fields(kind: str, body: bytes, query: str) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    params = dict(parse_qsl(query))
    files: dict[str, tuple[str, bytes]] = {}
    if kind.startswith("application/json"):
        values = json.loads(body)
        params |= {name: one if isinstance(one, str) else json.dumps(one) for name, one in values.items()}
    elif kind.startswith("multipart/form-data"):
        boundary = kind.partition("boundary=")[2].strip('"').encode()
        for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
            head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'[ ;]name="([^"]*)"', head)
            filename = re.search(rb'filename="([^"]*)"', head)
            if name and filename:
                files[name[1].decode()] = (filename[1].decode(), content)
            elif name:
                params[name[1].decode()] = content.decode()
    else:
        params |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    return params, files


def _snake(method: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower()


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description="Telegram's Bot API on loopback")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--token", default=None)
    given = parser.parse_args()
    with BotApi(port=given.port, **({"token": given.token} if given.token else {})) as api:
        print(f"{api.url} {api.token}", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
