"""What was said, for programs: read the history, log a call (spec §5, §9)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Access, Can, Request, needs
from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import (
    CallOutcome,
    Channel,
    CommunicationStatus,
    Direction,
    MessageType,
)
from drivercrm.communications.models import Communication
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Input, Limit, Moment, Rows, answer, page
from drivercrm.drivers.models import Driver

router = Router(tags=["communications"])


class CommunicationOut(Schema):
    """One message or call. Subject, body and attachments are null for roles that may not read messages."""

    id: UUID
    driver_id: UUID
    channel: Channel
    direction: Direction
    message_type: MessageType
    subject: str | None
    message_body: str | None
    attachments: list[Any] | None
    status: CommunicationStatus
    response_received: bool
    response_time: int | None = Field(description="Seconds until the reply.")
    sent_at: datetime
    delivered_at: datetime | None
    read_at: datetime | None
    replied_at: datetime | None
    created_by: str
    recorded_at: datetime
    call_outcome: CallOutcome | Literal[""]
    call_seconds: int | None


COLUMNS = tuple(CommunicationOut.model_fields)
CONTENT = ("subject", "message_body", "attachments")


class CallIn(Input):
    """A phone call that somebody made or took."""

    channel: Literal["phone"]
    direction: Direction
    outcome: CallOutcome
    note: str = Field("", max_length=20_000)
    seconds: int | None = Field(None, ge=0, le=86_400)
    at: Moment | None = Field(None, description="When; default now.")
    message_type: MessageType = MessageType.ONBOARDING


class CommunicationFilters(Schema):
    channel: Channel | None = None
    direction: Direction | None = None
    message_type: MessageType | None = None


def _content(row: dict[str, Any], who: Access) -> dict[str, Any]:
    return row if who.may(Can.READ_MESSAGES) else row | dict.fromkeys(CONTENT)


def _page(
    found: "QuerySet[Communication]",
    query: CommunicationFilters,
    who: Access,
    cursor: str | None,
    limit: int,
) -> HttpResponse:
    wanted = query.model_dump(exclude_none=True)
    rows = page_of(
        found.filter(**wanted).values(*COLUMNS),
        Order("id", descending=True, parse=str),
        cursor=cursor,
        limit=limit,
    )
    return answer(page([_content(row, who) for row in rows.items], rows.next_cursor))


@router.get(
    "/communications",
    response=Rows[CommunicationOut],
    summary="List communications",
    operation_id="list_communications",
)
@needs(Can.READ_DRIVERS)
def list_communications(
    request: Request, query: Query[CommunicationFilters], limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Messages and calls of all drivers, the latest recorded first."""
    return _page(Communication.objects.all(), query, request.access, cursor, limit)


@router.get(
    "/communications/{uuid:communication_id}",
    response=CommunicationOut,
    summary="One communication",
    operation_id="get_communication",
)
@needs(Can.READ_DRIVERS)
def get_communication(request: Request, communication_id: UUID) -> HttpResponse:
    """One message or call."""
    row = Communication.objects.filter(pk=communication_id).values(*COLUMNS).first()
    if row is None:
        raise Http404
    return answer(_content(row, request.access))


@router.get(
    "/drivers/{uuid:driver_id}/communications",
    response=Rows[CommunicationOut],
    summary="A driver's communications",
    operation_id="list_communications_of_driver",
)
@needs(Can.READ_DRIVERS)
def list_communications_of_driver(
    request: Request,
    driver_id: UUID,
    query: Query[CommunicationFilters],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HttpResponse:
    """One driver's messages and calls, the latest recorded first."""
    if not Driver.objects.filter(pk=driver_id).exists():
        raise Http404
    found = Communication.objects.filter(driver_id=driver_id)
    return _page(found, query, request.access, cursor, limit)


@router.post(
    "/drivers/{uuid:driver_id}/communications",
    response={201: CommunicationOut},
    summary="Log a call",
    operation_id="log_call",
)
@needs(Can.CONTACT_DRIVER)
def log_call(request: Request, driver_id: UUID, data: CallIn) -> HttpResponse:
    """Logs a phone call. One that was answered, or reached voicemail, makes the driver contacted."""
    who = request.access
    call = communications.log_call(
        get_object_or_404(Driver, pk=driver_id),
        direction=data.direction,
        outcome=data.outcome,
        note=data.note,
        seconds=data.seconds,
        at=data.at,
        message_type=data.message_type,
        by=who.actor,
    )
    row = {column: getattr(call, column) for column in COLUMNS}
    return answer(_content(row, who), status=201)
