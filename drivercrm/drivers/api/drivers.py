"""The driver's own record."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.core.errors import Refused
from drivercrm.core.rest import Cursor, Input, Limit, Rows, answer, page
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.api import listing
from drivercrm.drivers.api.finding import owner_of
from drivercrm.drivers.enums import OnboardingStatus, PreferredChannel
from drivercrm.drivers.models import Driver

router = Router(tags=["drivers"])


class DriverOut(Schema):
    """One driver. Columns marked derived follow from other facts and cannot be set."""

    id: UUID
    timo_driver_id: str | None
    pathpulse_account_id: str | None
    name: str
    given_name: str
    phone: str | None = Field(description="E.164.")
    email: str | None
    whatsapp_number: str | None
    telegram_username: str | None
    area: str
    language: str
    onboarding_status: OnboardingStatus = Field(description="Derived from the status changes.")
    first_contact_date: datetime | None = Field(description="Derived.")
    onboarding_start_date: datetime | None = Field(description="Derived.")
    onboarding_complete_date: datetime | None = Field(description="Derived.")
    last_active_date: datetime | None = Field(description="Derived.")
    preferred_channel: PreferredChannel
    communication_opt_in: bool = Field(description="Derived from the consents.")
    last_contact_date: datetime | None = Field(description="Derived.")
    next_follow_up_date: datetime | None = Field(description="Derived.")
    total_communications: int = Field(description="Derived.")
    response_rate: float | None = Field(description="Derived; 0 to 1.")
    engagement_score: float | None = Field(description="Derived; 0 to 100.")
    owner_id: UUID | None
    source: str
    created_at: datetime
    updated_at: datetime
    notes: str


COLUMNS = tuple(DriverOut.model_fields)
EDITED = Literal[
    "name",
    "given_name",
    "phone",
    "email",
    "whatsapp_number",
    "telegram_username",
    "area",
    "language",
    "preferred_channel",
    "timo_driver_id",
    "pathpulse_account_id",
    "notes",
]
Text = Annotated[str | None, Field(max_length=500)]


class DriverIn(Input):
    """A new driver: a name and at least one way to reach them."""

    name: str = Field(max_length=500)
    given_name: Text = None
    phone: Text = Field(None, description="As people write it, or E.164.")
    email: Text = None
    whatsapp_number: Text = None
    telegram_username: Text = None
    area: Text = None
    language: Text = None
    preferred_channel: PreferredChannel | None = None
    timo_driver_id: Text = None
    pathpulse_account_id: Text = None
    notes: str | None = Field(None, max_length=20_000)
    owner_id: UUID | None = None


class DriverPatch(DriverIn):
    """The fields to change; null empties one. `expected` holds the values that the change is based on."""

    name: str | None = Field(None, max_length=500)  # type: ignore[assignment]
    expected: dict[EDITED, str | None] = Field(
        default_factory=dict, description="Refused with 409 when one of these has changed since."
    )


@router.get("/drivers", response=Rows[DriverOut], summary="List drivers", operation_id="list_drivers")
@needs(Can.READ_DRIVERS)
def list_drivers(
    request: Request, query: Query[listing.DriverFilters], limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Drivers, page by page. Every filter of the drivers page works here as well, under the name in its address."""
    rows = listing.read(request.GET, query, columns=COLUMNS, who=request.access, cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


@router.post("/drivers", response={201: DriverOut}, summary="Add a driver", operation_id="create_driver")
@needs(Can.EDIT_DRIVERS)
def create_driver(request: Request, data: DriverIn) -> HttpResponse:
    """Adds one driver. A number, mail or id that another driver holds is refused, never taken over."""
    values = data.model_dump(exclude_unset=True, exclude={"owner_id"}, exclude_none=True)
    driver = drivers.create(values, source="api", by=request.access.actor, owner=owner_of(data.owner_id))
    return answer(
        _row(driver), status=201, headers=_etag(driver) | {"Location": f"{request.path}/{driver.pk}"}
    )


@router.get("/drivers/{uuid:driver_id}", response=DriverOut, summary="One driver", operation_id="get_driver")
@needs(Can.READ_DRIVERS)
def get_driver(request: Request, driver_id: UUID) -> HttpResponse:
    """One driver, with an ETag for a later change."""
    driver = get_object_or_404(Driver, pk=driver_id)
    return answer(_row(driver), headers=_etag(driver))


@router.patch(
    "/drivers/{uuid:driver_id}", response=DriverOut, summary="Change a driver", operation_id="change_driver"
)
@needs(Can.EDIT_DRIVERS)
def change_driver(request: Request, driver_id: UUID, data: DriverPatch) -> HttpResponse:
    """Changes details and the owner. With `If-Match`, only the version that was read is changed, else 412."""
    actor = request.access.actor
    values = data.model_dump(exclude_unset=True, exclude={"owner_id", "expected"})
    values = {field: "" if value is None else value for field, value in values.items()}
    with transaction.atomic():
        driver = get_object_or_404(Driver.objects.select_for_update(of=("self",)), pk=driver_id)
        _check_match(request, driver)
        if values:
            drivers.edit(
                driver, values, by=actor, expected={str(field): seen for field, seen in data.expected.items()}
            )
        if "owner_id" in data.model_fields_set:
            drivers.assign([driver.pk], owner_of(data.owner_id), by=actor)
    driver.refresh_from_db()
    return answer(_row(driver), headers=_etag(driver))


def _row(driver: Driver) -> dict[str, Any]:
    return {column: getattr(driver, column) for column in COLUMNS}


def _tag(driver: Driver) -> str:
    return f'"{driver.updated_at.timestamp():.6f}"'


def _etag(driver: Driver) -> dict[str, str]:
    return {"ETag": _tag(driver)}


def _check_match(request: Request, driver: Driver) -> None:
    wanted = request.headers.get("If-Match")
    if wanted and wanted != "*" and _tag(driver) not in {tag.strip() for tag in wanted.split(",")}:
        raise Refused("version_changed", "This driver was changed since you read it. Read it again.")
