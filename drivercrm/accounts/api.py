"""Who is asking, and the organisation's configuration, for programs (spec §9)."""

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpResponse
from ninja import Router, Schema
from pydantic import Field

from drivercrm.accounts.models import Organisation
from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.core import clock
from drivercrm.core.rest import answer

router = Router(tags=["accounts"])


class Me(Schema):
    """The person or token that asks."""

    kind: Literal["user", "token"]
    id: str
    name: str
    permissions: list[Can]


class StepConfigured(Schema):
    key: str
    label: str
    required: bool


class OrganisationOut(Schema):
    """The configuration that staff set on the Organisation page."""

    name: str
    time_zone: str
    today: date = Field(description="The organisation's calendar day now.")
    pilot_starts_on: date | None
    inactive_after_days: int
    sign_up_goal: int | None
    sign_up_by: date | None
    onboarding_steps: list[StepConfigured]
    metrics_complete_through: date | None
    held_since: datetime | None = Field(description="Since then nothing is sent, polled or exported.")
    held_because: str


@router.get("/me", response=Me, summary="Who is asking", operation_id="get_me")
@needs(Can.READ_DRIVERS)
def get_me(request: Request) -> HttpResponse:
    """The signed-in person or the token, with all that it may do."""
    who = request.access
    return answer(
        {"kind": who.actor.kind, "id": who.actor.id, "name": who.name, "permissions": sorted(who.cans)}
    )


@router.get(
    "/organisation", response=OrganisationOut, summary="The organisation", operation_id="get_organisation"
)
@needs(Can.READ_DRIVERS)
def get_organisation(request: Request) -> HttpResponse:
    """The organisation's configuration."""
    organisation = Organisation.current()
    shown: dict[str, Any] = {
        field: getattr(organisation, field)
        for field in OrganisationOut.model_fields
        if hasattr(organisation, field)
    }
    return answer(shown | {"time_zone": str(clock.zone()), "today": clock.today()})
