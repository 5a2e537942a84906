"""What the rooms' API modules share: moments, pages, answers (spec §9; docs/api.md)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from django.http import HttpResponse
from ninja import Query, Schema
from pydantic import AfterValidator, ConfigDict
from pydantic_core import to_json

from drivercrm.core import clock

T = TypeVar("T")

JSON = "application/json"
MOST_ROWS = 200


def _as_moment(value: datetime) -> datetime:
    """A moment in UTC; without an offset it is the organisation's local time. Refuses other centuries."""
    if not 2000 <= value.year <= 2100:
        raise ValueError("use a moment of the years 2000 to 2100")
    return (value if value.tzinfo else value.replace(tzinfo=clock.zone())).astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_as_moment)]
Limit = Annotated[int, Query(50, ge=1, le=MOST_ROWS, description="Rows on a page.")]
Cursor = Annotated[str | None, Query(None, max_length=500, description="`next_cursor` of the page before.")]


class Input(Schema):
    """What a caller sends; a misspelt field is refused instead of being overlooked."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Rows(Schema, Generic[T]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None


def page(items: Sequence[Any], next_cursor: str | None) -> dict[str, Any]:
    """One page as every list answers it."""
    return {"items": items, "next_cursor": next_cursor}


def answer(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer that is written as it stands: for hot lists, whose rows are what the schema says already."""
    response = HttpResponse(to_json(data), status=status, content_type=JSON)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def read_moment(value: Any) -> datetime:
    """A cursor's moment; raises ValueError for what no row can hold."""
    return _as_moment(datetime.fromisoformat(value))


def read_number(value: Any) -> int:
    """A cursor's whole number; raises ValueError for what no column can hold."""
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError("not a number of this list")
    return value
