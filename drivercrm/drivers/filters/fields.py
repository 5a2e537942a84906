"""What a list of drivers can be filtered by: kinds of fields, and the fields of this room."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Q

from drivercrm.core import clock
from drivercrm.core.ids import read_id
from drivercrm.drivers.enums import OnboardingStatus, PreferredChannel
from drivercrm.drivers.models import unreached_changes
from drivercrm.ui import formats

MOST_VALUES = 60

Choices = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Viewer:
    """What the meaning of a filter depends on: who asks (`owner=me`), and which day it is."""

    user_id: UUID | None
    today: date

    @classmethod
    def now(cls, user_id: UUID | None) -> "Viewer":
        return cls(user_id, clock.today())


@dataclass(frozen=True)
class Field:
    """One thing to filter by. `where` turns an operator and clean values into a condition.

    `seek` is the same condition in a form that an index answers when few drivers match. `sorts` are the orders in
    which an index keeps the rows of one value; `column` is the column that the values belong to.
    """

    key: str
    label: str
    kind: str
    where: Callable[[str, tuple[str, ...], Viewer], Q]
    choices: Choices = ()
    ops: Mapping[str, str] = field(default_factory=lambda: {"is": "is", "not": "is not"})
    unit: str = ""
    column: str = ""
    sorts: tuple[str, ...] = ()
    seek: Callable[[str, tuple[str, ...], Viewer], Q] | None = None

    def clean(self, op: str, values: Iterable[str]) -> tuple[str, ...]:
        """The values that mean something here, each once; the rest is dropped."""
        kept = dict.fromkeys(value.strip() for value in values)
        return tuple(value for value in kept if value and self._accepts(op, value))[:MOST_VALUES]

    def _accepts(self, op: str, value: str) -> bool:
        if op not in self.ops:
            return False
        if op in {"is", "not"} and self.kind in {"date", "number", "choice"}:
            return value in {known for known, _ in self.choices}
        match self.kind:
            case "date":
                return read_day(value, date(2026, 1, 1)) is not None
            case "number":
                return read_number(value) is not None
            case "owner":
                return value in {"me", "none"} or read_id(value) is not None
            case _:
                return len(value) <= 120 and "\0" not in value

    def says(self, value: str, names: Mapping[str, str], today: date) -> str:
        """One value in words: `Mon 23 Nov`, `Opted out`, `Nandi P`."""
        labels = dict(self.choices)
        if value in labels:
            return labels[value]
        if self.kind == "owner":
            return {"me": "Me", "none": "Nobody"}.get(value) or names.get(value, "Somebody who left")
        if self.kind == "date":
            relative = re.fullmatch(r"-(\d+)d", value)
            if relative:
                days = int(relative[1])
                return f"{days} day{'' if days == 1 else 's'} ago"
            return _day_name(read_day(value, today), today)
        return f"{value}{self.unit}"


FIELDS: dict[str, Field] = {}


def add_field(one: Field) -> None:
    """Makes a field known to every list; the last one under a key wins."""
    FIELDS[one.key] = one


def read_day(value: str, today: date) -> date | None:
    """A day of the years 2000 to 2100, or a word for one."""
    words = {
        "today": 0,
        "tomorrow": 1,
        "yesterday": -1,
        "next_week": 7 - today.weekday(),
        "next_month": (today.replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
        - today.toordinal(),
    }
    if value in words:
        return today + timedelta(days=words[value])
    relative = re.fullmatch(r"([+-])([0-9]{1,4})d", value)
    if relative:
        days = int(relative[2])
        return today + timedelta(days=days if relative[1] == "+" else -days)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def _day_name(day: date | None, today: date) -> str:
    if day is None:
        return ""
    return (
        formats.day(day)
        if day.year != today.year
        else f"{formats.DAYS[day.weekday()]} {formats.short_day(day)}"
    )


def read_number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e9 else None


def choice_field(
    key: str, label: str, choices: Choices, column: str, *, sorts: tuple[str, ...] = ()
) -> Field:
    """A column that holds one of these values."""

    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        condition = Q(**{column: values[0]}) if len(values) == 1 else Q(**{f"{column}__in": values})
        return ~condition if op == "not" else condition

    return Field(key, label, "choice", where, choices, column=column, sorts=sorts)


def _yes_no(key: str, label: str, yes: Q, no: Q, *, words: tuple[str, str] = ("Yes", "No")) -> Field:
    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        return Q() if len(values) > 1 else yes if values[0] == "yes" else no

    return Field(key, label, "choice", where, (("yes", words[0]), ("no", words[1])), {"is": "is"})


def _date_field(key: str, label: str, column: str, words: Choices = ()) -> Field:
    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        if op == "is":
            condition = Q()
            for value in values:
                condition |= _date_word(column, value, viewer.today)
            return condition
        day = read_day(values[-1], viewer.today) or viewer.today
        if op == "before":
            return Q(**{f"{column}__lt": clock.day_start(day)})
        return Q(**{f"{column}__gte": clock.day_end(day)})

    ops = {"before": "before", "after": "after"} | ({"is": "is"} if words else {})
    return Field(key, label, "date", where, words, ops, column=column)


def _date_word(column: str, word: str, today: date) -> Q:
    start = clock.day_start(today)
    match word:
        case "overdue":
            # a whole day stands as its first instant and is late only when it is over
            return Q(**{f"{column}__lt": clock.now()}) & ~Q(**{column: start})
        case "today":
            return Q(**{f"{column}__gte": start, f"{column}__lt": clock.day_end(today)})
        case _:
            return Q(**{f"{column}__isnull": word in {"none", "never"}})


def _number_field(key: str, label: str, column: str, *, scale: float = 1, unit: str = "", none: str) -> Field:
    def where(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
        if op == "is":
            return Q(**{f"{column}__isnull": True})
        number = (read_number(values[-1]) or 0.0) / scale
        return Q(**{f"{column}__{'lt' if op == 'under' else 'gt'}": number})

    ops = {"under": "under", "over": "over", "is": "is"}
    return Field(key, label, "number", where, (("none", none),), ops, unit, column)


def _owner(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
    ids = [viewer.user_id if value == "me" else read_id(value) for value in values if value != "none"]
    condition = Q(owner_id__in=[pk for pk in ids if pk]) if ids else Q(pk__in=[])
    if "none" in values:
        condition |= Q(owner_id__isnull=True)
    return ~condition if op == "not" else condition


def _area(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
    """As typed, or in the usual capitals: an equality, so that the index serves it."""
    spellings = {form for value in values for form in (value, value.title(), value.upper(), value.lower())}
    condition = Q(area__in=sorted(spellings))
    return ~condition if op == "not" else condition


def _source(op: str, values: tuple[str, ...], viewer: Viewer) -> Q:
    condition = Q()
    for value in values:
        condition |= Q(source__startswith=value)
    return ~condition if op == "not" else condition


_UNREACHED = Q(
    onboarding_status=OnboardingStatus.NOT_CONTACTED,
    pk__in=unreached_changes().values("driver_id"),
)

for _field in (
    choice_field(
        "status",
        "Status",
        OnboardingStatus.choices,
        "onboarding_status",
        sorts=("created", "last_contact", "next_follow_up"),
    ),
    Field("owner", "Owner", "owner", _owner, sorts=("created",)),
    Field("area", "Area", "text", _area),
    _date_field(
        "next_follow_up",
        "Next follow-up",
        "next_follow_up_date",
        (("overdue", "Overdue"), ("today", "Today"), ("any", "Set"), ("none", "Not set")),
    ),
    _date_field("last_contact", "Last contact", "last_contact_date", (("never", "Never"),)),
    choice_field("channel", "Preferred channel", PreferredChannel.choices, "preferred_channel"),
    _yes_no("opt_in", "Opted in", Q(communication_opt_in=True), Q(communication_opt_in=False)),
    _number_field("engagement_score", "Engagement score", "engagement_score", none="Too early"),
    _number_field("response_rate", "Response rate", "response_rate", scale=100, unit="%", none="None yet"),
    _date_field("created", "Created", "created_at"),
    _date_field("first_contact", "First contact", "first_contact_date", (("never", "Never"),)),
    _date_field("started", "Onboarding started", "onboarding_start_date", (("never", "Never"),)),
    _date_field("completed", "Onboarding completed", "onboarding_complete_date", (("never", "Never"),)),
    _date_field("last_active", "Last active", "last_active_date", (("never", "Never"),)),
    _yes_no("unreached", "Unreached", _UNREACHED, ~_UNREACHED, words=("Every message failed", "Not so")),
    Field("source", "Source", "text", _source),
):
    add_field(_field)
