"""What came in before it is understood, and what nobody could be found for (spec §5.3)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import RawState, UnmatchedState
from drivercrm.communications.models.accounts import ChannelAccount
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver


class RawBody(models.Model):
    """A genuine webhook or polled event, byte for byte; kept 30 days after it was understood."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ChannelAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body: the same again is the same.")
    body = models.BinaryField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=7, choices=RawState.choices, default=RawState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=200, blank=True, default="")
    events = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "raw_bodies"
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="raw_body_once"),
            models.CheckConstraint(name="raw_body_state", condition=Q(state__in=RawState.values)),
        ]
        indexes = [
            models.Index(fields=["id"], name="raw_body_waiting", condition=Q(state=RawState.WAITING)),
            models.Index(fields=["received_at"], name="raw_body_old"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class UnmatchedMessage(models.Model):
    """A message from somebody we do not know, or of two who share an address, until a person settles whose it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(ChannelAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=320)
    sender_key = models.CharField(
        max_length=300, help_text="The surest address: one person's messages share it."
    )
    addresses = models.JSONField(default=list, help_text="(kind, value), the surest first.")
    name = models.CharField(max_length=200, blank=True, default="")
    at = models.DateTimeField()
    text = models.TextField(blank=True, default="")
    event = models.JSONField(
        default=dict, help_text="All of it, to be received once it is known whose it is."
    )
    why = models.CharField(max_length=200, blank=True, default="")
    recorded_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=9, choices=UnmatchedState.choices, default=UnmatchedState.WAITING)
    driver = models.ForeignKey(Driver, null=True, on_delete=models.SET_NULL, related_name="+")
    settled_by = models.CharField(max_length=80, blank=True, default="")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "unmatched_messages"
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="unmatched_once"),
            models.CheckConstraint(name="unmatched_state", condition=Q(state__in=UnmatchedState.values)),
        ]
        indexes = [
            models.Index(
                fields=["sender_key", "at"],
                name="unmatched_waiting",
                condition=Q(state=UnmatchedState.WAITING),
            )
        ]

    def __str__(self) -> str:
        return self.name
