"""Follow-ups: list, set, move, complete, open again."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Access, Can, Request, needs
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.core.ids import read_id
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Input, Limit, Moment, Rows, answer, page, read_moment
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.api.finding import check_driver, owner_of, person_id
from drivercrm.drivers.enums import FollowUpSource, Outcome
from drivercrm.drivers.models import Driver, FollowUp

router = Router(tags=["follow-ups"])


class FollowUpOut(Schema):
    """Something to do for a driver by a moment."""

    id: UUID
    driver_id: UUID
    due_at: datetime = Field(description="For a whole day: its first instant.")
    is_all_day: bool
    reason: str
    owner_id: UUID | None
    source: FollowUpSource
    created_by: str
    created_at: datetime
    done_at: datetime | None
    done_by: str
    outcome: Outcome | Literal[""]


class DueIn(Input):
    """When: a local day (`due_on`) or a moment (`due_at`), one of the two."""

    due_on: date | None = Field(None, ge=date(2000, 1, 1), le=date(2100, 12, 30))
    due_at: Moment | None = None

    def due(self) -> tuple[datetime, bool]:
        """The moment, and whether it stands for a whole day. Refuses both and neither."""
        if (self.due_on is None) == (self.due_at is None):
            raise Refused("due_missing", "Give either a day or a moment.", field="due_on")
        return (clock.day_start(self.due_on), True) if self.due_on else (self.due_at or clock.now(), False)


class FollowUpIn(DueIn):
    reason: str = Field("", max_length=500)
    owner_id: UUID | None = None


class FollowUpsIn(FollowUpIn):
    driver_ids: list[UUID] = Field(min_length=1, max_length=500)


class FollowUpSeen(Input):
    """What the caller read; what is left out is not compared."""

    due_at: Moment | None = None
    is_all_day: bool | None = None
    reason: str | None = Field(None, max_length=500)


class FollowUpPatch(DueIn):
    """What to change of an open one; what is left out stays."""

    reason: str | None = Field(None, max_length=500)
    expected: FollowUpSeen | None = Field(
        None, description="Refused with 409 when what is to be changed has changed since."
    )


class FollowUps(Schema):
    items: list[FollowUpOut]


COLUMNS = tuple(FollowUpOut.model_fields)


class FollowUpFilters(Schema):
    state: Literal["open", "done", "any"] = "open"
    owner: str = Field("", max_length=36, description="A person's id, `me`, or `none`.")
    due_before: Moment | None = None


@router.get(
    "/follow-ups",
    response=Rows[FollowUpOut],
    summary="List follow-ups",
    operation_id="list_follow_ups",
)
@needs(Can.READ_DRIVERS)
def list_follow_ups(
    request: Request, query: Query[FollowUpFilters], limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Follow-ups of all drivers, the earliest first."""
    return _page(FollowUp.objects.all(), query, request.access, cursor, limit)


