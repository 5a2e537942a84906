"""The engine for many machines: procrastinate's tables and statements on PostgreSQL (docs/adr/0003)."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, connection, transaction

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import leases
from drivercrm.jobs.port import DeadLetter, Depth, Parcel, Task
from drivercrm.jobs.shifts import Held, Shift, free_the_stalled, opened
from drivercrm.jobs.worker import ThreadedWorker

LEASE = timedelta(seconds=30)

DEFER = """
SELECT unnest(procrastinate_defer_jobs_v1(
    ARRAY[ROW(%s, %s, 0, %s, %s, %s::jsonb, %s)::procrastinate_job_to_defer_v1]))
"""
# the lock keeps a waiting twin from its worker: it must not start before our caller has committed
TWIN = "SELECT id FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo' FOR NO KEY UPDATE"
RETRY = """
UPDATE procrastinate_jobs
SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL, queueing_lock = NULL,
    args = args - 'error_class' - 'error' - 'died_at' || jsonb_build_object('asked_at', %s::text)
WHERE id = %s AND status = 'failed' RETURNING task_name
"""
DISCARD = "DELETE FROM procrastinate_jobs WHERE id = %s AND status = 'failed' RETURNING task_name"
DEPTHS = """
SELECT queue_name, count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),
    count(*) FILTER (WHERE status = 'failed')
FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed') GROUP BY queue_name ORDER BY queue_name
"""
OLDEST = """
SELECT min(coalesce(scheduled_at, (args ->> 'asked_at')::timestamptz)) FROM procrastinate_jobs
WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
"""
DEAD = """
SELECT id, task_name, args, queue_name, attempts FROM procrastinate_jobs WHERE status = 'failed'
ORDER BY (args ->> 'died_at')::timestamptz DESC NULLS LAST, id DESC LIMIT %s
"""
PACK = """
DELETE FROM procrastinate_jobs WHERE status IN ('todo', 'failed')
RETURNING id, task_name, args, queue_name, status::text, attempts, scheduled_at, queueing_lock, lock
"""
UNPACK = """
INSERT INTO procrastinate_jobs
    (task_name, args, queue_name, status, attempts, scheduled_at, queueing_lock, lock)
VALUES (%s, %s::jsonb, %s, %s::procrastinate_job_status, %s, %s, %s, %s)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""


def envelope(args: dict[str, Any], max_attempts: int, **more: object) -> dict[str, Any]:
    """What procrastinate keeps as a job's arguments: ours, and what it has no column for."""
    return {"args": args, "max_attempts": max_attempts, "asked_at": clock.now().isoformat(), **more}


class Distributed:
    """The port on the tables of procrastinate. `lock` is our order key, `queueing_lock` our unique key."""

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
    ) -> int:
        is_delayed = run_at is not None and run_at > clock.now()
        packed = envelope(args, max_attempts)
        if is_delayed and order_key is not None:
            packed["order_key"] = order_key
        lock = None if is_delayed else order_key
        values = [queue, task.name, lock, unique_key, json.dumps(packed), run_at]
        transaction.on_commit(leases.wake.set)
        if unique_key is None:
            return self._one(DEFER, values)
        while True:
            twin = self._first(TWIN, [unique_key])
            if twin is not None:
                return twin
            try:
                with transaction.atomic():
                    return self._one(DEFER, values)
            except IntegrityError:  # another caller was quicker, and has committed by now
                continue

    def retry(self, job_id: int) -> str | None:
        transaction.on_commit(leases.wake.set)
        return self._first(RETRY, [clock.now().isoformat(), job_id])

    def discard(self, job_id: int) -> str | None:
        return self._first(DISCARD, [job_id])

    def depths(self) -> list[Depth]:
        return [Depth(*row) for row in self._rows(DEPTHS)] if self.is_there() else []

    def oldest_waiting_age(self) -> timedelta | None:
        oldest = self._first(OLDEST)
        return clock.now() - oldest if oldest else None

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        rows = [(*row[:2], opened(row[2]), *row[3:]) for row in self._rows(DEAD, [limit])]
        return [
            DeadLetter(
                id=pk,
                task=task,
                args=packed["args"],
                queue=queue,
                attempts=attempts,
                error_class=packed.get("error_class", ""),
                error=packed.get("error", ""),
                died_at=datetime.fromisoformat(packed.get("died_at") or packed["asked_at"]),
            )
            for pk, task, packed, queue, attempts in rows
        ]

    def pack(self) -> list[Parcel]:
        if not self.is_there():
            return []
        free_the_stalled(LEASE)
        if any(depth.running for depth in self.depths()):
            raise Refused(
                "jobs_run",
                "A worker of the engine procrastinate still holds a job. Stop all workers, then wait 30 seconds.",
            )
        parcels = []
        rows = sorted(self._rows(PACK), key=itemgetter(0))
        for _, task, args, queue, status, attempts, due_at, unique_key, lock in rows:
            packed = opened(args)
            is_dead = status == "failed"
            asked_at = datetime.fromisoformat(packed["asked_at"])
            died_at = datetime.fromisoformat(packed["died_at"]) if "died_at" in packed else asked_at
            parcels.append(
                Parcel(
                    task=task,
                    args=packed["args"],
                    queue=queue,
                    due_at=None if is_dead else due_at or asked_at,
                    died_at=died_at if is_dead else None,
                    attempts=attempts,
                    max_attempts=packed["max_attempts"],
                    unique_key=unique_key,
                    order_key=packed.get("order_key", lock),
                    error_class=packed.get("error_class", ""),
                    error=packed.get("error", ""),
                )
            )
        return parcels

    def unpack(self, parcels: Sequence[Parcel]) -> None:
        now = clock.now()
        with connection.cursor() as cursor:
            for parcel in parcels:
                packed = envelope(parcel.args, parcel.max_attempts)
                # one that has failed keeps its place in its order; one that never ran joins it when it is due
                is_delayed = parcel.due_at is not None and parcel.due_at > now and not parcel.attempts
                if is_delayed and parcel.order_key is not None:
                    packed["order_key"] = parcel.order_key
                if parcel.error_class:
                    packed |= {"error_class": parcel.error_class, "error": parcel.error}
                if parcel.died_at:
                    packed["died_at"] = parcel.died_at.isoformat()
                values = [
                    parcel.task,
                    json.dumps(packed),
                    parcel.queue,
                    "failed" if parcel.due_at is None else "todo",
                    parcel.attempts,
                    parcel.due_at,
                    parcel.unique_key,
                    None if is_delayed else parcel.order_key,
                ]
                cursor.execute(UNPACK, values)

    def worker(
        self,
        *,
        threads: int,
        queues: Sequence[str] | None,
        lease: timedelta,
        poll: timedelta,
        clockwork: bool,
    ) -> ThreadedWorker[Held]:
        shift = Shift()
        return ThreadedWorker(
            shift,
            threads=threads,
            queues=queues,
            lease=lease,
            poll=poll,
            clockwork=clockwork,
            ears=shift.listen,
        )

    def is_there(self) -> bool:
        """Whether this database has procrastinate's tables: they come with `migrate` when the engine is chosen."""
        if connection.vendor != "postgresql":
            return False
        return self._first("SELECT to_regclass('procrastinate_jobs')") is not None

    @staticmethod
    def _rows(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def _first(self, statement: str, values: Sequence[Any] = ()) -> Any:
        rows = self._rows(statement, values)
        return rows[0][0] if rows else None

    def _one(self, statement: str, values: Sequence[Any]) -> int:
        return int(self._first(statement, values))
