"""Public holidays and quiet hours, by the calendars of the Department of Labour."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.core import clock
from drivercrm.core.hours import is_quiet, next_open, public_holidays


@pytest.mark.parametrize(
    ("year", "days"),
    [
        (2024, "1-1 3-21 3-29 4-1 4-27 5-1 6-16 6-17 8-9 9-24 12-16 12-25 12-26"),
        (2025, "1-1 3-21 4-18 4-21 4-27 4-28 5-1 6-16 8-9 9-24 12-16 12-25 12-26"),
        (2026, "1-1 3-21 4-3 4-6 4-27 5-1 6-16 8-9 8-10 9-24 12-16 12-25 12-26"),
        (2027, "1-1 3-21 3-22 3-26 3-29 4-27 5-1 6-16 8-9 9-24 12-16 12-25 12-26 12-27"),
    ],
)
def test_the_holidays_of_a_year(year: int, days: str) -> None:
    assert sorted(public_holidays(year)) == [
        date(year, *map(int, day.split("-")))  # type: ignore[arg-type]
        for day in days.split()
    ]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.zone())


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-23 08:00", "2026-11-23 08:00"),
        ("2026-11-23 19:59", "2026-11-23 19:59"),
        ("2026-11-23 20:00", "2026-11-24 08:00"),
        ("2026-11-23 07:59", "2026-11-23 08:00"),
        ("2026-11-22 12:00", "2026-11-23 08:00"),
        ("2026-11-21 20:00", "2026-11-23 08:00"),
        ("2026-12-16 12:00", "2026-12-17 08:00"),
        ("2026-12-24 20:00", "2026-12-28 08:00"),
    ],
)
def test_when_the_first_message_may_leave(moment: str, opens: str) -> None:
    assert next_open(local(moment)) == local(opens)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001
def test_the_next_opening_is_open_and_no_earlier_moment_is(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    opens = next_open(now)

    assert not is_quiet(opens)
    assert opens >= now
    assert opens == now or is_quiet(opens - timedelta(microseconds=1))
