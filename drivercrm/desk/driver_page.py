"""One driver: who, reachable how, where on the path, what is next, and what happened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Can, needs
from drivercrm.communications.enums import CALLS_IN, CALLS_OUT
from drivercrm.consent import queries as consent
from drivercrm.consent.enums import ConsentState, Purpose
from drivercrm.core.paging import cursor_at, page_of
from drivercrm.desk import timeline
from drivercrm.drivers import filters, queries
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver, StatusChange
from drivercrm.drivers.moves import PATH, RANK, History
from drivercrm.ui import formats


@dataclass(frozen=True)
class Stage:
    """One step of the path as the header draws it: done, now or todo."""

    glyph: str
    label: str
    when: str
    state: str


@needs(Can.READ_DRIVERS)
def driver(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The whole page."""
    one = get_object_or_404(timeline.counted(), pk=pk)
    context = _regions(request, one)
    context["from"] = came_from = request.GET.get("from", "")
    context["list_url"] = reverse("drivers") + (f"?{came_from}" if came_from else "")
    if came_from:
        context |= _neighbours(request, one, came_from)
    context |= {"live_query": urlencode({"show": context["show"]})}
    context |= queries.follow_up_choices() | {"staff": context["staff"]}
    return render(request, "desk/driver.html", context)


@needs(Can.READ_DRIVERS)
def driver_live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Every region again after a change, each out of band; one that is being edited is left alone."""
    one = get_object_or_404(timeline.counted(), pk=pk)
    return render(request, "desk/_driver_live.html", _regions(request, one) | {"live": True})


@needs(Can.READ_DRIVERS)
def driver_timeline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Earlier lines of the timeline, to be put above those on screen."""
    one = get_object_or_404(Driver, pk=pk)
    return render(
        request, "desk/_timeline_items.html", _timeline(request, one, _history(one), queries.step_names())
    )


def _history(one: Driver) -> list[StatusChange]:
    return queries.histories([one.pk])[one.pk]


def _timeline(
    request: HttpRequest, one: Driver, changes: list[StatusChange], steps: dict[str, str]
) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in timeline.SHOWS else "all"
    access = request.access  # type: ignore[attr-defined]
    before = request.GET.get("before", "")
    found = timeline.page(one, access, changes, steps, show=show, before=before)
    earlier = urlencode({"show": show, "before": found.earlier}) if found.earlier else ""
    return {"driver": one, "timeline": found, "show": show, "earlier": earlier, "is_paged": bool(before)}


def _regions(request: HttpRequest, one: Any) -> dict[str, Any]:
    changes = _history(one)
    steps = queries.checklist(one)
    consents = consent.overview(one)
    context = _timeline(request, one, changes, {step.key: step.label for step in steps})
    return context | {
        "stages": stages(one, changes),
        "opt_in": opt_in(one, consents),
        "status_choices": queries.allowed_moves(one.onboarding_status),
        "filters": timeline.filters(one, context["show"]),
        "follow_ups": list(queries.open_follow_ups(one)[:5]),
        "steps": steps,
        "steps_done": sum(step.done_at is not None for step in steps),
        "consents": consents,
        "calls_out": CALLS_OUT,
        "calls_in": CALLS_IN,
        "staff": _staff(request),
        "response_rate": None if one.response_rate is None else round(one.response_rate * 100),
    }


def _staff(request: HttpRequest) -> list[User]:
    return list(queries.staff()) if request.access.may(Can.EDIT_DRIVERS) else []  # type: ignore[attr-defined]


def stages(one: Driver, changes: list[StatusChange]) -> list[Stage]:
    """The six steps with the moment each was first reached.

    Where the driver is inactive or has opted out, the last reached step shows that instead, with its date.
    """
    history = History(changes)
    status = one.onboarding_status
    left = status if status in {OnboardingStatus.INACTIVE, OnboardingStatus.OPTED_OUT} else ""
    before = history.before_opt_out if status == OnboardingStatus.OPTED_OUT else status
    now = RANK[before]
    found = []
    for rank, stage in enumerate(PATH):
        reached = history.reached(rank) if rank else None
        when = formats.day_time(reached) if reached else ""
        if rank == 0:
            when = f"Added {formats.short_day(one.created_at)}"
        glyph, label = str(stage), str(stage.label)
        if rank == now and left:
            glyph, label = left, str(OnboardingStatus(left).label)
            when = formats.day_time(history.standing[-1].at) if history.standing else when
        state = "done" if rank < now else "now" if rank == now else "todo"
        found.append(Stage(glyph, label, when, state))
    return found


def opt_in(one: Driver, consents: list[consent.ChannelLine]) -> tuple[str, str, str]:
    """The tag beside the name: its look, its icon and its words."""
    service = [
        standing for line in consents for standing in line.purposes if standing.purpose == Purpose.SERVICE
    ]
    granted = [_since(one) for one in service if one.state == ConsentState.GRANTED]
    if granted:
        return "ok", "check", f"Opted in {formats.short_day(min(granted))}"
    states = {standing.state for line in consents for standing in line.purposes}
    if ConsentState.WITHDRAWN in states:
        return "danger", "ban", "Consent withdrawn"
    if ConsentState.ASKED in states:
        return "warn", "clock", "Asked, no answer"
    return "", "help", "Never asked"


def _since(standing: consent.Standing) -> datetime:
    if standing.event is None:
        raise ValueError("what was never asked has no date")
    return standing.event.at


def _neighbours(request: HttpRequest, one: Driver, came_from: str) -> dict[str, str]:
    """The drivers before and after this one in the list it was opened from."""
    wanted = filters.parse(came_from)
    order = wanted.order
    viewer = filters.Viewer.now(request.user.pk)
    listed = filters.find(wanted, viewer).drivers.only("id", order.field)
    found = {}
    for name, backwards in (("previous", True), ("following", False)):
        cursor = cursor_at(one, order, backwards=backwards)
        items = page_of(listed, order, cursor=cursor, limit=1).items
        if items:
            found[name] = f"{reverse('driver', args=[items[0].pk])}?{urlencode({'from': came_from})}"
    return found
