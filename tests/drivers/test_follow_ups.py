"""Follow-ups: what is next for a driver, and what ends it (spec §5.5)."""

from datetime import UTC, datetime, timedelta

import pytest

from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.journal.models import Change, Entry
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db


def follow_up(driver: Driver, days: int, *, is_all_day: bool = True) -> FollowUp:
    due = clock.day_start(clock.today() + timedelta(days=days))
    return drivers.set_follow_ups(
        [driver.pk], due_at=due, is_all_day=is_all_day, reason="Call", owner=None, by=NANDI
    )[0]


def next_date(driver: Driver) -> object:
    driver.refresh_from_db()
    return driver.next_follow_up_date


def test_the_next_follow_up_is_the_earliest_open_one() -> None:
    driver = make_driver()
    late, soon = follow_up(driver, 5), follow_up(driver, 2)
    assert next_date(driver) == soon.due_at

    drivers.complete_follow_up(soon, by=NANDI)
    assert next_date(driver) == late.due_at

    drivers.move_follow_up(
        late, due_at=late.due_at + timedelta(days=1), is_all_day=True, reason="x", by=NANDI
    )
    assert next_date(driver) == late.due_at

    drivers.reopen_follow_ups([soon], by=NANDI)
    assert next_date(driver) == soon.due_at

    drivers.drop_follow_ups([soon.pk, late.pk], by=NANDI)
    assert next_date(driver) is None


def test_a_move_is_journalled_once_with_what_it_was_and_is() -> None:
    driver = make_driver()
    one = follow_up(driver, 1)
    before = one.due_at
    later = before + timedelta(days=1, hours=9)

    for _ in range(2):
        drivers.move_follow_up(one, due_at=later, is_all_day=False, reason=" Ring ", by=NANDI)

    [entry] = Entry.objects.filter(name="follow_up.moved")
    [change] = Change.objects.filter(entry=entry)
    assert (entry.driver_id, entry.data["follow_up_id"], entry.actor) == (driver.pk, str(one.pk), str(NANDI))
    assert (change.object_id, change.field) == (driver.pk, "follow_up")
    assert change.before == {
        "due_at": before.astimezone(UTC).isoformat(),
        "is_all_day": True,
        "reason": "Call",
    }
    assert change.after == {
        "due_at": later.astimezone(UTC).isoformat(),
        "is_all_day": False,
        "reason": "Ring",
    }


@pytest.mark.parametrize("role", ["viewer", "finance"])
def test_nobody_who_may_do_nothing_for_a_driver_gets_a_follow_up(role: str) -> None:
    driver = make_driver()
    reader = make_user(role, name="Rita Moyo")

    with pytest.raises(Refused) as refusal:
        drivers.set_follow_ups(
            [driver.pk], due_at=clock.now(), is_all_day=False, reason="", owner=reader, by=NANDI
        )

    assert (refusal.value.code, refusal.value.field) == ("not_an_owner", "owner")
    assert refusal.value.sentence == "Rita Moyo cannot look after drivers in this role."
    assert not FollowUp.objects.exists()


def test_somebody_who_left_gets_no_follow_up() -> None:
    driver = make_driver()
    gone = make_user("operations", is_active=False)

    with pytest.raises(Refused) as refusal:
        drivers.set_follow_ups(
            [driver.pk], due_at=clock.now(), is_all_day=False, reason="", owner=gone, by=NANDI
        )

    assert refusal.value.code == "not_an_owner"


def test_one_that_ended_is_neither_done_nor_moved_again() -> None:
    driver = make_driver()
    one = follow_up(driver, 1)
    drivers.complete_follow_up(one, by=NANDI)

    with pytest.raises(Refused):
        drivers.complete_follow_up(one, by=NANDI)
    with pytest.raises(Refused):
        drivers.move_follow_up(one, due_at=clock.now(), is_all_day=False, reason="", by=NANDI)


def test_what_an_opt_out_closed_stays_closed() -> None:
    driver = make_driver()
    done, still_open = follow_up(driver, 1), follow_up(driver, 2)
    drivers.complete_follow_up(done, by=NANDI)
    consent.withdraw(driver, source="staff", by=NANDI)

    for one in (done, still_open):
        with pytest.raises(Refused) as refusal:
            drivers.reopen_follow_ups([one], by=NANDI)
        assert refusal.value.code == "not_done"

    assert next_date(driver) is None


def test_a_driver_who_opted_out_takes_no_follow_up() -> None:
    driver = make_driver()
    consent.withdraw(driver, source="staff", by=NANDI)
    with pytest.raises(Refused) as refusal:
        follow_up(driver, 1)
    assert refusal.value.code == "opted_out"


@pytest.mark.parametrize(("days", "is_overdue"), [(-1, True), (0, False), (1, False)])
def test_a_whole_day_is_overdue_when_it_has_passed(days: int, is_overdue: bool) -> None:
    assert follow_up(make_driver(), days).is_overdue is is_overdue


def test_a_moment_is_overdue_at_once() -> None:
    one = follow_up(make_driver(), 0, is_all_day=False)
    assert one.is_overdue is True  # midnight has passed


# Two who change one


def test_another_reason_leaves_the_moment_that_a_colleague_gave() -> None:
    one = follow_up(make_driver(), 1)
    stale = FollowUp.objects.get(pk=one.pk)
    later = one.due_at + timedelta(days=8, hours=9)
    drivers.move_follow_up(one, due_at=later, is_all_day=False, by=NANDI)

    is_changed = drivers.move_follow_up(stale, reason="Ring", by=NANDI)

    one.refresh_from_db()
    assert (is_changed, one.due_at, one.is_all_day, one.reason) == (True, later, False, "Ring")


