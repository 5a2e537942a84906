"""The moves on procrastinate's tables (see worker.Moves): who is signed on, who holds which job, what became of it.

procrastinate's own statements claim, sign on and off, beat and find the stalled. Settling is ours, because theirs
asks for no claim: a worker that was frozen could end the run of another. And its worker would stop at the first
lost connection, and abort at SIGTERM what ours gives back (docs/adr/0003).
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection
from django.db.utils import Error as DatabaseError

from drivercrm.core import clock
from drivercrm.jobs import leases

CHANNEL = "procrastinate_any_queue_v1"

# what a failure writes into the envelope
NOTES = ("error_class", "error", "died_at")

# From the first claim on, a second job with the same key may wait, and the first must still be able to come back.
GIVE_UP_KEY = "UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE id = %s AND worker_id = %s"
# A delayed job joins its order when its moment has come: waiting in it, it would hold up all later ones.
JOIN_ORDER = """
UPDATE procrastinate_jobs
SET status = 'todo', worker_id = NULL, queueing_lock = NULL, lock = args ->> 'order_key', args = args - 'order_key'
WHERE id = %s AND status = 'doing' AND worker_id = %s
"""
FINISH = "DELETE FROM procrastinate_jobs WHERE id = %s AND status = 'doing' AND worker_id = %s"
PUT_BACK = """
UPDATE procrastinate_jobs
SET status = %s::procrastinate_job_status, attempts = %s, scheduled_at = now() + %s * interval '1 second',
    worker_id = NULL, queueing_lock = NULL, abort_requested = false, args = args || %s::jsonb
WHERE id = %s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %s
"""


@dataclass
class Held:
    """A claim. The worker's number is the fence: one thread has it, and holds one job at a time."""

    pk: int
    task: str
    args: dict[str, Any]
    attempts: int
    max_attempts: int
    worker_id: int | None


