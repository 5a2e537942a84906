"""Reads that join or add up."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, When

from drivercrm.accounts.models import Organisation, User
from drivercrm.accounts.permissions import MAY, Can
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus, Trigger
from drivercrm.drivers.models import Driver, FollowUp, OnboardingStep, StatusChange, unreached_changes
from drivercrm.drivers.moves import PATH, RANK, moves_for

OWNER_ROLES = MAY[Can.CONTACT_DRIVER] | MAY[Can.EDIT_DRIVERS]


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


def standing() -> "QuerySet[StatusChange]":
    """The changes that nothing has taken back.

    The few reversals are read once, as a list. Joined instead, SQLite reads the whole table again for every row
    when its statistics say that the column is nearly always empty.
    """
    taken_back = StatusChange.objects.filter(reverses__isnull=False).values("reverses_id")
    return StatusChange.objects.filter(reverses__isnull=True).exclude(pk__in=taken_back)


def funnel(since: date) -> list[tuple[str, int]]:
    """Of the drivers first contacted since a local day: how many have reached each stage by now (spec §8)."""
    ranks = [When(to_status=status, then=Value(rank)) for status, rank in RANK.items()]
    cohort = Driver.objects.filter(first_contact_date__gte=clock.day_start(since)).values("pk")
    furthest = (
        standing()
        .filter(driver__in=cohort)
        .values("driver_id")
        .annotate(rank=Max(Case(*ranks, default=Value(0))))
    )
    stages = [str(stage) for stage in PATH[1:]]
    counts = furthest.aggregate(
        **{stage: Count("driver_id", filter=Q(rank__gte=RANK[stage])) for stage in stages}
    )
    return [(stage, counts[stage]) for stage in stages]


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


def locked_one(driver_id: UUID) -> Driver:
    """One driver, locked until the transaction ends; refuses one whom somebody has deleted meanwhile."""
    return locked_with(driver_id, ())[0]


def locked_with(driver_id: UUID, others: Iterable[UUID]) -> tuple[Driver, list[Driver]]:
    """The same together with others, of whom those who are gone are left out."""
    held = {driver.pk: driver for driver in locked([driver_id, *others])}
    if driver_id not in held:
        raise Refused("gone", "This driver no longer exists.")
    return held.pop(driver_id), list(held.values())


# One driver


@dataclass(frozen=True)
class StepLine:
    """One step of the checklist for one driver; a step that is no longer configured stays if it was done."""

    key: str
    label: str
    is_required: bool
    done_at: datetime | None
    done_by: str


def checklist(driver: Driver, organisation: Organisation | None = None) -> list[StepLine]:
    """The configured steps in order, with who ticked them when."""
    done = {step.step: step for step in OnboardingStep.objects.filter(driver=driver)}
    lines = []
    for step in (organisation or Organisation.current()).onboarding_steps:
        row = done.pop(step["key"], None)
        lines.append(
            StepLine(
                step["key"],
                step["label"],
                step["required"],
                row.done_at if row else None,
                row.done_by if row else "",
            )
        )
    return lines + [
        StepLine(key, _plain(key), False, row.done_at, row.done_by) for key, row in sorted(done.items())
    ]


def last_done(driver_id: UUID, steps: Collection[str]) -> datetime | None:
    """When the last of these steps was done; None while one is missing, and for no steps at all."""
    rows = OnboardingStep.objects.filter(driver_id=driver_id, step__in=list(steps))
    moments = list(rows.values_list("done_at", flat=True))
    return max(moments) if moments and len(moments) == len(set(steps)) else None


def step_name(key: str, organisation: Organisation | None = None) -> str:
    """The words for a step of the checklist, also for one that is no longer configured."""
    steps = (organisation or Organisation.current()).onboarding_steps
    return next((str(step["label"]) for step in steps if step["key"] == key), "") or _plain(key)


def _plain(key: str) -> str:
    return key.replace("_", " ").capitalize()


def allowed_moves(status: str) -> list[tuple[str, str]]:
    """The statuses that staff may choose from this one (spec §3): opted out is consent's own door."""
    return [
        (value, label)
        for value, label in OnboardingStatus.choices
        if value != OnboardingStatus.OPTED_OUT and moves_for(Trigger.STAFF, status, value)
    ]


