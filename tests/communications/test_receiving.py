"""What comes in, in any order and however often (spec §5.3)."""

import itertools
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Choice,
    Event,
    Failure,
    Inbound,
    Preference,
    Receipt,
    ReceiptKind,
    Said,
    Sender,
)
from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import RawState
from drivercrm.communications.models import (
    ChannelAccount,
    Communication,
    DeliveryEvent,
    MessageTemplate,
    OutboxMessage,
    RawBody,
    Thread,
    UnmatchedMessage,
)
from drivercrm.consent import queries as consents
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import ChannelIdentity, Driver
from tests.communications.vendors import Vendor, connect
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
PHONE = "+27825550001"


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> tuple[Vendor, ChannelAccount]:
    return connect(monkeypatch)


def at(minutes: float) -> datetime:
    return MONDAY + timedelta(minutes=minutes)


def wrote(number: int, minutes: float, text: str = "Hello", **more: Any) -> Inbound:
    sender = Sender((Address(AddressKind.WHATSAPP_ID, PHONE.lstrip("+")),), "Sipho")
    values: dict[str, Any] = {"sender": sender, "said": Said.TEXT, "text": text} | more
    return Inbound(key=f"in{number}", provider_id=f"in{number}", at=at(minutes), **values)


def told(number: int, kind: str, minutes: float, **more: Any) -> Receipt:
    return Receipt(
        f"out{number}:{kind}:{minutes}", ReceiptKind(kind), at(minutes), provider_id=f"out{number}", **more
    )


def ours(driver: Driver, account: ChannelAccount, number: int, minutes: float, **more: Any) -> Communication:
    """A message of ours that the provider accepted."""
    values: dict[str, Any] = {"message_type": "reminder", "status": "sent", "created_by": str(NANDI)} | more
    return Communication.objects.create(
        driver=driver,
        account=account,
        channel="whatsapp",
        direction="outbound",
        provider_id=f"out{number}",
        sent_at=at(minutes),
        **values,
    )


def test_a_reply_within_seven_days_answers_the_latest_of_ours(line: tuple[Vendor, ChannelAccount]) -> None:
    account = line[1]
    driver = make_driver(phone=PHONE)
    ours(driver, account, 1, 0)
    latest = ours(driver, account, 2, 60)

    assert communications.receive(account, wrote(1, 60 + 90))
    assert not communications.receive(account, wrote(1, 60 + 90))

    row = Communication.objects.get(provider_id="in1")
    latest.refresh_from_db()
    driver.refresh_from_db()
    assert (row.answers_id, row.message_type, row.status) == (latest.pk, "reminder", "delivered")
    assert (latest.status, latest.response_received, latest.response_time) == ("replied", True, 90 * 60)
    assert latest.replied_at == row.sent_at
    assert driver.response_rate == 1.0
    assert Communication.objects.get(provider_id="out1").status == "sent"


@pytest.mark.parametrize(
    ("inbound", "answered"),
    [
        (wrote(1, 7 * 24 * 60), True),
        (wrote(1, 7 * 24 * 60 + 1), False),
        (wrote(1, 60 * 24 * 60, quotes=("out1",)), True),
        (wrote(1, 5, said=Said.REACTION), False),
        (wrote(1, 5, said=Said.AUTOMATIC), False),
        (wrote(1, 5, quotes=("unknown",)), True),
        (wrote(1, -1), False),
    ],
)
def test_what_counts_as_a_reply(
    line: tuple[Vendor, ChannelAccount], inbound: Inbound, answered: bool
) -> None:
    driver = make_driver(phone=PHONE)
    message = ours(driver, line[1], 1, 0)
    communications.receive(line[1], inbound)

    message.refresh_from_db()
    assert message.response_received is answered
    assert Communication.objects.filter(provider_id="in1").count() == 1


