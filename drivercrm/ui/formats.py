"""How values are written for people (design §2, Format): days, times, spans, phones, money, numbers."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

import phonenumbers

from drivercrm.core import clock

DASH = "\u2013"
MINUS = "\u2212"
SPACE = "\u00a0"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTE, HOUR, DAY = 60, 3600, 86_400

Number = int | float | Decimal


def number(value: Number | str | None, places: int = 0) -> str:
    """A count or measure with a fixed space between thousands: `2 316`; a dash for nothing."""
    if value is None or value == "":
        return DASH
    try:
        exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        return str(value)
    sign = MINUS if exact < 0 else ""
    return sign + f"{abs(exact):,f}".replace(",", SPACE)


def money(value: Number | str | None, places: int = 2) -> str:
    """An amount in rand: `R 1 240.50`, with fixed spaces and a real minus sign."""
    text = number(value, places)
    if text == DASH:
        return DASH
    sign = MINUS if text.startswith(MINUS) else ""
    return f"{sign}R{SPACE}{text.removeprefix(MINUS)}"


@lru_cache(maxsize=4096)
def phone(value: str | None) -> str:
    """A stored number (E.164) in groups: `+27 70 014 2287`; text that is no number is left as it is."""
    if not value:
        return ""
    if value.startswith("+27") and len(value) == 12 and value[1:].isascii() and value[1:].isdigit():
        return f"+27 {value[3:5]} {value[5:8]} {value[8:]}"
    try:
        parsed = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _local(moment: date) -> date:
    """A moment on the organisation's clock; a plain day stays as it is."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.astimezone(clock.zone())
    return moment


def day(moment: date | None) -> str:
    """`Tue 17 Nov 2026`."""
    if not moment:
        return DASH
    local = _local(moment)
    return f"{DAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]} {local.year}"


def short_day(moment: date | None) -> str:
    """`17 Nov`; with the year when it is not this one."""
    if not moment:
        return DASH
    local = _local(moment)
    year = "" if local.year == clock.today().year else f" {local.year}"
    return f"{local.day} {MONTHS[local.month - 1]}{year}"


def clock_time(moment: datetime | None) -> str:
    """`09:42` on the organisation's clock."""
    if not moment:
        return DASH
    local = _local(moment)
    return f"{local:%H:%M}"


def day_time(moment: datetime | None) -> str:
    """`Today, 11:00` or `3 Nov, 09:14`; with the year when it is not this one."""
    if not moment:
        return DASH
    local = _local(moment)
    on = local.date() if isinstance(local, datetime) else local
    name = "Today" if on == clock.today() else short_day(on)
    return f"{name}, {local:%H:%M}" if isinstance(local, datetime) else name


def ago(moment: date | None) -> str:
    """How long since: `now`, `24 min`, `3 h`, `2 d`; a moment still to come is named instead."""
    if not moment:
        return DASH
    if not isinstance(moment, datetime):
        days = (clock.today() - moment).days
        return "Today" if days == 0 else f"{days} d" if days > 0 else short_day(moment)
    seconds = int((clock.now() - moment).total_seconds())
    if seconds < -MINUTE:
        return day_time(moment)
    if seconds < MINUTE:
        return "now"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < DAY:
        return f"{seconds // HOUR} h"
    return f"{seconds // DAY} d"


def span(seconds: Number | None) -> str:
    """A length of time in its two largest units: `45 s`, `6 min`, `1 h 24 min`, `2 d 3 h`."""
    if seconds is None:
        return DASH
    whole = int(seconds)
    sign, whole = (MINUS, -whole) if whole < 0 else ("", whole)
    if whole < MINUTE:
        return f"{sign}{whole} s"
    for size, name, smaller, smaller_name in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{sign}{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{sign}{whole // MINUTE} min"
