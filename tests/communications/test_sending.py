"""What leaves, and what becomes of it (spec §5.2)."""

from datetime import UTC, datetime, timedelta

import pytest

from drivercrm.channels.provider import Failure, SendFailed
from drivercrm.communications import workflow as communications
from drivercrm.communications.models import ChannelAccount, Communication, OutboxMessage
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import ConsentEvent, Welcome
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.errors import Refused
from drivercrm.drivers.models import Driver
from tests.communications.vendors import Vendor, connect
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    return connect(monkeypatch, "email", provider="mail")[0]


def agreed(name: str = "", **values: object) -> Driver:
    """A driver with a mail who has said yes to everything there."""
    driver = make_driver(name, email=f"d{Driver.objects.count()}@example.org", **values)
    consent.grant(
        driver,
        channels=["email"],
        purposes=["service", "marketing"],
        source="person",
        evidence="on the phone",
        by=NANDI,
    )
    return driver


def write(driver: Driver, body: str = "Hello", **more: object) -> OutboxMessage:
    values = {"message_type": "support", "channel": "email", "by": NANDI, "body": body} | more
    return communications.queue(driver, **values)  # type: ignore[arg-type]


def test_an_accepted_message_becomes_a_row_of_the_history_under_its_own_id(vendor: Vendor) -> None:
    driver = agreed()
    with clock.pretend(MONDAY):
        message = write(driver, "Hello there", subject="Hi")
        assert Communication.objects.count() == 0
        assert communications.send_due("email") == 1

    row = Communication.objects.get()
    driver.refresh_from_db()
    message.refresh_from_db()
    assert (row.pk, row.status, row.message_body, row.subject) == (message.pk, "sent", "Hello there", "Hi")
    assert (row.sent_at, row.direction, row.created_by) == (MONDAY, "outbound", str(NANDI))
    assert (message.state, message.provider_id) == ("accepted", row.provider_id)
    assert (driver.onboarding_status, driver.total_communications) == ("contacted", 1)
    assert (driver.first_contact_date, driver.last_contact_date) == (MONDAY, MONDAY)
    assert [one.text for one in vendor.got] == ["Hello there"]


def test_the_invitation_invites(vendor: Vendor) -> None:
    driver = agreed()
    write(driver, message_type="onboarding")
    communications.send_due("email")

    driver.refresh_from_db()
    assert driver.onboarding_status == "invited"


