"""The jobs port: register a task, enqueue a call to it, settle a dead one, make a worker (docs/adr/0003).

A job only says “look here”. Every engine runs it at least once, so a task asks its own rows what is left
to do, and may safely run twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction

from drivercrm.core.errors import Refused
from drivercrm.jobs.port import Task, Worker, engine, other_engines, patient

F = TypeVar("F", bound=Callable[..., object])

_tasks: dict[str, Task] = {}


def task(
    name: str,
    *,
    max_attempts: int = 8,
    queue: str = "default",
    back_off: Callable[[int], timedelta] = patient,
) -> Callable[[F], F]:
    """Registers a function under a name (`room.what_it_does`); it takes JSON values as keyword arguments.

    `back_off` gives the pause after the attempt counted from 1; after `max_attempts` it is a dead letter.
    """

    def register(run: F) -> F:
        known = _tasks.get(name)
        if known and (known.run.__module__, known.run.__qualname__) != (run.__module__, run.__qualname__):
            raise ValueError(f"Two tasks are called {name}.")
        _tasks[name] = Task(name, run, max_attempts, queue, back_off)
        return run

    return register


def known_task(name: str) -> Task:
    """The task of that name; raises LookupError for an unknown one."""
    if name not in _tasks:
        raise LookupError(f"No task is called {name}.")
    return _tasks[name]


def enqueue(
    name: str,
    args: dict[str, Any] | None = None,
    *,
    run_at: datetime | None = None,
    unique_key: str | None = None,
    order_key: str | None = None,
    queue: str | None = None,
    max_attempts: int | None = None,
) -> int:
    """Asks for a call inside the caller's transaction and returns the job's id; a rollback leaves nothing.

    While a job with the same `unique_key` waits for its first run, its id is returned, and it keeps its own
    moment and arguments. On PostgreSQL a second caller with that key waits until the first has committed:
    give a key late in a short transaction. Jobs with the same `order_key` run one at a time, in order.
    """
    wanted = known_task(name)
    return engine().enqueue(
        wanted,
        args or {},
        run_at=run_at,
        unique_key=unique_key,
        order_key=order_key,
        queue=queue or wanted.queue,
        max_attempts=max_attempts or wanted.max_attempts,
    )


def retry(job_id: int) -> str:
    """Gives a dead letter a fresh set of attempts, now, and returns its task; refuses for any other job."""
    return _settled(engine().retry(job_id))


def discard(job_id: int) -> str:
    """Removes a dead letter for good and returns its task; refuses for any other job."""
    return _settled(engine().discard(job_id))


def _settled(task: str | None) -> str:
    if task is None:
        raise Refused("not_a_dead_letter", "This job did not fail, or somebody has settled it already.")
    return task


def carry_over() -> int:
    """Moves what stands in the engines that are not chosen into the chosen one, and says how many jobs those were.

    Refuses while a worker of another engine holds a job: the change is made with all of them stopped.
    """
    with transaction.atomic():
        parcels = [parcel for other in other_engines() for parcel in other.pack()]
        engine().unpack(parcels)
    return len(parcels)


def worker(
    *,
    threads: int = 2,
    queues: Sequence[str] | None = None,
    lease: timedelta = timedelta(seconds=30),
    poll: timedelta = timedelta(seconds=0.25),
    clockwork: bool = True,
) -> Worker:
    """A worker for `queues` (all, if none are named) that also enqueues the schedule unless told not to.

    A job whose worker was killed runs again when `lease` is over; idle threads look for work every `poll`.
    """
    return engine().worker(threads=threads, queues=queues, lease=lease, poll=poll, clockwork=clockwork)