def test_another_moment_leaves_the_reason_that_a_colleague_gave() -> None:
    one = follow_up(make_driver(), 1)
    stale = FollowUp.objects.get(pk=one.pk)
    drivers.move_follow_up(one, reason="Ring", by=NANDI)
    later = one.due_at + timedelta(days=1)

    drivers.move_follow_up(stale, due_at=later, is_all_day=True, by=NANDI)

    one.refresh_from_db()
    assert (one.due_at, one.reason) == (later, "Ring")


def test_what_was_seen_must_still_stand_unless_it_is_what_is_wanted() -> None:
    one = follow_up(make_driver(), 1)
    seen = {"due_at": one.due_at, "is_all_day": True, "reason": "Call"}
    christmas = datetime(2031, 12, 24, 22, tzinfo=UTC)  # the 25th, local
    drivers.move_follow_up(one, due_at=christmas, is_all_day=True, reason="Greet", by=NANDI)

    with pytest.raises(Refused) as moved:
        drivers.move_follow_up(one, due_at=seen["due_at"], is_all_day=False, expected=seen, by=NANDI)
    with pytest.raises(Refused) as reworded:
        drivers.move_follow_up(one, reason="Ring", expected=seen, by=NANDI)
    same = drivers.move_follow_up(
        one, due_at=christmas, is_all_day=True, reason="Greet", expected=seen, by=NANDI
    )

    assert (moved.value.code, moved.value.field, moved.value.sentence) == (
        "edited_since",
        "due_at",
        "Somebody moved this to 25 Dec 2031 while you were typing.",
    )
    assert (reworded.value.code, reworded.value.field, reworded.value.sentence) == (
        "edited_since",
        "reason",
        "Somebody changed this to “Greet” while you were typing.",
    )
    one.refresh_from_db()
    assert (same, one.due_at, one.reason) == (False, christmas, "Greet")


def test_a_reason_that_is_too_long_is_refused_wherever_it_is_given() -> None:
    driver = make_driver()
    one = follow_up(driver, 1)

    with pytest.raises(Refused) as moving:
        drivers.move_follow_up(one, reason="x" * 201, by=NANDI)
    with pytest.raises(Refused) as setting:
        drivers.set_follow_ups(
            [driver.pk], due_at=one.due_at, is_all_day=True, reason="x" * 201, owner=None, by=NANDI
        )
    drivers.move_follow_up(one, reason="y" * 200 + "  ", by=NANDI)

    for refusal in (moving.value, setting.value):
        assert (refusal.code, refusal.field, refusal.sentence) == (
            "reason_too_long",
            "reason",
            "Keep the reason under 200 letters.",
        )
    assert (one.reason, FollowUp.objects.count()) == ("y" * 200, 1)


# What changed since


def test_a_driver_has_changed_when_the_next_follow_up_has() -> None:
    driver = make_driver()
    moments = [driver.updated_at]

    def touched() -> bool:
        driver.refresh_from_db()
        moments.append(driver.updated_at)
        return moments[-1] > moments[-2]

    soon = follow_up(driver, 2)
    assert touched()
    follow_up(driver, 5)
    assert not touched()  # the next one is the same as before
    drivers.move_follow_up(soon, reason="Ring", by=NANDI)
    assert not touched()
    drivers.move_follow_up(soon, due_at=soon.due_at + timedelta(days=1), is_all_day=True, by=NANDI)
    assert touched()
    drivers.complete_follow_up(soon, by=NANDI)
    assert touched()
    assert set(drivers.rebuild().values()) == {0}
    assert not touched()


def test_a_driver_has_changed_when_the_last_active_day_has() -> None:
    driver = make_driver()
    before = driver.updated_at
    day = clock.today() - timedelta(days=3)

    drivers.note_usage(driver, day, by=NANDI)
    first = driver.updated_at
    drivers.note_usage(driver, day - timedelta(days=1), by=NANDI)

    assert driver.last_active_date == clock.day_start(day)
    assert (first > before, driver.updated_at == first) == (True, True)


# The undo of setting one


@pytest.mark.parametrize(
    ("is_done", "sentence"),
    [
        (True, "Nothing was removed: this follow-up was done meanwhile."),
        (False, "Nothing was removed: this follow-up is closed already."),
    ],
)
def test_one_that_has_ended_is_not_removed(is_done: bool, sentence: str) -> None:
    one = follow_up(make_driver(), 1)
    if is_done:
        drivers.complete_follow_up(one, by=NANDI)
    else:
        drivers.drop_follow_ups([one.pk], by=NANDI)
    one.refresh_from_db()
    outcome = one.outcome

    with pytest.raises(Refused) as refusal:
        drivers.drop_follow_ups([one.pk], by=NANDI)

    one.refresh_from_db()
    assert (refusal.value.code, refusal.value.sentence, one.outcome) == (
        "follow_up_ended",
        sentence,
        outcome,
    )


def test_of_many_only_the_open_ones_are_removed() -> None:
    driver = make_driver()
    done, still_open = follow_up(driver, 1), follow_up(driver, 2)
    drivers.complete_follow_up(done, by=NANDI)

    assert drivers.drop_follow_ups([done.pk, still_open.pk], by=NANDI) == 1

    outcomes = FollowUp.objects.order_by("due_at").values_list("outcome", flat=True)
    assert list(outcomes) == ["done", "closed"]
