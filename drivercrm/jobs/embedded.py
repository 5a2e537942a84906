"""The engine without a service: one lease table, the same code on SQLite and PostgreSQL (docs/adr/0003)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Q

from drivercrm.core import clock
from drivercrm.jobs.enums import JobState
from drivercrm.jobs.leases import wake
from drivercrm.jobs.models import Job
from drivercrm.jobs.port import DeadLetter, Depth, Task
from drivercrm.jobs.worker import LeaseWorker


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
        transaction.on_commit(wake.set)
        return job.pk

    def retry(self, job_id: int) -> bool:
        found = Job.objects.filter(pk=job_id, state=JobState.DEAD).update(
            state=JobState.WAITING, due_at=clock.now(), died_at=None, attempts=0, error_class="", error=""
        )
        transaction.on_commit(wake.set)
        return found == 1

    def discard(self, job_id: int) -> bool:
        return Job.objects.filter(pk=job_id, state=JobState.DEAD).delete()[0] == 1

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

    def worker(
        self,
        *,
        threads: int,
        queues: Sequence[str] | None,
        lease: timedelta,
        poll: timedelta,
        clockwork: bool,
    ) -> LeaseWorker:
        return LeaseWorker(threads=threads, queues=queues, lease=lease, poll=poll, clockwork=clockwork)