def ask(query: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows of one of procrastinate's own statements, in the caller's transaction."""
    from procrastinate import sql  # noqa: PLC0415  # optional dependency

    with connection.cursor() as cursor:
        cursor.execute(sql.queries[query], arguments)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def change(statement: str, values: Sequence[Any]) -> bool:
    """Runs one of the statements above; False when the claim was lost."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount == 1


def opened(text: str) -> dict[str, Any]:
    """The envelope that `distributed.Distributed` packed; a job that other programs deferred gets one too."""
    packed = json.loads(text)
    if "max_attempts" in packed:
        return packed
    notes = {name: packed[name] for name in NOTES if name in packed}
    return {"args": packed, "max_attempts": 1, "asked_at": clock.now().isoformat(), **notes}


def held(row: dict[str, Any]) -> Held:
    """The claim on a fetched row."""
    packed = opened(row["args"])
    return Held(
        pk=row["id"],
        task=row["task_name"],
        args=packed["args"],
        attempts=row["attempts"] + 1,  # there they count what has ended
        max_attempts=packed["max_attempts"],
        worker_id=row["worker_id"],
    )


def fail(job: Held, error: BaseException, pause: timedelta | None) -> bool:
    """Records a failed attempt: the job waits for `pause`, or is dead without one. False when it was lost."""
    note = {"error_class": type(error).__name__[:200], "error": leases.describe(error)}
    if pause is None:
        note["died_at"] = clock.now().isoformat()
    status = "failed" if pause is None else "todo"
    seconds = None if pause is None else pause.total_seconds()
    attempts = min(job.attempts, job.max_attempts)
    return change(PUT_BACK, [status, attempts, seconds, json.dumps(note), job.pk, job.worker_id])


def free_the_stalled(lease: timedelta) -> None:
    """Signs off every worker whose heart has not beaten for a lease, and puts back what they held.

    A worker that is signed off has lost its claims for good, even if it wakes up later.
    """
    ask("prune_stalled_workers", seconds_since_heartbeat=lease.total_seconds())
    rows = ask(
        "select_stalled_jobs_by_heartbeat",
        queue=None,
        task_name=None,
        seconds_since_heartbeat=lease.total_seconds(),
    )
    for row in rows:
        if row["worker_id"] is None:
            job = held(row)
            lost = leases.WorkerLost("The worker was lost in the middle of an attempt.")
            fail(job, lost, None if job.attempts >= job.max_attempts else timedelta())


class Shift:
    """The threads of one worker: each signs on as a worker of procrastinate, and holds one job at a time."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._beaten: dict[int, float] = {}
        self._lock = threading.Lock()

    def claim(self, queues: Sequence[str] | None, lease: timedelta) -> Held | None:
        """Takes the next due job; None when nothing is free."""
        worker_id = self._signed_on(lease)
        try:
            while True:
                [row] = ask("fetch_job", queues=queues, worker_id=worker_id)
                if row["id"] is None:
                    return None
                if row["lock"] is None and "order_key" in json.loads(row["args"]):
                    change(JOIN_ORDER, [row["id"], worker_id])
                    continue
                if row["queueing_lock"] is not None:
                    change(GIVE_UP_KEY, [row["id"], worker_id])
                return held(row)
        except DatabaseError as error:
            # A claim may have been made whose answer got lost: nobody beats for this number any more, so that
            # the job is found stalled.
            self._forget(worker_id)
            if isinstance(error, IntegrityError):  # signed off while frozen, or two jobs of one order at once
                return None
            raise

    def renew(self, job: Held, lease: timedelta) -> bool:
        """Whether the claim still stands; its worker's heart beats in `keep`."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'doing' AND worker_id = %s",
                [job.pk, job.worker_id],
            )
            return cursor.fetchone() is not None

    def finish(self, job: Held) -> bool:
        """Deletes a done job; False when the claim was lost, and another worker answers for the job."""
        return change(FINISH, [job.pk, job.worker_id])

    def give_back(self, job: Held, after: timedelta) -> bool:
        """Returns a claimed job uncounted: stopping a worker is not the job's fault."""
        return change(
            PUT_BACK, ["todo", job.attempts - 1, after.total_seconds(), "{}", job.pk, job.worker_id]
        )

    def fail(self, job: Held, error: BaseException, pause: timedelta | None) -> bool:
        """See the function of that name."""
        return fail(job, error, pause)

    def keep(self, lease: timedelta) -> None:
        """Beats for every thread that is signed on, and frees what the dead of any machine held."""
        for worker_id in list(self._beaten):
            self._beat(worker_id)
        free_the_stalled(lease)
        leases.keep_statistics("procrastinate_jobs")

    def leave(self) -> None:
        """Signs every thread off."""
        for worker_id in list(self._beaten):
            self._forget(worker_id)
            ask("unregister_worker", worker_id=worker_id)
        self._own = threading.local()

    def listen(self) -> None:
        """Waits a second for procrastinate's word that a job has come, from any machine, and wakes the threads."""
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        for _ in connection.connection.notifies(timeout=1.0, stop_after=1):
            leases.wake.set()

    def _signed_on(self, lease: timedelta) -> int:
        worker_id = getattr(self._own, "worker_id", None)
        if worker_id not in self._beaten:
            worker_id = self._own.worker_id = ask("register_worker")[0]["worker_id"]
            self._mark(worker_id)
        elif time.monotonic() - self._beaten[worker_id] > lease.total_seconds() / 2:
            self._beat(
                worker_id
            )  # this process was frozen, or nobody beats here: what it takes must not look stalled
        return worker_id

    def _beat(self, worker_id: int) -> None:
        ask("update_heartbeat", worker_id=worker_id)
        self._mark(worker_id)

    def _mark(self, worker_id: int) -> None:
        with self._lock:
            self._beaten[worker_id] = time.monotonic()

    def _forget(self, worker_id: int) -> None:
        with self._lock:
            self._beaten.pop(worker_id, None)
