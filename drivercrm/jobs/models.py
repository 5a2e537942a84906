"""The embedded engine's lease table, and the last tick of every line of the schedule."""

from django.db import models
from django.db.models import Q

from drivercrm.jobs.enums import JobState


class JobQuerySet(models.QuerySet["Job"]):
    def held(self, job: "Job") -> "JobQuerySet":
        """The row, as long as nobody has claimed it since this claim."""
        return self.filter(pk=job.pk, fence=job.fence, state=JobState.RUNNING)


class Job(models.Model):
    """One call to make. Finished jobs are deleted; the table holds what waits, runs or died."""

    task = models.CharField(max_length=100)
    args = models.JSONField(default=dict)
    queue = models.CharField(max_length=50)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.WAITING)
    # waiting: not before this moment; running: the end of the lease; dead: never
    due_at = models.DateTimeField(null=True)
    died_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField()
    # grows with every claim, so that a worker that lost its lease is known by its old number
    fence = models.PositiveBigIntegerField(default=0)
    # given up at the first claim: news that comes while the job runs needs another run
    unique_key = models.CharField(max_length=200, null=True, unique=True)
    order_key = models.CharField(max_length=200, null=True)
    error_class = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "jobs"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="jobs_state_known"),
            models.CheckConstraint(
                condition=Q(state=JobState.DEAD, due_at=None, died_at__isnull=False)
                | (~Q(state=JobState.DEAD) & Q(due_at__isnull=False, died_at=None)),
                name="jobs_dead_is_never_due",
            ),
            models.UniqueConstraint(
                fields=["order_key"],
                condition=Q(state=JobState.RUNNING),
                name="jobs_one_running_per_order_key",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="jobs_due"),
            models.Index(fields=["order_key", "id"], condition=Q(order_key__isnull=False), name="jobs_order"),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"


class Tick(models.Model):
    """The last moment for which a line of the schedule was enqueued."""

    line = models.CharField(max_length=200, unique=True)
    last_at = models.DateTimeField()

    class Meta:
        db_table = "job_ticks"

    def __str__(self) -> str:
        return self.line