def test_a_refused_message_is_a_failed_row_and_the_driver_stays_where_they_were(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [SendFailed(Failure.UNREACHABLE, "No such mailbox", code="550")]
    message = write(driver)
    communications.send_due("email")

    row = Communication.objects.get()
    driver.refresh_from_db()
    message.refresh_from_db()
    assert (row.status, row.failure, row.failure_code) == ("failed", "unreachable", "550")
    assert (message.state, message.reason_words) == ("refused", "No such mailbox")
    assert (driver.onboarding_status, driver.last_contact_date) == ("not_contacted", None)


def test_what_is_temporary_is_tried_again_after_growing_pauses_and_then_given_up(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [SendFailed(Failure.TEMPORARY, "Busy") for _ in range(5)]
    message = write(driver)
    pauses = []
    now = MONDAY
    for _ in range(4):
        with clock.pretend(now):
            communications.send_due("email")
        message.refresh_from_db()
        pauses.append((message.due_at - now).total_seconds())
        assert message.state == "queued"
        now = message.due_at
    with clock.pretend(now):
        communications.send_due("email")

    message.refresh_from_db()
    assert pauses == [2, 8, 32, 128]
    assert (message.state, len(vendor.got)) == ("refused", 5)


def test_a_message_in_doubt_is_never_sent_again_by_itself(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [SendFailed(Failure.IN_DOUBT, "The line dropped")]
    message = write(driver)
    communications.send_due("email")
    with clock.pretend(clock.now() + timedelta(days=3)):
        communications.sweep()
        communications.send_due("email")

    message.refresh_from_db()
    assert (message.state, len(vendor.got)) == ("in_doubt", 1)
    assert Communication.objects.count() == 0


def test_a_person_settles_a_doubt(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [SendFailed(Failure.IN_DOUBT, "?"), SendFailed(Failure.IN_DOUBT, "?")]
    sent, lost = write(driver, "one"), write(driver, "two")
    communications.send_due("email")

    communications.resolve(OutboxMessage.objects.get(pk=sent.pk), was_sent=True, by=NANDI)
    fresh = communications.resolve(OutboxMessage.objects.get(pk=lost.pk), was_sent=False, by=NANDI)
    communications.send_due("email")

    assert fresh is not None
    assert set(Communication.objects.values_list("pk", "status")) == {(sent.pk, "sent"), (fresh.pk, "sent")}
    assert [one.text for one in vendor.got] == ["one", "two", "two"]
    with pytest.raises(Refused, match="not in doubt"):
        communications.resolve(OutboxMessage.objects.get(pk=lost.pk), was_sent=True, by=NANDI)


def test_an_adapter_that_breaks_leaves_a_doubt(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [RuntimeError("a bug")]
    message = write(driver)
    communications.send_due("email")

    message.refresh_from_db()
    assert message.state == "in_doubt"


def test_messages_to_one_driver_keep_their_order_and_a_retry_holds_the_next_for_a_quarter_of_an_hour(
    vendor: Vendor,
) -> None:
    driver = agreed()
    wait = timedelta(hours=1)
    vendor.answers = [SendFailed(Failure.TEMPORARY, "Busy", wait=wait)]
    with clock.pretend(MONDAY):
        write(driver, "first")
        write(driver, "second")
        communications.send_due("email")
        assert [one.text for one in vendor.got] == ["first"]
    with clock.pretend(MONDAY + timedelta(minutes=14)):
        assert communications.send_due("email") == 0
    with clock.pretend(MONDAY + timedelta(minutes=16)):
        communications.send_due("email")
    with clock.pretend(MONDAY + wait):
        communications.send_due("email")

    assert [one.text for one in vendor.got] == ["first", "second", "first"]


def test_a_no_between_wanting_and_leaving_wins(vendor: Vendor) -> None:
    driver = agreed()
    message = write(driver)
    consent.withdraw(driver, source="person", by=NANDI)
    communications.send_due("email")

    message.refresh_from_db()
    assert (message.state, message.reason) == ("cancelled", "opted_out")
    assert vendor.got == []


def test_the_welcome_asks_once_in_a_life_and_is_free_again_where_it_was_refused(vendor: Vendor) -> None:
    driver = make_driver(email="new@example.org")
    vendor.answers = [SendFailed(Failure.UNREACHABLE, "No such mailbox")]
    write(driver, "Welcome", message_type="welcome")
    communications.send_due("email")
    assert Welcome.objects.count() == 0

    write(driver, "Welcome again", message_type="welcome")
    communications.send_due("email")
    assert Welcome.objects.get().driver_id == driver.pk
    assert sorted(ConsentEvent.objects.values_list("kind", "channel", "purpose")) == [
        ("asked", "email", "marketing"),
        ("asked", "email", "service"),
    ]
    with pytest.raises(Refused, match="one welcome"):
        write(driver, "A third", message_type="welcome")
    with pytest.raises(Refused, match="has not said yes"):
        write(driver, "Come on", message_type="update")


def test_nobody_is_written_to_unasked_at_night(vendor: Vendor) -> None:
    driver = agreed()
    night = datetime(2026, 11, 23, 20, 30, tzinfo=clock.zone())
    with clock.pretend(night):
        message = write(driver, by=automation("sequence"), is_unasked=True)
        write(driver, "From a person")
        communications.send_due("email")
    message.refresh_from_db()
    assert (message.state, message.reason) == ("held", "quiet_hours")
    assert message.due_at == datetime(2026, 11, 24, 8, 0, tzinfo=clock.zone())
    assert [one.text for one in vendor.got] == ["From a person"]

    with clock.pretend(message.due_at):
        communications.send_due("email")
    assert [one.text for one in vendor.got] == ["From a person", "Hello"]


def test_a_refused_token_halts_the_account_and_loses_nothing(vendor: Vendor) -> None:
    driver = agreed()
    vendor.answers = [SendFailed(Failure.ACCOUNT, "The token is not valid", code="190")]
    message = write(driver)
    communications.send_due("email")
    communications.send_due("email")

    message.refresh_from_db()
    account = ChannelAccount.objects.get()
    assert (account.state, account.halted_because) == ("halted", "The token is not valid")
    assert (message.state, message.reason, len(vendor.got)) == ("held", "halted", 1)

    ChannelAccount.objects.update(state="connected")
    communications.send_due("email")
    assert [row.status for row in Communication.objects.all()] == ["sent"]


def test_one_cause_is_one_message_and_one_form_too(vendor: Vendor) -> None:
    driver = agreed()
    first = write(driver, cause="campaign:1:2")
    second = write(driver, cause="campaign:1:2")
    third = write(driver, message_id=first.pk)

    assert first.pk == second.pk == third.pk
    assert OutboxMessage.objects.count() == 1


def test_what_is_taken_back_does_not_leave(vendor: Vendor) -> None:
    driver = agreed()
    message = write(driver)
    communications.cancel(message, by=NANDI)
    communications.send_due("email")

    assert vendor.got == []
    with pytest.raises(Refused, match="leaving or has left"):
        communications.cancel(message, by=NANDI)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"body": "  "}, "empty"),
        ({"channel": "phone"}, "unknown_channel"),
        ({"channel": "telegram"}, "no_address"),
        ({"message_type": "nonsense"}, "unknown_type"),
        ({"subject": "x" * 301}, "subject_too_long"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(
    vendor: Vendor, more: dict[str, str], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        write(agreed(), **more)

    assert refused.value.code == code
    assert OutboxMessage.objects.count() == 0
