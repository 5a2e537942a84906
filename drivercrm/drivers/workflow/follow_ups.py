"""Follow-ups: what feeds Today, and `next_follow_up_date` (spec §5.5)."""

from collections.abc import Iterable, Sequence
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
from drivercrm.drivers.queries import check_owner, locked
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange

CHUNK = 500


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

    Refuses an owner whose role may do nothing for a driver. Drivers who opted out are left out; one alone is refused.
    """
    check_owner(owner)
    if len(reason) > 200:
        raise Refused("reason_too_long", "Keep the reason under 200 letters.", field="reason")
    now = clock.now()  # one moment for all, so that they can be found again together
    with transaction.atomic():
        drivers = locked(driver_ids)
        opted_out = [driver for driver in drivers if driver.onboarding_status == OnboardingStatus.OPTED_OUT]
        if opted_out and len(drivers) == 1:
            raise Refused("opted_out", f"{drivers[0].greeting} has opted out and takes no follow-ups.")
        made = FollowUp.objects.bulk_create(
            [
                FollowUp(
                    driver=driver,
                    due_at=due_at,
                    is_all_day=is_all_day,
                    reason=reason.strip(),
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
        locked([follow_up.driver_id])
        fresh = FollowUp.objects.get(pk=follow_up.pk)
        if fresh.done_at is not None:
            raise Refused("follow_up_ended", "This follow-up is done already.")
        end_follow_ups([fresh], Outcome.DONE, by=by)
    follow_up.refresh_from_db()


def move_follow_up(
    follow_up: FollowUp, *, due_at: datetime, is_all_day: bool, reason: str, by: Actor
) -> None:
    """Another moment or reason for an open follow-up."""
    with transaction.atomic():
        locked([follow_up.driver_id])
        before = FollowUp.objects.filter(pk=follow_up.pk, done_at__isnull=True).first()
        if before is None:
            raise Refused("follow_up_ended", "This follow-up is done already.")
        after = FollowUp(due_at=due_at, is_all_day=is_all_day, reason=reason.strip()[:200])
        if _as_kept(after) == _as_kept(before):
            return
        FollowUp.objects.filter(pk=follow_up.pk).update(
            due_at=due_at, is_all_day=is_all_day, reason=after.reason
        )
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


def drop_follow_ups(follow_up_ids: Sequence[UUID], *, by: Actor) -> None:
    """Takes back the setting of follow-ups (the toast's undo): the open ones among them are closed."""
    with transaction.atomic():
        meant = FollowUp.objects.filter(pk__in=follow_up_ids)
        locked(meant.values_list("driver_id", flat=True))
        end_follow_ups(list(meant.filter(done_at__isnull=True)), Outcome.CLOSED, by=by)


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
    Driver.objects.bulk_update(stale, ["next_follow_up_date"], batch_size=CHUNK)
    return len(stale)
