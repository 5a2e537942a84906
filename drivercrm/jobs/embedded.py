"""The engine without a service: one lease table, the same code on SQLite and PostgreSQL (docs/adr/0003)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Q

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import leases
from drivercrm.jobs.enums import JobState
from drivercrm.jobs.models import Job
from drivercrm.jobs.port import DeadLetter, Depth, Parcel, Task
from drivercrm.jobs.worker import ThreadedWorker


class Embedded:
    """The port on the table `jobs`."""

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
        job = Job(
            task=task.name,
            args=args,
            queue=queue,
            due_at=run_at or clock.now(),
            unique_key=unique_key,
            order_key=order_key,
            max_attempts=max_attempts,
        )
        if unique_key is None:
            job.save(force_insert=True)
        else:
            # the needless update locks a waiting twin: it must not start before our caller has committed
            Job.objects.bulk_create(
                [job], update_conflicts=True, unique_fields=["unique_key"], update_fields=["unique_key"]
            )
        transaction.on_commit(leases.wake.set)
        return job.pk

    def retry(self, job_id: int) -> str | None:
        dead = Job.objects.filter(pk=job_id, state=JobState.DEAD)
        task = dead.values_list("task", flat=True).first()
        found = dead.update(
            state=JobState.WAITING, due_at=clock.now(), died_at=None, attempts=0, error_class="", error=""
        )
        transaction.on_commit(leases.wake.set)
        return task if found else None

    def discard(self, job_id: int) -> str | None:
        dead = Job.objects.filter(pk=job_id, state=JobState.DEAD)
        task = dead.values_list("task", flat=True).first()
        return task if dead.delete()[0] else None

    def depths(self) -> list[Depth]:
        rows = (
            Job.objects.order_by("queue")
            .values_list("queue")
            .annotate(
                waiting=Count("id", filter=Q(state=JobState.WAITING)),
                running=Count("id", filter=Q(state=JobState.RUNNING)),
                dead=Count("id", filter=Q(state=JobState.DEAD)),
            )
        )
        return [Depth(queue, waiting, running, dead) for queue, waiting, running, dead in rows]

    def oldest_waiting_age(self) -> timedelta | None:
        now = clock.now()
        oldest = Job.objects.filter(state=JobState.WAITING, due_at__lte=now).aggregate(at=Min("due_at"))["at"]
        return now - oldest if oldest else None

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        columns = ("id", "task", "args", "queue", "attempts", "error_class", "error", "died_at")
        rows = Job.objects.filter(state=JobState.DEAD).order_by("-died_at", "-id")
        return [DeadLetter(**row) for row in rows.values(*columns)[:limit]]

    def pack(self) -> list[Parcel]:
        now = clock.now()
        rows = list(Job.objects.select_for_update().order_by("id"))
        if any(row.state == JobState.RUNNING and row.due_at and row.due_at > now for row in rows):
            raise Refused(
                "jobs_run",
                "A worker of the embedded engine still holds a job. Stop all workers, then wait 30 seconds.",
            )
        Job.objects.filter(pk__in=[row.pk for row in rows]).delete()
        return [
            Parcel(
                task=row.task,
                args=row.args,
                queue=row.queue,
                due_at=row.due_at,
                died_at=row.died_at,
                attempts=row.attempts,
                max_attempts=row.max_attempts,
                unique_key=row.unique_key,
                order_key=row.order_key,
                error_class=row.error_class,
                error=row.error,
            )
            for row in rows
        ]

    def unpack(self, parcels: Sequence[Parcel]) -> None:
        known = Job.objects.exclude(unique_key=None).values_list("unique_key", flat=True)
        taken = set(known)
        Job.objects.bulk_create(
            Job(state=JobState.DEAD if parcel.due_at is None else JobState.WAITING, **vars(parcel))
            for parcel in parcels
            if parcel.unique_key not in taken
        )

    def worker(
        self,
        *,
        threads: int,
        queues: Sequence[str] | None,
        lease: timedelta,
        poll: timedelta,
        clockwork: bool,
    ) -> ThreadedWorker[Job]:
        return ThreadedWorker(
            leases, threads=threads, queues=queues, lease=lease, poll=poll, clockwork=clockwork
        )
