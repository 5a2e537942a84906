"""What happens to a mail at every step of SMTP, over a real connection."""

import socket
import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from drivercrm.channels.email.adapter import Encryption, Provider
from drivercrm.channels.provider import Address, AddressKind, Failure, NotReached, SendFailed
from tests.channels.email.conftest import OUR_ID, outgoing, settings_of
from tests.emulators.mail import MailServer

pytestmark = pytest.mark.one_database


def failure(provider: Provider, **more: object) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        provider.send(outgoing(**more))
    return caught.value


def test_a_mail_that_is_taken_has_our_id(provider: Provider, server: MailServer) -> None:
    accepted = provider.send(outgoing())

    assert accepted.provider_id == "m.0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com"
    [taken] = server.taken
    assert taken.mail["Message-ID"] == f"<{accepted.provider_id}>"
    assert taken.recipient == "sipho@example.org"
    assert taken.sender == "crm+b-0198b1c4d6e87a3f9b2c1d0e4f5a6b7c@drivers.example.com"


def test_several_mails_go_over_one_connection(provider: Provider, server: MailServer) -> None:
    for _ in range(3):
        provider.send(outgoing(id=uuid4()))
    failure(provider, to=Address(AddressKind.EMAIL, "not an address"))
    provider.send(outgoing(id=uuid4()))

    assert len(server.taken) == 4


def test_lines_that_begin_with_a_dot_arrive_as_they_are(provider: Provider, server: MailServer) -> None:
    provider.send(outgoing(text="one\n.\n..two\n.three\nQUIT\n"))

    body = server.taken[0].mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").rstrip() == "one\n.\n..two\n.three\nQUIT"


