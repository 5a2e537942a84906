"""Consent for programs: the states, the ledger, and the two verbs (spec §4, §9)."""

from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from pydantic import Field

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.consent import workflow as consent
from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.models import Consent, ConsentEvent
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Input, Limit, Moment, Rows, answer, page
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver

router = Router(tags=["consent"])


class ConsentOut(Schema):
    """What a driver said about one channel and purpose."""

    channel: ConsentChannel
    purpose: Purpose
    state: ConsentState
    since: datetime | None


class Consents(Schema):
    """Every channel and purpose, *never asked* included."""

    communication_opt_in: bool
    onboarding_status: OnboardingStatus
    items: list[ConsentOut]


class ConsentEventOut(Schema):
    """One line of the ledger; none is ever changed."""

    id: UUID
    channel: ConsentChannel
    purpose: Purpose
    kind: ConsentEventKind
    at: datetime
    recorded_at: datetime
    source: str
    wording: str
    evidence: str
    actor: str
    act: UUID


EVENT_COLUMNS = tuple(ConsentEventOut.model_fields)


class WithdrawalIn(Input):
    """A no. Left out, channels and purposes mean all of them; it needs no proof."""

    channels: list[ConsentChannel] = Field(list(ConsentChannel), min_length=1, max_length=8)
    purposes: list[Purpose] = Field(list(Purpose), min_length=1, max_length=4)
    source: str = Field("api", min_length=1, max_length=40)
    evidence: str = Field("", max_length=500)
    wording: str = Field("", max_length=500)
    at: Moment | None = Field(None, description="When the driver said so; default now.")


class GrantIn(Input):
    """A yes, with its proof."""

    channels: list[ConsentChannel] = Field(min_length=1, max_length=8)
    purposes: list[Purpose] = Field(min_length=1, max_length=4)
    source: str = Field("api", min_length=1, max_length=40)
    evidence: str = Field(max_length=500, description="How the driver agreed: “phone call, 12 Nov”.")
    wording: str = Field("", max_length=500)
    at: Moment | None = Field(None, description="When the driver said so; default now.")


def _consents(driver: Driver, *, status: int = 200) -> HttpResponse:
    known = {(row.channel, row.purpose): row for row in Consent.objects.filter(driver=driver)}
    items = []
    for channel in ConsentChannel.values:
        for purpose in Purpose.values:
            row = known.get((channel, purpose))
            state, since = (row.state, row.since) if row else (ConsentState.NEVER_ASKED, None)
            items.append({"channel": channel, "purpose": purpose, "state": state, "since": since})
    return answer(
        {
            "communication_opt_in": driver.communication_opt_in,
            "onboarding_status": driver.onboarding_status,
            "items": items,
        },
        status=status,
    )


@router.get(
    "/drivers/{uuid:driver_id}/consents",
    response=Consents,
    summary="A driver's consent",
    operation_id="list_consents",
)
@needs(Can.READ_DRIVERS)
def list_consents(request: Request, driver_id: UUID) -> HttpResponse:
    """The state of every channel and purpose."""
    return _consents(get_object_or_404(Driver, pk=driver_id))


@router.get(
    "/drivers/{uuid:driver_id}/consents/events",
    response=Rows[ConsentEventOut],
    summary="A driver's consent ledger",
    operation_id="list_consent_events",
)
@needs(Can.READ_DRIVERS)
def list_consent_events(
    request: Request, driver_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Everything that was said and asked, the latest first."""
    if not Driver.objects.filter(pk=driver_id).exists():
        raise Http404
    events = ConsentEvent.objects.filter(driver_id=driver_id).values(*EVENT_COLUMNS)
    rows = page_of(events, Order("id", descending=True, parse=str), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


@router.post(
    "/drivers/{uuid:driver_id}/consents/grants",
    response={201: Consents},
    summary="Record a yes",
    operation_id="grant_consent",
)
@needs(Can.RECORD_CONSENT)
def grant_consent(request: Request, driver_id: UUID, data: GrantIn) -> HttpResponse:
    """Records that the driver agreed; one who had opted out comes back."""
    driver = get_object_or_404(Driver, pk=driver_id)
    consent.grant(
        driver,
        channels=_once(data.channels),
        purposes=_once(data.purposes),
        source=data.source,
        evidence=data.evidence,
        wording=data.wording,
        at=data.at,
        by=request.access.actor,
    )
    return _consents(driver, status=201)


@router.post(
    "/drivers/{uuid:driver_id}/consents/withdrawals",
    response={201: Consents},
    summary="Record a no",
    operation_id="withdraw_consent",
)
@needs(Can.RECORD_CONSENT)
def withdraw_consent(request: Request, driver_id: UUID, data: WithdrawalIn) -> HttpResponse:
    """Records that the driver said no. When nothing granted is left, the driver is opted out."""
    driver = get_object_or_404(Driver, pk=driver_id)
    consent.withdraw(
        driver,
        channels=_once(data.channels),
        purposes=_once(data.purposes),
        source=data.source,
        evidence=data.evidence,
        wording=data.wording,
        at=data.at,
        by=request.access.actor,
    )
    return _consents(driver, status=201)


def _once(values: list[ConsentChannel] | list[Purpose]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values))
