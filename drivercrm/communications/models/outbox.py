"""What is still to be sent. Its id becomes the communication's id (spec §2, §5.2)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import Channel, MessageType, OutboxState
from drivercrm.communications.models.accounts import ChannelAccount
from drivercrm.communications.models.history import Communication
from drivercrm.communications.models.texts import MessageTemplate
from drivercrm.consent.enums import Purpose
from drivercrm.consent.formula import Ground
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver

GROUNDS = [(ground.value, ground.value) for ground in Ground]


class OutboxMessage(models.Model):
    """One message to one driver, from the moment that somebody wants it until a provider has it or nobody wants it.

    `order_key` is driver and channel: the messages of one go out in the order of their ids.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="outbox", db_index=False)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    channel_because = models.CharField(max_length=200, blank=True, default="")
    message_type = models.CharField(max_length=10, choices=MessageType.choices)
    purpose = models.CharField(max_length=9, choices=Purpose.choices)
    ground = models.CharField(max_length=12, choices=GROUNDS)
    is_by_person = models.BooleanField(default=False, help_text="A person wrote it to this driver alone.")
    is_unasked = models.BooleanField(
        default=False, help_text="Bulk, scheduled or automatic: waits for quiet hours to end."
    )
    is_first = models.BooleanField(
        default=False, help_text="Left outside the driver's window: counts towards the messaging limit."
    )

    subject = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField(blank=True, default="")
    template = models.ForeignKey(
        MessageTemplate, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    values = models.JSONField(default=dict, help_text="Of the template's variables.")
    files = models.JSONField(default=list, help_text="Ids of stored files.")
    quotes = models.ForeignKey(
        Communication, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    state = models.CharField(max_length=9, choices=OutboxState.choices, default=OutboxState.QUEUED)
    due_at = models.DateTimeField(default=clock.now, help_text="Not before this moment.")
    reason = models.CharField(
        max_length=40, blank=True, default="", help_text="Why held, cancelled or refused."
    )
    reason_words = models.CharField(max_length=500, blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim.")
    account = models.ForeignKey(
        ChannelAccount, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    address_kind = models.CharField(max_length=20, blank=True, default="")
    address = models.CharField(max_length=254, blank=True, default="")
    sending_at = models.DateTimeField(null=True)
    first_tried_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=255, blank=True, default="")
    is_sandbox = models.BooleanField(default=False, help_text="Shown in the thread, and nowhere else.")

    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    # what asked for it: one message for each cause, however often it is asked (a STOP, a campaign's recipient)
    cause = models.CharField(max_length=120, null=True, unique=True)
    again_of = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        db_table = "outbox"
        constraints = [
            models.CheckConstraint(name="outbox_channel", condition=Q(channel__in=Channel.values)),
            models.CheckConstraint(name="outbox_state", condition=Q(state__in=OutboxState.values)),
            models.CheckConstraint(name="outbox_type", condition=Q(message_type__in=MessageType.values)),
            models.CheckConstraint(name="outbox_purpose", condition=Q(purpose__in=Purpose.values)),
            models.CheckConstraint(
                name="outbox_ground", condition=Q(ground__in=[one.value for one in Ground])
            ),
            models.UniqueConstraint(
                fields=["driver", "channel"],
                condition=Q(state=OutboxState.SENDING),
                name="outbox_one_sending_per_driver",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "due_at", "id"],
                name="outbox_due",
                condition=Q(state__in=[OutboxState.QUEUED, OutboxState.HELD]),
            ),
            models.Index(
                fields=["sending_at"], name="outbox_sending", condition=Q(state=OutboxState.SENDING)
            ),
            models.Index(fields=["id"], name="outbox_in_doubt", condition=Q(state=OutboxState.IN_DOUBT)),
            models.Index(fields=["driver", "-id"], name="outbox_of_driver"),
            models.Index(
                fields=["account", "provider_id"],
                name="outbox_of_provider",
                condition=~Q(provider_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.state}"
