"""Keyset pages: every row once, in order, at any page size, there and back (spec §9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivercrm.core.errors import Refused
from drivercrm.core.paging import Order, page_of
from drivercrm.drivers.models import Driver

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ORDERS = {
    "id": Order("id", descending=True),
    "name": Order("name_key"),
    "last contact": Order("last_contact_date", descending=True, nullable=True, parse=datetime.fromisoformat),
    "next follow-up": Order("next_follow_up_date", nullable=True, parse=datetime.fromisoformat),
    "score": Order("engagement_score", descending=True, nullable=True),
}


def expected(order: Order) -> list[Any]:
    """The whole list in order, sorted in Python: empty values last, `id` between equals."""
    rows = list(Driver.objects.all())
    filled = [row for row in rows if getattr(row, order.field) is not None]
    empty = [row for row in rows if getattr(row, order.field) is None]
    filled.sort(key=lambda row: (getattr(row, order.field), row.pk), reverse=order.descending)
    empty.sort(key=lambda row: row.pk, reverse=order.descending)
    return [row.pk for row in filled + empty]


drivers_drawn = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 3), st.none() | st.integers(0, 3)),
    max_size=17,
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=drivers_drawn, order=st.sampled_from(sorted(ORDERS)), size=st.integers(1, 6))
def test_pages_forward_and_back_show_every_row_once_in_order(
    rows: list[tuple[str, int | None, int | None]], order: str, size: int
) -> None:
    Driver.objects.all().delete()
    for name, days, score in rows:
        moment = None if days is None else MONDAY + timedelta(days=days)
        Driver.objects.create(
            name=name, last_contact_date=moment, next_follow_up_date=moment, engagement_score=score
        )
    wanted = expected(ORDERS[order])
    chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)] or [[]]

    pages = []
    cursor: str | None = None
    while True:
        page = page_of(Driver.objects.all(), ORDERS[order], cursor=cursor, limit=size)
        pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [[row.pk for row in page.items] for page in pages] == chunks
    assert pages[0].previous_cursor is None
    for number in range(len(pages) - 1, 0, -1):
        back = page_of(Driver.objects.all(), ORDERS[order], cursor=pages[number].previous_cursor, limit=size)
        assert [row.pk for row in back.items] == chunks[number - 1]
        assert back.next_cursor is not None
        assert (back.previous_cursor is None) == (number == 1)


@pytest.mark.django_db
@given(cursor=st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.hex()))
def test_a_marker_that_no_list_gave_is_refused(cursor: str) -> None:
    if not cursor:
        return
    for order in ORDERS.values():
        with pytest.raises(Refused) as refusal:
            page_of(Driver.objects.all(), order, cursor=cursor, limit=5)
        assert refusal.value.code == "bad_cursor"


@pytest.mark.django_db
def test_a_row_that_comes_in_between_shifts_nothing() -> None:
    for name in "abdefg":
        Driver.objects.create(name=name)
    first = page_of(Driver.objects.all(), ORDERS["name"], cursor=None, limit=3)

    Driver.objects.create(name="c")

    second = page_of(Driver.objects.all(), ORDERS["name"], cursor=first.next_cursor, limit=3)
    assert [row.name for row in second.items] == ["e", "f", "g"]


@pytest.mark.django_db
def test_pages_work_on_rows_as_dictionaries() -> None:
    for name in "abc":
        Driver.objects.create(name=name)
    page = page_of(Driver.objects.values("id", "name", "name_key"), ORDERS["name"], cursor=None, limit=2)
    assert [row["name"] for row in page.items] == ["a", "b"]
    assert page.next_cursor
