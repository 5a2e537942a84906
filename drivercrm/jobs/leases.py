"""The moves of the lease table (see worker.Moves). Only the holder of the latest claim may renew or settle a job."""

import re
import threading
from collections.abc import Sequence
from datetime import timedelta

from django.db import IntegrityError, connection
from django.db.models import F

from drivercrm.core import clock
from drivercrm.core.errors import Refused, trail
from drivercrm.jobs.enums import JobState
from drivercrm.jobs.models import Job

# quoted text, mail addresses and long numbers: what an error message repeats of a person
PERSONAL = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”|\S+@\S+|\+?\d(?:[\s-]?\d){4,}")

# set when this process commits a job, so that its own threads need not wait for their next poll
wake = threading.Event()


# A job is due when its moment has come, or when the lease of its last worker ran out. Of the jobs that share an
# order key only the first is; one that failed keeps its place in front. Written in SQL because Django takes ten
# times as long to compile it as either database to answer it.
DUE = """
SELECT id FROM jobs
WHERE due_at <= %s AND (order_key IS NULL OR NOT EXISTS (
    SELECT 1 FROM jobs AS other
    WHERE other.order_key = jobs.order_key AND other.id <> jobs.id AND (
        other.state = 'running'
        OR other.state = 'waiting' AND other.id < jobs.id AND (other.due_at <= %s OR other.attempts > 0))))
"""
CLAIM = """
UPDATE jobs
SET state = 'running', due_at = %s, attempts = attempts + 1, fence = fence + 1, unique_key = NULL
WHERE id = ({due}) RETURNING *
"""


class WorkerLost(Exception):
    """The last worker of a job was killed, or lost its lease, on the last attempt."""


def claim(queues: Sequence[str] | None, lease: timedelta) -> Job | None:
    """Takes the next due job for the length of a lease and counts the attempt; None when nothing is free."""
    now = clock.now()
    params: list[object] = [now, now]
    due = DUE
    if queues is not None:
        due += f" AND queue IN ({', '.join(['%s'] * len(queues))})"
        params += queues
    due += " ORDER BY due_at, id LIMIT 1"
    if not list(Job.objects.raw(due, params)):  # idle workers never take SQLite's write lock
        return None
    if connection.features.has_select_for_update_skip_locked:
        due += " FOR UPDATE SKIP LOCKED"
    try:
        return next(iter(list(Job.objects.raw(CLAIM.format(due=due), [now + lease, *params]))), None)
    except IntegrityError:  # another worker took a job with the same order key in the same moment
        return None


def renew(job: Job, lease: timedelta) -> bool:
    """Moves the end of a claim's lease; False when somebody else has the job by now."""
    return Job.objects.held(job).update(due_at=clock.now() + lease) == 1


def finish(job: Job) -> bool:
    """Deletes a done job; False when the claim was lost, and another worker answers for the job."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM jobs WHERE id = %s AND fence = %s AND state = 'running'", [job.pk, job.fence]
        )
        return cursor.rowcount == 1


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


def keep(lease: timedelta) -> None:
    """Each claim here has a lease of its own, so that only the statistics are kept up."""
    keep_statistics(Job._meta.db_table)


def leave() -> None:
    """Nothing: the table knows claims, not workers."""


LONG = 500  # rows from which the way to the next job matters
LENGTHS = """
SELECT (SELECT reltuples FROM pg_class WHERE oid = '{0}'::regclass),
    (SELECT count(*) FROM (SELECT 1 FROM {0} LIMIT 100000) AS queue)
"""


def keep_statistics(table: str) -> None:
    """Tells PostgreSQL that the queue is long now.

    It goes on with the plan that it made for an empty queue, and reads all of a long one for each job, until it
    looks at the table again: every session then plans anew. By itself it would do so within a minute.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(LENGTHS.format(table))
        believed, counted = cursor.fetchone()
        if counted > LONG and counted > 2 * believed:
            cursor.execute(f"ANALYZE {table}")


def describe(error: BaseException) -> str:
    """The error in a sentence and its place in our code, without what it may quote of a person."""
    if isinstance(error, Refused):
        return PERSONAL.sub("…", error.sentence)[:500]
    first_line = next(iter(str(error).splitlines()), "")
    return f"{PERSONAL.sub('…', first_line)[:300]} ({place(error)})".strip()


def place(error: BaseException) -> str:
    """The innermost line of this package, the queue itself aside, that the error came through."""
    lines = [line for line in trail(error) if not line.startswith("jobs/")]
    return lines[-1] if lines else "outside Driver CRM"
