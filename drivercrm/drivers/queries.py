"""Reads that join or add up."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, Q

from drivercrm.core import clock
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver, FollowUp, StatusChange
from drivercrm.drivers.moves import RANK


def histories(driver_ids: Iterable[UUID]) -> dict[UUID, list[StatusChange]]:
    """Every change of these drivers, each driver's in order."""
    ids = list(driver_ids)
    found: dict[UUID, list[StatusChange]] = {pk: [] for pk in ids}
    for change in StatusChange.objects.filter(driver_id__in=ids).order_by("driver_id", "sequence"):
        found[change.driver_id].append(change)
    return found


def earliest_open_follow_ups(driver_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """The first due moment of each driver that has an open follow-up."""
    rows = (
        FollowUp.objects.filter(driver_id__in=list(driver_ids), done_at__isnull=True)
        .values("driver_id")
        .annotate(due=Min("due_at"))
    )
    return {row["driver_id"]: row["due"] for row in rows}


def count_by_status() -> dict[str, int]:
    """How many drivers stand in each status; every value of the seed is there, zeros included."""
    counted = dict(Driver.objects.values_list("onboarding_status").annotate(n=Count("id")).order_by())
    return {status: counted.get(status, 0) for status in OnboardingStatus.values}


def funnel(since: date) -> list[tuple[str, int]]:
    """Of the drivers first contacted since a local day: how many have reached each stage by now (spec §8)."""
    start = clock.day_start(since)
    cohort = Q(driver__first_contact_date__gte=start)
    standing = StatusChange.objects.filter(cohort, reverses__isnull=True, reversed_by__isnull=True)
    reached: dict[str, int] = {}
    for stage in ("contacted", "invited", "onboarding_started", "onboarding_completed", "active"):
        at_least = [status for status, rank in RANK.items() if rank >= RANK[stage]]
        reached[stage] = standing.filter(to_status__in=at_least).values("driver_id").distinct().count()
    return list(reached.items())


def completed_per_day(days: int) -> list[int]:
    """Drivers who completed onboarding on each of the last local days, oldest first, today last."""
    first = clock.today() - timedelta(days=days - 1)
    counts = [0] * days
    finished = Driver.objects.filter(onboarding_complete_date__gte=clock.day_start(first))
    for moment in finished.values_list("onboarding_complete_date", flat=True).iterator():
        if moment is None:
            continue
        place = (clock.local_day(moment) - first).days
        if 0 <= place < days:
            counts[place] += 1
    return counts


def locked(driver_ids: Iterable[UUID]) -> list[Driver]:
    """The drivers, locked until the transaction ends, always in the same order so that nobody deadlocks."""
    return list(Driver.objects.select_for_update(of=("self",)).filter(pk__in=list(driver_ids)).order_by("pk"))
