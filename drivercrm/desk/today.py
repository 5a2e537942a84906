"""Today: what needs this person, and where the pilot stands (design 01)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.cache import caches
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from drivercrm.accounts.models import Organisation
from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core import clock
from drivercrm.desk import unchanged
from drivercrm.desk.shell import page as page_address
from drivercrm.drivers import queries
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.imports import queries as imports
from drivercrm.ui import formats
from drivercrm.ui.answers import is_swap

SHOWN = 50
COUNTED = 1000
METRICS_ARE_OLD_AFTER = 2


@dataclass(frozen=True)
class Figures:
    """The pilot in numbers; the same for everybody, so they are worked out once a minute."""

    active: int
    active_change: int
    completed_this_week: int
    signed_up: int
    funnel: list[tuple[str, int, int | None]]
    completed_per_day: list[int]

    @property
    def active_fall(self) -> int:
        """How many fewer there are, where there are fewer."""
        return -self.active_change


@require_safe
@needs(Can.READ_DRIVERS)
def today(request: PageRequest) -> HttpResponse:
    """The page, or for htmx its regions anew."""
    if not Driver.objects.exists():
        return render(request, "desk/today_first.html")
    access = request.access
    wanted = request.GET.get("whose", "")
    whose = wanted if wanted in {"mine", "team"} else "mine" if access.may(Can.CONTACT_DRIVER) else "team"
    template = "desk/_today.html" if is_swap(request) else "desk/today.html"
    response = render(request, template, _context(request, whose))
    patch_vary_headers(response, ("HX-Request",))
    return response


def _context(request: PageRequest, whose: str) -> dict[str, Any]:
    organisation = unchanged.organisation(request)
    due = _due(request, whose)
    # what is overdue leads, then what has a time today, then what has the whole day
    rows = sorted(
        due.select_related("driver", "owner")[:SHOWN],
        key=lambda one: not one.is_overdue and (1 + one.is_all_day),
    )
    count = due.order_by()[: COUNTED + 1].count()
    overdue = due.filter(_is_over()).order_by()[: COUNTED + 1].count()
    mine = Q(driver__owner=request.user.pk) | Q(driver__owner__isnull=True)
    return {
        "whose": whose,
        "now": clock.now(),
        "figures": caches["memory"].get_or_set("today", _figures, 60),
        "goal": organisation.sign_up_goal,
        "days_left": (organisation.sign_up_by - clock.today()).days if organisation.sign_up_by else None,
        "sign_up_by": organisation.sign_up_by,
        "follow_ups": rows,
        "due": count,
        "due_words": _many(count),
        "overdue_words": _many(overdue) if overdue else "",
        "unreached": queries.unreached(20, mine if whose == "mine" else None),
        "last_week": f"{clock.today():%A}",
        "metrics_warning": _metrics_warning(organisation),
        "running": list(imports.running()[:5]) if request.access.may(Can.IMPORT) else [],
        "imports_url": page_address("imports"),
    }


def _many(count: int) -> str:
    return f"{COUNTED}+" if count > COUNTED else str(count)


def _due(request: PageRequest, whose: str) -> Any:
    """Open follow-ups up to the end of today; mine are those given to me and those given to nobody."""
    found = FollowUp.objects.filter(done_at__isnull=True, due_at__lt=clock.day_end(clock.today()))
    if whose == "mine":
        found = found.filter(Q(owner=request.user.pk) | Q(owner__isnull=True))
    return found.order_by("due_at", "id")


def _is_over() -> Q:
    """Past its moment, or, for a whole day, past that day."""
    return Q(is_all_day=True, due_at__lt=clock.day_start(clock.today())) | Q(
        is_all_day=False, due_at__lt=clock.now()
    )


def _figures() -> Figures:
    day = clock.today()
    monday = day - timedelta(days=day.weekday())
    steps = queries.funnel(day - timedelta(days=29))
    first = steps[0][1]
    return Figures(
        active=queries.count_by_status()["active"],
        active_change=queries.net_active_since(clock.day_start(day - timedelta(days=7))),
        completed_this_week=queries.completed_since(monday),
        signed_up=queries.signed_up(),
        funnel=[(status, n, round(100 * n / first) if first else None) for status, n in steps],
        completed_per_day=queries.completed_per_day(30),
    )


def _metrics_warning(organisation: Organisation) -> str:
    """A sentence where usage is not loaded up to the day before yesterday, once the pilot has begun."""
    begins = organisation.pilot_starts_on
    if begins is None or begins > clock.today() - timedelta(days=METRICS_ARE_OLD_AFTER):
        return ""
    through = organisation.metrics_complete_through
    if through is None:
        return "No usage is loaded yet, so nobody is called inactive."
    if (clock.today() - through).days <= METRICS_ARE_OLD_AFTER:
        return ""
    return f"Usage is loaded up to {formats.day(through)}. Nobody is called inactive for the days after that."
