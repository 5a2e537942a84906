"""The list of drivers: every filter of the drivers page, under the name in its address."""

from dataclasses import replace
from typing import Any, Literal

from django.http import QueryDict
from ninja import Schema
from pydantic import Field

from drivercrm.accounts.permissions import Access
from drivercrm.core.errors import Refused
from drivercrm.core.paging import Order, Page
from drivercrm.core.rest import Moment, read_moment
from drivercrm.drivers import filters
from drivercrm.drivers.api.finding import person_id
from drivercrm.drivers.enums import OnboardingStatus

SORTS = Literal[
    "created",
    "-created",
    "name",
    "-name",
    "last_contact",
    "-last_contact",
    "next_follow_up",
    "-next_follow_up",
    "engagement_score",
    "-engagement_score",
    "response_rate",
    "-response_rate",
    "updated",
    "-updated",
]


class DriverFilters(Schema):
    status: list[OnboardingStatus] = Field([], description="Any of these; may be given again.")
    search: str = Field("", max_length=200, description="Part of a name, number, mail or id.")
    owner: str = Field("", max_length=36, description="A person's id, `me`, or `none`.")
    updated_since: Moment | None = Field(None, description="Changed at or after this moment.")
    sort: SORTS = Field("-created", description="A leading minus turns the order round.")


def read(
    given: QueryDict,
    query: DriverFilters,
    *,
    columns: tuple[str, ...],
    who: Access,
    cursor: str | None,
    limit: int,
) -> Page[dict[str, Any]]:
    """One page of rows with these columns. Refuses a filter whose value means nothing."""
    _refuse_unreadable(given)
    found = filters.find(_list_query(given, query), filters.Viewer.now(person_id(who)))
    if query.updated_since:
        found = replace(found, drivers=found.drivers.filter(updated_at__gte=query.updated_since), keys=None)
    found.order = _by_update(query.sort) or found.order
    rows = found.page(*columns, cursor=cursor, limit=limit)
    if found.order.field not in columns:
        for row in rows.items:
            del row[found.order.field]
    return rows


def _refuse_unreadable(given: QueryDict) -> None:
    """A page leaves out a filter that means nothing; a program would take everybody for the answer."""
    for name in given:
        if name.partition(".")[0] not in filters.FIELDS:
            continue
        values = [value.strip() for value in given.getlist(name)]
        if values == [""]:
            continue
        read = filters.parse_one(name, values)
        if read is None or not set(values) <= set(read.values):
            raise Refused("unreadable_filter", f"The value of {name} cannot be read.", field=name)


def _list_query(given: QueryDict, query: DriverFilters) -> filters.ListQuery:
    """The API's words turned into those of the page's address."""
    params = given.copy()
    params["q"] = query.search
    if not query.sort.endswith("updated"):
        params["sort"] = query.sort
    else:
        params.pop("sort", None)
    return filters.parse(params)


def _by_update(sort: str) -> Order | None:
    if not sort.endswith("updated"):
        return None
    return Order("updated_at", descending=sort.startswith("-"), parse=read_moment)
