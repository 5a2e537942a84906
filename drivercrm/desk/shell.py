"""What surrounds every page: navigation by role, pinned views, the person."""

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from drivercrm.accounts.models import Organisation, User
from drivercrm.accounts.permissions import Access, Can
from drivercrm.desk import saved_lists, unchanged
from drivercrm.ui import formats
from drivercrm.ui.shell import NavItem, Notice, Person, PinnedView, Shell

# label, name of the page, icon, letter after G, permission
PAGES = (
    ("Today", "today", "today", "T", Can.READ_DRIVERS),
    ("Drivers", "drivers", "users", "D", Can.READ_DRIVERS),
    ("Pipeline", "pipeline", "board", "P", Can.READ_DRIVERS),
)
FOOT = (
    ("Import", "imports", "upload", "", Can.IMPORT),
    ("Settings", "settings_organisation", "gear", "", Can.SETTINGS),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame of a signed-in page, made only when a template draws it; fragments cost nothing.

    It takes one query beside the two of the session: the newest entry of the journal, which tells whether the
    organisation's name, the saved views and their counts still hold.
    """
    user = getattr(request, "user", None)
    if not isinstance(user, User) and not getattr(user, "is_authenticated", False):
        return {"theme": _theme(request, "")}
    return {
        "shell": LazyShell(request),
        "theme": _theme(request, request.user.theme),  # type: ignore[union-attr]
    }


class LazyShell:
    """The frame, made at the first look at it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def made(self) -> Shell:
        return _frame(self._request, self._request.user, self._request.access)  # type: ignore[arg-type,attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.made, name)


def _theme(request: HttpRequest, chosen: str) -> str:
    """The account's theme, else this browser's, else empty: as the device says."""
    theme = chosen or request.COOKIES.get("theme", "")
    return theme if theme in {"light", "dark"} else ""


@lru_cache(maxsize=64)
def page(name: str, *args: object) -> str:
    """A page's address; empty where this installation has no such page."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def items(
    request: HttpRequest, access: Access, pages: Iterable[tuple[str, str, str, str, Can]]
) -> tuple[NavItem, ...]:
    """The pages that exist and that this role may open."""
    found = []
    for label, name, icon, key, can in pages:
        url = page(name)
        if url and access.may(can):
            current = request.path == url or (url != "/" and request.path.startswith(_root(url)))
            found.append(NavItem(label, url, icon, key, current=current))
    return tuple(found)


def _root(url: str) -> str:
    """Everything below settings belongs to its link, whichever of its pages the link opens."""
    return "/settings/" if url.startswith("/settings/") else url


def _frame(request: HttpRequest, user: User, access: Access) -> Shell:
    nav = items(request, access, PAGES)
    views = _pinned(request, user)
    organisation = unchanged.organisation(request)
    return Shell(
        workspace=organisation.name,
        home_url=page("today"),
        nav=nav,
        person=Person(user.name, user.get_role_display(), page("profile"), page("account_logout")),
        views=views,
        foot=items(request, access, FOOT),
        mobile=nav[:4],
        search_url=page("search"),
        palette_url=page("search"),
        theme_url=page("profile_theme"),
        counts_url=_counts_url(request) if getattr(request, "wants_counts", False) else "",
        shortcuts=user.has_shortcuts,
        notice=_held(organisation, access),
    )


def _held(organisation: Organisation, access: Access) -> Notice | None:
    """What everybody reads while the database is held, and the way out for those who may release it."""
    if organisation.held_since is None:
        return None
    since = f"{organisation.held_because}. Held since {formats.day_time(organisation.held_since)}."
    lead = "Nothing is sent or exported."
    if access.may(Can.SETTINGS):
        return Notice(lead, since, page("organisation_release"), "Release")
    return Notice(lead, f"{since} An admin can release it.")


def _counts_url(request: HttpRequest) -> str:
    """Where a page asks for its counts: of its pinned views, and where it has tabs also of those."""
    return page("driver_counts") + ("?tabs=1" if request.path == page("drivers") else "")


def _pinned(request: HttpRequest, user: User) -> tuple[PinnedView, ...]:
    return tuple(
        PinnedView(
            one.name,
            one.url,
            saved_lists.shown_count(request, one, user),
            one.key == request.GET.get("view"),
            one.key,
        )
        for one in saved_lists.pinned(request, user)
    )
