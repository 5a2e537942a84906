"""The steps of onboarding (spec §2)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import queries
from drivercrm.drivers.enums import OnboardingStatus, Trigger
from drivercrm.drivers.events import (
    StepDone,
    StepUndone,
)
from drivercrm.drivers.models import Driver, OnboardingStep, StatusChange
from drivercrm.drivers.moves import below
from drivercrm.drivers.queries import locked, locked_one
from drivercrm.drivers.workflow.status import CHUNK, trigger, undo_act
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange

DONE_ALREADY = "This step is done already."


def tick(driver: Driver, step: str, *, at: datetime, by: Actor) -> bool:
    """Marks a step done unless it is; True when it was not."""
    _, is_new = OnboardingStep.objects.get_or_create(
        driver=driver, step=step, defaults={"done_at": at, "done_by": str(by)}
    )
    if is_new:
        journal.announce(StepDone(driver.pk, step), by=by, driver_id=driver.pk)
    return is_new


def complete_step(driver: Driver, step: str, *, by: Actor, at: datetime | None = None) -> UUID:
    """Ticks a step: the first one starts onboarding, the last required one completes it. Returns the act."""
    organisation = Organisation.current()
    if step not in {known["key"] for known in organisation.onboarding_steps}:
        raise Refused("unknown_step", f"“{step}” is not a step of the checklist.", field="step")
    moment = at or clock.now()
    act = uuid7()
    with transaction.atomic():
        held = locked_one(driver.pk)
        if not tick(held, step, at=moment, by=by):
            raise Refused("step_done", DONE_ALREADY, field="step")
        trigger([driver.pk], Trigger.STEP_DONE, by=by, at=moment, act=act)
        if queries.last_done(driver.pk, organisation.required_steps):
            trigger([driver.pk], Trigger.STEPS_COMPLETED, by=by, at=moment, act=act)
    driver.refresh_from_db()
    return act


def undo_step(driver: Driver, step: str, *, by: Actor, act: UUID | None = None) -> int:
    """Unticks a step and returns the journal entry's id, for undo.

    With the act that ticked it, the move that it caused goes back too, if nothing followed.
    """
    with transaction.atomic():
        locked_one(driver.pk)
        done = OnboardingStep.objects.filter(driver=driver, step=step).first()
        if done is None:
            raise Refused("step_not_done", "This step is not done.", field="step")
        done.delete()
        was = {"done_at": done.done_at.isoformat(), "done_by": done.done_by}
        is_back = False
        if act and StatusChange.objects.filter(act=act, driver=driver).exists():
            try:
                undo_act(act, by=by, only=driver.pk)
                is_back = True
            except Refused as refusal:
                if refusal.code != "moved_on":
                    raise
        entry = journal.announce(
            StepUndone(driver.pk, step, is_back),
            by=by,
            driver_id=driver.pk,
            changes=[FieldChange(driver.pk, f"step:{step}", was, None)],
        )
    driver.refresh_from_db()
    return entry.pk


def restore_step(driver: Driver, step: str, entry_id: int, *, by: Actor) -> UUID:
    """Takes an untick back: the step is done as it was, by whom and when, and what moved back moves again.

    Returns the act. Refuses an entry that is not this step's untick, and a step that is done again.
    """
    act = uuid7()
    with transaction.atomic():
        held = locked_one(driver.pk)
        kept = [
            change
            for change in journal.changes_of(entry_id, StepUndone)
            if change.object_id == driver.pk and change.field == f"step:{step}" and change.before
        ]
        if not kept:
            raise Refused("nothing_to_undo", "There is nothing to undo here.")
        was: dict[str, Any] = kept[0].before or {}
        done_at = datetime.fromisoformat(was["done_at"])
        _, is_new = OnboardingStep.objects.get_or_create(
            driver=driver, step=step, defaults={"done_at": done_at, "done_by": was["done_by"]}
        )
        if not is_new:
            raise Refused("step_done", DONE_ALREADY, field="step")
        journal.announce(StepDone(driver.pk, step), by=by, driver_id=driver.pk)
        # staff may have moved the driver since: only what the untick took back, or what is new, moves
        is_back = kept[0].entry.data.get("is_back", False)
        if is_back:
            trigger([driver.pk], Trigger.STEP_DONE, by=by, at=done_at, act=act)
        last = queries.last_done(driver.pk, Organisation.current().required_steps)
        if last and (is_back or held.onboarding_complete_date is None):
            trigger([driver.pk], Trigger.STEPS_COMPLETED, by=by, at=last, act=act)
    driver.refresh_from_db()
    return act


def complete_who_has_done_all(before: Collection[str], *, at: datetime, by: Actor) -> list[UUID]:
    """The checklist requires less than `before`: who has done all that is left completes onboarding (spec §3).

    Who had done all of `before` is left alone: the change is no news of theirs, and staff may have moved them.
    Goes in steps of its own, and may be called again. Returns the drivers that moved.
    """
    moved: list[UUID] = []
    waiting = Driver.objects.filter(onboarding_status__in=below(OnboardingStatus.ONBOARDING_COMPLETED))
    ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    while ids:
        required = set(Organisation.current().required_steps)  # it may have been changed again
        if not required or required.issuperset(before):
            break
        if ready := _ready(ids, required, before):
            with transaction.atomic():
                held = [driver.pk for driver in locked(ready)]  # what is unticked meanwhile waits, or is seen
                moved += trigger(_ready(held, required, before), Trigger.STEPS_COMPLETED, by=by, at=at)
        ids = list(waiting.filter(pk__gt=ids[-1]).order_by("pk").values_list("pk", flat=True)[:CHUNK])
    return moved


def _ready(driver_ids: Sequence[UUID], required: set[str], before: Collection[str]) -> list[UUID]:
    """Which of these drivers have done what is required now, but not all that was required before."""
    done: dict[UUID, set[str]] = {}
    rows = OnboardingStep.objects.filter(driver_id__in=driver_ids, step__in={*required, *before})
    for driver_id, step in rows.values_list("driver_id", "step"):
        done.setdefault(driver_id, set()).add(step)
    return [pk for pk, steps in done.items() if steps >= required and not steps.issuperset(before)]


@accounts.step_keeper
def is_done_by_anybody(step: str) -> bool:
    """Whether any driver has done this step: such a step cannot leave the checklist."""
    return OnboardingStep.objects.filter(step=step).exists()
