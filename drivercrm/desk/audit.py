"""The audit log: the journal in words, newest first (spec §2, §11)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_date
from django.views.decorators.cache import never_cache

from drivercrm.accounts import queries as accounts
from drivercrm.accounts.models import ApiToken, Organisation, User
from drivercrm.accounts.permissions import Can, needs
from drivercrm.core import clock
from drivercrm.core.converters import read_row_number
from drivercrm.desk import unchanged
from drivercrm.drivers import queries
from drivercrm.drivers.enums import FIELD_NAMES, Trigger
from drivercrm.drivers.events import DriverStatusChanged
from drivercrm.drivers.models import Driver, StatusChange
from drivercrm.journal.events import Event
from drivercrm.journal.models import Change, Entry
from drivercrm.ui import formats
from drivercrm.ui.words import STATUSES

ROWS = 50
NAMED_DRIVERS = 3
SHOWN_CHANGES = 3
LONGEST_VALUE = 80
ORIGINS = {"web": "Browser", "api": "API", "cli": "Command line", "job": "Job"}
DASH = "\u2013"
# what an event stores by its key
WORDS = {**dict(Trigger.choices), **STATUSES}

# Where the event's own name does not read as a sentence.
SAYS = {
    "driver.created": "Added",
    "driver.edited": "Changed details",
    "driver.deleted": "Deleted",
    "driver.status_changed": "Moved",
    "driver.opted_out": "Opted out",
    "driver.step_done": "Ticked a step",
    "driver.step_undone": "Unticked a step",
    "follow_up.set": "Set a follow-up",
    "follow_up.moved": "Changed a follow-up",
    "follow_up.ended": "Ended a follow-up",
    "follow_up.reopened": "Opened a follow-up again",
    "communication.call_logged": "Logged a call",
    "consent.granted": "Recorded consent",
    "consent.withdrawn": "Recorded a withdrawal",
    "organisation.started": "Set the application up",
    "organisation.changed": "Changed settings",
    "organisation.held": "Held the database",
    "organisation.released": "Released the database",
    "job.retried": "Tried failed jobs again",
    "job.discarded": "Discarded a failed job",
    "team.member_created": "Added to the team",
    "team.invited": "Invited",
    "team.invitation_renewed": "Made a new invitation link",
    "team.invitation_revoked": "Took an invitation back",
    "team.joined": "Joined the team",
    "team.role_changed": "Changed a role",
    "team.deactivated": "Switched an account off",
    "team.reactivated": "Switched an account on",
    "team.locked_out": "Locked out",
    "team.profile_changed": "Changed the profile",
    "team.password_changed": "Changed the password",
    "team.password_link_made": "Made a password link",
    "team.sessions_ended": "Signed out everywhere",
    "team.two_step_changed": "Changed two-step sign-in",
    "token.created": "Made a token",
    "token.revoked": "Revoked a token",
}


@dataclass(frozen=True)
class Record:
    """What an entry is about, with its page where it has one."""

    name: str
    url: str = ""


@dataclass(frozen=True)
class Line:
    """One entry as the page shows it."""

    at: datetime
    who: str
    what: str
    records: list[Record]
    more_records: int
    changes: list[str]
    more_changes: int
    origin: str


@dataclass(frozen=True)
class Wanted:
    """The filters of the page; empty means any."""

    who: str = ""
    area: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def asked(cls, request: HttpRequest) -> "Wanted":
        """The filters in the address; what cannot be read filters nothing."""
        asked = request.GET
        return cls(
            asked.get("who", ""), asked.get("area", ""), _day(asked.get("since")), _day(asked.get("until"))
        )

    def entries(self) -> "QuerySet[Entry]":
        """The entries that match."""
        found = Entry.objects.all()
        if self.who == "automation":
            found = found.filter(actor__startswith="automation:")
        elif self.who:
            found = found.filter(actor=self.who)
        if self.area:
            found = found.filter(name__startswith=f"{self.area}.")
        if self.since:
            found = found.filter(at__gte=clock.day_start(self.since))
        if self.until:
            found = found.filter(at__lt=clock.day_end(self.until))
        return found

    def address(self, **place: object) -> str:
        """The address of this list at another place."""
        asked = {"who": self.who, "area": self.area, "since": self.since, "until": self.until, **place}
        return "?" + urlencode({name: str(value) for name, value in asked.items() if value})


@never_cache
@needs(Can.AUDIT)
def settings_audit(request: HttpRequest) -> HttpResponse:
    """Who changed what, when, and through which door."""
    wanted = Wanted.asked(request)
    entries, newer, older = page_of(
        wanted,
        before=read_row_number(request.GET.get("before", "")),
        after=read_row_number(request.GET.get("after", "")),
    )
    context = {
        "lines": lines(entries, unchanged.organisation(request)),
        "wanted": wanted,
        "people": [
            (f"user:{pk}", name) for pk, name in User.objects.order_by("name").values_list("pk", "name")
        ],
        "programs": [
            (f"token:{pk}", name) for pk, name in ApiToken.objects.order_by("name").values_list("pk", "name")
        ],
        "areas": [(area, area.replace("_", "-").capitalize()) for area in areas()],
        "newer": newer,
        "older": older,
        "is_filtered": wanted != Wanted(),
    }
    return render(request, "desk/audit.html", context)


def areas() -> list[str]:
    """The first words of all events: driver, consent, team…"""
    return sorted({event.name.split(".")[0] for event in Event.__subclasses__() if hasattr(event, "name")})


def page_of(wanted: Wanted, *, before: int | None, after: int | None) -> tuple[list[Entry], str, str]:
    """A page of entries with the addresses of its neighbours; the cost is the same at any depth."""
    found = wanted.entries()
    place = before or after
    edge = Entry.objects.filter(pk=place).first() if place else None
    backwards = edge is not None and not before
    if edge and backwards:
        found = found.filter(at__gte=edge.at).exclude(at=edge.at, id__lte=edge.pk)
    elif edge:
        found = found.filter(at__lte=edge.at).exclude(at=edge.at, id__gte=edge.pk)
    found = found.order_by("at", "id") if backwards else found.order_by("-at", "-id")
    rows = list(found[: ROWS + 1])
    has_more, rows = len(rows) > ROWS, rows[:ROWS]
    if backwards:
        rows.reverse()
    has_newer, has_older = (has_more, True) if backwards else (edge is not None, has_more)
    newer = wanted.address(after=rows[0].pk) if rows and has_newer else ""
    older = wanted.address(before=rows[-1].pk) if rows and has_older else ""
    return rows, newer, older


def lines(entries: list[Entry], organisation: Organisation) -> list[Line]:
    """The entries in words: five queries, however many there are."""
    changes = _changes(entries)
    moves = _moves(entries)
    owners = [f"user:{value}" for some in changes.values() for value in _owners(some)]
    names = accounts.actor_names([*_actors(entries), *owners])
    drivers = _driver_names(entries)
    shown = []
    for entry in entries:
        records, more_records = _records(entry, names, drivers)
        seen = changes[entry.pk]
        told = [words for change in seen for words in _as_words(change, organisation, names)]
        if not told:
            move = moves.get(entry.data.get("act", ""))
            told = [*([move] if move else ()), *_told(entry.data, organisation, without="to" if move else "")]
        unread = seen[0].total - len(seen) if seen else 0  # type: ignore[attr-defined]
        shown.append(
            Line(
                entry.at,
                names.get(entry.actor, "Somebody who is gone"),
                SAYS.get(entry.name) or entry.name.replace(".", " ").replace("_", " ").capitalize(),
                records,
                more_records,
                told[:SHOWN_CHANGES],
                unread + max(0, len(told) - SHOWN_CHANGES),
                ORIGINS.get(entry.origin, entry.origin),
            )
        )
    return shown


def _changes(entries: list[Entry]) -> defaultdict[int, list[Change]]:
    """The first changes of each entry, each knowing how many there are: an import may have thousands."""
    ranked = Change.objects.filter(entry_id__in=[entry.pk for entry in entries]).annotate(
        place=Window(RowNumber(), partition_by=F("entry_id"), order_by="id"),
        total=Window(Count("id"), partition_by=F("entry_id")),
    )
    found: defaultdict[int, list[Change]] = defaultdict(list)
    for change in ranked.filter(place__lte=SHOWN_CHANGES).order_by("entry_id", "id"):
        found[change.entry_id].append(change)
    return found


def _moves(entries: list[Entry]) -> dict[str, str]:
    """“Invited → Active”: from where to where an act took its one driver; that of many says its target itself."""
    acts = {
        entry.data["act"] for entry in entries if entry.name == DriverStatusChanged.name and entry.driver_id
    }
    found: dict[str, tuple[str, str]] = {}
    rows = StatusChange.objects.filter(act__in=acts).order_by("sequence")
    for act, before, after in rows.values_list("act", "from_status", "to_status"):
        found[str(act)] = (found.get(str(act), (before, ""))[0], after)
    return {act: f"{STATUSES[before]} → {STATUSES[after]}" for act, (before, after) in found.items()}


def _actors(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        yield entry.actor
        for key in ("user", "token"):
            if f"{key}_id" in entry.data:
                yield f"{key}:{entry.data[f'{key}_id']}"


def _driver_ids(entry: Entry) -> list[str]:
    return [str(entry.driver_id)] if entry.driver_id else list(entry.data.get("driver_ids", ()))


def _driver_names(entries: Iterable[Entry]) -> dict[str, str]:
    ids = {pk for entry in entries for pk in _driver_ids(entry)[:NAMED_DRIVERS]}
    rows = Driver.objects.filter(pk__in=[UUID(pk) for pk in ids]).values_list("pk", "name")
    return {str(pk): name or "Nameless" for pk, name in rows}


def _records(entry: Entry, names: dict[str, str], drivers: dict[str, str]) -> tuple[list[Record], int]:
    ids = _driver_ids(entry)
    if ids:
        found = [
            Record(drivers[pk], _address("driver", pk)) if pk in drivers else Record("A deleted driver")
            for pk in ids[:NAMED_DRIVERS]
        ]
        return found, len(ids) - len(found)
    for kind in ("user", "token"):
        name = names.get(f"{kind}:{entry.data.get(f'{kind}_id')}")
        if name:
            return [Record(name)], 0
    if entry.name.startswith("organisation."):
        return [Record("Organisation", _address("settings_organisation"))], 0
    return [], 0


def _address(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def _owners(changes: Iterable[Change]) -> Iterable[str]:
    for change in changes:
        if change.field == "owner":
            yield from (value for value in (change.before, change.after) if value)


def _as_words(change: Change, organisation: Organisation, names: Mapping[str, str]) -> list[str]:
    if change.field == "owner":
        was, now = (
            names.get(f"user:{value}", "Somebody who is gone") if value else DASH
            for value in (change.before, change.after)
        )
        return [f"Owner: {was} → {now}"]
    if change.field == "follow_up" and change.before and change.after:
        return _follow_up_words(change.before, change.after)
    kind, _, step = change.field.partition(":")
    if kind == "step":
        field = queries.step_name(step, organisation)
    else:
        field = FIELD_NAMES.get(change.field) or change.field.replace("_", " ").capitalize()
    return [f"{field}: {_short(change.before)} → {_short(change.after)}"]


def _follow_up_words(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """“Due: Mon 23 Nov 2026 → Tue 24 Nov 2026” and “Reason: …”, those that differ."""
    words = [
        ("Due", _due(before), _due(after)),
        ("Reason", _short(before["reason"]), _short(after["reason"])),
    ]
    return [f"{name}: {was} → {now}" for name, was, now in words if was != now]


def _due(kept: dict[str, Any]) -> str:
    moment = datetime.fromisoformat(kept["due_at"])
    return formats.day(moment) if kept["is_all_day"] else formats.day_time(moment)


def _told(data: dict[str, Any], organisation: Organisation, *, without: str = "") -> list[str]:
    """An event's own words, for one that changed no field: ids are left out, and what is said already."""
    if "step" in data:
        data = {**data, "step": queries.step_name(data["step"], organisation)}
    return [
        f"{name.replace('_', ' ').capitalize()}: {_short(value)}"
        for name, value in data.items()
        if value not in (None, "", []) and name not in ("act", without) and not name.endswith(("_id", "_ids"))
    ]


def _short(value: Any) -> str:
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        # who stands in a value is an id: the entry's own person is named beside it
        told = {name: one for name, one in value.items() if not name.endswith(("_by", "_id"))}
        text = ", ".join(f"{name.replace('_', ' ')} {_moment(name, one)}" for name, one in told.items())
    elif isinstance(value, list):
        text = ", ".join(
            str(item.get("label", item)) if isinstance(item, dict) else str(item) for item in value
        )
    else:
        text = WORDS.get(str(value), str(value))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _moment(name: str, value: Any) -> str:
    """A moment as people write it; anything else as it is."""
    return (
        formats.day_time(datetime.fromisoformat(value)) if name.endswith("_at") and value else _short(value)
    )


def _day(text: str | None) -> date | None:
    try:
        day = parse_date(text or "")
    except ValueError:
        return None
    return day if day and 2000 <= day.year <= 2100 else None