def follow_ups_of(driver: Driver) -> list[FollowUp]:
    """Every follow-up of one driver, open and ended, the earliest due first."""
    return list(FollowUp.objects.filter(driver=driver).select_related("owner").order_by("due_at", "id"))


def staff() -> "QuerySet[User]":
    """Who may look after a driver, by name: who can sign in in a role that may do something for one."""
    people = User.objects.filter(is_active=True, role__in=sorted(OWNER_ROLES))
    return people.only("id", "name").order_by("name", "id")


def may_own(person: User) -> bool:
    """Whether this colleague may look after drivers."""
    return person.is_active and person.role in OWNER_ROLES


def check_owner(person: User | None) -> None:
    """Refuses a colleague who may not look after drivers; nobody is allowed."""
    if person is not None and not may_own(person):
        raise Refused("not_an_owner", f"{person.name} cannot look after drivers in this role.", field="owner")


def follow_up_choices() -> dict[str, Any]:
    """What a form for a new follow-up offers: tomorrow, and whose it may be."""
    return {
        "staff": list(staff()),
        "tomorrow": (clock.today() + timedelta(days=1)).isoformat(),
    }


# Many drivers


def stage_medians(days: int = 90, sample: int = 500) -> dict[str, float]:
    """The median days that drivers stood in a stage before they moved on to the next one.

    Over the latest moves of the last days, `sample` at most for each stage; a stage that was passed through
    in the same moment does not count. Stages without a move are left out.
    """
    since = clock.now() - timedelta(days=days)
    found: dict[str, float] = {}
    for stage, following in pairwise(PATH):
        left = standing().filter(to_status=following, at__gte=since, from_status=stage).order_by("-at")
        entered = (
            standing()
            .filter(driver_id=OuterRef("driver_id"), sequence__lt=OuterRef("sequence"), to_status=stage)
            .order_by("-sequence")
        )
        came = F("driver__created_at") if stage == PATH[0] else Subquery(entered.values("at")[:1])
        stays = [
            (at - since_at).total_seconds()
            for at, since_at in left.annotate(came_at=came).values_list("at", "came_at")[:sample]
            if since_at is not None and at > since_at
        ]
        if stays:
            found[str(stage)] = median(stays) / 86_400
    return found


def unreached(limit: int, owner: Q | None = None) -> list[tuple[Driver, datetime]]:
    """Drivers to whom every message has finally failed, with when that was known; the latest first (spec §3)."""
    # first which, then who: in one step SQLite starts from everybody not contacted
    latest = unreached_changes().order_by("-at", "-id").values_list("pk", flat=True)[:1000]
    back = (
        StatusChange.objects.filter(
            pk__in=list(latest),
            to_status=OnboardingStatus.NOT_CONTACTED,
            driver__onboarding_status=OnboardingStatus.NOT_CONTACTED,
        )
        .filter(owner or Q())
        .select_related("driver__owner")
        .order_by("-at", "-id")
    )
    found: dict[UUID, tuple[Driver, datetime]] = {}
    for change in back[: 2 * limit]:
        found.setdefault(change.driver_id, (change.driver, change.at))
    return list(found.values())[:limit]


def net_active_since(moment: datetime) -> int:
    """How many more drivers became active than stopped being so since a moment."""
    changes = StatusChange.objects.filter(at__gte=moment)
    entered = changes.filter(to_status=OnboardingStatus.ACTIVE).count()
    others = [status for status in OnboardingStatus.values if status != OnboardingStatus.ACTIVE]
    left = changes.filter(to_status__in=others, from_status=OnboardingStatus.ACTIVE).count()
    return entered - left


def completed_since(day: date) -> int:
    """Drivers whose onboarding was first completed on or after a local day."""
    return Driver.objects.filter(onboarding_complete_date__gte=clock.day_start(day)).count()


def signed_up() -> int:
    """Drivers who have ever reached onboarding started: they accepted, and did something about it."""
    return Driver.objects.filter(onboarding_start_date__isnull=False).count()
