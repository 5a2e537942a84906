"""The steps of onboarding (spec §2)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers.enums import (
    Trigger,
)
from drivercrm.drivers.events import (
    StepDone,
    StepUndone,
)
from drivercrm.drivers.models import Driver, OnboardingStep, StatusChange
from drivercrm.drivers.queries import locked
from drivercrm.drivers.workflow.status import trigger, undo_act
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange


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
        held = locked([driver.pk])[0]
        if not tick(held, step, at=moment, by=by):
            raise Refused("step_done", "This step is done already.", field="step")
        trigger([driver.pk], Trigger.STEP_DONE, by=by, at=moment, act=act)
        done = set(OnboardingStep.objects.filter(driver=driver).values_list("step", flat=True))
        if organisation.required_steps and done.issuperset(organisation.required_steps):
            trigger([driver.pk], Trigger.STEPS_COMPLETED, by=by, at=moment, act=act)
    driver.refresh_from_db()
    return act


def undo_step(driver: Driver, step: str, *, by: Actor, act: UUID | None = None) -> None:
    """Unticks a step. With the act that ticked it, the move that it caused goes back too, if nothing followed."""
    with transaction.atomic():
        locked([driver.pk])
        done = OnboardingStep.objects.filter(driver=driver, step=step).first()
        if done is None:
            raise Refused("step_not_done", "This step is not done.", field="step")
        done.delete()
        was = {"done_at": done.done_at.isoformat(), "done_by": done.done_by}
        journal.announce(
            StepUndone(driver.pk, step),
            by=by,
            driver_id=driver.pk,
            changes=[FieldChange(driver.pk, f"step:{step}", was, None)],
        )
        if act and StatusChange.objects.filter(act=act, driver=driver).exists():
            try:
                undo_act(act, by=by, only=driver.pk)
            except Refused as refusal:
                if refusal.code != "moved_on":
                    raise
    driver.refresh_from_db()


@accounts.step_keeper
def is_done_by_anybody(step: str) -> bool:
    """Whether any driver has done this step: such a step cannot leave the checklist."""
    return OnboardingStep.objects.filter(step=step).exists()
