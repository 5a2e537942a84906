"""South African public holidays, and the hours in which nobody is written to unasked (spec §5.2, §6)."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache

from drivercrm.core import clock

QUIET_FROM = time(20, 0)
QUIET_UNTIL = time(8, 0)
SUNDAY = 6
# month and day; the two around Easter are worked out
FIXED = ((1, 1), (3, 21), (4, 27), (5, 1), (6, 16), (8, 9), (9, 24), (12, 16), (12, 25), (12, 26))


@lru_cache(maxsize=32)
def public_holidays(year: int) -> frozenset[date]:
    """The public holidays of a year. One that falls on a Sunday makes the Monday one too (Act 36 of 1994)."""
    easter = _easter(year)
    days = {date(year, month, day) for month, day in FIXED}
    days |= {easter - timedelta(days=2), easter + timedelta(days=1)}
    return frozenset(days | {day + timedelta(days=1) for day in days if day.weekday() == SUNDAY})


def _easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian computus."""
    golden, century = year % 19, year // 100
    skipped = century - century // 4 - (8 * century + 13) // 25
    epact = (19 * golden + skipped + 15) % 30
    moon = epact - (epact // 28) * (1 - (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    days = moon - weekday
    month = 3 + (days + 40) // 44
    return date(year, month, days + 28 - 31 * (month // 4))


def is_day_off(day: date) -> bool:
    """A Sunday or a public holiday."""
    return day.weekday() == SUNDAY or day in public_holidays(day.year)


def is_quiet(moment: datetime) -> bool:
    """Whether nothing that nobody waits for may leave: [20:00, 08:00), Sundays, public holidays."""
    local = moment.astimezone(clock.zone())
    return is_day_off(local.date()) or not QUIET_UNTIL <= local.time() < QUIET_FROM


def next_open(moment: datetime) -> datetime:
    """The first moment from this one on that is not quiet."""
    if not is_quiet(moment):
        return moment
    local = moment.astimezone(clock.zone())
    day = local.date() if local.time() < QUIET_UNTIL else local.date() + timedelta(days=1)
    while is_day_off(day):
        day += timedelta(days=1)
    return datetime.combine(day, QUIET_UNTIL, tzinfo=clock.zone())
