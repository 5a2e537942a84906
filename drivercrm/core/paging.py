"""Keyset pages: the same cost at any depth, and nothing skipped or shown twice when rows come in (spec §9)."""

import base64
import binascii
import heapq
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from drivercrm.core.errors import Refused

T = TypeVar("T")

Read = Callable[[Any, str], Any]


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Order:
    """A column and a direction; `id` decides between equals. Empty values come last either way.

    `parse` turns the cursor's text back into the column's value.
    """

    field: str
    descending: bool = False
    nullable: bool = False
    parse: Callable[[Any], Any] = _as_it_is


@dataclass(frozen=True)
class Page(Generic[T]):
    """The rows, and the cursors of its neighbours where there are any."""

    items: list[T]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True)
class _Place:
    """Where a page begins: beyond this row, onwards or backwards."""

    backwards: bool
    value: Any
    id: UUID


def read_row(row: Any, field: str) -> Any:
    """A column of a model instance or of a `.values()` row."""
    return row[field] if isinstance(row, dict) else getattr(row, field)


def page_of(queryset: "QuerySet[Any, T]", order: Order, *, cursor: str | None, limit: int) -> "Page[T]":
    """One page of at most `limit` rows. Refuses a cursor that this list did not give."""
    place = _decode(cursor, order) if cursor else None
    backwards = place is not None and place.backwards
    rows: list[T] = []
    segments = ["values", "empty"] if order.nullable and order.field != "id" else ["values"]
    if backwards:
        segments.reverse()
    if place is not None and place.value is None and order.field != "id":
        segments = segments[segments.index("empty") :]
    elif place is not None:
        segments = segments[segments.index("values") :]
    for number, segment in enumerate(segments):
        wanted = limit + 1 - len(rows)
        if wanted > 0:
            start = place if number == 0 else None
            rows += _segment(queryset, order, segment, start, backwards=backwards)[:wanted]
    has_more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()
    has_next, has_previous = (True, has_more) if backwards else (has_more, place is not None)
    return Page(
        rows,
        _encode(rows[-1], order, backwards=False) if rows and has_next else None,
        _encode(rows[0], order, backwards=True) if rows and has_previous else None,
    )


def nearest(keys: Sequence[str], order: Order, *, cursor: str | None, limit: int) -> list[str]:
    """Of many ids, those that a page in the order of ids can hold, so that the others need not be read.

    The ids are written alike, all with hyphens or all without. Refuses a cursor that this list did not give.
    """
    place = _decode(cursor, order) if cursor else None
    falling = order.descending != (place is not None and place.backwards)
    if place is not None:
        start = str(place.id) if keys and "-" in keys[0] else place.id.hex
        keys = [key for key in keys if (key < start if falling else key > start)]
    return (heapq.nlargest if falling else heapq.nsmallest)(limit + 1, keys)


def _segment(
    queryset: "QuerySet[Any, T]", order: Order, segment: str, start: _Place | None, *, backwards: bool
) -> "QuerySet[Any, T]":
    """The rows with a value, or those without, beyond the starting row.

    “At most v, but not (v and an id beyond)” is written so on purpose: both databases walk the index for it,
    while “less than v, or v and a smaller id” makes them scan.
    """
    falling = order.descending != backwards
    beyond, at_or_beyond = ("lt", "gte") if falling else ("gt", "lte")
    sign = "-" if falling else ""
    if order.field == "id":
        found = queryset.filter(**{f"id__{beyond}": start.id}) if start else queryset
        return found.order_by(f"{sign}id")
    if segment == "empty":
        found = queryset.filter(**{f"{order.field}__isnull": True})
        if start:
            found = found.filter(**{f"id__{beyond}": start.id})
        return found.order_by(f"{sign}id")
    found = queryset.filter(**{f"{order.field}__isnull": False}) if order.nullable else queryset
    if start:
        reach = "lte" if falling else "gte"
        found = found.filter(**{f"{order.field}__{reach}": start.value}).exclude(
            **{order.field: start.value, f"id__{at_or_beyond}": start.id}
        )
    return found.order_by(f"{sign}{order.field}", f"{sign}id")


def cursor_at(row: Any, order: Order, *, backwards: bool) -> str:
    """The cursor of the rows after one row of the list, or before it."""
    return _encode(row, order, backwards=backwards)


def _encode(row: Any, order: Order, *, backwards: bool) -> str:
    value = read_row(row, order.field)
    if isinstance(value, datetime | date):
        value = value.isoformat()
    elif isinstance(value, UUID):
        value = None
    text = json.dumps([int(backwards), value, read_row(row, "id").hex], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> _Place:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        backwards, value, pk = json.loads(text)
        if value is not None:
            value = order.parse(value)
        elif order.field != "id" and not order.nullable:
            raise ValueError("this order has no empty values")
        return _Place(bool(backwards), value, UUID(hex=pk))
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise Refused("bad_cursor", "This page marker does not belong to this list. Start again.") from error
