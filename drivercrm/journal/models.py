"""What happened, kept for ever, and who must still hear of it."""

from django.db import models
from django.db.models import Q

from drivercrm.core import clock


class Entry(models.Model):
    """Every change by a person, a token or a job: append-only (spec §2)."""

    name = models.CharField(max_length=60)
    at = models.DateTimeField(default=clock.now)
    actor = models.CharField(max_length=80)
    origin = models.CharField(max_length=4)
    driver_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)

    class Meta:
        db_table = "journal_entries"
        indexes = [
            models.Index(fields=["-at", "-id"], name="journal_newest"),
            models.Index(fields=["actor", "-at", "-id"], name="journal_of_actor"),
            models.Index(fields=["name", "-at", "-id"], name="journal_of_kind"),
            models.Index(
                fields=["driver_id", "-at"], name="journal_of_driver", condition=Q(driver_id__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="journal_origin", condition=Q(origin__in=["web", "api", "cli", "job"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} by {self.actor}"


class Change(models.Model):
    """The personal before and after of one field: erasable beside an entry that stays."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="changes")
    object_id = models.UUIDField()
    field = models.CharField(max_length=60)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        db_table = "journal_changes"
        indexes = [models.Index(fields=["object_id", "-id"], name="journal_change_of_object")]

    def __str__(self) -> str:
        return f"{self.field} of {self.object_id}"


class Delivery(models.Model):
    """One subscriber that must hear one entry. The row is the truth; a job only says “look here”."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    subscriber = models.CharField(max_length=120)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=clock.now)
    done_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "journal_deliveries"
        constraints = [
            models.UniqueConstraint(fields=["entry", "subscriber"], name="delivery_once_per_subscriber")
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="delivery_waiting", condition=Q(done_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} to {self.subscriber}"
