"""The inbox: one thread for each driver over all channels, and what colleagues note in it (spec §5.6)."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver


class Thread(models.Model):
    """Where one driver's conversation stands. All but the person and the snooze follow from the messages."""

    driver = models.OneToOneField(Driver, primary_key=True, on_delete=models.CASCADE, related_name="thread")
    last_at = models.DateTimeField(help_text="The latest message, call or note.")
    last_inbound_at = models.DateTimeField(null=True)
    unread_count = models.PositiveIntegerField(default=0)
    waiting_since = models.DateTimeField(null=True, help_text="The oldest message that nobody has answered.")
    failed_at = models.DateTimeField(null=True, help_text="The latest of ours failed or is in doubt.")
    holds_automation = models.BooleanField(
        default=False, help_text="A message contains a stop word: somebody must look."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="threads", db_index=False
    )
    snoozed_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "threads"
        indexes = [
            models.Index(fields=["-last_at", "driver"], name="thread_newest"),
            models.Index(fields=["owner", "-last_at", "driver"], name="thread_of_owner"),
            models.Index(
                fields=["waiting_since", "driver"],
                name="thread_waiting",
                condition=Q(waiting_since__isnull=False),
            ),
            models.Index(
                fields=["-last_at", "driver"], name="thread_unread", condition=Q(unread_count__gt=0)
            ),
            models.Index(
                fields=["-failed_at", "driver"], name="thread_failed", condition=Q(failed_at__isnull=False)
            ),
            models.Index(
                fields=["snoozed_until", "driver"],
                name="thread_snoozed",
                condition=Q(snoozed_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Note(models.Model):
    """Something a colleague wrote in a driver's thread, for colleagues only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="thread_notes")
    text = models.TextField()
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "thread_notes"

    def __str__(self) -> str:
        return str(self.pk)
