"""A sending service: out over HTTP, its reports and its inbound mails in by webhook (Postmark's published forms)."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivercrm.channels.email.esp import SERVICES, Provider, Settings
from drivercrm.channels.email.settings import Settings as Mailbox
from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Choice,
    Failure,
    Inbound,
    Knock,
    NotReached,
    Preference,
    Receipt,
    ReceiptKind,
    Said,
    SendFailed,
    Unknown,
)
from tests.channels.email.conftest import NOW, OUR_ID, outgoing

pytestmark = pytest.mark.one_database

MAIL = Mailbox("", 0, "crm@drivers.example.com", "Driver CRM")
OURS = "m.0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com"
TAKEN = {
    "To": "sipho@example.org", "SubmittedAt": "2026-10-05T12:00:00Z", "ErrorCode": 0,
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Message": "OK",
}  # fmt: skip
META = {"our_id": str(OUR_ID)}


@dataclass
class Service:
    """What the service answers, and what it was sent. A status of 0 drops the connection."""

    url: str = ""
    answers: list[tuple[int, Any]] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    told = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = told.answers.pop(0) if told.answers else (200, TAKEN)
            if not status:
                return
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


def account(service: Service | None = None, **options: str) -> Provider:
    url = {"api_url": service.url} if service else {}
    return Provider(Settings("postmark", MAIL, "hook:secret", {"server_token": "token", **url, **options}))


def failure(provider: Provider) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing())
    return caught.value


def parse(event: Any) -> Any:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    [one] = account().parse(body, NOW)
    return one


def test_a_mail_goes_out_with_our_id_in_its_metadata_and_in_its_references(service: Service) -> None:
    provider = account(service)

    accepted = provider.send(
        outgoing(reply_token="tok", unsubscribe_url="https://x.example/u", is_automatic=True)
    )
    provider.close()

    assert accepted.provider_id == OURS
    [got] = service.got
    headers = {one["Name"]: one["Value"] for one in got["Headers"]}
    assert got["Metadata"] == META
    assert (got["From"], got["To"], got["ReplyTo"]) == (
        "Driver CRM <crm@drivers.example.com>", "sipho@example.org", "crm+r-tok@drivers.example.com",
    )  # fmt: skip
    assert headers["References"] == headers["Message-ID"] == f"<{OURS}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"ErrorCode": 10, "Message": "Bad token"}, Failure.ACCOUNT),
        (403, "no", Failure.ACCOUNT),
        (429, {"Message": "slow down"}, Failure.RATE),
        (422, {"ErrorCode": 406, "Message": "Found inactive addresses: sipho@example.org. Inactive recipients are"
                                            " ones that have generated a hard bounce."}, Failure.UNREACHABLE),
        (422, {"ErrorCode": 406, "Message": "in other words"}, Failure.IN_DOUBT),
        (422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'sipho@example.org'."}, Failure.UNREACHABLE),
        (422, {"ErrorCode": 412, "Message": "Account is pending approval"}, Failure.CONTENT),
        (503, "<html>maintenance</html>", Failure.TEMPORARY),
        (500, "<html>error</html>", Failure.IN_DOUBT),
        (504, "<html>gateway</html>", Failure.IN_DOUBT),
        (200, "no json", Failure.IN_DOUBT),
        (0, "", Failure.IN_DOUBT),
    ],
)  # fmt: skip
def test_what_an_answer_of_the_service_means(
    status: int, body: Any, expected: Failure, service: Service
) -> None:
    service.answers.append((status, body))

    assert failure(account(service)).failure is expected
    assert len(service.got) == 1


def test_nobody_there_is_tried_again() -> None:
    assert failure(account(api_url="http://127.0.0.1:9/")).failure is Failure.TEMPORARY


def test_a_missing_key_stops_the_account() -> None:
    provider = Provider(Settings("postmark", MAIL, "hook:secret"))

    assert failure(provider).failure is Failure.ACCOUNT
    with pytest.raises(NotReached):
        provider.check()


@pytest.mark.parametrize(
    ("event", "kind", "reason"),
    [
        ({"RecordType": "Delivery", "DeliveredAt": "2026-10-05T12:00:05Z", "Details": "250 ok"},
         ReceiptKind.DELIVERED, None),
        ({"RecordType": "Bounce", "ID": 42, "Type": "HardBounce", "Details": "smtp;550 5.1.1 no such user",
          "BouncedAt": "2026-10-05T12:00:05Z"}, ReceiptKind.FAILED, Failure.UNREACHABLE),
        ({"RecordType": "Bounce", "ID": 43, "Type": "SoftBounce", "Details": "smtp;552 5.2.2 full",
          "BouncedAt": "2026-10-05T12:00:05Z"}, ReceiptKind.FAILED, Failure.NOT_NOW),
        ({"RecordType": "Bounce", "ID": 44, "Type": "Blocked", "Details": "",
          "BouncedAt": "2026-10-05T12:00:05Z"}, ReceiptKind.FAILED, Failure.CONTENT),
    ],
)  # fmt: skip
def test_a_report_is_a_receipt_of_our_message(
    event: dict[str, Any], kind: ReceiptKind, reason: Failure | None
) -> None:
    receipt = parse(event | {"MessageID": "esp-1", "Recipient": "sipho@example.org", "Metadata": META})

    assert isinstance(receipt, Receipt)
    assert (receipt.kind, receipt.failure) == (kind, reason)
    assert (receipt.our_id, receipt.provider_id) == (OUR_ID, OURS)
    assert receipt.addresses == (Address(AddressKind.EMAIL, "sipho@example.org"),)
    assert receipt.at.isoformat() == "2026-10-05T12:00:05+00:00"


@pytest.mark.parametrize(
    ("event", "choice"),
    [
        ({"RecordType": "SpamComplaint", "ID": 7, "Type": "SpamComplaint", "Email": "sipho@example.org",
          "BouncedAt": "2026-10-05T12:00:05Z"}, Choice.COMPLAINED),
        ({"RecordType": "SubscriptionChange", "Recipient": "sipho@example.org", "SuppressSending": True,
          "SuppressionReason": "ManualSuppression", "ChangedAt": "2026-10-05T12:00:05Z"}, Choice.BLOCKED),
    ],
)  # fmt: skip
def test_a_complaint_and_an_unsubscription_are_choices(event: dict[str, Any], choice: Choice) -> None:
    preference = parse(event | {"MessageID": "esp-1", "Metadata": META})

    assert isinstance(preference, Preference)
    assert (preference.choice, preference.provider_id) == (choice, OURS)
    assert preference.sender.addresses == (Address(AddressKind.EMAIL, "sipho@example.org"),)


@pytest.mark.parametrize("kind", ["Open", "Click", "Nonsense"])
def test_opens_and_clicks_prove_nothing(kind: str) -> None:
    assert isinstance(parse({"RecordType": kind, "MessageID": "esp-1", "Metadata": META}), Unknown)


def inbound_event(**more: Any) -> dict[str, Any]:
    return {
        "FromName": "Sipho", "From": "sipho@example.org", "To": "crm+r-tok@drivers.example.com",
        "FromFull": {"Email": "sipho@example.org", "Name": "Sipho", "MailboxHash": ""},
        "ToFull": [{"Email": "crm+r-tok@drivers.example.com", "Name": "", "MailboxHash": "r-tok"}],
        "OriginalRecipient": "crm+r-tok@drivers.example.com", "Subject": "Re: Welcome", "MessageID": "73e6d360",
        "Date": "Mon, 5 Oct 2026 14:21:07 +0200",
        "TextBody": "Yes\n\nOn Mon, 5 Oct 2026 at 14:03, Driver CRM <crm@drivers.example.com> wrote:\n> STOP\n",
        "HtmlBody": "", "Attachments": [{"Name": "a.txt", "ContentType": "text/plain", "ContentLength": 2,
                                         "Content": base64.b64encode(b"hi").decode()}],
        "Headers": [{"Name": "Message-ID", "Value": "<in-1@example.org>"},
                    {"Name": "In-Reply-To", "Value": f"<{OURS}>"}],
    } | more  # fmt: skip


def test_an_inbound_mail_is_an_answer_as_by_imap() -> None:
    answer = parse(inbound_event())

    assert isinstance(answer, Inbound)
    assert (answer.said, answer.text, answer.reply_token) == (Said.TEXT, "Yes", "tok")
    assert answer.quotes == (OURS,)
    assert answer.sender.addresses == (Address(AddressKind.EMAIL, "sipho@example.org"),)
    assert [(file.name, file.content) for file in answer.files] == [("a.txt", b"hi")]
    assert "STOP" in answer.full_text
    assert parse(inbound_event(ServerDelivery="again")).key == answer.key
    assert parse(inbound_event(TextBody="No")).key != answer.key


def test_a_raw_inbound_mail_keeps_its_marks() -> None:
    headers = [{"Name": "Return-Path", "Value": "<>"}]
    raw = "From: a@example.org\r\nTo: crm@drivers.example.com\r\nMessage-ID: <v@x>\r\n\r\nAway\r\n"

    answer = parse(inbound_event(RawEmail=raw, Headers=headers))

    assert isinstance(answer, Inbound)
    assert answer.said is Said.AUTOMATIC


def test_only_who_knows_the_secret_may_knock() -> None:
    def knock(secret: str) -> Knock:
        basic = base64.b64encode(secret.encode()).decode()
        headers = {"authorization": f"Basic {basic}"} if secret else {}
        return Knock("POST", {}, headers | {"content-type": "application/json"}, b"{}")

    assert account().is_genuine(knock("hook:secret"))
    assert not account().is_genuine(knock("hook:wrong"))
    assert not account().is_genuine(knock(""))
    assert not Provider(Settings("postmark", MAIL, "", {"server_token": "t"})).is_genuine(knock(""))


@pytest.mark.parametrize("service_name", SERVICES)
@settings(max_examples=15, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=100),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=10),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["event", "RecordType", "MessageID", "event-data", "type", "data", "Metadata", "x"]),
                inner,
                max_size=4,
            ),
            max_leaves=10,
        ).map(lambda value: json.dumps(value).encode()),
    )
)  # fmt: skip
def test_any_body_of_any_service_is_an_event(service_name: str, body: bytes) -> None:
    provider = Provider(Settings(service_name, MAIL, "hook:secret"))

    events = provider.parse(body, NOW)

    assert [event.key for event in events] == [event.key for event in provider.parse(body, NOW)]
    assert not provider.is_genuine(Knock("POST", {}, {}, body))
    if service_name == "postmark":
        assert events != []


def test_settings_come_back_from_json() -> None:
    mail = {
        "smtp_host": "",
        "smtp_port": 0,
        "from_address": "crm@drivers.example.com",
        "from_name": "Driver CRM",
    }

    assert Settings("postmark", mail, "").mail == MAIL  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Settings("postmark", MAIL, "hook:secret", {"server_token": "secret"}))
    assert set(SERVICES) >= {"postmark", "mailgun", "brevo", "postal"}
    with pytest.raises(ValueError, match="no mail service"):
        Provider(Settings("os", MAIL, ""))