@router.get(
    "/drivers/{uuid:driver_id}/follow-ups",
    response=Rows[FollowUpOut],
    summary="A driver's follow-ups",
    operation_id="list_follow_ups_of_driver",
)
@needs(Can.READ_DRIVERS)
def list_follow_ups_of_driver(
    request: Request,
    driver_id: UUID,
    query: Query[FollowUpFilters],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HttpResponse:
    """One driver's follow-ups, the earliest first."""
    check_driver(driver_id)
    return _page(FollowUp.objects.filter(driver_id=driver_id), query, request.access, cursor, limit)


@router.post(
    "/follow-ups",
    response={201: FollowUps},
    summary="Set follow-ups for drivers",
    operation_id="set_follow_ups",
)
@needs(Can.CONTACT_DRIVER)
def set_follow_ups(request: Request, data: FollowUpsIn) -> HttpResponse:
    """One follow-up for each driver; those who opted out are left out."""
    known = set(Driver.objects.filter(pk__in=data.driver_ids).values_list("pk", flat=True))
    if unknown := [pk for pk in data.driver_ids if pk not in known]:
        raise Refused("unknown_driver", f"There is no driver {unknown[0]}.", field="driver_ids")
    return _set(request, list(dict.fromkeys(data.driver_ids)), data)


@router.post(
    "/drivers/{uuid:driver_id}/follow-ups",
    response={201: FollowUps},
    summary="Set a follow-up",
    operation_id="set_follow_up_of_driver",
)
@needs(Can.CONTACT_DRIVER)
def set_follow_up_of_driver(request: Request, driver_id: UUID, data: FollowUpIn) -> HttpResponse:
    """A follow-up for one driver."""
    check_driver(driver_id)
    return _set(request, [driver_id], data)


@router.get(
    "/follow-ups/{uuid:follow_up_id}",
    response=FollowUpOut,
    summary="One follow-up",
    operation_id="get_follow_up",
)
@needs(Can.READ_DRIVERS)
def get_follow_up(request: Request, follow_up_id: UUID) -> HttpResponse:
    """One follow-up."""
    return answer(_row(get_object_or_404(FollowUp, pk=follow_up_id)))


@router.patch(
    "/follow-ups/{uuid:follow_up_id}",
    response=FollowUpOut,
    summary="Move a follow-up",
    operation_id="move_follow_up",
)
@needs(Can.CONTACT_DRIVER)
def move_follow_up(request: Request, follow_up_id: UUID, data: FollowUpPatch) -> HttpResponse:
    """Another moment or reason for an open follow-up."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    due_at, is_all_day = data.due() if data.due_on or data.due_at else (None, False)
    drivers.move_follow_up(
        follow_up,
        due_at=due_at,
        is_all_day=is_all_day,
        reason=data.reason,
        expected=data.expected.model_dump(exclude_none=True) if data.expected else None,
        by=request.access.actor,
    )
    return answer(_row(follow_up))


@router.post(
    "/follow-ups/{uuid:follow_up_id}/completion",
    response=FollowUpOut,
    summary="Complete a follow-up",
    operation_id="complete_follow_up",
)
@needs(Can.CONTACT_DRIVER)
def complete_follow_up(request: Request, follow_up_id: UUID) -> HttpResponse:
    """Marks a follow-up done; one that has ended is refused."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    drivers.complete_follow_up(follow_up, by=request.access.actor)
    return answer(_row(follow_up))


@router.delete(
    "/follow-ups/{uuid:follow_up_id}/completion",
    response=FollowUpOut,
    summary="Open a follow-up again",
    operation_id="reopen_follow_up",
)
@needs(Can.CONTACT_DRIVER)
def reopen_follow_up(request: Request, follow_up_id: UUID) -> HttpResponse:
    """Takes “done” back."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    if follow_up.done_at is None:
        raise Refused("follow_up_open", "This follow-up is open.")
    drivers.reopen_follow_ups([follow_up], by=request.access.actor)
    follow_up.refresh_from_db()
    return answer(_row(follow_up))


def _page(
    found: "QuerySet[FollowUp]", query: FollowUpFilters, who: Access, cursor: str | None, limit: int
) -> HttpResponse:
    if query.state != "any":
        found = found.filter(done_at__isnull=query.state == "open")
    if query.due_before:
        found = found.filter(due_at__lt=query.due_before)
    if query.owner == "none":
        found = found.filter(owner__isnull=True)
    elif query.owner:
        owner = person_id(who) if query.owner == "me" else read_id(query.owner)
        found = found.filter(owner_id=owner) if owner else found.none()
    rows = page_of(found.values(*COLUMNS), Order("due_at", parse=read_moment), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


def _set(request: Request, driver_ids: list[UUID], data: FollowUpIn) -> HttpResponse:
    due_at, is_all_day = data.due()
    made = drivers.set_follow_ups(
        driver_ids,
        due_at=due_at,
        is_all_day=is_all_day,
        reason=data.reason,
        owner=owner_of(data.owner_id),
        by=request.access.actor,
    )
    rows = FollowUp.objects.filter(pk__in=[follow_up.pk for follow_up in made]).order_by("id")
    return answer({"items": list(rows.values(*COLUMNS))}, status=201)


def _row(follow_up: FollowUp) -> dict[str, Any]:
    return {column: getattr(follow_up, column) for column in COLUMNS}
