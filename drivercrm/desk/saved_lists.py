"""The lists of drivers that have a name: built in, one's own, and those that others share; and their counts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from drivercrm.accounts.models import User
from drivercrm.core import clock
from drivercrm.desk import unchanged
from drivercrm.drivers import filters
from drivercrm.drivers.models import SavedView
from drivercrm.ui import formats

MORE = f"{formats.number(filters.COUNTED)}+"


@cache
def page() -> str:
    """The address of the drivers page; a list refers to it some thirty times."""
    return reverse("drivers")


@dataclass(frozen=True)
class NamedList:
    """A tab of the drivers page. `saved` is its row, when a person made it."""

    key: str
    name: str
    query: str
    saved: SavedView | None = None

    @property
    def url(self) -> str:
        return page() if self.key == ALL.key else f"{page()}?{urlencode({'view': self.key})}"

    @cached_property
    def list(self) -> filters.ListQuery:
        return filters.parse(self.query)

    @cached_property
    def canonical(self) -> str:
        """Its query string as the page writes it."""
        return self.list.encode()


ALL = NamedList("all", "All drivers", "")
BUILT_IN = (
    ALL,
    NamedList(
        "follow-up",
        "Follow-up this week",
        "next_follow_up.before=next_week&status.not=opted_out&sort=next_follow_up",
    ),
    NamedList(
        "stalled", "Stalled in onboarding", "status=onboarding_started&started.before=-7d&sort=last_contact"
    ),
    NamedList("not-asked", "Consent not asked", "consent=never_asked"),
    NamedList("opted-out", "Opted out", "status=opted_out"),
)


def saved(request: HttpRequest, user: User) -> list[SavedView]:
    """One's own views and the shared ones, read when the journal says that something may have changed."""
    known: list[SavedView] | None = getattr(request, "saved_views", None)
    if known is None:
        mine = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True)).order_by("position", "created_at")
        known = unchanged.kept(request, f"saved-views:{user.pk}", lambda: list(mine))
        request.saved_views = known  # type: ignore[attr-defined]
    return known


def named_lists(request: HttpRequest, user: User) -> list[NamedList]:
    """The tabs: built-in lists, one's own, then shared ones. An own view replaces a built-in of the same name."""
    rows = sorted(saved(request, user), key=lambda row: row.owner_id != user.pk)
    mine = {row.name for row in rows if row.owner_id == user.pk}
    own = [NamedList(str(row.pk), row.name, row.query, row) for row in rows]
    return [one for one in BUILT_IN if one is ALL or one.name not in mine] + own


def pinned(request: HttpRequest, user: User) -> list[NamedList]:
    """One's own pinned views, for the sidebar."""
    return [
        one
        for one in named_lists(request, user)
        if one.saved and one.saved.is_pinned and one.saved.owner_id == user.pk
    ]


def in_words(total: int | None) -> str:
    """A capped count: `312`, or `1 000+`."""
    return MORE if total is None else formats.number(total)


def shown_count(request: HttpRequest, one: NamedList, user: User) -> str:
    """The count as long as nothing happened since it was taken; empty, and to be asked for, when it is not known."""
    if unchanged.is_kept(request, _place(one, user)):
        return counted(request, one, user)
    request.wants_counts = True  # type: ignore[attr-defined]
    return ""


def counted(request: HttpRequest, one: NamedList, user: User) -> str:
    """The count in words, taken now unless it is known."""
    viewer = filters.Viewer.now(user.pk)
    return in_words(total(request, one, user, lambda: filters.count(one.list, viewer)))


def total(request: HttpRequest, one: NamedList, user: User, count: Callable[[], int | None]) -> int | None:
    """How many drivers a named list has, counted now unless nothing happened since: exactly up to 1 000, else None."""
    return unchanged.kept(request, _place(one, user), count)


def _place(one: NamedList, user: User) -> str:
    return f"list-count:{clock.today()}:{user.pk}:{one.key}:{hash(one.query)}"
