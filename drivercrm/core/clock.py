"""What time it is, and which local day a moment belongs to (spec §1: one organisation time zone)."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return timezone.now()


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
