"""The organisation's days."""

from datetime import UTC, date, datetime

from drivercrm.core import clock


def test_the_day_of_a_moment_is_the_organisations() -> None:
    assert clock.local_day(datetime(2026, 11, 1, 21, 59, tzinfo=UTC)) == date(2026, 11, 1)
    assert clock.local_day(datetime(2026, 11, 1, 22, 0, tzinfo=UTC)) == date(2026, 11, 2)


def test_a_day_begins_and_ends_at_local_midnight() -> None:
    day = date(2026, 11, 2)
    assert clock.day_start(day).astimezone(UTC) == datetime(2026, 11, 1, 22, tzinfo=UTC)
    assert clock.day_end(day) == clock.day_start(date(2026, 11, 3))


def test_a_pretended_moment_lasts_as_long_as_its_block() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with clock.pretend(moment):
        assert clock.now() == moment
        assert clock.today() == date(2026, 1, 1)
    assert clock.now().year >= 2026
    assert clock.now() != moment
