"""Follow-ups: what feeds Today, and `next_follow_up_date` (spec §5.5)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from drivercrm.accounts.models import User
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.drivers import queries
from drivercrm.drivers.enums import (
    FollowUpSource,
    OnboardingStatus,
    Outcome,
)
from drivercrm.drivers.events import (
    FollowUpEnded,
    FollowUpMoved,
    FollowUpReopened,
    FollowUpSet,
)
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.drivers.queries import check_owner, locked, locked_one
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange

CHUNK = 500
LONGEST_REASON = 200
CLOSED_ALREADY = "Nothing was removed: this follow-up is closed already."
DONE_MEANWHILE = "Nothing was removed: this follow-up was done meanwhile."


def set_follow_ups(
    driver_ids: Sequence[UUID],
    *,
    due_at: datetime,
    is_all_day: bool,
    reason: str,
    owner: User | None,
    by: Actor,
    source: str = FollowUpSource.PERSON,
) -> list[FollowUp]:
    """One follow-up for each driver; `next_follow_up_date` follows in the same transaction (spec §5.5).

    Refuses an owner whose role may do nothing for a driver. Drivers who opted out or are gone are left out;
    one alone is refused.
    """
    check_owner(owner)
    reason = _checked_reason(reason)
    now = clock.now()  # one moment for all, so that they can be found again together
    with transaction.atomic():
        drivers = [locked_one(driver_ids[0])] if len(driver_ids) == 1 else locked(driver_ids)
        opted_out = [driver for driver in drivers if driver.onboarding_status == OnboardingStatus.OPTED_OUT]
        if opted_out and len(drivers) == 1:
            raise Refused("opted_out", f"{drivers[0].greeting} has opted out and takes no follow-ups.")
        made = FollowUp.objects.bulk_create(
            [
                FollowUp(
                    driver=driver,
                    due_at=due_at,
                    is_all_day=is_all_day,
                    reason=reason,
                    owner=owner,
                    source=source,
                    created_by=str(by),
                    created_at=now,
                )
                for driver in drivers
                if driver.onboarding_status != OnboardingStatus.OPTED_OUT
            ],
            batch_size=CHUNK,
        )
        ids = [follow_up.driver_id for follow_up in made]
        keep_next_follow_up(ids)
        if made:
            journal.announce(
                FollowUpSet(ids, [follow_up.pk for follow_up in made]),
                by=by,
                driver_id=ids[0] if len(ids) == 1 else None,
            )
    return made


def complete_follow_up(follow_up: FollowUp, *, by: Actor) -> None:
    """Marks one done; refuses one that has ended already."""
    with transaction.atomic():
        locked_one(follow_up.driver_id)
        fresh = FollowUp.objects.get(pk=follow_up.pk)
        if fresh.done_at is not None:
            raise Refused("follow_up_ended", "This follow-up is done already.")
        end_follow_ups([fresh], Outcome.DONE, by=by)
    follow_up.refresh_from_db()


def move_follow_up(
    follow_up: FollowUp,
    *,
    by: Actor,
    due_at: datetime | None = None,
    is_all_day: bool = False,
    reason: str | None = None,
    expected: Mapping[str, Any] | None = None,
) -> bool:
    """Another moment or reason for an open follow-up; what is left out stays. False when nothing differs.

    `is_all_day` belongs to `due_at`. `expected` holds the values that the person saw (`due_at`, `is_all_day`,
    `reason`): where somebody has given this one another moment or reason since, it refuses, keeping theirs.
    """
    wanted: dict[str, Any] = {} if due_at is None else {"due_at": due_at, "is_all_day": is_all_day}
    if reason is not None:
        wanted["reason"] = _checked_reason(reason)
    with transaction.atomic():
        locked_one(follow_up.driver_id)
        before = FollowUp.objects.filter(pk=follow_up.pk, done_at__isnull=True).first()
        if before is None:
            raise Refused("follow_up_ended", "This follow-up is done already.")
        _check_expected(before, wanted, expected or {})
        after = FollowUp(
            due_at=wanted.get("due_at", before.due_at),
            is_all_day=wanted.get("is_all_day", before.is_all_day),
            reason=wanted.get("reason", before.reason),
        )
        is_changed = _as_kept(after) != _as_kept(before)
        if is_changed:
            FollowUp.objects.filter(pk=follow_up.pk).update(**wanted)
            keep_next_follow_up([follow_up.driver_id])
            # beside the driver's other changes, so that the timeline finds it, and an erasure
            change = FieldChange(follow_up.driver_id, "follow_up", _as_kept(before), _as_kept(after))
            journal.announce(
                FollowUpMoved(follow_up.driver_id, follow_up.pk),
                by=by,
                driver_id=follow_up.driver_id,
                changes=[change],
            )
    follow_up.refresh_from_db()
    return is_changed


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > LONGEST_REASON:
        raise Refused("reason_too_long", f"Keep the reason under {LONGEST_REASON} letters.", field="reason")
    return reason


def _check_expected(stored: FollowUp, wanted: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuses where the moment or the reason is no longer what was seen, nor what is wanted."""
    local = stored.due_at.astimezone(clock.zone())
    due = f"{local.day} {local:%b %Y}" + ("" if stored.is_all_day else f", {local:%H:%M}")
    for names, sentence in (
        (("due_at", "is_all_day"), f"Somebody moved this to {due} while you were typing."),
        (
            ("reason",),
            f"Somebody changed this to “{stored.reason or 'empty'}” while you were typing.",
        ),
    ):
        is_stale = any(name in expected and getattr(stored, name) != expected[name] for name in names)
        if is_stale and any(name in wanted and getattr(stored, name) != wanted[name] for name in names):
            raise Refused("edited_since", sentence, field=names[0])


