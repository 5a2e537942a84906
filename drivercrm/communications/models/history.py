"""The history of what was said, in both directions (seed `communications`)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import (
    CallOutcome,
    Channel,
    CommunicationStatus,
    Direction,
    EventKind,
    FileState,
    MessageKind,
    MessageType,
)
from drivercrm.communications.models.accounts import ChannelAccount
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

    account = models.ForeignKey(
        ChannelAccount, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    provider_id = models.CharField(max_length=255, blank=True, default="")
    kind = models.CharField(max_length=9, choices=MessageKind.choices, default=MessageKind.TEXT)
    quotes = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="quoted_by")
    answers = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="answered_by",
        help_text="Inbound: the message of ours that it replies to. Outbound: the latest of theirs that it answers.",
    )
    is_by_person = models.BooleanField(default=False, help_text="Outbound: a person wrote it to this driver.")
    is_handled = models.BooleanField(default=False, help_text="Inbound: automation has dealt with it fully.")
    template = models.ForeignKey(
        "communications.MessageTemplate",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    quoted_text = models.TextField(blank=True, default="", help_text="Mail: with the quoted original.")
    failure = models.CharField(max_length=20, blank=True, default="")
    failure_code = models.CharField(max_length=20, blank=True, default="")
    failure_words = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "communications"
        indexes = [
            models.Index(fields=["driver", "-sent_at", "-id"], name="communication_of_driver"),
            # what an inbound without a quote may answer, and what a person's message answers
            models.Index(
                fields=["driver", "channel", "-sent_at"],
                name="communication_unanswered",
                condition=Q(replied_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "provider_id"],
                condition=~Q(provider_id=""),
                name="communication_once_per_account",
            ),
            models.CheckConstraint(name="communication_kind", condition=Q(kind__in=MessageKind.values)),
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


class DeliveryEvent(models.Model):
    """What a provider said of one of our messages, append-only; it may come before the message does (spec §5.3)."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ChannelAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=320)
    provider_id = models.CharField(max_length=255, blank=True, default="")
    other_id = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="By which answers quote the message, where it differs.",
    )
    our_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=9, choices=EventKind.choices)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    failure = models.CharField(max_length=20, blank=True, default="")
    failure_code = models.CharField(max_length=20, blank=True, default="")
    failure_words = models.CharField(max_length=500, blank=True, default="")
    communication = models.ForeignKey(
        Communication, null=True, on_delete=models.CASCADE, related_name="events"
    )

    class Meta:
        db_table = "delivery_events"
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="delivery_event_once"),
            models.CheckConstraint(name="delivery_event_kind", condition=Q(kind__in=EventKind.values)),
        ]
        indexes = [
            models.Index(
                fields=["account", "provider_id"],
                name="delivery_event_waiting",
                condition=Q(communication__isnull=True),
            ),
            models.Index(
                fields=["account", "other_id"], name="delivery_event_other", condition=~Q(other_id="")
            ),
            models.Index(
                fields=["our_id"],
                name="delivery_event_waiting_ours",
                condition=Q(communication__isnull=True, our_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class StoredFile(models.Model):
    """A file of a message, in either direction; its bytes stand under the uploads, by the digest of their content."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    communication = models.ForeignKey(
        Communication, null=True, on_delete=models.CASCADE, related_name="files"
    )
    state = models.CharField(max_length=7, choices=FileState.choices, default=FileState.PENDING)
    name = models.CharField(max_length=200, blank=True, default="")
    media_type = models.CharField(max_length=120, blank=True, default="", help_text="By its content.")
    size = models.PositiveBigIntegerField(null=True)
    digest = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256, hexadecimal.")
    remote = models.JSONField(default=dict, help_text="Where the provider has it.")
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=300, blank=True, default="")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "stored_files"
        constraints = [
            models.CheckConstraint(name="stored_file_state", condition=Q(state__in=FileState.values))
        ]
        indexes = [
            models.Index(
                fields=["created_at"], name="stored_file_pending", condition=Q(state=FileState.PENDING)
            )
        ]

    def __str__(self) -> str:
        return self.name
