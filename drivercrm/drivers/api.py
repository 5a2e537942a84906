"""The driver record for programs: the same verbs and queries as the pages (spec §9)."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Access, Can, needs
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import (
    Cursor,
    Input,
    Limit,
    Moment,
    Rows,
    access,
    answer,
    page,
    read_moment,
    read_number,
)
from drivercrm.drivers import filters, queries
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import FollowUpSource, OnboardingStatus, Outcome, PreferredChannel, Trigger
from drivercrm.drivers.models import Driver, FollowUp, SavedView, StatusChange

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


SORTS = Literal[
    "created",
    "-created",
    "name",
    "-name",
    "last_contact",
    "-last_contact",
    "next_follow_up",
    "-next_follow_up",
    "engagement_score",
    "-engagement_score",
    "response_rate",
    "-response_rate",
    "updated",
    "-updated",
]


class DriverFilters(Schema):
    status: list[OnboardingStatus] = Field([], description="Any of these; may be given again.")
    search: str = Field("", max_length=200, description="Part of a name, number, mail or id.")
    owner: str = Field("", max_length=36, description="A person's id, `me`, or `none`.")
    updated_since: Moment | None = Field(None, description="Changed at or after this moment.")
    sort: SORTS = Field("-created", description="A leading minus turns the order round.")


@router.get("/drivers", response=Rows[DriverOut], summary="List drivers", operation_id="list_drivers")
@needs(Can.READ_DRIVERS)
def list_drivers(
    request: HttpRequest, query: Query[DriverFilters], limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Drivers, page by page. Every filter of the drivers page works here as well, under the name in its address."""
    who: Access = access(request)
    _refuse_unreadable(request.GET)
    wanted = _list_query(request.GET, query)
    order = _by_update(query.sort) or wanted.order
    found = Driver.objects.all()
    if wanted.filters or wanted.search:
        found = filters.find(wanted, filters.Viewer.now(_person_id(who))).drivers
    if query.updated_since:
        found = found.filter(updated_at__gte=query.updated_since)
    columns = COLUMNS if order.field in COLUMNS else (*COLUMNS, order.field)
    rows = page_of(found.values(*columns), order, cursor=cursor, limit=limit)
    if columns != COLUMNS:
        for row in rows.items:
            del row[order.field]
    return answer(page(rows.items, rows.next_cursor))


def _refuse_unreadable(given: QueryDict) -> None:
    """A page leaves out a filter that means nothing; a program would take everybody for the answer."""
    for name in given:
        if name.partition(".")[0] not in filters.FIELDS:
            continue
        values = [value.strip() for value in given.getlist(name)]
        if values == [""]:
            continue
        read = filters.parse_one(name, values)
        if read is None or not set(values) <= set(read.values):
            raise Refused("unreadable_filter", f"The value of {name} cannot be read.", field=name)


def _list_query(given: QueryDict, query: DriverFilters) -> filters.ListQuery:
    """The API's words turned into those of the page's address."""
    params = given.copy()
    params["q"] = query.search
    if not query.sort.endswith("updated"):
        params["sort"] = query.sort
    else:
        params.pop("sort", None)
    return filters.parse(params)


def _by_update(sort: str) -> Order | None:
    if not sort.endswith("updated"):
        return None
    return Order("updated_at", descending=sort.startswith("-"), parse=read_moment)


def _person_id(who: Access) -> UUID | None:
    return UUID(who.actor.id) if who.actor.is_person else None


@router.post("/drivers", response={201: DriverOut}, summary="Add a driver", operation_id="create_driver")
@needs(Can.EDIT_DRIVERS)
def create_driver(request: HttpRequest, data: DriverIn) -> HttpResponse:
    """Adds one driver. A number, mail or id that another driver holds is refused, never taken over."""
    values = data.model_dump(exclude_unset=True, exclude={"owner_id"}, exclude_none=True)
    driver = drivers.create(values, source="api", by=access(request).actor, owner=_owner(data.owner_id))
    return answer(
        _row(driver), status=201, headers=_etag(driver) | {"Location": f"{request.path}/{driver.pk}"}
    )


@router.get("/drivers/{uuid:driver_id}", response=DriverOut, summary="One driver", operation_id="get_driver")
@needs(Can.READ_DRIVERS)
def get_driver(request: HttpRequest, driver_id: UUID) -> HttpResponse:
    """One driver, with an ETag for a later change."""
    driver = get_object_or_404(Driver, pk=driver_id)
    return answer(_row(driver), headers=_etag(driver))


