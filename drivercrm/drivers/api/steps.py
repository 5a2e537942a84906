"""A driver's checklist: read it, tick, untick."""

from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.core.rest import Input, Moment, answer
from drivercrm.drivers import queries
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver

router = Router(tags=["steps"])


class StepOut(Schema):
    """One step of the checklist for one driver."""

    step: str
    label: str
    is_required: bool
    done_at: datetime | None
    done_by: str


class StepIn(Input):
    step: str = Field(max_length=40)
    at: Moment | None = Field(None, description="When it was done; default now.")


class Steps(Schema):
    """The checklist, and the status that it led to."""

    onboarding_status: OnboardingStatus
    items: list[StepOut]


@router.get(
    "/drivers/{uuid:driver_id}/steps",
    response=Steps,
    summary="A driver's checklist",
    operation_id="list_steps",
)
@needs(Can.READ_DRIVERS)
def list_steps(request: Request, driver_id: UUID) -> HttpResponse:
    """Every configured step, done or not."""
    return _steps(get_object_or_404(Driver, pk=driver_id))


@router.post(
    "/drivers/{uuid:driver_id}/steps",
    response={201: Steps},
    summary="Tick a step",
    operation_id="complete_step",
)
@needs(Can.EDIT_DRIVERS)
def complete_step(request: Request, driver_id: UUID, data: StepIn) -> HttpResponse:
    """The first step starts onboarding, the last required one completes it."""
    if data.at and data.at > clock.now():
        raise Refused("in_future", "A step cannot be done in the future.", field="at")
    driver = get_object_or_404(Driver, pk=driver_id)
    drivers.complete_step(driver, data.step, by=request.access.actor, at=data.at)
    return _steps(driver, status=201)


@router.delete(
    "/drivers/{uuid:driver_id}/steps/{step}",
    response=Steps,
    summary="Untick a step",
    operation_id="undo_step",
)
@needs(Can.EDIT_DRIVERS)
def undo_step(request: Request, driver_id: UUID, step: str) -> HttpResponse:
    """Unticks a step. The status stays: move it, or undo the move."""
    driver = get_object_or_404(Driver, pk=driver_id)
    drivers.undo_step(driver, step, by=request.access.actor)
    return _steps(driver)


def _steps(driver: Driver, *, status: int = 200) -> HttpResponse:
    lines = [
        {
            "step": line.key,
            "label": line.label,
            "is_required": line.is_required,
            "done_at": line.done_at,
            "done_by": line.done_by,
        }
        for line in queries.checklist(driver)
    ]
    return answer({"onboarding_status": driver.onboarding_status, "items": lines}, status=status)
