"""One driver: who, reachable how, where on the path, what is next, and what happened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.communications.enums import CALLS_IN, CALLS_OUT
from drivercrm.consent import queries as consent
from drivercrm.consent.enums import ConsentState, Purpose
from drivercrm.core.ids import uuid7
from drivercrm.core.paging import cursor_at
from drivercrm.desk import timeline, unchanged
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
def driver(request: PageRequest, pk: UUID) -> HttpResponse:
    """The whole page."""
    one = get_object_or_404(timeline.counted(), pk=pk)
    context = _regions(request, one)
    came_from = request.GET.get("from", "")
    context |= {
        "from": came_from,
        "list_url": reverse("drivers") + (f"?{came_from}" if came_from else ""),
        "live_query": urlencode({"show": context["show"], "from": came_from}),
        "call_id": uuid7(),
        "calls_out": CALLS_OUT,
        "calls_in": CALLS_IN,
    }
    if came_from:
        context |= _neighbours(request, one, came_from)
    return render(request, "desk/driver.html", context)


@needs(Can.READ_DRIVERS)
def driver_live(request: PageRequest, pk: UUID) -> HttpResponse:
    """Every region again after a change, each out of band; one that is being edited is left alone."""
    one = get_object_or_404(timeline.counted(), pk=pk)
    context = _regions(request, one) | {"live": True, "from": request.GET.get("from", "")}
    return render(request, "desk/_driver_live.html", context)


@needs(Can.READ_DRIVERS)
def driver_timeline(request: PageRequest, pk: UUID) -> HttpResponse:
    """Earlier lines of the timeline, to be put above those on screen."""
    one = get_object_or_404(Driver, pk=pk)
    facts = _facts(request, one, [])
    return render(request, "desk/_timeline_items.html", _timeline(request, one, facts))


def _facts(request: PageRequest, one: Driver, people: list[User]) -> timeline.Facts:
    """All there is about the driver of what a driver has few of; one query for each kind."""
    return timeline.Facts(
        changes=queries.histories([one.pk])[one.pk],
        steps=queries.checklist(one, unchanged.organisation(request)),
        consents=consent.events_of(one),
        follow_ups=queries.follow_ups_of(one),
        names={f"user:{person.pk}": person.name for person in people},
    )


def _timeline(request: PageRequest, one: Driver, facts: timeline.Facts) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in timeline.SHOWS else "all"
    access = request.access
    found = timeline.page(one, access, facts, show=show, before=request.GET.get("before", ""))
    earlier = urlencode({"show": show, "before": found.earlier}) if found.earlier else ""
    return {"driver": one, "timeline": found, "show": show, "earlier": earlier}


def _regions(request: PageRequest, one: Any) -> dict[str, Any]:
    may_edit = request.access.may(Can.EDIT_DRIVERS)
    people = unchanged.kept(request, "staff", lambda: list(queries.staff())) if may_edit else []
    facts = _facts(request, one, people)
    consents = consent.overview(one, facts.consents)
    context = _timeline(request, one, facts)
    return context | {
        "stages": stages(one, list(facts.changes)),
        "opt_in": opt_in(one, consents),
        "status_choices": queries.allowed_moves(one.onboarding_status),
        "filters": timeline.filters(one, facts, context["show"]),
        "follow_ups": [follow_up for follow_up in facts.follow_ups if follow_up.done_at is None][:5],
        "steps": facts.steps,
        "steps_done": sum(step.done_at is not None for step in facts.steps),
        "consents": consents,
        "staff": people,
        "response_rate": None if one.response_rate is None else round(one.response_rate * 100),
    }


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


def _neighbours(request: PageRequest, one: Driver, came_from: str) -> dict[str, str]:
    """The drivers before and after this one in the list it was opened from."""
    listed = filters.find(filters.parse(came_from), filters.Viewer.now(request.user.pk))
    found = {}
    for name, backwards in (("previous", True), ("following", False)):
        cursor = cursor_at(one, listed.order, backwards=backwards)
        items = listed.page(cursor=cursor, limit=1).items
        if items:
            found[name] = f"{reverse('driver', args=[items[0]['id']])}?{urlencode({'from': came_from})}"
    return found
