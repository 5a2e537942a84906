"""What happened with one driver, from every room's facts, in one order; read a page at a time from the newest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drivercrm.accounts.permissions import Access, Can
from drivercrm.accounts.queries import actor_names
from drivercrm.communications.enums import CallOutcome, Channel, Direction, MessageType
from drivercrm.communications.models import Communication
from drivercrm.consent.enums import ConsentEventKind
from drivercrm.consent.models import ConsentEvent
from drivercrm.consent.queries import ConsentAct, as_acts
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import FIELD_NAMES, OnboardingStatus, Outcome, Trigger
from drivercrm.drivers.models import Driver, FollowUp, StatusChange
from drivercrm.journal.models import Change, Entry
from drivercrm.ui import formats, icons, parts

PAGE = 30
NOTHING = SafeString("")

# What the filter above the timeline offers, and which sources each choice shows.
SHOWS = {
    "all": "Everything",
    "messages": "Messages",
    "calls": "Calls",
    "status": "Status",
    "consent": "Consent",
    "changes": "Changes",
}


class Source(IntEnum):
    """Where a line comes from; of two lines at the same moment the higher one is the later."""

    CREATED = 0
    SAID = 1
    STEPS = 2
    EDITS = 3
    CONSENT = 4
    STATUS = 5
    SET = 6
    ENDED = 7


SOURCES_OF = {
    "all": tuple(Source),
    "messages": (Source.SAID,),
    "calls": (Source.SAID,),
    "status": (Source.STATUS,),
    "consent": (Source.CONSENT,),
    "changes": (Source.CREATED, Source.EDITS),
}

Names = dict[str, str]


@dataclass(frozen=True)
class Item:
    """One line of the timeline as it is drawn."""

    at: datetime
    icon: SafeString
    head: SafeString
    body: SafeString = NOTHING
    foot: SafeString = NOTHING
    look: str = ""
    is_first_today: bool = False

    @property
    def when(self) -> str:
        """The hour for today, the day and hour before."""
        local = self.at.astimezone(clock.zone())
        hour = f"{local:%H:%M}"
        if local.date() == clock.today():
            return hour
        return f"{formats.DAYS[local.weekday()]} {formats.short_day(self.at)}, {hour}"


@dataclass(frozen=True)
class Raw:
    """One fact before names are known: its place in the order, who is named in it, and how it is drawn."""

    at: datetime
    source: Source
    key: str
    actors: tuple[str, ...]
    draw: Callable[[Names], Item]

    @property
    def place(self) -> tuple[datetime, Source, str]:
        return self.at, self.source, self.key


@dataclass(frozen=True)
class Timeline:
    """A page of it, the oldest first, and the marker that leads to what was earlier."""

    items: list[Item]
    earlier: str


@dataclass(frozen=True)
class Before:
    """Where a page ends: everything on it comes before this place."""

    at: datetime
    source: Source
    key: str

    def of(self, source: Source, at: str, key: str) -> Q:
        """The rows of one source that come before."""
        earlier = Q(**{f"{at}__lt": self.at})
        if source < self.source:
            return Q(**{f"{at}__lte": self.at})
        if source > self.source:
            return earlier
        return earlier | Q(**{at: self.at, f"{key}__lt": self.key})


def counted() -> "QuerySet[Driver]":
    """Drivers with how many lines each choice of the filter has (`n_…`), in the one query that reads the driver."""

    def count(
        rows: "QuerySet[Any]", what: str = "pk", *, distinct: bool = False, by: str = "driver"
    ) -> Coalesce:
        grouped = rows.order_by().values(by).annotate(n=Count(what, distinct=distinct)).values("n")
        return Coalesce(Subquery(grouped), 0)

    mine = {"driver": OuterRef("pk")}
    changes = Change.objects.filter(object_id=OuterRef("pk"), entry__name="driver.edited")
    steps = Entry.objects.filter(driver_id=OuterRef("pk"), name__in=STEP_EVENTS)
    return Driver.objects.select_related("owner").annotate(
        n_calls=count(Communication.objects.filter(**mine, channel=Channel.PHONE)),
        n_status=count(StatusChange.objects.filter(**mine), "act", distinct=True),
        n_consent=count(ConsentEvent.objects.filter(**mine), "act", distinct=True),
        n_edits=count(changes, "entry", distinct=True, by="object_id"),
        n_set=count(FollowUp.objects.filter(**mine)),
        n_ended=count(FollowUp.objects.filter(**mine, done_at__isnull=False)),
        n_steps=count(steps, by="driver_id"),
    )


def filters(driver: Any, chosen: str) -> list[dict[str, Any]]:
    """The choices above the timeline with their counts; messages only where there are any."""
    counts = {
        "messages": driver.total_communications - driver.n_calls,
        "calls": driver.n_calls,
        "status": driver.n_status,
        "consent": driver.n_consent,
        "changes": driver.n_edits + 1,
    }
    counts["all"] = sum(counts.values()) + driver.n_set + driver.n_ended + driver.n_steps
    return [
        {"key": key, "label": label, "count": counts[key], "current": key == chosen}
        for key, label in SHOWS.items()
        if key != "messages" or counts[key]
    ]


def page(
    driver: Driver,
    access: Access,
    changes: Sequence[StatusChange],
    steps: Mapping[str, str],
    *,
    show: str = "all",
    before: str = "",
) -> Timeline:
    """The newest lines before a marker.

    `changes` is the driver's whole history of status and `steps` the words for the checklist: the page has both.
    """
    place = _read(before) if before else None
    found = [
        raw for source in SOURCES_OF[show] for raw in _source(source, driver, access, changes, place, show)
    ]
    found.sort(key=lambda raw: raw.place, reverse=True)
    shown, rest = found[:PAGE], found[PAGE:]
    names = actor_names({actor for raw in shown for actor in raw.actors})
    names |= {f"step:{key}": label for key, label in steps.items()}
    items = [raw.draw(names) for raw in reversed(shown)]
    _mark_today(items, rest[0].at if rest else None)
    return Timeline(items, _write(shown[-1]) if rest else "")


def _mark_today(items: list[Item], older: datetime | None) -> None:
    """The line “Today” stands above the first line of today."""
    before = older
    for number, item in enumerate(items):
        is_today = clock.local_day(item.at) == clock.today()
        if is_today and (before is None or clock.local_day(before) != clock.today()):
            items[number] = Item(item.at, item.icon, item.head, item.body, item.foot, item.look, True)
            return
        before = item.at


def _write(raw: Raw) -> str:
    return f"{raw.at.isoformat()}~{int(raw.source)}~{raw.key}"


def _read(text: str) -> Before:
    try:
        at, source, key = text.split("~")
        moment = datetime.fromisoformat(at)
        rank = Source(int(source))
        if rank in {Source.EDITS, Source.STEPS}:
            int(key)
        elif rank in {Source.SAID, Source.CONSENT, Source.SET, Source.ENDED}:
            UUID(hex=key)
        if moment.tzinfo is None:
            raise ValueError(text)
    except ValueError as error:
        raise Refused(
            "bad_cursor", "This page marker does not belong to this timeline. Start again."
        ) from error
    return Before(moment, rank, key)


def _source(
    source: Source,
    driver: Driver,
    access: Access,
    changes: Sequence[StatusChange],
    before: Before | None,
    show: str,
) -> Iterable[Raw]:
    match source:
        case Source.CREATED:
            return _after(before, [_created(driver)])
        case Source.STATUS:
            return _after(before, _acts(changes))
        case Source.STEPS:
            return _steps(driver, before)
        case Source.CONSENT:
            return _consents(driver, before)
        case Source.SET:
            return _follow_ups_set(driver, before)
        case Source.ENDED:
            return _follow_ups_ended(driver, before)
        case Source.EDITS:
            return _edits(driver, access, before)
        case _:
            return _said(driver, access, before, show)


def _after(before: Before | None, found: list[Raw]) -> list[Raw]:
    if before is None:
        return found
    return [raw for raw in found if raw.place < (before.at, before.source, before.key)]


def _cut(
    rows: "QuerySet[Any]", source: Source, before: Before | None, at: str, key: str, most: int = PAGE + 1
) -> "QuerySet[Any]":
    """The newest rows of a source before the marker."""
    if before:
        rows = rows.filter(before.of(source, at, key))
    return rows.order_by(f"-{at}", f"-{key}")[:most]


def _who(names: Names, actor: str) -> str:
    kind = actor.partition(":")[0]
    return names.get(actor) or {"user": "Somebody who left", "campaign": "A campaign"}.get(kind, "Driver CRM")


# Created


def _created(driver: Driver) -> Raw:
    ways = {"person": "by hand", "api": "through the API", "demo": "by the demo", "signup": "by signing up"}
    kind = driver.source.partition(":")[0]
    way = ways.get(kind) or f"by {kind}"

    def draw(names: Names) -> Item:
        head = format_html("<b>{}</b> added {}", driver.greeting, way)
        return Item(driver.created_at, icons.icon("userplus", 14), head, look="bare")

    return Raw(driver.created_at, Source.CREATED, "", (), draw)


# Status


def _acts(changes: Sequence[StatusChange]) -> list[Raw]:
    """One line for each act: all that one move wrote."""
    acts: dict[UUID, list[StatusChange]] = {}
    for change in changes:
        acts.setdefault(change.act, []).append(change)
    return [_act(act) for act in acts.values()]


def _act(act: list[StatusChange]) -> Raw:
    first, last = act[0], act[-1]
    path = [first.from_status, *(change.to_status for change in act)]
    labels = [str(OnboardingStatus(status).label) for status in path]

    def draw(names: Names) -> Item:
        way = format_html_join(" → ", "{}", ((label,) for label in labels[:-1]))
        if last.trigger == Trigger.UNDO:
            head = format_html("Back to <b>{}</b> from {}", labels[-1], labels[0])
        else:
            head = format_html("{} → <b>{}</b>", way, labels[-1])
        said = [str(Trigger(last.trigger).label)]
        if not last.actor.startswith("automation:"):
            said.append(_who(names, last.actor))
        if last.reason:
            said.append(last.reason)
        foot = format_html("<span>{}</span>", " · ".join(said))
        return Item(last.at, icons.glyph(last.to_status, 16), head, foot=foot, look="bare")

    return Raw(last.at, Source.STATUS, f"{last.sequence:08d}", (last.actor,), draw)


# Steps

STEP_EVENTS = ("driver.step_done", "driver.step_undone")


def _steps(driver: Driver, before: Before | None) -> Iterable[Raw]:
    rows = Entry.objects.filter(driver_id=driver.pk, name__in=STEP_EVENTS)
    for entry in _cut(rows, Source.STEPS, before, "at", "id"):
        yield _step(entry)


def _step(entry: Entry) -> Raw:
    key = str(entry.data.get("step", ""))

    def draw(names: Names) -> Item:
        step = names.get(f"step:{key}", key)
        is_done = entry.name == STEP_EVENTS[0]
        head = format_html(
            "<b>{}</b> {} by {}", step, "ticked" if is_done else "unticked", _who(names, entry.actor)
        )
        mark = icons.icon("check" if is_done else "undo", 14)
        return Item(entry.at, mark, head, look="bare")

    return Raw(entry.at, Source.STEPS, f"{entry.pk:012d}", (entry.actor,), draw)


# Consent


def _consents(driver: Driver, before: Before | None) -> Iterable[Raw]:
    rows = ConsentEvent.objects.filter(driver=driver)
    # one act writes eight events at most: enough rows for a whole page of acts
    cut = _cut(rows, Source.CONSENT, before, "at", "act", most=8 * (PAGE + 1))
    for act in as_acts(cut):
        yield _consent(act)


def _consent(act: ConsentAct) -> Raw:
    words = {
        ConsentEventKind.ASKED: "asked",
        ConsentEventKind.GRANTED: "granted",
        ConsentEventKind.WITHDRAWN: "withdrawn",
    }

    def draw(names: Names) -> Item:
        head = format_html("Consent <b>{}</b> for {}", words[ConsentEventKind(act.kind)], act.covers)
        said = [part for part in (act.source, act.evidence, f"recorded by {_who(names, act.actor)}") if part]
        foot = format_html("<span>{}</span>", " · ".join(said))
        look = "ban" if act.kind == ConsentEventKind.WITHDRAWN else "shield"
        return Item(act.at, icons.icon(look, 14), head, foot=foot, look="bare")

    return Raw(act.at, Source.CONSENT, act.act.hex, (act.actor,), draw)


# Follow-ups


def _follow_ups_set(driver: Driver, before: Before | None) -> Iterable[Raw]:
    for row in _cut(FollowUp.objects.filter(driver=driver), Source.SET, before, "created_at", "id"):
        yield _follow_up(row, row.created_at, Source.SET, row.created_by)


def _follow_ups_ended(driver: Driver, before: Before | None) -> Iterable[Raw]:
    rows = FollowUp.objects.filter(driver=driver, done_at__isnull=False)
    for row in _cut(rows, Source.ENDED, before, "done_at", "id"):
        yield _follow_up(row, row.done_at, Source.ENDED, row.done_by)


def _follow_up(row: FollowUp, at: datetime, source: Source, actor: str) -> Raw:
    due = formats.day(row.due_at) if row.is_all_day else formats.day_time(row.due_at)

    def draw(names: Names) -> Item:
        who = _who(names, actor)
        if source == Source.SET:
            head = format_html("<b>{}</b> set a follow-up for {}", who, due)
            mark = icons.icon("alarm", 14)
        else:
            done = row.outcome == Outcome.DONE
            head = format_html("Follow-up {} by {}", "done" if done else "closed", who)
            mark = icons.icon("check" if done else "x", 14)
        foot = format_html("<span>{}</span>", row.reason) if row.reason else NOTHING
        return Item(at, mark, head, foot=foot, look="bare")

    return Raw(at, source, row.pk.hex, (actor,), draw)


# Edits


def _edits(driver: Driver, access: Access, before: Before | None) -> Iterable[Raw]:
    rows = Change.objects.filter(object_id=driver.pk, entry__name="driver.edited").select_related("entry")
    # an edit changes thirteen fields at most
    cut = _cut(rows, Source.EDITS, before, "entry__at", "entry_id", most=13 * (PAGE + 1))
    edits: dict[int, list[Change]] = {}
    for change in cut:
        edits.setdefault(change.entry_id, []).append(change)
    shows_values = access.may(Can.EDIT_DRIVERS)
    for changes in edits.values():
        yield _edit(changes, shows_values=shows_values)


def _edit(changes: list[Change], *, shows_values: bool) -> Raw:
    entry = changes[0].entry
    owners = [
        value for change in changes if change.field == "owner" for value in (change.before, change.after)
    ]
    actors = (entry.actor, *(f"user:{owner}" for owner in owners if owner))

    def draw(names: Names) -> Item:
        fields = ", ".join(FIELD_NAMES.get(change.field, change.field) for change in changes)
        head = format_html("<b>{}</b> changed {}", _who(names, entry.actor), fields)
        body = NOTHING
        if shows_values:
            body = format_html_join(
                "",
                '<div class="was"><span class="mute">{}</span> {} → {}</div>',
                (
                    (
                        FIELD_NAMES.get(change.field, change.field),
                        _value(change.field, change.before, names),
                        _value(change.field, change.after, names),
                    )
                    for change in changes
                ),
            )
        return Item(entry.at, icons.icon("edit", 14), head, foot=body, look="bare edits")

    return Raw(entry.at, Source.EDITS, f"{entry.pk:012d}", actors, draw)


def _value(field: str, value: Any, names: Names) -> str:
    if value in {None, ""}:
        return "nobody" if field == "owner" else "empty"
    if field == "owner":
        return _who(names, f"user:{value}")
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


# Messages and calls


def _said(driver: Driver, access: Access, before: Before | None, show: str) -> Iterable[Raw]:
    rows = Communication.objects.filter(driver=driver)
    if show == "calls":
        rows = rows.filter(channel=Channel.PHONE)
    if show == "messages":
        rows = rows.exclude(channel=Channel.PHONE)
    shows_bodies = access.may(Can.READ_MESSAGES)
    for row in _cut(rows, Source.SAID, before, "sent_at", "id"):
        yield _communication(row, driver, shows_bodies=shows_bodies)


def _communication(row: Communication, driver: Driver, *, shows_bodies: bool) -> Raw:
    is_out = row.direction == Direction.OUTBOUND

    def draw(names: Names) -> Item:
        who = _who(names, row.created_by) if is_out else driver.greeting
        body = SafeString("")
        if row.message_body:
            words = format_html("{}", row.message_body) if shows_bodies else NOTHING
            body = words or SafeString('<span class="mute">Not shown to your role</span>')
        if row.channel == Channel.PHONE:
            head = format_html("<b>{}</b> {}", who, _call_words(row))
            mark = icons.icon("phone" if is_out else "phone_in", 13)
            return Item(row.sent_at, mark, head, body, look="call")
        kind = str(MessageType(row.message_type).label).lower()
        head = (
            format_html("<b>{}</b> sent {}", who, f"a message ({kind})")
            if is_out
            else format_html("<b>{}</b>", who)
        )
        foot = parts.ticks(row.status) if is_out else NOTHING
        look = ("out fail" if row.status == "failed" else "out") if is_out else ""
        return Item(row.sent_at, icons.icon(row.channel, 13), head, body, foot, look)

    return Raw(row.sent_at, Source.SAID, row.pk.hex, (row.created_by,), draw)


def _call_words(row: Communication) -> str:
    """“called, spoke for 4 min”, “called, no answer”."""
    length = formats.span(row.call_seconds) if row.call_seconds else ""
    words = {
        CallOutcome.ANSWERED: f"called, spoke for {length}" if length else "called, spoke",
        CallOutcome.VOICEMAIL: "called, left a voicemail",
        CallOutcome.NO_ANSWER: "called, no answer",
        CallOutcome.BUSY: "called, line busy",
        CallOutcome.WRONG_NUMBER: "called, wrong number",
        CallOutcome.MISSED: "called, nobody answered",
    }
    return words.get(CallOutcome(row.call_outcome), "called") if row.call_outcome else "called"
