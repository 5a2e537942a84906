"""Finding the drivers of a list, by the plan that suits how many there are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import CharField, Q
from django.db.models.functions import Cast
from django.http import QueryDict

from drivercrm.core.errors import Refused
from drivercrm.core.ids import read_id
from drivercrm.core.paging import Order, Page, nearest, page_of
from drivercrm.drivers.filters.fields import FIELDS, Viewer
from drivercrm.drivers.filters.listing import Filter, ListQuery, parse
from drivercrm.drivers.models import Driver, DriverQuerySet, asks_index, hidden

COUNTED = 1000
SORTED = 2000  # so many are fetched and sorted; beyond, an order is walked (ADR 6)
BULK_LIMIT = 5000


@dataclass
class Found:
    """The drivers of a list, ready for its order; all their ids where they were looked up and are few."""

    drivers: DriverQuerySet
    order: Order
    keys: list[str] | None = None
    is_many: bool = False  # known to be more than are ever counted

    def page(self, *columns: str, cursor: str | None, limit: int) -> Page[dict[str, Any]]:
        """One page of rows with these columns beside id and the order's. Refuses a cursor of another list."""
        drivers = self.drivers
        if self.keys is not None and self.order.field == "id":
            keys = nearest(self.keys, self.order, cursor=cursor, limit=limit)
            drivers = Driver.objects.with_keys(keys)
        rows = drivers.values(*dict.fromkeys(("id", *columns, self.order.field)))
        return page_of(rows, self.order, cursor=cursor, limit=limit)

    @cached_property
    def total(self) -> int | None:
        """How many: exactly up to 1 000, else None. A query where the ids are not known."""
        if self.is_many:
            return None
        if self.keys is None:
            return _counted(self.drivers)
        return len(self.keys) if len(self.keys) <= COUNTED else None


def matching(query: ListQuery, viewer: Viewer) -> DriverQuerySet:
    """Every driver that the list's filters and search leave, in no order."""
    drivers: DriverQuerySet = Driver.objects.order_by()
    for one in query.filters:
        known = FIELDS[one.field]
        drivers = drivers.filter((known.seek or known.where)(one.op, one.values, viewer))
    return drivers.search(query.search)


def find(query: ListQuery, viewer: Viewer) -> Found:
    """The drivers of a list in a form that any of its orders answers quickly.

    Few (by one look at the indexes of the filters) are named by their ids and sorted. Many are met soon when the
    order's index is walked, so their conditions are hidden from the planner, which would sort them all instead.
    """
    drivers = matching(query.unsearched, viewer)
    if query.search:
        drivers, hits = drivers.search_counted(query.search)
        if not query.filters and asks_index(query.search):
            return Found(drivers, query.order, hits, is_many=hits is None)
    elif len(query.filters) < 2 and all(_keeps_order(one, query) for one in query.filters):
        return Found(drivers, query.order)
    keys = list(drivers.values_list(Cast("pk", CharField()), flat=True)[: SORTED + 1])
    if len(keys) <= SORTED:
        return Found(Driver.objects.with_keys(keys), query.order, keys)
    walked: DriverQuerySet = Driver.objects.all()
    for one in query.filters:
        condition = FIELDS[one.field].where(one.op, one.values, viewer)
        if condition != Q():
            walked = walked.filter(condition if _keeps_order(one, query) else hidden(condition))
    return Found(walked.search(query.search), query.order, is_many=True)


def count(query: ListQuery, viewer: Viewer) -> int | None:
    """How many drivers a list has: exactly up to 1 000, else None."""
    return _counted(matching(query, viewer))


def _counted(drivers: DriverQuerySet) -> int | None:
    number = drivers[: COUNTED + 1].count()
    return number if number <= COUNTED else None


def _keeps_order(one: Filter, query: ListQuery) -> bool:
    """Whether an index has the rows of this condition in the list's order."""
    known = FIELDS[one.field]
    if known.column == query.order.field:
        return True
    return one.op == "is" and len(one.values) == 1 and query.sort_key in known.sorts


def chosen(data: QueryDict, viewer: Viewer) -> list[UUID]:
    """The drivers that a bulk action is for: the ticked ones, or with `all` everyone the list's query finds.

    Refuses an empty choice and more than 5 000 drivers.
    """
    if data.get("all") == "1":
        everyone = matching(parse(data.get("query", "")), viewer)
        ids = list(everyone.values_list("pk", flat=True)[: BULK_LIMIT + 1])
    else:
        ids = list(
            dict.fromkeys(pk for value in data.getlist("driver")[: BULK_LIMIT + 1] if (pk := read_id(value)))
        )
    if not ids:
        raise Refused("nothing_selected", "Tick at least one driver first.")
    if len(ids) > BULK_LIMIT:
        raise Refused(
            "too_many",
            f"This would change more than {BULK_LIMIT:,} drivers. Add a filter first.".replace(",", " "),
        )
    return ids
