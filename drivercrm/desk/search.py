"""Search or jump to: the palette's answers, and the same as a page (design 12)."""

import re
from dataclasses import dataclass, field

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from drivercrm.accounts.permissions import Access, Can, PageRequest, needs
from drivercrm.desk import shell
from drivercrm.drivers import filters
from drivercrm.ui import formats, icons, parts, words
from drivercrm.ui.answers import is_swap

MOST = 8
# words, name of the page, query, icon, keys, permission
PLACES = (
    ("Today", "today", "", "today", "G T", Can.READ_DRIVERS),
    ("Drivers", "drivers", "", "users", "G D", Can.READ_DRIVERS),
    ("Pipeline", "pipeline", "", "board", "G P", Can.READ_DRIVERS),
    ("Follow-up this week", "drivers", "view=follow-up", "bookmark", "", Can.READ_DRIVERS),
    ("Stalled in onboarding", "drivers", "view=stalled", "bookmark", "", Can.READ_DRIVERS),
    ("Consent not asked", "drivers", "view=not-asked", "bookmark", "", Can.READ_DRIVERS),
    ("Import a list", "imports", "", "upload", "", Can.IMPORT),
    ("Settings: organisation", "settings_organisation", "", "gear", "", Can.SETTINGS),
    ("Settings: team", "settings_team", "", "gear", "", Can.TEAM),
    ("Settings: tokens", "settings_tokens", "", "key", "", Can.TOKENS),
    ("Settings: audit log", "settings_audit", "", "log", "", Can.AUDIT),
    ("Settings: jobs", "settings_jobs", "", "bolt", "", Can.SETTINGS),
    ("Your account", "profile", "", "user", "", Can.OWN_PROFILE),
)
ACTIONS = (("New driver", "driver_new", "", "plus", "", Can.EDIT_DRIVERS),)
# what can be done with the driver on top: words, name of the page, icon, permission
WITH_DRIVER = (
    ("Open", "driver", "enter", Can.READ_DRIVERS),
    ("Log a call", "driver_calls", "phone", Can.CONTACT_DRIVER),
    ("Set follow-up", "driver_follow_ups", "alarm", Can.CONTACT_DRIVER),
    ("Change status", "driver_status", "edit", Can.EDIT_DRIVERS),
)


@dataclass(frozen=True)
class Option:
    """One line: where it leads, its mark, its words, what stands at its end."""

    url: str
    mark: SafeString
    text: SafeString
    end: SafeString = field(default_factory=SafeString)
    keys: str = ""


@dataclass(frozen=True)
class Group:
    """Options under one heading."""

    title: str
    options: list[Option]


@require_safe
@needs(Can.READ_DRIVERS)
def search(request: PageRequest) -> HttpResponse:
    """Groups of options for what was typed; without a word, the pages."""
    text = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:200]
    groups = _groups(text, request.access)
    template = "desk/_search_results.html" if is_swap(request) else "desk/search.html"
    return render(request, template, {"groups": groups, "text": text})


def _groups(text: str, access: Access) -> list[Group]:
    found = _drivers(text) if text else []
    groups = [Group("Drivers", [_driver(row, text) for row in found])]
    if found:
        groups.append(Group(f"With {found[0]['name']}", _with(found[0]["id"], access)))
    groups.append(Group("Do", _places(ACTIONS, text, access)))
    groups.append(Group("Go to", _places(PLACES, text, access)))
    return [group for group in groups if group.options]


def _drivers(text: str) -> list[dict[str, object]]:
    """The drivers whose name begins with what was typed first, then the newest others."""
    columns = ("name", "phone", "email", "timo_driver_id", "pathpulse_account_id", "onboarding_status")
    newest = filters.find(filters.ListQuery(search=text), filters.Viewer.now(None))
    found = newest.page(*columns, cursor=None, limit=MOST * 3).items
    found.sort(key=lambda row: not row["name"].lower().startswith(text.lower()))
    return found[:MOST]


def _driver(row: dict[str, object], text: str) -> Option:
    name = str(row["name"])
    ids = " · ".join(
        part for part in (str(row["timo_driver_id"] or ""), formats.phone(row["phone"] or "")) if part
    )
    status = str(row["onboarding_status"])
    # what matched is shown when it is neither the name nor the number
    mail = str(row["email"] or "")
    if mail and text.lower() in mail.lower() and text.lower() not in name.lower():
        ids = mail
    return Option(
        reverse("drivers") + f"{row['id']}/",
        parts.avatar(name),
        SafeString(
            f'<span class="med nowrap">{marked(name, text)}</span>'
            f'<span class="mute num trunc">{marked(ids, text)}</span>'
        ),
        SafeString(f"{icons.glyph(status)}{escape(words.STATUSES[status])}"),
    )


def marked(value: str, text: str) -> SafeString:
    """A text with the words that were typed marked in it."""
    typed = [re.escape(word) for word in text.split() if word]
    if not typed:
        return SafeString(escape(value))
    pieces = re.split(f"({'|'.join(typed)})", value, flags=re.IGNORECASE)
    return SafeString(
        "".join(
            f"<mark>{escape(piece)}</mark>" if at % 2 else escape(piece) for at, piece in enumerate(pieces)
        )
    )


def _with(pk: object, access: Access) -> list[Option]:
    return [
        Option(url, icons.icon(drawing), SafeString(escape(label)))
        for label, name, drawing, can in WITH_DRIVER
        if access.may(can) and (url := shell.page(name, pk))
    ]


def _places(
    places: tuple[tuple[str, str, str, str, str, Can], ...], text: str, access: Access
) -> list[Option]:
    """The pages and actions of this role whose words begin with every word that was typed."""
    typed = text.lower().split()
    found = []
    for label, name, query, drawing, keys, can in places:
        names = re.findall(r"[\w-]+", label.lower())
        fits = all(any(one.startswith(word) for one in names) for word in typed)
        url = shell.page(name) if fits and access.may(can) else ""
        if url:
            address = f"{url}?{query}" if query else url
            found.append(Option(address, icons.icon(drawing), marked(label, text), keys=keys))
    return found
