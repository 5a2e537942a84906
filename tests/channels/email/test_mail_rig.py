"""The account against Postfix and Dovecot."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest

from drivercrm.channels.email import mailbox
from drivercrm.channels.email.adapter import Provider
from drivercrm.channels.email.inbound import unwrap
from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Attachment,
    Failure,
    Inbound,
    NotReached,
    Receipt,
    ReceiptKind,
    Said,
    SendFailed,
)
from tests.channels.email.conftest import outgoing
from tests.emulators.mail_rig import Impossible, Rig, running

pytestmark = pytest.mark.one_database

CRM, SIPHO, NANDI = "crm@rig.test", "sipho@rig.test", "nandi@rig.test"
NOW = timedelta(0)
SOON = timedelta(seconds=15)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Skipped with a line that says why where there can be none; CI skips nothing."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(running(tmp_path_factory.mktemp("rig") / "mail"))
        except Impossible as why:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(why))
        yield started


@pytest.fixture
def crm(rig: Rig) -> Iterator[Provider]:
    account = Provider(rig.settings(CRM))
    yield account
    account.close()


@pytest.fixture
def sipho(rig: Rig) -> Iterator[Provider]:
    account = Provider(rig.settings(SIPHO))
    yield account
    account.close()


def end_of(account: Provider) -> str:
    """The cursor behind everything that is there."""
    cursor = ""
    while True:
        fetched = account.poll(cursor, NOW)
        cursor = fetched.cursor
        if not fetched.bodies:
            return cursor


def folder_account(rig: Rig, name: str, **more: object) -> Provider:
    return Provider(rig.settings(NANDI, imap_folder=name, **more))


def raw_mail(number: int, text: str = "Hello") -> bytes:
    return f"From: a@example.org\r\nMessage-ID: <{number}@example.org>\r\n\r\n{text} {number}\r\n".encode()


def test_a_mail_goes_out_and_its_answer_comes_back(rig: Rig, crm: Provider, sipho: Provider) -> None:
    before, ours = end_of(sipho), end_of(crm)
    message = outgoing(
        id=uuid4(),
        to=Address(AddressKind.EMAIL, SIPHO),
        to_name="Sipho, Mkhize",
        subject="Welkom, môre begin ons",
        text="Hello Sipho\n\n.\nReply YES to join, STOP to unsubscribe.",
        reply_token="k3tq9vwm2xhz7aqb",
        unsubscribe_url="https://crm.example.com/u/1",
        attachments=(Attachment("gids.pdf", "application/pdf", b"%PDF-1.4\n"),),
    )
    accepted = crm.send(message)

    fetched = sipho.poll(before, SOON)
    [event] = sipho.parse(fetched.bodies[0], datetime.now(UTC))
    assert isinstance(event, Inbound)
    assert event.provider_id == accepted.provider_id
    assert event.subject == "Welkom, môre begin ons"
    assert event.full_text == message.text
    assert [file.content for file in event.files] == [b"%PDF-1.4\n"]
    assert abs((event.at - accepted.at).total_seconds()) < 30

    arrived = message_from_bytes(unwrap(fetched.bodies[0]).raw, policy=default)
    answer = (
        f"From: Sipho <{SIPHO}>\r\nTo: {arrived['Reply-To']}\r\nSubject: Re: Welkom\r\n"
        f"Message-ID: <answer@rig.test>\r\nIn-Reply-To: {arrived['Message-ID']}\r\n\r\n"
        f"Yes\r\n\r\nOn Mon, 5 Oct 2026 at 14:03, Driver CRM <{CRM}> wrote:\r\n> STOP to unsubscribe\r\n"
    )
    rig.hand_in(SIPHO, str(arrived["Reply-To"]), answer.encode())

    [reply] = crm.parse(crm.poll(ours, SOON).bodies[0], datetime.now(UTC))
    assert isinstance(reply, Inbound)
    assert (reply.said, reply.text) == (Said.TEXT, "Yes")
    assert reply.reply_token == "k3tq9vwm2xhz7aqb"
    assert reply.quotes == (accepted.provider_id,)
    assert reply.sender.addresses == (Address(AddressKind.EMAIL, SIPHO),)


def test_a_stranger_bounces_and_the_bounce_names_the_message(crm: Provider) -> None:
    before, id = end_of(crm), uuid4()
    crm.send(outgoing(id=id, to=Address(AddressKind.EMAIL, "nobody@rig.test")))

    [event] = crm.parse(crm.poll(before, SOON).bodies[0], datetime.now(UTC))

    assert isinstance(event, Receipt)
    assert (event.kind, event.our_id) == (ReceiptKind.FAILED, id)
    assert (event.failure, event.code) == (Failure.UNREACHABLE, "5.1.1")
    assert event.addresses == (Address(AddressKind.EMAIL, "nobody@rig.test"),)


@pytest.mark.parametrize(
    ("address", "failure"),
    [("nobody@strict.test", Failure.UNREACHABLE), ("somebody@elsewhere.test", Failure.ACCOUNT)],
)
def test_a_refusal_at_once_says_why(address: str, failure: Failure, crm: Provider) -> None:
    with pytest.raises(SendFailed) as caught:
        crm.send(outgoing(id=uuid4(), to=Address(AddressKind.EMAIL, address)))

    assert caught.value.failure is failure


def test_the_account_is_checked_on_both_sides(rig: Rig, crm: Provider) -> None:
    assert crm.check().words == ""

    for wrong in (
        {"imap_password": "wrong"},
        {"imap_password": "wröng"},
        {"imap_folder": "Missing"},
        {"smtp_password": "wrong"},
    ):
        with pytest.raises(NotReached) as caught:
            Provider(rig.settings(CRM, **wrong)).check()
        assert caught.value.failure is Failure.ACCOUNT
        assert rig.password not in caught.value.words


def test_a_mailbox_that_is_away_is_asked_again_later(rig: Rig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        account = Provider(rig.settings(CRM, imap_port=taken.getsockname()[1]))
        with pytest.raises(NotReached) as caught:
            account.poll("", NOW)

    assert caught.value.failure is Failure.TEMPORARY


@pytest.mark.parametrize("has_idle", [True, False])
def test_waiting_ends_when_a_mail_arrives(
    has_idle: bool, rig: Rig, sipho: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_idle:
        monkeypatch.setattr(mailbox, "_has_idle", lambda box: False)
        monkeypatch.setattr(mailbox, "ROUND_WITHOUT_IDLE", timedelta(seconds=0.3))
    before = end_of(sipho)
    later = threading.Timer(1, rig.hand_in, (CRM, SIPHO, raw_mail(1, f"idle {has_idle}")))
    started = time.monotonic()
    later.start()

    fetched = sipho.poll(before, timedelta(seconds=20))

    assert len(fetched.bodies) == 1
    assert 1 <= time.monotonic() - started < 10


def test_waiting_ends_after_its_time(sipho: Provider) -> None:
    before = end_of(sipho)
    started = time.monotonic()

    fetched = sipho.poll(before, timedelta(seconds=1))

    assert (fetched.bodies, fetched.cursor) == ((), before)
    assert time.monotonic() - started < 5


def test_a_line_that_has_ended_is_opened_anew(rig: Rig, sipho: Provider) -> None:
    before = end_of(sipho)
    assert sipho._mailbox._box is not None
    sipho._mailbox._box.client.sock.shutdown(socket.SHUT_RDWR)
    rig.hand_in(CRM, SIPHO, raw_mail(2))

    assert len(sipho.poll(before, SOON).bodies) == 1


def test_every_mail_is_read_once_in_pages_and_no_flag_is_touched(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_MAILS", 2)
    with rig.inside(NANDI) as box:
        box.folder.create("Pages")
        for number in range(5):
            box.append(raw_mail(number), "Pages")
    account, cursor, sizes, keys = folder_account(rig, "Pages"), "", [], []
    for _ in range(4):
        fetched = account.poll(cursor, NOW)
        cursor = fetched.cursor
        sizes.append(len(fetched.bodies))
        keys += [event.key for body in fetched.bodies for event in account.parse(body, datetime.now(UTC))]
    account.close()

    assert sizes == [2, 2, 1, 0]
    assert len(set(keys)) == 5
    with rig.inside(NANDI) as box:
        box.folder.set("Pages")
        assert all("\\Seen" not in mail.flags for mail in box.fetch(mark_seen=False))


def test_a_folder_numbered_anew_is_read_again_under_the_same_keys(rig: Rig) -> None:
    with rig.inside(NANDI) as box:
        box.folder.create("Anew")
        for number in range(3):
            box.append(raw_mail(number), "Anew")
    account = folder_account(rig, "Anew")
    first = account.poll("", NOW)
    account.close()
    time.sleep(1.1)  # the new number is the second of its making
    with rig.inside(NANDI) as box:
        box.folder.delete("Anew")
        box.folder.create("Anew")
        for number in (2, 1, 0, 3):
            box.append(raw_mail(number), "Anew")

    again = account.poll(first.cursor, NOW)
    account.close()

    def keys(bodies: tuple[bytes, ...]) -> set[str]:
        return {event.key for body in bodies for event in account.parse(body, datetime.now(UTC))}

    assert again.cursor.partition(":")[0] != first.cursor.partition(":")[0]
    assert keys(first.bodies) < keys(again.bodies)
    assert len(keys(again.bodies)) == 4


def test_the_first_reading_begins_a_month_back_and_the_moment_is_the_servers(rig: Rig) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with rig.inside(NANDI) as box:
        box.folder.create("Backlog")
        box.append(raw_mail(1), "Backlog", dt=now - timedelta(days=60))
    account = folder_account(rig, "Backlog")
    first = account.poll("", NOW)
    with rig.inside(NANDI) as box:
        box.append(raw_mail(2), "Backlog", dt=now - timedelta(hours=5))
        box.append(raw_mail(3), "Backlog", dt=now - timedelta(days=50))
    second = account.poll(first.cursor, NOW)
    account.close()

    assert first.bodies == ()
    assert [unwrap(body).at for body in second.bodies] == [now - timedelta(hours=5), now - timedelta(days=50)]


def test_of_a_very_large_mail_the_beginning_is_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "LONGEST_MAIL", 1000)
    monkeypatch.setattr(mailbox, "BEGINNING", 300)
    with rig.inside(NANDI) as box:
        box.folder.create("Large")
        box.append(raw_mail(1, "x" * 5000), "Large")
        box.append(raw_mail(2), "Large")
    account = folder_account(rig, "Large")
    large, small = account.poll("", NOW).bodies
    account.close()

    [event] = account.parse(large, datetime.now(UTC))
    assert (len(unwrap(large).raw), unwrap(large).is_cut) == (300, True)
    assert isinstance(event, Inbound)
    assert event.text.endswith("This mail was too large to be read whole.")
    assert not unwrap(small).is_cut


def test_many_bytes_are_read_in_several_goes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MOST_BYTES", 1500)
    with rig.inside(NANDI) as box:
        box.folder.create("Bytes")
        for number in range(4):
            box.append(raw_mail(number, "y" * (2000 if number == 1 else 600)), "Bytes")
    account, cursor, sizes = folder_account(rig, "Bytes"), "", []
    for _ in range(4):
        fetched = account.poll(cursor, NOW)
        cursor = fetched.cursor
        sizes.append(len(fetched.bodies))
    account.close()

    assert sum(sizes) == 4
    assert max(sizes) == 2