def _as_kept(follow_up: FollowUp) -> dict[str, Any]:
    """What the journal keeps of a follow-up: when it is due, and why."""
    return {
        "due_at": follow_up.due_at.astimezone(UTC).isoformat(),
        "is_all_day": follow_up.is_all_day,
        "reason": follow_up.reason,
    }


def reopen_follow_ups(follow_ups: Sequence[FollowUp], *, by: Actor) -> None:
    """Takes back “done” (the toast's undo). What an opt-out closed stays closed."""
    with transaction.atomic():
        locked([follow_up.driver_id for follow_up in follow_ups])
        done = FollowUp.objects.filter(pk__in=[item.pk for item in follow_ups], outcome=Outcome.DONE)
        back = list(done.exclude(driver__onboarding_status=OnboardingStatus.OPTED_OUT))
        if not back:
            raise Refused("not_done", "Nothing to reopen: it is open already, or the driver has opted out.")
        done.filter(pk__in=[item.pk for item in back]).update(done_at=None, done_by="", outcome="")
        ids = [item.driver_id for item in back]
        keep_next_follow_up(ids)
        journal.announce(FollowUpReopened(ids, [item.pk for item in back]), by=by)


def drop_follow_ups(follow_up_ids: Sequence[UUID], *, by: Actor) -> int:
    """Takes back the setting of follow-ups (the toast's undo): the open ones among them are closed.

    Returns how many were; refuses when all of them have ended meanwhile.
    """
    with transaction.atomic():
        meant = FollowUp.objects.filter(pk__in=follow_up_ids)
        locked(meant.values_list("driver_id", flat=True))
        open_ones = list(meant.filter(done_at__isnull=True))
        if not open_ones:
            is_done = meant.filter(outcome=Outcome.DONE).exists()
            raise Refused("follow_up_ended", DONE_MEANWHILE if is_done else CLOSED_ALREADY)
        end_follow_ups(open_ones, Outcome.CLOSED, by=by)
    return len(open_ones)


def end_follow_ups(follow_ups: Sequence[FollowUp], outcome: Outcome, *, by: Actor) -> None:
    """Ends these open follow-ups one way, and keeps `next_follow_up_date`; their drivers are locked already."""
    if not follow_ups:
        return
    ids = [follow_up.driver_id for follow_up in follow_ups]
    FollowUp.objects.filter(pk__in=[item.pk for item in follow_ups], done_at__isnull=True).update(
        done_at=clock.now(), done_by=str(by), outcome=outcome
    )
    keep_next_follow_up(ids)
    journal.announce(
        FollowUpEnded(ids, [item.pk for item in follow_ups], str(outcome)),
        by=by,
        driver_id=ids[0] if len(set(ids)) == 1 else None,
    )


def keep_next_follow_up(driver_ids: Iterable[UUID]) -> int:
    """Makes `next_follow_up_date` the earliest open one. Returns how many values were wrong."""
    ids = list(driver_ids)
    due = queries.earliest_open_follow_ups(ids)
    stale = [
        driver
        for driver in Driver.objects.filter(pk__in=ids)
        if driver.next_follow_up_date != due.get(driver.pk)
    ]
    for driver in stale:
        driver.next_follow_up_date = due.get(driver.pk)
        driver.updated_at = clock.now()  # who reads what has changed since a moment must hear of it
    Driver.objects.bulk_update(stale, ["next_follow_up_date", "updated_at"], batch_size=CHUNK)
    return len(stale)