@router.patch(
    "/drivers/{uuid:driver_id}", response=DriverOut, summary="Change a driver", operation_id="change_driver"
)
@needs(Can.EDIT_DRIVERS)
def change_driver(request: HttpRequest, driver_id: UUID, data: DriverPatch) -> HttpResponse:
    """Changes details and the owner. With `If-Match`, only the version that was read is changed, else 412."""
    actor = access(request).actor
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
            drivers.assign([driver.pk], _owner(data.owner_id), by=actor)
    driver.refresh_from_db()
    return answer(_row(driver), headers=_etag(driver))


def _row(driver: Driver) -> dict[str, Any]:
    return {column: getattr(driver, column) for column in COLUMNS}


def _tag(driver: Driver) -> str:
    return f'"{driver.updated_at.timestamp():.6f}"'


def _etag(driver: Driver) -> dict[str, str]:
    return {"ETag": _tag(driver)}


def _check_match(request: HttpRequest, driver: Driver) -> None:
    wanted = request.headers.get("If-Match")
    if wanted and wanted != "*" and _tag(driver) not in {tag.strip() for tag in wanted.split(",")}:
        raise Refused("version_changed", "This driver was changed since you read it. Read it again.")


def _owner(owner_id: UUID | None) -> User | None:
    """The member of staff, or nobody. Refuses an id that is nobody's who works here."""
    if owner_id is None:
        return None
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise Refused("unknown_owner", "Nobody on the team has this id.", field="owner_id")
    if not queries.may_own(owner):
        raise Refused(
            "not_an_owner", f"{owner.name} cannot look after drivers in this role.", field="owner_id"
        )
    return owner


