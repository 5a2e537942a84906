"""What time it is, and which local day a moment belongs to (spec §1: one organisation time zone)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

_pretended: ContextVar[datetime | None] = ContextVar("pretended", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _pretended.get() or timezone.now()


@contextmanager
def pretend(moment: datetime) -> Iterator[None]:
    """Inside, `now` is that moment: for the demo's history, which is made of the real verbs, and for tests."""
    token = _pretended.set(moment)
    try:
        yield
    finally:
        _pretended.reset(token)


def zone() -> ZoneInfo:
    """The organisation's time zone."""
    return ZoneInfo(settings.TIME_ZONE)


def local_day(moment: datetime) -> date:
    """The organisation's calendar day of a moment."""
    return moment.astimezone(zone()).date()


def today() -> date:
    """The organisation's calendar day now."""
    return local_day(now())


def day_start(day: date) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(day, time.min, tzinfo=zone())


def day_end(day: date) -> datetime:
    """The first instant after a local day."""
    return day_start(day + timedelta(days=1))
