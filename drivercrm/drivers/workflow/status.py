"""What moves a driver along the path, by staff, by events, by consent, and back (spec §3).

`onboarding_status` and the stage dates are assigned here and nowhere else.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from drivercrm.accounts.models import Organisation
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import queries
from drivercrm.drivers.enums import (
    OnboardingStatus,
    Outcome,
    Trigger,
)
from drivercrm.drivers.events import (
    DriverOptedOut,
    DriverStatusChanged,
)
from drivercrm.drivers.models import Driver, FollowUp, StatusChange
from drivercrm.drivers.moves import STAGE_DATES, History, moves_for, path_of
from drivercrm.drivers.queries import locked, locked_one
from drivercrm.drivers.workflow.follow_ups import end_follow_ups
from drivercrm.journal import workflow as journal

CHUNK = 500
PROJECTED = ["onboarding_status", *STAGE_DATES]
OPT_OUT_IS_CONSENTS = "Opted out is set by consent. Record or withdraw consent on the driver's page instead."


def project(drivers: Sequence[Driver], histories: dict[UUID, list[StatusChange]]) -> None:
    """Writes what the histories say into the drivers’ columns."""
    for driver in drivers:
        for column, value in History(histories[driver.pk]).projection().items():
            setattr(driver, column, value)
        driver.updated_at = clock.now()
    Driver.objects.bulk_update(drivers, [*PROJECTED, "updated_at"], batch_size=CHUNK)


def trigger(
    driver_ids: Iterable[UUID],
    what: Trigger,
    *,
    by: Actor,
    at: datetime | None = None,
    reason: str = "",
    to: str | None = None,
    act: UUID | None = None,
) -> list[UUID]:
    """Something happened to these drivers: writes the moves of the table, all at `at` (default now).

    One that does not apply is a no-op. Returns the drivers that moved. Two triggers at once for one driver are
    serialised by the lock on the driver's row.
    """
    act = act or uuid7()
    moved: list[UUID] = []
    ids = sorted(driver_ids)  # chunk after chunk in one order: two bulk verbs never wait for each other
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            moved += _trigger_chunk(
                ids[start : start + CHUNK], what, by=by, at=at, reason=reason, to=to, act=act
            )
    return moved


def _trigger_chunk(
    ids: list[UUID], what: Trigger, *, by: Actor, at: datetime | None, reason: str, to: str | None, act: UUID
) -> list[UUID]:
    drivers = locked(ids)
    histories = queries.histories(driver.pk for driver in drivers)
    moment = at or clock.now()
    written: list[StatusChange] = []
    moved: list[Driver] = []
    for driver in drivers:
        past = histories[driver.pk]
        history = History(past)
        move = moves_for(what, history.status, to)
        if move is None:
            continue
        changes: list[StatusChange] = []
        steps: list[tuple[str, str, StatusChange | None]]
        if move.way == "back":
            steps = [
                (change.to_status, change.from_status, change)
                for change in reversed(history.made_by_messages())
            ]
        else:
            steps = [(*pair, None) for pair in path_of(move, history, to)]
        for from_status, to_status, undone in steps:
            row = _row(
                driver, [*past, *changes], from_status, to_status, moment, what, act, by, reason, undone
            )
            changes.append(row)
        if not changes:
            continue
        past += changes
        written += changes
        moved.append(driver)
    if not moved:
        return []
    StatusChange.objects.bulk_create(written, batch_size=CHUNK)
    project(moved, histories)
    moved_ids = [driver.pk for driver in moved]
    journal.announce(
        DriverStatusChanged(act, moved_ids, str(what), to or ""),
        by=by,
        driver_id=moved_ids[0] if len(moved_ids) == 1 else None,
    )
    return moved_ids


def _row(
    driver: Driver,
    past: Sequence[StatusChange],
    from_status: str,
    to_status: str,
    at: datetime,
    what: Trigger,
    act: UUID,
    by: Actor,
    reason: str,
    reverses: StatusChange | None = None,
) -> StatusChange:
    return StatusChange(
        driver=driver,
        sequence=len(past) + 1,
        from_status=from_status,
        to_status=to_status,
        at=at,
        trigger=what,
        act=act,
        actor=str(by),
        reason=reason,
        reverses=reverses,
    )


def change_status(driver: Driver, to: str, *, reason: str, by: Actor, at: datetime | None = None) -> UUID:
    """Staff move one driver anywhere but into or out of opted out (spec §3). Returns the act, for undo.

    Refuses an unknown status, the same status, a missing reason, and both doors of opted out.
    """
    reason = reason.strip()
    _check_staff_move(to, reason)
    act = uuid7()
    with transaction.atomic():
        now = locked_one(driver.pk).onboarding_status
        if now == OnboardingStatus.OPTED_OUT:
            raise Refused("opted_out", f"{driver.greeting} has opted out. {OPT_OUT_IS_CONSENTS}")
        if now == to:
            raise Refused(
                "same_status", f"{driver.greeting} is already {OnboardingStatus(to).label.lower()}."
            )
        trigger([driver.pk], Trigger.STAFF, by=by, at=at, reason=reason, to=to, act=act)
    driver.refresh_from_db()
    return act


def change_status_of_many(
    driver_ids: Sequence[UUID], to: str, *, reason: str, by: Actor
) -> tuple[UUID, list[UUID]]:
    """Staff move many drivers; those already there and those who opted out are left. Returns act and moved ids."""
    reason = reason.strip()
    _check_staff_move(to, reason)
    act = uuid7()
    with transaction.atomic():
        movable = list(
            Driver.objects.filter(pk__in=list(driver_ids))
            .exclude(onboarding_status__in=[to, OnboardingStatus.OPTED_OUT])
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        moved = trigger(movable, Trigger.STAFF, by=by, reason=reason, to=to, act=act)
    if not moved:
        raise Refused(
            "nothing_to_move",
            "None of these drivers can move there: they are there already or have opted out.",
        )
    return act, moved


def _check_staff_move(to: str, reason: str) -> None:
    if to not in OnboardingStatus.values:
        raise Refused("unknown_status", f"“{to}” is not a status.", field="to")
    if to == OnboardingStatus.OPTED_OUT:
        raise Refused("opted_out_by_staff", OPT_OUT_IS_CONSENTS, field="to")
    if not reason:
        raise Refused("reason_missing", "Say why: the reason stays in the driver's history.", field="reason")
    if len(reason) > 500:
        raise Refused("reason_too_long", "Keep the reason under 500 letters.", field="reason")


def undo_act(act: UUID, *, by: Actor, only: UUID | None = None) -> tuple[list[UUID], list[UUID]]:
    """Takes back what one act wrote, for every driver (or `only` one) where nothing has happened since.

    Appends reversals; returns the drivers that went back and those that had moved on. Refuses an unknown act,
    one that was undone already, and one that consent made.
    """
    undoing = uuid7()
    back: list[UUID] = []
    kept: list[UUID] = []
    with transaction.atomic():
        written_by_it = StatusChange.objects.filter(act=act, reverses__isnull=True)
        if only is not None:
            written_by_it = written_by_it.filter(driver_id=only)
        ids = list(written_by_it.order_by("driver_id").values_list("driver_id", flat=True).distinct())
        if not ids:
            raise Refused("nothing_to_undo", "There is nothing to undo here.")
        drivers = locked(ids)
        histories = queries.histories(driver.pk for driver in drivers)
        written: list[StatusChange] = []
        returned: list[Driver] = []
        for driver in drivers:
            past = histories[driver.pk]
            tail = _tail_of(act, History(past))
            if not tail:
                kept.append(driver.pk)
                continue
            moment = clock.now()
            for change in reversed(tail):
                past.append(
                    _row(
                        driver,
                        past,
                        change.to_status,
                        change.from_status,
                        moment,
                        Trigger.UNDO,
                        undoing,
                        by,
                        "",
                        change,
                    )
                )
                written.append(past[-1])
            returned.append(driver)
        StatusChange.objects.bulk_create(written, batch_size=CHUNK)
        project(returned, histories)
        back = [driver.pk for driver in returned]
        if back:
            journal.announce(
                DriverStatusChanged(undoing, back, str(Trigger.UNDO)),
                by=by,
                driver_id=back[0] if len(back) == 1 else None,
            )
    if not back:
        raise Refused("moved_on", "Nothing was undone: the status has changed since, or was undone already.")
    return back, kept


def _tail_of(act: UUID, history: History) -> list[StatusChange]:
    """The act's changes if the driver's present status stands on them, and consent had no hand in it."""
    tail: list[StatusChange] = []
    for change in reversed(history.standing):
        if change.act != act:
            break
        tail.insert(0, change)
    consents = {str(Trigger.CONSENT_WITHDRAWN), str(Trigger.CONSENT_GRANTED)}
    return [] if any(change.trigger in consents for change in tail) else tail


def opt_out(driver: Driver, *, by: Actor, at: datetime, reason: str, act: UUID | None = None) -> None:
    """Consent was withdrawn: the driver leaves the path, open follow-ups close. Called by consent alone (spec §4)."""
    with transaction.atomic():
        moved = trigger([driver.pk], Trigger.CONSENT_WITHDRAWN, by=by, at=at, reason=reason, act=act)
        open_ones = FollowUp.objects.filter(driver=driver, done_at__isnull=True)
        end_follow_ups(list(open_ones), Outcome.CLOSED, by=by)
        if moved:
            journal.announce(DriverOptedOut(driver.pk), by=by, driver_id=driver.pk)
    driver.refresh_from_db()


def opt_in_again(driver: Driver, *, by: Actor, at: datetime, reason: str) -> None:
    """Consent was granted again: back to the status before. Called by consent alone (spec §3).

    Who did the last required step while opted out, and had never completed onboarding, completes it now: no
    other tick would come to say so.
    """
    with transaction.atomic():
        if trigger([driver.pk], Trigger.CONSENT_GRANTED, by=by, at=at, reason=reason):
            last = queries.last_done(driver.pk, Organisation.current().required_steps)
            if last and Driver.objects.filter(pk=driver.pk, onboarding_complete_date__isnull=True).exists():
                trigger([driver.pk], Trigger.STEPS_COMPLETED, by=by, at=max(at, last))
    driver.refresh_from_db()