def test_a_reply_before_our_clock_says_it_was_sent_took_no_time(line: tuple[Vendor, ChannelAccount]) -> None:
    driver = make_driver(phone=PHONE)
    message = ours(driver, line[1], 1, 0)
    communications.receive(line[1], wrote(1, -2, quotes=("out1",)))

    message.refresh_from_db()
    assert (message.status, message.response_time) == ("replied", 0)


def test_one_message_of_ours_is_answered_once_and_the_second_of_theirs_answers_nothing(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    driver = make_driver(phone=PHONE)
    message = ours(driver, line[1], 1, 0)
    communications.receive(line[1], wrote(1, 10))
    communications.receive(line[1], wrote(2, 20))

    message.refresh_from_db()
    assert message.response_time == 600
    assert [
        row.answers_id for row in Communication.objects.filter(direction="inbound").order_by("sent_at")
    ] == [
        message.pk,
        None,
    ]


def test_a_failed_message_is_answered_by_nobody_unless_it_arrived_after_all(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    driver = make_driver(phone=PHONE)
    message = ours(driver, line[1], 1, 0)
    communications.receive(line[1], told(1, "failed", 1, failure=Failure.UNREACHABLE, code="131026"))
    communications.receive(line[1], wrote(1, 10))
    message.refresh_from_db()
    assert (message.status, message.failure, message.failure_code) == ("failed", "unreachable", "131026")

    communications.receive(line[1], told(1, "delivered", 2))
    message.refresh_from_db()
    assert (message.status, message.response_time) == ("replied", 600)


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("sent",), "sent"),
        (("failed",), "failed"),
        (("failed", "sent"), "failed"),
        (("failed", "delivered"), "delivered"),
        (("read",), "read"),
        (("read", "delivered", "sent", "failed"), "read"),
    ],
)
def test_the_status_is_a_function_of_the_set_of_receipts(
    line: tuple[Vendor, ChannelAccount], kinds: tuple[str, ...], status: str
) -> None:
    driver = make_driver(phone=PHONE)
    for order in itertools.permutations(kinds):
        with transaction.atomic():
            message = ours(driver, line[1], 1, 0)
            for kind in order:
                communications.receive(line[1], told(1, kind, len(kind)))
            message.refresh_from_db()
            assert message.status == status
            if status == "read":
                assert message.delivered_at is not None
                assert message.read_at == at(4)
            transaction.set_rollback(True)


def test_a_receipt_that_comes_before_its_message_is_kept_for_it(line: tuple[Vendor, ChannelAccount]) -> None:
    vendor, account = line
    driver = make_driver(phone=PHONE)
    consent.grant(
        driver, channels=["whatsapp"], purposes=["service"], source="person", evidence="paper", by=NANDI
    )
    message = communications.queue(
        driver, message_type="support", channel="whatsapp", body="Hi", by=NANDI, template=_approved()
    )
    communications.receive(account, replace(told(9, "delivered", 1), our_id=message.pk, provider_id=""))
    assert DeliveryEvent.objects.get().communication_id is None
    communications.send_due("whatsapp")

    assert Communication.objects.get().status == "delivered"
    assert len(vendor.got) == 1


def _approved() -> MessageTemplate:
    return MessageTemplate.objects.create(
        name="invitation",
        channel="whatsapp",
        message_type="onboarding",
        purpose="service",
        body="Hi {{first_name}}",
        approval="approved",
        created_by="test",
    )


def test_a_receipt_settles_a_doubt(line: tuple[Vendor, ChannelAccount]) -> None:
    driver = make_driver(phone=PHONE)
    message = OutboxMessage.objects.create(
        driver=driver,
        channel="whatsapp",
        message_type="reminder",
        purpose="service",
        ground="consent",
        body="Hi",
        state="in_doubt",
        account=line[1],
        sending_at=at(0),
        created_by=str(NANDI),
    )
    communications.receive(line[1], replace(told(1, "delivered", 3), our_id=message.pk))

    row = Communication.objects.get()
    message.refresh_from_db()
    assert (row.pk, row.status, row.provider_id, message.state) == (
        message.pk,
        "delivered",
        "out1",
        "accepted",
    )


