"""WATI over HTTP against its emulator, and its webhooks in the house's words."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Attachment,
    Draft,
    Failure,
    Inbound,
    KeptTemplate,
    Knock,
    NotReached,
    Outgoing,
    Receipt,
    ReceiptKind,
    RemoteFile,
    Said,
    Sender,
    SendFailed,
    Standing,
    TemplateCall,
    Unknown,
)
from drivercrm.channels.wati import calls
from drivercrm.channels.wati.adapter import Settings, Wati
from drivercrm.channels.wati.inbound import failure_in, parse
from tests.emulators.wati import Fault, WatiServer

OURS = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
NUMBER = Address(AddressKind.PHONE, "+27821234567")
SCOPED = Address(AddressKind.BUSINESS_SCOPED_ID, "ZA.13491208655302741918")
RECEIVED = datetime(2026, 6, 18, 12, 30, tzinfo=UTC)
AT = datetime.fromtimestamp(1781784000, UTC)
LOCK = "a-long-random-word-in-the-path"
PAGE = "<html>Bad gateway</html>"


def settings_for(server: WatiServer, **changes: str) -> Settings:
    return Settings(
        **{"host": server.url, "token": server.token, "path_token": LOCK, "tenant": "361402", **changes}
    )


@pytest.fixture
def server() -> Iterator[WatiServer]:
    with WatiServer() as server:
        server.keep_template("welcome_1", "Hello {{given_name}}")
        yield server


@pytest.fixture
def wati(server: WatiServer) -> Iterator[Wati]:
    provider = Wati(settings_for(server))
    yield provider
    provider.close()


def outgoing(text: str = "Hello Nandi", to: Address = NUMBER, **fields: Any) -> Outgoing:
    return Outgoing(id=OURS, to=to, text=text, **fields)


GUIDE = Attachment("guide.pdf", "application/pdf", b"%PDF")
WELCOME = TemplateCall("welcome_1", "en", {"given_name": "Nandi\n Mkhize"})


# Going out


def test_a_template_carries_our_id(server: WatiServer, wati: Wati) -> None:
    accepted = wati.send(outgoing(template=WELCOME))

    assert server.taken[0].body == {
        "template_name": "welcome_1",
        "broadcast_name": f"welcome_1-{OURS}",
        "recipients": [
            {
                "phone_number": "27821234567",
                "local_message_id": str(OURS),
                "custom_params": [{"name": "given_name", "value": "Nandi Mkhize"}],
            }
        ],
    }
    assert accepted.provider_id == str(OURS)


def test_a_scoped_id_and_a_channel_are_named(server: WatiServer) -> None:
    provider = Wati(settings_for(server, channel_number="27315550100"))
    provider.send(outgoing(template=WELCOME, to=SCOPED))
    provider.send(outgoing(to=SCOPED))
    provider.close()

    template, text = server.taken
    assert template.body["recipients"][0]["target"] == SCOPED.value
    assert template.body["channel"] == "27315550100"
    assert text.body["target"] == f"27315550100:{SCOPED.value}"


def test_a_text_goes_into_the_open_conversation(server: WatiServer, wati: Wati) -> None:
    accepted = wati.send(outgoing())
    assert server.taken[0].body == {"target": "27821234567", "text": "Hello Nandi"}
    assert accepted.provider_id == server.taken[0].local_id


def test_a_file_goes_with_its_caption(server: WatiServer, wati: Wati) -> None:
    wati.send(outgoing("Your guide", attachments=(GUIDE,)))
    assert server.taken[0].body == {"target": "27821234567", "caption": "Your guide", "file": "%PDF"}


def test_without_an_open_conversation_a_template_is_needed(server: WatiServer, wati: Wati) -> None:
    server.has_window = True
    with pytest.raises(SendFailed) as failed:
        wati.send(outgoing())
    server.says("27821234567", "Hi")
    wati.send(outgoing())

    assert failed.value.failure == Failure.NEEDS_TEMPLATE
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (outgoing(""), Failure.CONTENT),
        (outgoing("x" * 4097), Failure.CONTENT),
        (outgoing(to=Address(AddressKind.EMAIL, "a@example.org")), Failure.CONTENT),
        (outgoing(attachments=(GUIDE, GUIDE)), Failure.CONTENT),
        (outgoing("x" * 1025, attachments=(GUIDE,)), Failure.CONTENT),
        (outgoing(template=WELCOME, attachments=(GUIDE,)), Failure.CONTENT),
        (outgoing(template=TemplateCall("welcome_1", "en", {"given_name": " "})), Failure.CONTENT),
        (outgoing(template=TemplateCall("welcome_1", "en", {"other": "x"})), Failure.CONTENT),
        (outgoing(template=TemplateCall("nothing", "en")), Failure.TEMPLATE),
        (
            outgoing(template=WELCOME, to=Address(AddressKind.WHATSAPP_ID, "27830000001")),
            Failure.UNREACHABLE,
        ),
    ],
)
def test_refusals(server: WatiServer, wati: Wati, message: Outgoing, expected: Failure) -> None:
    server.invalid.add("27830000001")
    with pytest.raises(SendFailed) as failed:
        wati.send(message)
    assert (failed.value.failure, server.taken) == (expected, [])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop=True, is_taken=True),
        Fault(status=500, body="{}"),
        Fault(status=502, body=PAGE),
        Fault(status=408, body=""),
        Fault(status=200, body=PAGE, is_taken=True),
        Fault(status=200, body="[]", is_taken=True),
        Fault(status=200, body='{"success": true, "recipients": []}', is_taken=True),
    ],
)
def test_it_may_have_been_taken(server: WatiServer, wati: Wati, fault: Fault) -> None:
    server.fault(fault)
    with pytest.raises(SendFailed) as failed:
        wati.send(outgoing(template=WELCOME))
    assert (failed.value.failure, len(server.seen)) == (Failure.IN_DOUBT, 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401, body=""), Failure.ACCOUNT),
        (Fault(status=403, body=PAGE), Failure.ACCOUNT),
        (Fault(status=429, body="{}"), Failure.RATE),
        (Fault(status=400, body='{"message": "something else"}'), Failure.UNKNOWN_CODE),
        (Fault(status=400, body='{"errors": ["Missing parameter"]}'), Failure.CONTENT),
        (Fault(status=200, body='{"result": false, "error": "Insufficient credit"}'), Failure.ACCOUNT),
        (
            Fault(status=200, body='{"result": true, "receivers": [{"isValidWhatsAppNumber": false}]}'),
            Failure.UNREACHABLE,
        ),
    ],
)
def test_it_was_certainly_not_taken(server: WatiServer, wati: Wati, fault: Fault, expected: Failure) -> None:
    server.fault(fault)
    with pytest.raises(SendFailed) as failed:
        wati.send(outgoing(template=WELCOME))
    assert failed.value.failure == expected
    assert server.taken == []


def test_an_answer_that_is_too_late_is_in_doubt_and_no_connection_is_not(
    server: WatiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "TIMEOUT", httpx.Timeout(0.2))
    late = Wati(settings_for(server))
    server.fault(Fault(hold=True))
    with pytest.raises(SendFailed) as in_doubt:
        late.send(outgoing(template=WELCOME))
    server.release()
    nowhere = Wati(settings_for(server, host="http://127.0.0.1:1"))
    with pytest.raises(SendFailed) as unsent:
        nowhere.send(outgoing(template=WELCOME))
    late.close()
    nowhere.close()

    assert (in_doubt.value.failure, unsent.value.failure) == (Failure.IN_DOUBT, Failure.TEMPORARY)


def test_an_answer_that_says_failed_is_a_failure(server: WatiServer, wati: Wati) -> None:
    body = '{"message": {"local_message_id": "x", "status": "failed", "failed_code": "131047"}}'
    server.fault(Fault(body=body, path="/text"), Fault(body='{"message": {}}', path="/text"))
    with pytest.raises(SendFailed) as failed:
        wati.send(outgoing())
    with pytest.raises(SendFailed) as unclear:
        wati.send(outgoing())
    assert (failed.value.failure, failed.value.code) == (Failure.NEEDS_TEMPLATE, "131047")
    assert unclear.value.failure == Failure.IN_DOUBT


# The account


def test_the_account_and_its_templates(server: WatiServer, wati: Wati) -> None:
    for number in range(120):
        server.keep_template(f"t{number}", "Hello")

    kept = wati.templates()

    assert wati.check() == Standing("TimoRides", "27315550100")
    assert len(kept) == 121
    assert kept[0] == KeptTemplate(
        name="welcome_1",
        language="en",
        state="approved",
        category="utility",
        body="Hello {{given_name}}",
        variables=("given_name",),
        quality="green",
        id=kept[0].id,
    )
    with pytest.raises(NotReached):
        wati.submit(Draft("a", "en", "utility", "Hello"))


def test_a_channel_that_is_not_there_is_said(server: WatiServer, wati: Wati) -> None:
    other = Wati(settings_for(server, channel_number="27999"))
    with pytest.raises(NotReached) as failed:
        other.check()
    other.close()
    server.channels.append({"id": "2", "name": "Two", "channel": "27315550101"})

    assert failed.value.failure == Failure.ACCOUNT
    assert wati.check().words == "WATI has several channels, so the number must be named."


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401, body="", path="/"), Failure.ACCOUNT),
        (Fault(status=502, body=PAGE, path="/"), Failure.TEMPORARY),
        (Fault(drop=True, path="/"), Failure.TEMPORARY),
        (Fault(status=200, body=PAGE, path="/"), Failure.TEMPORARY),
    ],
)
def test_questions_without_an_answer(server: WatiServer, wati: Wati, fault: Fault, expected: Failure) -> None:
    path = server.keep_file(b"jpeg", "image/jpeg")
    for ask in (wati.check, wati.templates):
        server.fault(fault)
        with pytest.raises(NotReached) as failed:
            ask()
        assert failed.value.failure == expected
    if fault.status != 200:
        server.fault(fault)
        with pytest.raises(NotReached) as failed:
            wati.fetch(RemoteFile(path), 100)
        assert failed.value.failure == expected


def test_a_file_is_fetched_by_its_path(server: WatiServer, wati: Wati) -> None:
    path = server.keep_file(b"jpeg", "image/jpeg")

    assert wati.fetch(RemoteFile(path, name="photo.jpg"), 100) == Attachment(
        "photo.jpg", "image/jpeg", b"jpeg"
    )
    assert server.seen[-1][1:3] == ("/361402/api/v1/getMedia", {"fileName": path})
    with pytest.raises(NotReached) as large:
        wati.fetch(RemoteFile(path), 3)
    assert large.value.failure == Failure.CONTENT
    for other in ("https://evil.example/x", "data/../../secret", ""):
        with pytest.raises(NotReached):
            wati.fetch(RemoteFile(other), 100)


@pytest.mark.parametrize(
    "change",
    [
        {"host": "https://x/y?z"},
        {"host": "http://wati.io"},
        {"tenant": "../1"},
        {"channel_number": "+27"},
        {"path_token": "short"},
    ],
)
def test_settings_that_cannot_be(server: WatiServer, change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        settings_for(server, **change)


def test_nothing_personal_or_secret_is_logged(
    server: WatiServer, wati: Wati, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wati.send(outgoing("Private words"))
    shown = caplog.text + repr(wati.settings)
    for secret in ("27821234567", "Private", server.token, LOCK):
        assert secret not in shown


# Coming in


def test_the_word_in_the_address_is_the_lock(wati: Wati) -> None:
    def knock(token: str) -> Knock:
        return Knock("POST", {"token": token}, {}, b"{}")

    assert wati.is_genuine(knock(LOCK))
    assert not wati.is_genuine(knock(LOCK[:-1]))
    assert not wati.is_genuine(knock("é"))
    assert not wati.is_genuine(Knock("POST", {}, {}, b"{}"))
    assert wati.greeting(knock(LOCK)) is None


def event(**fields: Any) -> dict[str, Any]:
    return {
        "eventType": "message",
        "id": "66b2531d4931581381944612",
        "whatsappMessageId": "wamid.IN1",
        "text": "Hello",
        "type": "text",
        "timestamp": "1781784000",
        "owner": False,
        "waId": "27821234567",
        "senderName": "Nandi",
        **fields,
    }


def one(piece: Any, **settings: str) -> Any:
    (found,) = parse(json.dumps(piece).encode(), RECEIVED, **settings)
    return found


def test_a_message_comes_in() -> None:
    wa = Address(AddressKind.WHATSAPP_ID, "27821234567")
    assert one(event(replyContextId="wamid.OUT1")) == Inbound(
        key="wamid.IN1",
        provider_id="wamid.IN1",
        sender=Sender((wa,), "Nandi"),
        at=AT,
        said=Said.TEXT,
        text="Hello",
        quotes=("wamid.OUT1",),
    )
    scoped = one(event(eventType="message_bsuid", bsuid=SCOPED.value, username="nandi.drives"))
    assert scoped.sender == Sender((SCOPED, wa), "Nandi", "nandi.drives")


@pytest.mark.parametrize(
    ("fields", "said", "text", "payload"),
    [
        ({"type": "button", "text": "Yes"}, Said.BUTTON, "Yes", "Yes"),
        (
            {"type": "button", "buttonReply": {"text": "Stop", "payload": "OPT_OUT"}},
            Said.BUTTON,
            "Stop",
            "OPT_OUT",
        ),
        ({"type": "interactive", "listReply": {"title": "09:00", "id": "9"}}, Said.BUTTON, "09:00", "9"),
        ({"type": "reaction", "text": "👍"}, Said.REACTION, "👍", ""),
        ({"type": "location", "text": "https://maps/?q=-29.8,31.0"}, Said.LOCATION, "A location", ""),
        ({"type": "contacts", "text": None}, Said.CONTACT, "A contact card", ""),
        (
            {"type": "hologram", "text": None},
            Said.OTHER,
            "A message of a kind that cannot be shown here (hologram)",
            "",
        ),
    ],
)
def test_kinds_of_messages(fields: dict[str, Any], said: Said, text: str, payload: str) -> None:
    found = one(event(**fields))
    assert (found.said, found.text, found.payload) == (said, text, payload)


@pytest.mark.parametrize(
    "told",
    [
        "https://live-mt-server.wati.io/2552/api/file/showFile?fileName=data/images/a.jpg",
        "data/images/a.jpg",
        {"url": "data/images/a.jpg"},
    ],
)
def test_files_are_known_by_their_path(told: Any) -> None:
    found = one(event(type="image", text="My licence", data=told))
    assert (found.said, found.text, found.files) == (
        Said.FILE,
        "My licence",
        (RemoteFile("data/images/a.jpg", name="a.jpg"),),
    )


def test_receipts_name_our_id_and_the_one_that_answers_quote() -> None:
    piece = {
        "eventType": "sentMessageDELIVERED_v2_bsuid",
        "localMessageId": str(OURS),
        "whatsappMessageId": "wamid.OUT1",
        "timestamp": "1781784000",
        "bsuid": SCOPED.value,
    }
    assert one(piece) == Receipt(
        key=f"{OURS}:delivered:1781784000",
        kind=ReceiptKind.DELIVERED,
        at=AT,
        provider_id=str(OURS),
        our_id=OURS,
        other_id="wamid.OUT1",
        addresses=(SCOPED,),
    )
    sent = one(
        {
            **piece,
            "eventType": "templateMessageSent_v2",
            "timestamp": None,
            "created": "2026-06-18T12:00:00.9655388Z",
        }
    )
    assert (sent.kind, sent.at) == (ReceiptKind.SENT, AT)


def test_failures_have_metas_codes() -> None:
    for name in ("templateMessageFailed", "sessionMessageFailed"):
        found = one(
            {
                "eventType": name,
                "localMessageId": "x",
                "failedCode": "131026",
                "failedDetail": "Message undeliverable",
            }
        )
        assert (found.kind, found.failure, found.code, found.words, found.at) == (
            ReceiptKind.FAILED,
            Failure.UNREACHABLE,
            "131026",
            "Message undeliverable",
            RECEIVED,
        )


@pytest.mark.parametrize(
    "piece",
    [
        event(owner=True),
        {"eventType": "sentMessageREPLIED_v2", "localMessageId": str(OURS)},
        {"eventType": "sentMessageDELIVERED", "whatsappMessageId": "wamid.OUT1"},
        {"eventType": "newContactMessageReceived", "waId": "27821234567"},
        event(id=None, whatsappMessageId=None),
        {"eventType": "sentMessageREAD_v2"},
        event(channelPhoneNumber="+27 31 555 0199"),
    ],
)
def test_what_says_nothing_new_is_unknown(piece: dict[str, Any]) -> None:
    assert isinstance(one(piece, channel_number="27315550100"), Unknown)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a\x00\ud800")
ANYTHING = st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3))
NAMES = [*event(), "localMessageId", "created", "data", "bsuid", "buttonReply", "listReply", "failedCode"]
EVENTS = ["message", "templateMessageSent_v2", "sentMessageREAD_v2_bsuid", "templateMessageFailed"]


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    assert parse(body, RECEIVED)


@given(ANYTHING | st.dictionaries(st.sampled_from(NAMES), ANYTHING), st.sampled_from(EVENTS))
def test_any_json(value: Any, kind: str) -> None:
    for piece in (value, {**value, "eventType": kind} if isinstance(value, dict) else value):
        body = json.dumps(piece).encode()
        events = parse(body, RECEIVED)
        assert events
        assert [one.key for one in parse(body, AT)] == [one.key for one in events]
        assert all(0 < len(one.key.encode()) <= 800 for one in events)


def test_words_of_refusals_say_what_to_do() -> None:
    assert failure_in("Ticket has been expired.") == Failure.NEEDS_TEMPLATE
    assert failure_in("not a valid WhatsApp number") == Failure.UNREACHABLE
    assert failure_in("") == Failure.UNKNOWN_CODE


def test_webhooks_arrive_until_they_are_taken(server: WatiServer, wati: Wati) -> None:
    taken: list[bytes] = []
    answers = [500, 500]

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            token = urlsplit(self.path).path.rpartition("/")[2]
            is_genuine = wati.is_genuine(Knock("POST", {"token": token}, {}, body))
            status = answers.pop(0) if answers else 200 if is_genuine else 403
            if status == 200:
                taken.append(body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    door = HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, args=(0.05,), daemon=True).start()
    server.webhook_url = f"http://127.0.0.1:{door.server_address[1]}/hooks/wati/{LOCK}"

    wati.send(outgoing(template=WELCOME))
    assert server.knock(server.says("27821234567", "Hi"), tries=5) == 200
    assert server.knock(server.status(server.taken[0], "sentMessageREAD_v2")) == 200
    server.webhook_url += "x"
    assert server.knock(server.says("27821234567", "Forged")) == 403
    door.shutdown()
    door.server_close()

    found = [one for body in taken for one in wati.parse(body, RECEIVED)]
    assert [type(one) for one in found] == [Inbound, Receipt]
    assert (found[0].text, found[1].our_id) == ("Hi", OURS)
