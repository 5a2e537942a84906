"""A list of drivers as its own query string: filters, search, order, columns (saved views)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from drivercrm.core.paging import Order
from drivercrm.drivers.filters.fields import FIELDS

MOST_FILTERS = 30


@dataclass(frozen=True)
class Filter:
    """One condition. Several values of *is* mean any of them, of *not* none of them."""

    field: str
    op: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The parameter's name in the address."""
        return self.field if self.op == "is" else f"{self.field}.{self.op}"


SORTS: dict[str, str] = {
    "created": "Created",
    "name": "Name",
    "last_contact": "Last contact",
    "next_follow_up": "Next follow-up",
    "engagement_score": "Engagement",
    "response_rate": "Replies",
}
_SORT_COLUMNS = {
    "created": ("id", False),
    "name": ("name_key", False),
    "last_contact": ("last_contact_date", True),
    "next_follow_up": ("next_follow_up_date", True),
    "engagement_score": ("engagement_score", True),
    "response_rate": ("response_rate", True),
}
DEFAULT_SORT = "-created"

COLUMNS: dict[str, str] = {
    "status": "Status",
    "channels": "Channels",
    "phone": "Phone",
    "engagement_score": "Engagement score",
    "response_rate": "Response rate",
    "last_contact": "Last contact",
    "next_follow_up": "Next follow-up",
    "owner": "Owner",
    "timo_driver_id": "Timo driver ID",
    "pathpulse_account_id": "PathPulse account",
    "first_contact": "First contact",
    "completed": "Onboarding completed",
    "last_active": "Last active",
    "messages": "Messages, total",
}
DEFAULT_COLUMNS = tuple(COLUMNS)[:8]


def _moment(value: Any) -> datetime:
    """A cursor's moment; refuses what no row can hold."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 1900 <= moment.year <= 2200:
        raise ValueError("not a moment of a driver")
    return moment.astimezone(UTC)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a name")
    value.encode()  # half a surrogate pair cannot be asked for
    return value


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a number of a driver")
    return number


@dataclass(frozen=True)
class ListQuery:
    """Which drivers, in which order, with which columns."""

    filters: tuple[Filter, ...] = ()
    search: str = ""
    sort: str = DEFAULT_SORT
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    is_roomy: bool = False

    @property
    def sort_key(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def unsearched(self) -> "ListQuery":
        return replace(self, search="")

    @property
    def order(self) -> Order:
        """The order as pages are cut in it."""
        column, nullable = _SORT_COLUMNS[self.sort_key]
        parse: dict[str, Callable[[Any], Any]] = {
            "id": str,
            "name_key": _text,
            "engagement_score": _number,
            "response_rate": _number,
        }
        return Order(
            column,
            descending=self.sort.startswith("-"),
            nullable=nullable,
            parse=parse.get(column, _moment),
        )

    def encode(self, *, is_explicit: bool = False, search: bool = True) -> str:
        """The query string, without what is as usual; an explicit one always names its order."""
        pairs = [(one.name, value) for one in self.filters for value in one.values]
        if search and self.search:
            pairs.append(("q", self.search))
        if is_explicit or self.sort != DEFAULT_SORT:
            pairs.append(("sort", self.sort))
        if self.columns != DEFAULT_COLUMNS:
            pairs.append(("cols", ".".join(self.columns)))
        if self.is_roomy:
            pairs.append(("rows", "roomy"))
        return urlencode(pairs)

    def with_filter(self, one: Filter) -> "ListQuery":
        """This list with one more condition; it takes the place of the same field and operator."""
        kept = [old for old in self.filters if old.name != one.name]
        place = next((at for at, old in enumerate(self.filters) if old.name == one.name), len(kept))
        return replace(self, filters=(*kept[:place], one, *kept[place:]))

    def without(self, name: str) -> "ListQuery":
        """This list without one condition."""
        return replace(self, filters=tuple(one for one in self.filters if one.name != name))


def parse(query: QueryDict | str) -> ListQuery:
    """The list that a query string asks for. What is unknown or means nothing is left out, never an error."""
    params = QueryDict(query[:8000].replace("\0", "")) if isinstance(query, str) else query
    found: dict[str, Filter] = {}
    for name in params:
        if name.partition(".")[0] not in FIELDS or len(found) >= MOST_FILTERS:
            continue
        one = parse_one(name, params.getlist(name))
        if one:
            found[one.name] = one
    sort = params.get("sort", "")
    columns = [key for value in params.getlist("cols") for key in value.split(".")]
    known = tuple(dict.fromkeys(key for key in columns if key in COLUMNS))
    return ListQuery(
        filters=tuple(found.values()),
        search=" ".join(params.get("q", "").replace("\0", " ").split())[:200].strip(),
        sort=sort if sort.removeprefix("-") in SORTS and not sort.startswith("--") else DEFAULT_SORT,
        columns=known or DEFAULT_COLUMNS,
        is_roomy=params.get("rows") == "roomy",
    )


def parse_one(name: str, values: Sequence[str]) -> Filter | None:
    """One condition as the address names it (`status.not`), with the values that mean something; None without any."""
    key, _, op = name.partition(".")
    return _clean(key, op or "is", values)


def parse_addition(params: QueryDict) -> Filter | None:
    """The condition that the “Add filter” form sends: `add=status&op=not&value=opted_out`."""
    return _clean(params.get("add", ""), params.get("op", "is"), params.getlist("value"))


def _clean(key: str, op: str, values: Sequence[str]) -> Filter | None:
    known = FIELDS.get(key)
    clean = known.clean(op, values) if known else ()
    return Filter(key, op, clean) if clean else None


@dataclass(frozen=True)
class Described:
    """A filter in words, in three parts as its chip shows them."""

    filter: Filter
    label: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.label} {self.op} {self.value}"


def describe(query: ListQuery, names: Mapping[str, str], today: date) -> list[Described]:
    """Every condition in words; `names` are staff by id."""
    found = []
    for one in query.filters:
        known = FIELDS[one.field]
        shown = one.values if one.op in {"is", "not"} else one.values[-1:]
        value = ", ".join(known.says(value, names, today) for value in shown)
        found.append(Described(one, known.label, known.ops[one.op], value))
    return found