@pytest.mark.parametrize("at", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_connection_lost_before_the_end_leaves_no_doubt(
    at: str, provider: Provider, server: MailServer
) -> None:
    server.fail(at, drops=True)

    assert failure(provider).failure is Failure.TEMPORARY
    assert server.tries == 0


@pytest.mark.parametrize("at", ["greeting", "mail", "rcpt", "data"])
def test_a_server_that_falls_silent_before_the_end_leaves_no_doubt(at: str, server: MailServer) -> None:
    provider = Provider(settings_of(server, timeout=timedelta(seconds=0.3)))
    released = threading.Event()
    server.fail(at, hold=released)

    assert failure(provider).failure is Failure.TEMPORARY
    released.set()
    assert server.tries == 0


@pytest.mark.parametrize("takes", [True, False])
def test_a_connection_lost_after_the_last_dot_leaves_us_in_doubt(
    takes: bool, provider: Provider, server: MailServer
) -> None:
    server.fail("end", drops=True, takes=takes)

    assert failure(provider).failure is Failure.IN_DOUBT
    assert len(server.taken) == takes


def test_a_server_that_does_not_answer_the_last_dot_leaves_us_in_doubt(server: MailServer) -> None:
    provider = Provider(settings_of(server, patience=timedelta(seconds=0.3)))
    released = threading.Event()
    server.fail("end", hold=released, takes=True)

    assert failure(provider).failure is Failure.IN_DOUBT
    released.set()


def test_the_next_mail_after_a_doubt_goes_over_a_new_connection(
    provider: Provider, server: MailServer
) -> None:
    server.fail("end", drops=True, takes=True)
    failure(provider)

    provider.send(outgoing(id=uuid4()))

    assert len(server.taken) == 2


@pytest.mark.parametrize("fault", [{"drops": True}, {"status": "421 4.4.2 idle too long"}])
def test_a_kept_connection_that_has_ended_is_made_anew(
    fault: dict[str, object], provider: Provider, server: MailServer
) -> None:
    provider.send(outgoing())
    server.fail("mail", **fault)

    provider.send(outgoing(id=uuid4()))

    assert len(server.taken) == 2


@pytest.mark.parametrize(
    ("at", "status", "expected"),
    [
        ("greeting", "421 4.3.2 too busy", Failure.TEMPORARY),
        ("greeting", "554 5.7.1 your address is blocked", Failure.ACCOUNT),
        ("mail", "451 4.3.0 try later", Failure.TEMPORARY),
        ("mail", "550 5.7.1 you may not send as this address", Failure.ACCOUNT),
        ("mail", "552 5.3.4 too large", Failure.CONTENT),
        ("rcpt", "450 4.2.0 greylisted", Failure.TEMPORARY),
        ("rcpt", "452 4.5.3 too many recipients", Failure.TEMPORARY),
        ("rcpt", "550 5.1.1 no such user", Failure.UNREACHABLE),
        ("rcpt", "550 no such user", Failure.UNREACHABLE),
        ("rcpt", "553 5.1.3 bad address", Failure.UNREACHABLE),
        ("rcpt", "550 5.2.1 mailbox disabled", Failure.UNREACHABLE),
        ("rcpt", "550 5.4.4 no such host", Failure.UNREACHABLE),
        ("rcpt", "552 5.2.2 mailbox full", Failure.NOT_NOW),
        ("rcpt", "552 mailbox full", Failure.NOT_NOW),
        ("rcpt", "550 5.7.1 refused by policy", Failure.CONTENT),
        ("rcpt", "554 refused", Failure.CONTENT),
        ("rcpt", "554 5.7.1 <sipho@example.org>: Relay access denied", Failure.ACCOUNT),
        ("rcpt", "530 5.7.0 sign in first", Failure.ACCOUNT),
        ("data", "451 4.3.0 try later", Failure.TEMPORARY),
        ("data", "554 5.5.1 no valid recipients", Failure.CONTENT),
        ("end", "451 4.7.1 try later", Failure.TEMPORARY),
        ("end", "421 4.3.2 shutting down", Failure.TEMPORARY),
        ("end", "552 5.3.4 too large", Failure.CONTENT),
        ("end", "554 5.7.1 looks like spam", Failure.CONTENT),
        ("end", "550 5.1.1 no such user after all", Failure.UNREACHABLE),
        ("end", "550 no", Failure.CONTENT),
        ("rcpt", "450 5.1.1 its own mind", Failure.TEMPORARY),
    ],
)
def test_what_a_refusal_means(
    at: str, status: str, expected: Failure, provider: Provider, server: MailServer
) -> None:
    server.fail(at, status)

    refused = failure(provider)

    assert refused.failure is expected
    assert refused.code.startswith(status[:3])
    assert server.taken == []
    provider.send(outgoing())  # and the account goes on
    assert len(server.taken) == 1


def test_an_error_names_nobody_in_its_text(provider: Provider, server: MailServer) -> None:
    server.fail("rcpt", "550 5.1.1 <sipho@example.org> no such user")

    refused = failure(provider)

    assert str(refused) == "unreachable 550 5.1.1"
    assert "sipho@example.org" in refused.words


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with MailServer() as server:
            settings = settings_of(server, smtp_port=taken.getsockname()[1])

        refused = failure(Provider(settings))

    assert refused.failure is Failure.TEMPORARY
    assert "refused" in refused.words


def test_a_wrong_password_stops_the_account_and_a_right_one_sends() -> None:
    with MailServer(user="crm", password="right") as server:
        wrong = Provider(settings_of(server, smtp_user="crm", smtp_password="wrong"))
        assert failure(wrong).failure is Failure.ACCOUNT
        with pytest.raises(NotReached) as caught:
            wrong.check()
        assert caught.value.failure is Failure.ACCOUNT

        strange = Provider(settings_of(server, smtp_user="crm", smtp_password="wörng"))
        assert failure(strange).failure is Failure.ACCOUNT

        right = Provider(settings_of(server, smtp_user="crm", smtp_password="right"))
        standing = right.check()
        right.send(outgoing())
        right.close()

    assert (standing.name, standing.address) == ("Driver CRM", "crm@drivers.example.com")
    assert "No mailbox is read" in standing.words
    assert len(server.taken) == 1


def test_a_sign_in_that_fails_for_now_is_tried_again() -> None:
    with MailServer(user="crm", password="right") as server:
        for _ in range(2):  # the client has two ways to sign in
            server.fail("auth", "454 4.7.0 temporary failure")
        provider = Provider(settings_of(server, smtp_user="crm", smtp_password="right"))

        assert failure(provider).failure is Failure.TEMPORARY


def test_without_the_protection_that_was_asked_for_nothing_is_sent(server: MailServer) -> None:
    starttls = Provider(settings_of(server, smtp_encryption=Encryption.STARTTLS))
    assert failure(starttls).failure is Failure.ACCOUNT

    tls = Provider(settings_of(server, smtp_encryption=Encryption.TLS))
    assert failure(tls).failure is Failure.ACCOUNT
    assert server.tries == 0


def test_passwords_are_not_shown(server: MailServer) -> None:
    assert "secret" not in repr(settings_of(server, smtp_password="secret", imap_password="secret"))


def test_the_same_message_always_has_the_same_id(provider: Provider, server: MailServer) -> None:
    server.fail("end", drops=True, takes=True)
    failure(provider)
    provider.send(outgoing())

    first, second = server.taken
    assert first.mail["Message-ID"] == second.mail["Message-ID"]
    assert OUR_ID.hex in first.mail["Message-ID"]
