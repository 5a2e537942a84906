"""The history of what was said, in both directions (seed `communications`)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import CallOutcome, Channel, CommunicationStatus, Direction, MessageType
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver


class Communication(models.Model):
    """One message or call that a provider accepted or refused, or that a person logged."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(
        Driver, on_delete=models.CASCADE, related_name="communications", db_index=False
    )

    channel = models.CharField(max_length=8, choices=Channel.choices)
    direction = models.CharField(max_length=8, choices=Direction.choices)
    message_type = models.CharField(max_length=10, choices=MessageType.choices)

    subject = models.CharField(max_length=300, blank=True, default="")
    message_body = models.TextField(blank=True, default="")
    attachments = models.JSONField(default=list)

    status = models.CharField(max_length=9, choices=CommunicationStatus.choices)
    response_received = models.BooleanField(default=False)
    response_time = models.PositiveIntegerField(null=True, help_text="Seconds until the reply.")

    sent_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    replied_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=80)

    recorded_at = models.DateTimeField(default=clock.now)
    call_outcome = models.CharField(max_length=12, choices=CallOutcome.choices, blank=True, default="")
    call_seconds = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "communications"
        indexes = [models.Index(fields=["driver", "-sent_at", "-id"], name="communication_of_driver")]
        constraints = [
            models.CheckConstraint(name="communication_channel", condition=Q(channel__in=Channel.values)),
            models.CheckConstraint(
                name="communication_direction", condition=Q(direction__in=Direction.values)
            ),
            models.CheckConstraint(
                name="communication_message_type", condition=Q(message_type__in=MessageType.values)
            ),
            models.CheckConstraint(
                name="communication_status", condition=Q(status__in=CommunicationStatus.values)
            ),
            models.CheckConstraint(
                name="communication_call_outcome", condition=Q(call_outcome__in=["", *CallOutcome.values])
            ),
            models.CheckConstraint(
                name="communication_call_is_phone", condition=Q(call_outcome="") | Q(channel=Channel.PHONE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.channel}"
