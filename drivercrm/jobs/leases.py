"""The moves of the lease table. Only the holder of the latest claim may renew or settle a job."""

import re
import threading
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import F

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs.enums import JobState
from drivercrm.jobs.models import Job

PACKAGE = Path(__file__).resolve().parent.parent
# quoted text, mail addresses and long numbers: what an error message repeats of a person
PERSONAL = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”|\S+@\S+|\+?\d(?:[\s-]?\d){4,}")

# set when this process commits a job, so that its own threads need not wait for their next poll
wake = threading.Event()


class WorkerLost(Exception):
    """The last worker of a job was killed, or lost its lease, on the last attempt."""


def claim(queues: Sequence[str] | None, lease: timedelta) -> Job | None:
    """Takes the next due job for the length of a lease and counts the attempt; None when nothing is free."""
    now = clock.now()
    due = Job.objects.due(now)
    if queues is not None:
        due = due.filter(queue__in=queues)
    if not due.exists():  # idle workers never take SQLite's write lock
        return None
    try:
        with transaction.atomic():
            job = due.select_for_update(skip_locked=True).order_by("due_at", "id").first()
            if job is None:
                return None
            seen, job.fence = job.fence, job.fence + 1
            job.state, job.attempts, job.due_at = JobState.RUNNING, job.attempts + 1, clock.now() + lease
            taken = Job.objects.filter(pk=job.pk, fence=seen).update(
                state=job.state, attempts=job.attempts, due_at=job.due_at, fence=job.fence, unique_key=None
            )
    except IntegrityError:  # another worker took a job with the same order key in the same moment
        return None
    return job if taken else None


def renew(job: Job, lease: timedelta) -> bool:
    """Moves the end of a claim's lease; False when somebody else has the job by now."""
    return Job.objects.held(job).update(due_at=clock.now() + lease) == 1


def finish(job: Job) -> bool:
    """Deletes a done job; False when the claim was lost, and another worker answers for the job."""
    return Job.objects.held(job).delete()[0] == 1


def give_back(job: Job, after: timedelta) -> bool:
    """Returns a claimed job uncounted: stopping a worker is not the job's fault."""
    return (
        Job.objects.held(job).update(
            state=JobState.WAITING, attempts=F("attempts") - 1, due_at=clock.now() + after
        )
        == 1
    )


def fail(job: Job, error: BaseException, pause: timedelta | None) -> bool:
    """Records a failed attempt: the job waits for `pause`, or is dead without one. False when it was lost."""
    now = clock.now()
    fate = {"state": JobState.DEAD, "due_at": None, "died_at": now}
    if pause is not None:
        fate = {"state": JobState.WAITING, "due_at": now + pause}
    return (
        Job.objects.held(job).update(
            attempts=min(job.attempts, job.max_attempts),
            error_class=type(error).__name__[:200],
            error=describe(error),
            **fate,
        )
        == 1
    )


def describe(error: BaseException) -> str:
    """The error in a sentence and its place in our code, without what it may quote of a person."""
    if isinstance(error, Refused):
        return error.sentence[:500]
    first_line = next(iter(str(error).splitlines()), "")
    return f"{PERSONAL.sub('…', first_line)[:300]} ({place(error)})".strip()


def place(error: BaseException) -> str:
    """The innermost line of this package that the error came through, such as `drivers/workflow.py:12`."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(PACKAGE) and path.parent != PACKAGE / "jobs":
            return f"{path.relative_to(PACKAGE)}:{frame.lineno}"
    return "outside Driver CRM"
