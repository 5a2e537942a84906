"""What the clock starts: the words of config/schedule.py, and the ticks that enqueue each line once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from drivercrm.core import clock
from drivercrm.jobs import workflow
from drivercrm.jobs.models import Tick

UNITS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True)
class EveryDay:
    """Once on every local day of the organisation."""

    at: time
    task: str

    def latest(self, now: datetime) -> datetime:
        """The last moment at or before `now` at which the task was due, in UTC.

        A time that the clocks skip in spring comes an hour later; where they repeat it, the first counts.
        """
        day = clock.local_day(now) + timedelta(days=1)  # a zone may skip hours, so begin a day too late
        while (due := datetime.combine(day, self.at, tzinfo=clock.zone()).astimezone(UTC)) > now:
            day -= timedelta(days=1)
        return due

    def __str__(self) -> str:
        return f"every day at {self.at:%H:%M}: {self.task}"


@dataclass(frozen=True)
class Every:
    """Again and again, on whole multiples of its period since 1970."""

    seconds: int
    task: str

    def latest(self, now: datetime) -> datetime:
        """The last moment at or before `now` at which the task was due, in UTC."""
        whole = int(now.timestamp())
        return datetime.fromtimestamp(whole - whole % self.seconds, UTC)

    def __str__(self) -> str:
        return f"every {self.seconds} seconds: {self.task}"


Line = EveryDay | Every


def every_day(at: str, task: str) -> Line:
    """Runs a task each local day at a time such as "03:10"."""
    return EveryDay(time.fromisoformat(at), task)


def every(period: str, task: str) -> Line:
    """Runs a task each period such as "30 seconds", "5 minutes" or "1 hour"."""
    number, _, unit = period.partition(" ")
    if not number.isdecimal() or int(number) == 0 or unit.removesuffix("s") not in UNITS:
        raise ImproperlyConfigured(
            f"“{period}” is no period. Write it as “30 seconds”, “5 minutes” or “1 hour”."
        )
    return Every(int(number) * UNITS[unit.removesuffix("s")], task)


def schedule() -> Sequence[Line]:
    """The lines of the module that the setting JOBS_SCHEDULE names; every task in it must be registered."""
    lines: Sequence[Line] = import_module(settings.JOBS_SCHEDULE).SCHEDULE
    for line in lines:
        try:
            workflow.known_task(line.task)
        except LookupError as error:
            raise ImproperlyConfigured(f"The schedule says “{line}”, but {error}") from None
    return lines


class Clockwork:
    """Enqueues what has become due. Any number may tick at once, in any number of processes."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._seen: dict[Line, datetime] = {}

    def tick(self, now: datetime | None = None) -> int:
        """Enqueues each line that became due since its last tick, once, and says how many those were.

        A line seen for the first time waits for its next moment. Moments missed while no worker ran make
        one job together, and so does a moment whose forerunner still waits for a worker.
        """
        now = now or clock.now()
        return sum(self._tick(line, line.latest(now)) for line in self.lines)

    def _tick(self, line: Line, due: datetime) -> bool:
        if line in self._seen and self._seen[line] >= due:
            return False
        with transaction.atomic():
            Tick.objects.get_or_create(line=str(line), defaults={"last_at": due})
            # of several workers one moves the hand, and enqueues in the same transaction
            ours = Tick.objects.filter(line=str(line), last_at__lt=due).update(last_at=due) == 1
            if ours:
                workflow.enqueue(line.task, unique_key=f"tick {line}"[:200])
        self._seen[line] = due
        return ours