# Status changes


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
    tags=["status changes"],
)
@needs(Can.READ_DRIVERS)
def list_status_changes(
    request: HttpRequest, driver_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """The whole history, the latest first; undone moves stay, with what undid them."""
    _exists(driver_id)
    changes = StatusChange.objects.filter(driver_id=driver_id).values(*CHANGE_COLUMNS)
    rows = page_of(changes, Order("sequence", descending=True, parse=read_number), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


@router.post(
    "/drivers/{uuid:driver_id}/status-changes",
    response={201: StatusMoved},
    summary="Move a driver",
    operation_id="move_driver",
    tags=["status changes"],
)
@needs(Can.EDIT_DRIVERS)
def move_driver(request: HttpRequest, driver_id: UUID, data: StatusMoveIn) -> HttpResponse:
    """Moves a driver to another status. A move to the same status, or by the door of consent, is refused."""
    driver = get_object_or_404(Driver, pk=driver_id)
    act = drivers.change_status(driver, data.to, reason=data.reason, by=access(request).actor)
    return _moved(driver, act, Q(act=act), status=201)


@router.post(
    "/drivers/{uuid:driver_id}/status-changes/{uuid:act}/undo",
    response=StatusMoved,
    summary="Undo a move",
    operation_id="undo_move",
    tags=["status changes"],
)
@needs(Can.EDIT_DRIVERS)
def undo_move(request: HttpRequest, driver_id: UUID, act: UUID) -> HttpResponse:
    """Takes back what one act did to this driver, if nothing has happened since; its other drivers stay."""
    driver = get_object_or_404(Driver, pk=driver_id)
    if not StatusChange.objects.filter(driver=driver, act=act).exists():
        raise Http404
    drivers.undo_act(act, by=access(request).actor, only=driver.pk)
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


def _exists(driver_id: UUID) -> None:
    if not Driver.objects.filter(pk=driver_id).exists():
        raise Http404


# The checklist


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


@router.get(
    "/drivers/{uuid:driver_id}/steps",
    response=Steps,
    summary="A driver's checklist",
    operation_id="list_steps",
    tags=["steps"],
)
@needs(Can.READ_DRIVERS)
def list_steps(request: HttpRequest, driver_id: UUID) -> HttpResponse:
    """Every configured step, done or not."""
    return _steps(get_object_or_404(Driver, pk=driver_id))


@router.post(
    "/drivers/{uuid:driver_id}/steps",
    response={201: Steps},
    summary="Tick a step",
    operation_id="complete_step",
    tags=["steps"],
)
@needs(Can.EDIT_DRIVERS)
def complete_step(request: HttpRequest, driver_id: UUID, data: StepIn) -> HttpResponse:
    """The first step starts onboarding, the last required one completes it."""
    if data.at and data.at > clock.now():
        raise Refused("in_future", "A step cannot be done in the future.", field="at")
    driver = get_object_or_404(Driver, pk=driver_id)
    drivers.complete_step(driver, data.step, by=access(request).actor, at=data.at)
    return _steps(driver, status=201)


@router.delete(
    "/drivers/{uuid:driver_id}/steps/{step}",
    response=Steps,
    summary="Untick a step",
    operation_id="undo_step",
    tags=["steps"],
)
@needs(Can.EDIT_DRIVERS)
def undo_step(request: HttpRequest, driver_id: UUID, step: str) -> HttpResponse:
    """Unticks a step. The status stays: move it, or undo the move."""
    driver = get_object_or_404(Driver, pk=driver_id)
    drivers.undo_step(driver, step, by=access(request).actor)
    return _steps(driver)


# Follow-ups


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


class FollowUpPatch(DueIn):
    """What to change of an open one; what is left out stays."""

    reason: str | None = Field(None, max_length=500)


class FollowUps(Schema):
    items: list[FollowUpOut]


FOLLOW_UP_COLUMNS = tuple(FollowUpOut.model_fields)


class FollowUpFilters(Schema):
    state: Literal["open", "done", "any"] = "open"
    owner: str = Field("", max_length=36, description="A person's id, `me`, or `none`.")
    due_before: Moment | None = None


def _by_due() -> Order:
    return Order("due_at", parse=read_moment)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _follow_up_page(
    found: "QuerySet[FollowUp]", query: FollowUpFilters, who: Access, cursor: str | None, limit: int
) -> HttpResponse:
    if query.state != "any":
        found = found.filter(done_at__isnull=query.state == "open")
    if query.due_before:
        found = found.filter(due_at__lt=query.due_before)
    if query.owner == "none":
        found = found.filter(owner__isnull=True)
    elif query.owner:
        owner = _person_id(who) if query.owner == "me" else _id(query.owner)
        found = found.filter(owner_id=owner) if owner else found.none()
    rows = page_of(found.values(*FOLLOW_UP_COLUMNS), _by_due(), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))


@router.get(
    "/follow-ups",
    response=Rows[FollowUpOut],
    summary="List follow-ups",
    operation_id="list_follow_ups",
    tags=["follow-ups"],
)
@needs(Can.READ_DRIVERS)
def list_follow_ups(
    request: HttpRequest, query: Query[FollowUpFilters], limit: Limit = 50, cursor: Cursor = None
) -> HttpResponse:
    """Follow-ups of all drivers, the earliest first."""
    return _follow_up_page(FollowUp.objects.all(), query, access(request), cursor, limit)


@router.get(
    "/drivers/{uuid:driver_id}/follow-ups",
    response=Rows[FollowUpOut],
    summary="A driver's follow-ups",
    operation_id="list_follow_ups_of_driver",
    tags=["follow-ups"],
)
@needs(Can.READ_DRIVERS)
def list_follow_ups_of_driver(
    request: HttpRequest,
    driver_id: UUID,
    query: Query[FollowUpFilters],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HttpResponse:
    """One driver's follow-ups, the earliest first."""
    _exists(driver_id)
    return _follow_up_page(
        FollowUp.objects.filter(driver_id=driver_id), query, access(request), cursor, limit
    )


@router.post(
    "/follow-ups",
    response={201: FollowUps},
    summary="Set follow-ups for drivers",
    operation_id="set_follow_ups",
    tags=["follow-ups"],
)
@needs(Can.CONTACT_DRIVER)
def set_follow_ups(request: HttpRequest, data: FollowUpsIn) -> HttpResponse:
    """One follow-up for each driver; those who opted out are left out."""
    known = set(Driver.objects.filter(pk__in=data.driver_ids).values_list("pk", flat=True))
    if unknown := [pk for pk in data.driver_ids if pk not in known]:
        raise Refused("unknown_driver", f"There is no driver {unknown[0]}.", field="driver_ids")
    return _set_follow_ups(request, list(dict.fromkeys(data.driver_ids)), data)


@router.post(
    "/drivers/{uuid:driver_id}/follow-ups",
    response={201: FollowUps},
    summary="Set a follow-up",
    operation_id="set_follow_up_of_driver",
    tags=["follow-ups"],
)
@needs(Can.CONTACT_DRIVER)
def set_follow_up_of_driver(request: HttpRequest, driver_id: UUID, data: FollowUpIn) -> HttpResponse:
    """A follow-up for one driver."""
    _exists(driver_id)
    return _set_follow_ups(request, [driver_id], data)


def _set_follow_ups(request: HttpRequest, driver_ids: list[UUID], data: FollowUpIn) -> HttpResponse:
    due_at, is_all_day = data.due()
    made = drivers.set_follow_ups(
        driver_ids,
        due_at=due_at,
        is_all_day=is_all_day,
        reason=data.reason,
        owner=_owner(data.owner_id),
        by=access(request).actor,
    )
    rows = FollowUp.objects.filter(pk__in=[follow_up.pk for follow_up in made]).order_by("id")
    return answer({"items": list(rows.values(*FOLLOW_UP_COLUMNS))}, status=201)


def _follow_up(follow_up: FollowUp) -> dict[str, Any]:
    return {column: getattr(follow_up, column) for column in FOLLOW_UP_COLUMNS}


@router.get(
    "/follow-ups/{uuid:follow_up_id}",
    response=FollowUpOut,
    summary="One follow-up",
    operation_id="get_follow_up",
    tags=["follow-ups"],
)
@needs(Can.READ_DRIVERS)
def get_follow_up(request: HttpRequest, follow_up_id: UUID) -> HttpResponse:
    """One follow-up."""
    return answer(_follow_up(get_object_or_404(FollowUp, pk=follow_up_id)))


@router.patch(
    "/follow-ups/{uuid:follow_up_id}",
    response=FollowUpOut,
    summary="Move a follow-up",
    operation_id="move_follow_up",
    tags=["follow-ups"],
)
@needs(Can.CONTACT_DRIVER)
def move_follow_up(request: HttpRequest, follow_up_id: UUID, data: FollowUpPatch) -> HttpResponse:
    """Another moment or reason for an open follow-up."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    is_moved = data.due_on is not None or data.due_at is not None
    due_at, is_all_day = data.due() if is_moved else (follow_up.due_at, follow_up.is_all_day)
    drivers.move_follow_up(
        follow_up,
        due_at=due_at,
        is_all_day=is_all_day,
        reason=follow_up.reason if data.reason is None else data.reason,
        by=access(request).actor,
    )
    return answer(_follow_up(follow_up))


@router.post(
    "/follow-ups/{uuid:follow_up_id}/completion",
    response=FollowUpOut,
    summary="Complete a follow-up",
    operation_id="complete_follow_up",
    tags=["follow-ups"],
)
@needs(Can.CONTACT_DRIVER)
def complete_follow_up(request: HttpRequest, follow_up_id: UUID) -> HttpResponse:
    """Marks a follow-up done; one that has ended is refused."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    drivers.complete_follow_up(follow_up, by=access(request).actor)
    return answer(_follow_up(follow_up))


@router.delete(
    "/follow-ups/{uuid:follow_up_id}/completion",
    response=FollowUpOut,
    summary="Open a follow-up again",
    operation_id="reopen_follow_up",
    tags=["follow-ups"],
)
@needs(Can.CONTACT_DRIVER)
def reopen_follow_up(request: HttpRequest, follow_up_id: UUID) -> HttpResponse:
    """Takes “done” back."""
    follow_up = get_object_or_404(FollowUp, pk=follow_up_id)
    if follow_up.done_at is None:
        raise Refused("follow_up_open", "This follow-up is open.")
    drivers.reopen_follow_ups([follow_up], by=access(request).actor)
    follow_up.refresh_from_db()
    return answer(_follow_up(follow_up))


# Saved views


class SavedViewOut(Schema):
    """A named list of drivers; `query` is the query string that shows it, here and on the drivers page."""

    id: UUID
    name: str
    query: str
    owner_id: UUID
    is_shared: bool
    is_pinned: bool
    created_at: datetime


@router.get(
    "/saved-views",
    response=Rows[SavedViewOut],
    summary="List saved views",
    operation_id="list_saved_views",
    tags=["saved views"],
)
@needs(Can.READ_DRIVERS)
def list_saved_views(request: HttpRequest, limit: Limit = 50, cursor: Cursor = None) -> HttpResponse:
    """One's own views and the shared ones; a token sees the shared ones."""
    visible = Q(is_shared=True)
    if person := _person_id(access(request)):
        visible |= Q(owner_id=person)
    views = SavedView.objects.filter(visible).values(*SavedViewOut.model_fields)
    rows = page_of(views, Order("id", parse=str), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))
