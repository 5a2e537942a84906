"""What stands in a mail of ours, read by the standard library on the other side."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivercrm.channels.email.adapter import Encryption, Provider, Settings, Tagging
from drivercrm.channels.email.outbound import build, html_of
from drivercrm.channels.provider import Address, AddressKind, Attachment, Failure, Outgoing, SendFailed
from tests.channels.email.conftest import ACCOUNT, outgoing, settings_of
from tests.emulators.mail import MailServer, Taken

pytestmark = pytest.mark.one_database
OWN = "<m.0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com>"


def sent(provider: Provider, server: MailServer, **more: object) -> Taken:
    provider.send(outgoing(**more))
    return server.taken[-1]


def test_an_answer_comes_back_with_its_token(provider: Provider, server: MailServer) -> None:
    mail = sent(provider, server, reply_token="k3tq9vwm2xhz7aqb").mail

    assert mail["Reply-To"] == "crm+r-k3tq9vwm2xhz7aqb@drivers.example.com"
    assert mail["From"] == "Driver CRM <crm@drivers.example.com>"


def test_our_id_is_repeated_behind_those_of_the_conversation(provider: Provider, server: MailServer) -> None:
    mail = sent(provider, server, thread=("a@x.example", "b@x.example"), quotes="c@x.example").mail

    assert mail["In-Reply-To"] == "<c@x.example>"
    assert mail["References"].split() == ["<a@x.example>", "<b@x.example>", "<c@x.example>", OWN]


def test_a_long_conversation_keeps_its_first_and_its_last(provider: Provider, server: MailServer) -> None:
    thread = tuple(f"{number}@{'x' * 60}.example" for number in range(100))

    taken = sent(provider, server, thread=thread, quotes=thread[-1])

    ids = taken.mail["References"].split()
    assert len(ids) == 22
    assert (ids[0], ids[-2], ids[-1]) == (f"<{thread[0]}>", f"<{thread[-1]}>", OWN)
    assert max(map(len, taken.raw.split(b"\r\n"))) <= 998


def test_one_click_unsubscribes(provider: Provider, server: MailServer) -> None:
    mail = sent(provider, server, unsubscribe_url="https://crm.example.com/u/abc?x=1&y=2").mail

    assert mail["List-Unsubscribe"] == "<https://crm.example.com/u/abc?x=1&y=2>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_one_click_is_promised_over_https_only(provider: Provider, server: MailServer) -> None:
    mail = sent(provider, server, unsubscribe_url="http://localhost:8000/u/abc").mail

    assert mail["List-Unsubscribe"] == "<http://localhost:8000/u/abc>"
    assert mail["List-Unsubscribe-Post"] is None


def test_automatic_mail_says_so_and_a_persons_does_not(provider: Provider, server: MailServer) -> None:
    automatic = sent(provider, server, is_automatic=True).mail
    personal = sent(provider, server).mail

    assert automatic["Auto-Submitted"] == "auto-generated"
    assert automatic["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert personal["Auto-Submitted"] is None
    assert personal["List-Unsubscribe"] is None


def test_names_in_any_letters_arrive(provider: Provider, server: MailServer) -> None:
    mail = sent(provider, server, to_name="Müller, Jörg", subject="Môre — net ’n herinnering " * 6).mail

    assert mail["To"].addresses[0].display_name == "Müller, Jörg"
    assert mail["To"].addresses[0].addr_spec == "sipho@example.org"
    assert mail["Subject"].strip() == ("Môre — net ’n herinnering " * 6).strip()


def test_a_domain_in_other_letters_is_written_as_servers_read_it(
    provider: Provider, server: MailServer
) -> None:
    assert (
        sent(provider, server, to=Address(AddressKind.EMAIL, "j@bücher.example")).recipient
        == "j@xn--bcher-kva.example"
    )


@pytest.mark.parametrize(
    "address",
    ["", "sipho", "a@b", "a b@example.org", "a@example.org\r\nBcc: x@y.example", "a@example.org, b@example.org",
     "jörg@example.org", "<a@example.org>", "a@ex ample.org", ".a@example.org", f"{'a' * 65}@example.org"],
)  # fmt: skip
def test_what_is_no_address_cannot_be_reached(address: str, provider: Provider, server: MailServer) -> None:
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing(to=Address(AddressKind.EMAIL, address)))

    assert caught.value.failure is Failure.UNREACHABLE
    assert server.tries == 0


def test_a_telephone_number_is_no_mail_address(provider: Provider) -> None:
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing(to=Address(AddressKind.PHONE, "+27821234567")))

    assert caught.value.failure is Failure.UNREACHABLE


def test_text_and_html_say_the_same(provider: Provider, server: MailServer) -> None:
    text = (
        "Hello <b>Sipho</b> & all\n\nInstall: https://x.example/app?a=1&b=2.\nThen <script>alert(1)</script>"
    )
    mail = sent(provider, server, text=text).mail

    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().strip().replace("\r\n", "\n") == text
    body = html.get_content()
    assert "<p>Hello &lt;b&gt;Sipho&lt;/b&gt; &amp; all</p>" in body
    assert '<a href="https://x.example/app?a=1&amp;b=2">https://x.example/app?a=1&amp;b=2</a>.<br>' in body
    assert "<script" not in body


def test_a_quotation_mark_does_not_leave_a_link() -> None:
    assert 'onmouseover="' not in html_of('https://x.example/"onmouseover="alert(1)')
    assert "javascript:" not in html_of("javascript:alert(1)").replace("<p>javascript:alert(1)</p>", "")


def test_files_arrive_byte_by_byte(provider: Provider, server: MailServer) -> None:
    files = (
        Attachment("gids né.csv", "text/csv", b"a,b\n1,\xff\n"),
        Attachment("..\\..\\evil\r\nX-Bad: 1.pdf", "application/pdf", b"%PDF"),
        Attachment("", "not a type", b"\x00\x01"),
        Attachment("mail.eml", "message/rfc822", b"From: x\r\n\r\ny"),
    )
    found = list(sent(provider, server, attachments=files).mail.iter_attachments())

    assert [(part.get_filename(), part.get_content_type()) for part in found] == [
        ("gids né.csv", "text/csv"),
        (".._.._evil X-Bad: 1.pdf", "application/pdf"),
        ("file", "application/octet-stream"),
        ("mail.eml", "application/octet-stream"),
    ]
    assert [part.get_payload(decode=True) for part in found] == [file.content for file in files]


def test_a_file_above_the_limit_does_not_go_out(server: MailServer) -> None:
    provider = Provider(settings_of(server, most_attachment=10))
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing(attachments=(Attachment("x.bin", "application/zip", b"x" * 11),)))

    assert caught.value.failure is Failure.CONTENT
    assert server.tries == 0


@pytest.mark.parametrize(
    "more",
    [
        {"unsubscribe_url": "https://x.example/\r\nBcc: a@b.example"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"unsubscribe_url": "https://x.example/>,<mailto:a@b.example"},
        {"reply_token": "a\r\nBcc: x@y.example"},
        {"reply_token": "a@b"},
    ],
)
def test_our_own_addresses_are_checked_too(more: dict[str, object], provider: Provider) -> None:
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing(**more))

    assert caught.value.failure is Failure.CONTENT


HEADERS = {
    "content-type", "mime-version", "subject", "from", "to", "reply-to", "date", "message-id", "references",
    "in-reply-to",
}  # fmt: skip
nasty = st.text(st.characters(codec=None) | st.sampled_from('\r\n\0<>,:;"\\@ \u2028\x85'), max_size=80)


@settings(max_examples=150, deadline=None)
@given(subject=nasty, name=nasty, text=nasty, file=nasty, quotes=nasty, thread=st.lists(nasty, max_size=3))
def test_no_text_can_put_a_header_in(
    subject: str, name: str, text: str, file: str, quotes: str, thread: list[str]
) -> None:
    message = Outgoing(
        uuid4(),
        Address(AddressKind.EMAIL, "sipho@example.org"),
        text,
        subject=f"{subject}\r\nBcc: evil@example.net\r\n\r\nbody",
        to_name=f"{name}\nBcc: evil@example.net",
        quotes=f"{quotes}>\r\nBcc: evil@example.net",
        thread=tuple(thread),
        attachments=(Attachment(f"{file}\r\nBcc: evil", "text/plain", b"x"),),
    )

    raw = build(message, ACCOUNT).message().as_bytes(linesep="\r\n")

    head = raw.partition(b"\r\n\r\n")[0]
    names = [
        line.partition(b":")[0].lower().decode()
        for line in head.split(b"\r\n")
        if line[:1] not in {b" ", b"\t"}
    ]
    assert set(names) <= HEADERS
    assert len(names) == len(set(names))
    assert build(message, ACCOUNT).recipients() != []


@pytest.mark.parametrize(
    ("tagging", "reply_to", "envelope"),
    [
        (Tagging.PLUS, "inbox+r-tok@mail.example.com", "inbox+b-0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@mail.example.com"),
        (Tagging.CATCH_ALL, "r-tok@mail.example.com", "b-0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@mail.example.com"),
        (Tagging.NONE, "inbox@mail.example.com", "inbox@mail.example.com"),
    ],
)  # fmt: skip
def test_how_our_address_carries_a_token(tagging: Tagging, reply_to: str, envelope: str) -> None:
    account = Settings("h", 25, "hello@example.com", tagging=tagging, reply_address="inbox@mail.example.com")

    mail = build(outgoing(reply_token="tok"), account)

    assert mail.reply_to == [reply_to]
    assert mail.from_email == envelope


def test_tags_are_found_again_whatever_their_case() -> None:
    minus = Settings("h", 25, "CRM@Example.com", delimiter="-")
    whole = Settings("h", 25, "crm@example.com", tagging=Tagging.CATCH_ALL)

    assert minus.tag_in("crm-r-TOK@EXAMPLE.COM") == "r-TOK"
    assert minus.tag_in("other-r-tok@example.com") == ""
    assert whole.tag_in("r-tok@example.com") == "r-tok"
    assert ACCOUNT.tag_in("crm+r-tok@example.net") == ""
    assert ACCOUNT.tag_in("crm@drivers.example.com") == ""
    assert ACCOUNT.our_id("<m.0198B1C4D6E87A3F9B2C1D0E4F5A6B7C@Drivers.Example.com>") is not None
    assert ACCOUNT.our_id("m.0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.net") is None


def test_settings_come_back_from_json() -> None:
    given = {"smtp_host": "h", "smtp_port": 465, "from_address": "crm@example.com", "smtp_encryption": "tls",
             "tagging": "catch_all", "backlog": 86400, "timeout": 5}  # fmt: skip

    account = Settings(**json.loads(json.dumps(given)))

    assert account.smtp_encryption is Encryption.TLS
    assert account.imap_encryption is Encryption.TLS
    assert account.tagging is Tagging.CATCH_ALL
    assert (account.backlog, account.timeout) == (timedelta(days=1), timedelta(seconds=5))
    with pytest.raises(ValueError, match="quantum"):
        Settings("h", 25, "a@example.com", smtp_encryption="quantum")  # type: ignore[arg-type]
