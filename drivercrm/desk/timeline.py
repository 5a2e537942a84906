"""What happened with one driver, from every room's facts, in one order; read a page at a time from the newest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from html import escape
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.safestring import SafeString, mark_safe

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
from drivercrm.drivers.events import FollowUpMoved, StepUndone
from drivercrm.drivers.models import Driver, FollowUp, StatusChange
from drivercrm.drivers.queries import StepLine
from drivercrm.journal.models import Change
from drivercrm.ui import formats, icons, parts

PAGE = 30
HIDDEN = '<span class="mute">Not shown to your role</span>'

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
    """One line of the timeline; its texts are ready HTML."""

    at: datetime
    icon: str
    head: str
    body: str = ""
    foot: str = ""
    look: str = ""

    @property
    def when(self) -> str:
        """The hour for today, the day and hour before."""
        local = self.at.astimezone(clock.zone())
        hour = f"{local:%H:%M}"
        if local.date() == clock.today():
            return hour
        return f"{formats.DAYS[local.weekday()]} {formats.short_day(self.at)}, {hour}"

    @property
    def html(self) -> str:
        """The line as it is drawn; put together here, for a page shows thirty of them."""
        bare = " bare" if self.look.startswith("bare") else ""
        body = f'<div class="bd">{self.body}</div>' if self.body else ""
        foot = f'<div class="ft">{self.foot}</div>' if self.foot else ""
        return (
            f'<li class="te {self.look}"><span class="g{bare}">{self.icon}</span><div><div class="hd">'
            f'<span>{self.head}</span><time datetime="{self.at.isoformat()}">{self.when}</time></div>'
            f"{body}{foot}</div></li>"
        )


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
    today_from: int | None

    @property
    def html(self) -> SafeString:
        """Every line, with the word “Today” above the first one of today."""
        lines = [item.html for item in self.items]
        if self.today_from is not None:
            lines.insert(self.today_from, '<li class="daysep">Today</li>')
        return mark_safe("".join(lines))  # noqa: S308  every text in it is escaped where it is put in


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


@dataclass(frozen=True)
class Facts:
    """What the page has read about a driver anyway: few rows of each kind, all of them."""

    changes: Sequence[StatusChange]
    steps: Sequence[StepLine]
    consents: Sequence[ConsentEvent]
    follow_ups: Sequence[FollowUp]
    names: Mapping[str, str]


def counted() -> "QuerySet[Driver]":
    """Drivers with how many calls and edits they have, in the one query that reads the driver.

    Written as SQL: building these two counts from models takes longer than the database takes to answer them.
    """
    return Driver.objects.select_related("owner").annotate(
        n_calls=RawSQL(
            "(SELECT count(*) FROM communications c WHERE c.driver_id = drivers.id AND c.channel = 'phone')",
            (),
        ),
        n_edits=RawSQL(
            "(SELECT count(DISTINCT entry_id) FROM journal_changes j WHERE j.object_id = drivers.id)", ()
        ),
    )


def filters(driver: Any, facts: Facts, chosen: str) -> list[dict[str, Any]]:
    """The choices above the timeline with their counts; messages only where there are any."""
    counts = {
        "messages": driver.total_communications - driver.n_calls,
        "calls": driver.n_calls,
        "status": len({change.act for change in facts.changes}),
        "consent": len({(event.act, event.kind) for event in facts.consents}),
        "changes": driver.n_edits + 1,
    }
    ended = sum(one.done_at is not None for one in facts.follow_ups)
    steps = sum(step.done_at is not None for step in facts.steps)
    counts["all"] = sum(counts.values()) + len(facts.follow_ups) + ended + steps
    return [
        {"key": key, "label": label, "count": counts[key], "current": key == chosen}
        for key, label in SHOWS.items()
        if key != "messages" or counts[key]
    ]


def page(driver: Driver, access: Access, facts: Facts, *, show: str = "all", before: str = "") -> Timeline:
    """The newest lines before a marker, the oldest of them first."""
    place = _read(before) if before else None
    found = [
        raw for source in SOURCES_OF[show] for raw in _source(source, driver, access, facts, place, show)
    ]
    found.sort(key=lambda raw: raw.place, reverse=True)
    shown, rest = found[:PAGE], found[PAGE:]
    names = dict(facts.names)
    unknown = {actor for raw in shown for actor in raw.actors} - names.keys()
    if unknown:
        names |= actor_names(unknown)
    items = [raw.draw(names) for raw in reversed(shown)]
    today_from = _today_from(items, rest[0].at if rest else None)
    return Timeline(items, _write(shown[-1]) if rest else "", today_from)


def _today_from(items: list[Item], older: datetime | None) -> int | None:
    """Where the lines of today begin, if that is on this page."""
    before = older
    for number, item in enumerate(items):
        if clock.local_day(item.at) == clock.today():
            is_first = before is None or clock.local_day(before) != clock.today()
            return number if is_first else None
        before = item.at
    return None


def _write(raw: Raw) -> str:
    return f"{raw.at.isoformat()}~{int(raw.source)}~{raw.key}"


def _read(text: str) -> Before:
    try:
        at, source, key = text.split("~")
        moment = datetime.fromisoformat(at)
        rank = Source(int(source))
        if rank == Source.EDITS:
            if abs(int(key)) >= 2**63:
                raise ValueError(text)
        elif rank == Source.SAID:
            UUID(hex=key)
        if moment.tzinfo is None or not 2000 <= moment.year <= 2100:
            raise ValueError(text)
    except ValueError as error:
        raise Refused(
            "bad_cursor", "This page marker does not belong to this timeline. Start again."
        ) from error
    return Before(moment, rank, key)


def _source(
    source: Source, driver: Driver, access: Access, facts: Facts, before: Before | None, show: str
) -> Iterable[Raw]:
    match source:
        case Source.CREATED:
            return _after(before, [_created(driver)])
        case Source.STATUS:
            return _after(before, _acts(facts.changes))
        case Source.STEPS:
            return _after(before, [_step(step) for step in facts.steps if step.done_at])
        case Source.CONSENT:
            return _after(before, [_consent(act) for act in as_acts(facts.consents)])
        case Source.SET:
            first = _first_due(driver) if facts.follow_ups else {}
            return _after(
                before, [_set(one, first.get(str(one.pk)) or _due(one)) for one in facts.follow_ups]
            )
        case Source.ENDED:
            return _after(before, [_ended(one) for one in facts.follow_ups if one.done_at])
        case Source.EDITS:
            return _edits(driver, access, before, {step.key: step.label for step in facts.steps})
        case Source.SAID:
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


def _line(said: Iterable[str]) -> str:
    """Small words under a line, those that are there."""
    text = " · ".join(part for part in said if part)
    return f"<span>{escape(text)}</span>" if text else ""


def _who(names: Names, actor: str) -> str:
    kind = actor.partition(":")[0]
    return names.get(actor) or {"user": "Somebody who left", "campaign": "A campaign"}.get(kind, "Driver CRM")


# Created


def _created(driver: Driver) -> Raw:
    ways = {"person": "by hand", "api": "through the API", "demo": "by the demo", "signup": "by signing up"}
    kind = driver.source.partition(":")[0]
    way = ways.get(kind) or f"by {kind}"

    def draw(names: Names) -> Item:
        head = f"<b>{escape(driver.greeting)}</b> added {escape(way)}"
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
        if last.trigger == Trigger.UNDO:
            head = f"Back to <b>{labels[-1]}</b> from {labels[0]}"
        else:
            head = f"{' → '.join(labels[:-1])} → <b>{labels[-1]}</b>"
        said = [str(Trigger(last.trigger).label)]
        if not last.actor.startswith("automation:"):
            said.append(_who(names, last.actor))
        said.append(last.reason)
        return Item(last.at, icons.glyph(last.to_status, 16), head, foot=_line(said), look="bare")

    return Raw(last.at, Source.STATUS, f"{last.sequence:08d}", (last.actor,), draw)


# Steps


def _step(step: StepLine) -> Raw:
    at = step.done_at or clock.now()

    def draw(names: Names) -> Item:
        head = f"<b>{escape(step.label)}</b> ticked by {escape(_who(names, step.done_by))}"
        return Item(at, icons.icon("check", 14), head, look="bare")

    return Raw(at, Source.STEPS, step.key, (step.done_by,), draw)


# Consent


def _consent(act: ConsentAct) -> Raw:
    words = {
        ConsentEventKind.ASKED: "asked",
        ConsentEventKind.GRANTED: "granted",
        ConsentEventKind.WITHDRAWN: "withdrawn",
    }

    def draw(names: Names) -> Item:
        head = f"Consent <b>{words[ConsentEventKind(act.kind)]}</b> for {escape(act.covers)}"
        said = [part for part in (act.source, act.evidence, f"recorded by {_who(names, act.actor)}") if part]
        mark = icons.icon("ban" if act.kind == ConsentEventKind.WITHDRAWN else "shield", 14)
        return Item(act.at, mark, head, foot=_line(said), look="bare")

    return Raw(act.at, Source.CONSENT, act.act.hex, (act.actor,), draw)


# Follow-ups


def _due(one: FollowUp) -> str:
    return _due_words(one.due_at, is_all_day=one.is_all_day)


def _due_words(due_at: datetime, *, is_all_day: bool) -> str:
    return formats.day(due_at) if is_all_day else formats.day_time(due_at)


def _kept_due(kept: Any) -> str:
    """The same for what the journal keeps of a follow-up."""
    return _due_words(datetime.fromisoformat(kept["due_at"]), is_all_day=kept["is_all_day"])


def _first_due(driver: Driver) -> dict[str, str]:
    """When each follow-up that was moved since had been due at first, by its id."""
    moves = Change.objects.filter(object_id=driver.pk, entry__name=FollowUpMoved.name).select_related("entry")
    return {move.entry.data["follow_up_id"]: _kept_due(move.before) for move in moves.order_by("-pk")}


def _set(one: FollowUp, due: str) -> Raw:
    def draw(names: Names) -> Item:
        head = f"<b>{escape(_who(names, one.created_by))}</b> set a follow-up for {due}"
        return Item(one.created_at, icons.icon("alarm", 14), head, foot=_line([one.reason]), look="bare")

    return Raw(one.created_at, Source.SET, one.pk.hex, (one.created_by,), draw)


def _ended(one: FollowUp) -> Raw:
    at = one.done_at or clock.now()
    is_done = one.outcome == Outcome.DONE

    def draw(names: Names) -> Item:
        head = f"Follow-up {'done' if is_done else 'closed'} by {escape(_who(names, one.done_by))}"
        mark = icons.icon("check" if is_done else "x", 14)
        return Item(at, mark, head, foot=_line([one.reason]), look="bare")

    return Raw(at, Source.ENDED, one.pk.hex, (one.done_by,), draw)


# Edits


def _edits(driver: Driver, access: Access, before: Before | None, labels: Mapping[str, str]) -> Iterable[Raw]:
    rows = Change.objects.filter(object_id=driver.pk).select_related("entry")
    # an edit changes thirteen fields at most
    cut = _cut(rows, Source.EDITS, before, "entry__at", "entry_id", most=13 * (PAGE + 1))
    edits: dict[int, list[Change]] = {}
    for change in cut:
        edits.setdefault(change.entry_id, []).append(change)
    shows_values = access.may(Can.EDIT_DRIVERS)
    for changes in edits.values():
        yield _edit(changes, labels, shows_values=shows_values)


def _edit(changes: list[Change], labels: Mapping[str, str], *, shows_values: bool) -> Raw:
    entry = changes[0].entry
    owners = [
        value for change in changes if change.field == "owner" for value in (change.before, change.after)
    ]
    actors = (entry.actor, *(f"user:{owner}" for owner in owners if owner))

    def draw(names: Names) -> Item:
        who = f"<b>{escape(_who(names, entry.actor))}</b>"
        if entry.name == StepUndone.name:
            steps = ", ".join(escape(_step_label(change, labels)) for change in changes)
            return Item(entry.at, icons.icon("x", 14), f"{who} unticked {steps}", look="bare")
        if entry.name == FollowUpMoved.name:
            return _moved(changes[0], who)
        fields = ", ".join(FIELD_NAMES.get(change.field, change.field) for change in changes)
        head = f"{who} changed {escape(fields)}"
        foot = "".join(_was(change, names) for change in changes) if shows_values else ""
        return Item(entry.at, icons.icon("edit", 14), head, foot=foot, look="bare edits")

    return Raw(entry.at, Source.EDITS, f"{entry.pk:012d}", actors, draw)


def _moved(change: Change, who: str) -> Item:
    """A follow-up with another moment, another reason, or both."""
    was, now = _kept_due(change.before), _kept_due(change.after)
    before, after = ((kept or {}).get("reason", "") for kept in (change.before, change.after))
    if was == now:
        head = f"{who} changed the reason of the follow-up for {now}"
    else:
        head = f"{who} moved a follow-up from {was} to {now}"
    said = after if before == after else f"{before or 'no reason'} → {after or 'no reason'}"
    return Item(change.entry.at, icons.icon("alarm", 14), head, foot=_line([said]), look="bare")


def _step_label(change: Change, labels: Mapping[str, str]) -> str:
    step = change.field.removeprefix("step:")
    return labels.get(step) or step.replace("_", " ").capitalize()


def _was(change: Change, names: Names) -> str:
    label = escape(FIELD_NAMES.get(change.field, change.field))
    before = escape(_value(change.field, change.before, names))
    after = escape(_value(change.field, change.after, names))
    return f'<div class="was"><span class="mute">{label}</span> {before} → {after}</div>'


def _value(field: str, value: Any, names: Names) -> str:
    if value is None or value == "":
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
        who = escape(_who(names, row.created_by) if is_out else driver.greeting)
        body = escape(row.message_body).replace("\n", "<br>") if shows_bodies else HIDDEN
        body = body if row.message_body else ""
        if row.channel == Channel.PHONE:
            mark = icons.icon("phone" if is_out else "phone_in", 13)
            return Item(row.sent_at, mark, f"<b>{who}</b> {_call_words(row)}", body, look="call")
        mark = icons.icon(row.channel, 13)
        if not is_out:
            return Item(row.sent_at, mark, f"<b>{who}</b>", body)
        head = f"<b>{who}</b> sent a message ({MessageType(row.message_type).label.lower()})"
        look = "out fail" if row.status == "failed" else "out"
        return Item(row.sent_at, mark, head, body, parts.ticks(row.status), look)

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