def test_stop_withdraws_everything_takes_back_what_waits_and_is_confirmed_once(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    vendor, account = line
    driver = make_driver(phone=PHONE, email="s@example.org")
    consent.grant(
        driver,
        channels=["whatsapp", "email"],
        purposes=["service", "marketing"],
        source="person",
        evidence="paper",
        by=NANDI,
        at=at(-60),
    )
    waiting = communications.queue(
        driver, message_type="support", channel="whatsapp", body="Later", by=NANDI, due_at=at(60 * 24 * 30)
    )
    with clock.pretend(at(5)):
        communications.receive(account, wrote(1, 5, " Stop! "))
        communications.receive(account, wrote(2, 5.5, "STOP"))
        communications.send_due("whatsapp")

    driver.refresh_from_db()
    waiting.refresh_from_db()
    assert driver.onboarding_status == "opted_out"
    assert set(consents.states([driver.pk])[driver.pk].values()) == {"withdrawn"}
    assert (waiting.state, waiting.reason) == ("cancelled", "opted_out")
    assert [one.text for one in vendor.got] == [
        "You will get no more messages from us. Write START if you change your mind."
    ]


def test_yes_to_the_welcome_grants_and_sends_the_invitation(line: tuple[Vendor, ChannelAccount]) -> None:
    vendor, account = line
    driver = make_driver("Sipho Dlamini", phone=PHONE)
    _approved()
    ours(driver, account, 1, 0, message_type="welcome", message_body="May we write to you?")
    with clock.pretend(at(10)):
        communications.receive(account, wrote(1, 10, "Yebo"))
        communications.send_due("whatsapp")

    driver.refresh_from_db()
    assert driver.onboarding_status == "invited"
    assert driver.communication_opt_in is True
    assert consents.states([driver.pk])[driver.pk]["whatsapp", "service"] == "granted"
    assert [one.text for one in vendor.got] == ["Hi Sipho"]
    assert Thread.objects.get().waiting_since is None


def test_yes_to_anything_else_grants_nothing(line: tuple[Vendor, ChannelAccount]) -> None:
    driver = make_driver(phone=PHONE)
    ours(driver, line[1], 1, 0)
    communications.receive(line[1], wrote(1, 10, "yes"))

    assert consents.states([driver.pk])[driver.pk] == {}


def test_a_stop_word_inside_a_message_holds_automation_and_withdraws_nothing(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    driver = make_driver(phone=PHONE)
    communications.receive(line[1], wrote(1, 1, "The app won't stop crashing, please help"))

    assert Thread.objects.get(driver=driver).holds_automation is True
    assert consents.states([driver.pk])[driver.pk] == {}


def test_who_is_unknown_or_shared_waits_for_a_person(line: tuple[Vendor, ChannelAccount]) -> None:
    communications.receive(line[1], wrote(1, 1))
    communications.receive(line[1], wrote(1, 1))
    first = make_driver("One", phone=PHONE)
    ChannelIdentity.objects.all().delete()
    second = make_driver("Two")
    Driver.objects.filter(pk=second.pk).update(whatsapp_number=PHONE)
    communications.receive(line[1], wrote(2, 2))

    assert sorted(UnmatchedMessage.objects.values_list("key", "why", "text")) == [
        ("in1", "Nobody has this address", "Hello"),
        ("in2", "Several drivers have this address", "Hello"),
    ]
    assert Communication.objects.filter(driver__in=[first, second]).count() == 0


def test_a_persons_message_answers_all_that_waits_whichever_was_learned_of_first(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    driver = make_driver(phone=PHONE)
    communications.receive(line[1], wrote(1, 0))
    ours(driver, line[1], 1, 30, is_by_person=True)
    communications.receive(line[1], wrote(2, 20))
    communications.receive(line[1], wrote(3, 40))

    rows = Communication.objects.filter(direction="inbound").order_by("sent_at")
    assert [(row.status, row.response_time) for row in rows][1:] == [("replied", 600), ("delivered", None)]
    assert Thread.objects.get().waiting_since == at(40)


def test_blocking_withdraws_the_channel_and_coming_back_grants_nothing(
    line: tuple[Vendor, ChannelAccount],
) -> None:
    driver = make_driver(phone=PHONE)
    consent.grant(
        driver,
        channels=["whatsapp", "email"],
        purposes=["service"],
        source="p",
        evidence="p",
        by=NANDI,
        at=at(-9),
    )
    sender = wrote(1, 0).sender
    communications.receive(line[1], Preference("p1", sender, Choice.BLOCKED, at(0)))
    communications.receive(line[1], Preference("p2", sender, Choice.UNBLOCKED, at(1)))

    states = consents.states([driver.pk])[driver.pk]
    assert (states["whatsapp", "service"], states["email", "service"]) == ("withdrawn", "granted")


def test_a_body_is_kept_once_understood_once_and_set_aside_when_it_cannot_be(
    line: tuple[Vendor, ChannelAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = line[1]
    make_driver(phone=PHONE)
    event = wrote(1, 0)
    monkeypatch.setattr(
        Vendor,
        "parse",
        lambda self, body, received_at: [event] if json.loads(body)["good"] else 1 / 0,  # type: ignore[return-value]
        raising=True,
    )
    assert communications.keep(account, [b'{"good": 1}', b'{"good": 0}', b'{"good": 1}']) == 2
    assert communications.keep(account, [b'{"good": 1}']) == 0
    assert communications.understand() == 1
    for _ in range(7):
        communications.understand()

    assert sorted(RawBody.objects.values_list("state", "trouble", "attempts")) == [
        (RawState.DONE, "", 0),
        (RawState.FAILED, "ZeroDivisionError", 8),
    ]
    assert Communication.objects.count() == 1


def _picture() -> tuple[Any, ...]:
    """All that the events have made, without what is different by nature (ids, when it was recorded)."""
    names = {pk: provider_id for pk, provider_id in Communication.objects.values_list("pk", "provider_id")}
    rows = [
        (
            row.provider_id,
            row.status,
            row.message_type,
            names.get(row.answers_id),
            row.response_received,
            row.response_time,
            row.delivered_at,
            row.read_at,
            row.replied_at,
            row.failure,
        )
        for row in Communication.objects.order_by("provider_id")
    ]
    driver = Driver.objects.get()
    thread = Thread.objects.values_list(
        "last_at", "last_inbound_at", "unread_count", "waiting_since", "failed_at"
    )
    return (
        rows,
        sorted(DeliveryEvent.objects.values_list("key", "kind")),
        driver.total_communications,
        driver.last_contact_date,
        driver.response_rate,
        list(thread),
        sorted(UnmatchedMessage.objects.values_list("key", flat=True)),
    )


events = st.lists(
    st.one_of(
        st.builds(
            told,
            st.integers(1, 3),
            st.sampled_from(["sent", "delivered", "read", "failed"]),
            st.integers(0, 300),
        ),
        st.builds(
            wrote,
            st.integers(1, 4),
            st.integers(-60, 300),
            quotes=st.sampled_from([(), ("out1",), ("out2",), ("out3",)]),
            said=st.sampled_from([Said.TEXT, Said.TEXT, Said.REACTION, Said.AUTOMATIC]),
        ),
    ),
    min_size=2,
    max_size=9,
    unique_by=lambda event: event.key,
)


@given(events, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_any_repetition_of_events_makes_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, given_events: list[Event], chance: random.Random
) -> None:
    pictures = []
    shuffled = [*given_events, *chance.sample(given_events, len(given_events) // 2)]
    chance.shuffle(shuffled)
    for order in (given_events, shuffled):
        with transaction.atomic():
            _, account = connect(monkeypatch, id=uuid7())
            driver = make_driver(phone=PHONE)
            for number in (1, 2, 3):
                ours(driver, account, number, number * 40)
            for event in order:
                communications.receive(account, event)
            pictures.append(_picture())
            transaction.set_rollback(True)

    assert pictures[0] == pictures[1]
