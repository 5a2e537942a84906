"""A driver's path through the statuses: read it, move, undo."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Input, Limit, Rows, answer, page, read_number
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.api.finding import check_driver
from drivercrm.drivers.enums import OnboardingStatus, Trigger
from drivercrm.drivers.models import Driver, StatusChange

router = Router(tags=["status changes"])


class StatusChangeOut(Schema):
    """One step of a driver's path. What one person did at once shares an `act`."""

    id: UUID
    sequence: int
    from_status: OnboardingStatus
    to_status: OnboardingStatus
    at: datetime
    recorded_at: datetime
    trigger: Trigger
    act: UUID
    actor: str
    reason: str
    reverses_id: UUID | None


class StatusMoveIn(Input):
    """A move by staff: anywhere but into or out of opted out, with a reason."""

    to: OnboardingStatus
    reason: str = Field(max_length=1000)


class StatusMoved(Schema):
    """What a move or its undoing wrote, and where the driver stands."""

    act: UUID
    onboarding_status: OnboardingStatus
    changes: list[StatusChangeOut]


CHANGE_COLUMNS = tuple(StatusChangeOut.model_fields)


@router.get(
    "/drivers/{uuid:driver_id}/status-changes",
    response=Rows[StatusChangeOut],
    summary="A driver's status changes",
    operation_id="list_status_changes",
)
@needs(Can.READ_DRIVERS)
def list_status_changes(
    request: Request, driver_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """The whole history, the latest first; undone moves stay, with what undid them."""
    check_driver(driver_id)
    changes = StatusChange.objects.filter(driver_id=driver_id).values(*CHANGE_COLUMNS)
    rows = page_of(changes, Order("sequence", descending=True, parse=read_number), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


@router.post(
    "/drivers/{uuid:driver_id}/status-changes",
    response={201: StatusMoved},
    summary="Move a driver",
    operation_id="move_driver",
)
@needs(Can.EDIT_DRIVERS)
def move_driver(request: Request, driver_id: UUID, data: StatusMoveIn) -> HttpResponse:
    """Moves a driver to another status. A move to the same status, or by the door of consent, is refused."""
    driver = get_object_or_404(Driver, pk=driver_id)
    act = drivers.change_status(driver, data.to, reason=data.reason, by=request.access.actor)
    return _moved(driver, act, Q(act=act), status=201)


@router.post(
    "/drivers/{uuid:driver_id}/status-changes/{uuid:act}/undo",
    response=StatusMoved,
    summary="Undo a move",
    operation_id="undo_move",
)
@needs(Can.EDIT_DRIVERS)
def undo_move(request: Request, driver_id: UUID, act: UUID) -> HttpResponse:
    """Takes back what one act did to this driver, if nothing has happened since; its other drivers stay."""
    driver = get_object_or_404(Driver, pk=driver_id)
    if not StatusChange.objects.filter(driver=driver, act=act).exists():
        raise Http404
    drivers.undo_act(act, by=request.access.actor, only=driver.pk)
    driver.refresh_from_db()
    return _moved(driver, None, Q(reverses__act=act), status=200)


def _moved(driver: Driver, act: UUID | None, written: Q, *, status: int) -> HttpResponse:
    changes = list(
        StatusChange.objects.filter(written, driver=driver).order_by("sequence").values(*CHANGE_COLUMNS)
    )
    return answer(
        {
            "act": act or changes[-1]["act"],
            "onboarding_status": driver.onboarding_status,
            "changes": changes,
        },
        status=status,
    )
