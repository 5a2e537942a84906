"""What every jobs engine offers, whichever keeps the queue (docs/adr/0003)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

ENGINES = {
    "embedded": "drivercrm.jobs.embedded.Embedded",
    "procrastinate": "drivercrm.jobs.distributed.Distributed",
}


def patient(attempt: int) -> timedelta:
    """The pause after a failed attempt (counted from 1): 5 s, 20 s, 80 s … at most one hour."""
    return min(timedelta(seconds=5 * 4 ** min(attempt - 1, 10)), timedelta(hours=1))


@dataclass(frozen=True)
class Task:
    """A function that jobs may call by name."""

    name: str
    run: Callable[..., object]
    max_attempts: int
    queue: str
    back_off: Callable[[int], timedelta]


@dataclass(frozen=True)
class Depth:
    """How many jobs of one queue stand where; `waiting` counts delayed ones too."""

    queue: str
    waiting: int
    running: int
    dead: int


@dataclass(frozen=True)
class DeadLetter:
    """A job that used up its attempts, with the class and the sentence of its last error."""

    id: int
    task: str
    args: dict[str, Any]
    queue: str
    attempts: int
    error_class: str
    error: str
    died_at: datetime


@dataclass(frozen=True)
class Parcel:
    """A job on its way from one engine to another; without `due_at` it is a dead letter."""

    task: str
    args: dict[str, Any]
    queue: str
    due_at: datetime | None
    died_at: datetime | None
    attempts: int
    max_attempts: int
    unique_key: str | None
    order_key: str | None
    error_class: str
    error: str


class Worker(Protocol):
    """Runs jobs: in threads of this process, as a process of its own, or here and now."""

    def start(self) -> None:
        """Begins in threads and returns; the end of the process stops it gracefully."""

    def stop(self, grace: timedelta = ...) -> None:
        """Takes no more jobs, lets the current ones finish for `grace`, and gives back what is left."""

    def run(self, grace: timedelta = ...) -> None:
        """Works in the calling process until SIGTERM or SIGINT, then stops gracefully."""

    def drain(self) -> int:
        """Runs what is due in this thread until nothing is, and says how many runs it took."""


class Engine(Protocol):
    """Keeps the queue. Every method works inside the caller's transaction."""

    def enqueue(
        self,
        task: Task,
        args: dict[str, Any],
        *,
        run_at: datetime | None,
        unique_key: str | None,
        order_key: str | None,
        queue: str,
        max_attempts: int,
    ) -> int: ...

    def retry(self, job_id: int) -> str | None:
        """The task of the dead letter; None for any other job."""

    def discard(self, job_id: int) -> str | None:
        """The task of the dead letter; None for any other job."""

    def depths(self) -> list[Depth]: ...

    def oldest_waiting_age(self) -> timedelta | None: ...

    def dead_letters(self, limit: int) -> list[DeadLetter]: ...

    def pack(self) -> list[Parcel]:
        """Takes everything out, in order; refuses while a worker holds a job."""

    def unpack(self, parcels: Sequence[Parcel]) -> None:
        """Puts in what another engine packed; a twin that waits here already stands for both."""

    def worker(
        self,
        *,
        threads: int,
        queues: Sequence[str] | None,
        lease: timedelta,
        poll: timedelta,
        clockwork: bool,
    ) -> Worker: ...


@cache
def _engine(name: str) -> Engine:
    return import_string(ENGINES[name])()


def engine() -> Engine:
    """The engine that the setting JOBS_ENGINE names."""
    return _engine(settings.JOBS_ENGINE)


def other_engines() -> list[Engine]:
    """The engines that are not chosen, and may hold jobs from the time when they were."""
    return [_engine(name) for name in ENGINES if name != settings.JOBS_ENGINE]
