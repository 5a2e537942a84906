"""What a list of drivers shows, written as the query string of its own address (spec §9, saved views).

A filter is one parameter: `status=invited`, `status.not=opted_out`, `next_follow_up.before=2026-11-23`,
`engagement_score.under=40`. Days may be relative, so that a saved view stays true: `today`, `next_week`, `-7d`.
Rooms above add fields of their own in their `filters.py` (consent does).
"""

from drivercrm.drivers.filters.fields import FIELDS, Choices, Field, Viewer, add_field, choice_field
from drivercrm.drivers.filters.finding import BULK_LIMIT, COUNTED, Found, chosen, count, find, matching
from drivercrm.drivers.filters.listing import (
    COLUMNS,
    DEFAULT_COLUMNS,
    DEFAULT_SORT,
    SORTS,
    Described,
    Filter,
    ListQuery,
    describe,
    parse,
    parse_addition,
    parse_one,
)

__all__ = [
    "BULK_LIMIT",
    "COLUMNS",
    "COUNTED",
    "DEFAULT_COLUMNS",
    "DEFAULT_SORT",
    "FIELDS",
    "SORTS",
    "Choices",
    "Described",
    "Field",
    "Filter",
    "Found",
    "ListQuery",
    "Viewer",
    "add_field",
    "choice_field",
    "chosen",
    "count",
    "describe",
    "find",
    "matching",
    "parse",
    "parse_addition",
    "parse_one",
]
