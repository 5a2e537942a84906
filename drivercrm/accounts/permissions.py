"""Which role may do what: the one table that pages, API and tests read (spec §1)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, wraps
from typing import Any

from django.http import HttpRequest

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.core.actors import Actor
from drivercrm.core.errors import NotAllowed


class Can(StrEnum):
    """One thing that a person or token may do."""

    READ_DRIVERS = "read_drivers"
    READ_MESSAGES = "read_messages"
    EDIT_DRIVERS = "edit_drivers"
    CONTACT_DRIVER = "contact_driver"
    RECORD_CONSENT = "record_consent"
    IMPORT = "import"
    EXPORT = "export"
    SAVE_VIEWS = "save_views"
    READ_REPORTS = "read_reports"
    OWN_PROFILE = "own_profile"
    SETTINGS = "settings"
    TEAM = "team"
    TOKENS = "tokens"
    AUDIT = "audit"


VIEWER, OPS, SUP, FIN, MAN, ADM = (
    Role.VIEWER,
    Role.OPERATIONS,
    Role.SUPPORT,
    Role.FINANCE,
    Role.MANAGER,
    Role.ADMIN,
)
EVERYBODY = frozenset({VIEWER, OPS, SUP, FIN, MAN, ADM})

MAY: dict[Can, frozenset[Role]] = {
    Can.READ_DRIVERS: EVERYBODY,
    Can.READ_REPORTS: EVERYBODY,
    Can.SAVE_VIEWS: EVERYBODY,
    Can.OWN_PROFILE: EVERYBODY,
    Can.READ_MESSAGES: frozenset({OPS, SUP, MAN, ADM}),
    Can.CONTACT_DRIVER: frozenset({OPS, SUP, MAN, ADM}),
    Can.RECORD_CONSENT: frozenset({OPS, SUP, MAN, ADM}),
    Can.EDIT_DRIVERS: frozenset({OPS, MAN, ADM}),
    Can.IMPORT: frozenset({OPS, MAN, ADM}),
    Can.EXPORT: frozenset({MAN, ADM}),
    Can.SETTINGS: frozenset({ADM}),
    Can.TEAM: frozenset({ADM}),
    Can.TOKENS: frozenset({ADM}),
    Can.AUDIT: frozenset({ADM}),
}

# The table's rows in words, in the order in which the team page shows them.
SAYS: dict[Can, str] = {
    Can.READ_DRIVERS: "See drivers",
    Can.READ_REPORTS: "See reports",
    Can.SAVE_VIEWS: "Save views of their own",
    Can.OWN_PROFILE: "Change their own profile",
    Can.READ_MESSAGES: "Read messages and call notes",
    Can.CONTACT_DRIVER: "Contact a driver, set follow-ups",
    Can.RECORD_CONSENT: "Record consent",
    Can.EDIT_DRIVERS: "Add, change and move drivers",
    Can.IMPORT: "Import drivers",
    Can.EXPORT: "Export lists",
    Can.SETTINGS: "Change the organisation’s settings",
    Can.TEAM: "Invite people, change roles",
    Can.TOKENS: "Make API tokens",
    Can.AUDIT: "Read the audit log",
}

# What no token may ever do, whatever its role: these need a person (spec §1, §11).
PERSONS_ONLY = frozenset({Can.OWN_PROFILE, Can.SETTINGS, Can.TEAM, Can.TOKENS})


def granted(role: str) -> frozenset[Can]:
    """Everything a role may do."""
    return frozenset(can for can, roles in MAY.items() if role in roles)


@dataclass(frozen=True)
class Access:
    """Who is asking, and what they may do; set on every request as `request.access`."""

    actor: Actor
    cans: frozenset[Can]
    name: str = ""

    def may(self, can: Can) -> bool:
        return can in self.cans

    @cached_property
    def can(self) -> dict[str, bool]:
        """The same question for templates: `{% if request.access.can.edit_drivers %}`."""
        return {str(one): True for one in self.cans}

    def check(self, can: Can) -> None:
        """Raises NotAllowed when the role or the token's scopes leave this out."""
        if can not in self.cans:
            raise NotAllowed()


class Request(HttpRequest):
    """A request behind the door. Only a type: the door puts `access` on whatever request the server made."""

    access: Access


class PageRequest(Request):
    """A page's request: a signed-in person asks, no token."""

    user: User


def needs(can: Can) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a page or an API operation with the permission it takes, and checks it."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: Request, *args: Any, **kwargs: Any) -> Any:
            request.access.check(can)
            return view(request, *args, **kwargs)

        guarded.needs = can  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a page that needs no sign-in; a test holds the list of them."""
    view.is_public = True  # type: ignore[attr-defined]
    return view
