"""Who may be told what, with proof: an append-only ledger and its projection (spec §4)."""

from django.db import models
from django.db.models import Q

from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver


class ConsentEvent(models.Model):
    """One thing a driver said about being contacted, or that was asked of them. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    driver = models.ForeignKey(
        Driver, on_delete=models.CASCADE, related_name="consent_events", db_index=False
    )
    channel = models.CharField(max_length=8, choices=ConsentChannel.choices)
    purpose = models.CharField(max_length=9, choices=Purpose.choices)
    kind = models.CharField(max_length=9, choices=ConsentEventKind.choices)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    source = models.CharField(max_length=40)
    wording = models.CharField(max_length=500, blank=True, default="")
    evidence = models.CharField(max_length=500, blank=True, default="")
    actor = models.CharField(max_length=80)
    act = models.UUIDField()

    class Meta:
        db_table = "consent_events"
        indexes = [
            models.Index(fields=["driver", "-id"], name="consent_event_of_driver"),
            models.Index(fields=["act"], name="consent_event_act"),
        ]
        constraints = [
            models.CheckConstraint(
                name="consent_event_channel", condition=Q(channel__in=ConsentChannel.values)
            ),
            models.CheckConstraint(name="consent_event_purpose", condition=Q(purpose__in=Purpose.values)),
            models.CheckConstraint(name="consent_event_kind", condition=Q(kind__in=ConsentEventKind.values)),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.kind}"


class Consent(models.Model):
    """What the ledger says now, per driver, channel and purpose; *never asked* has no row."""

    id = models.BigAutoField(primary_key=True)
    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="consents", db_index=False)
    channel = models.CharField(max_length=8, choices=ConsentChannel.choices)
    purpose = models.CharField(max_length=9, choices=Purpose.choices)
    state = models.CharField(max_length=11, choices=ConsentState.choices)
    since = models.DateTimeField()

    class Meta:
        db_table = "consents"
        indexes = [models.Index(fields=["channel", "purpose", "state", "driver"], name="consent_by_state")]
        constraints = [
            models.UniqueConstraint(fields=["driver", "channel", "purpose"], name="consent_once"),
            models.CheckConstraint(name="consent_channel", condition=Q(channel__in=ConsentChannel.values)),
            models.CheckConstraint(name="consent_purpose", condition=Q(purpose__in=Purpose.values)),
            models.CheckConstraint(
                name="consent_state",
                condition=Q(state__in=[ConsentState.ASKED, ConsentState.GRANTED, ConsentState.WITHDRAWN]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose}: {self.state}"


class Welcome(models.Model):
    """The one message that somebody who was never asked may get, ever, over all channels (spec §4).

    The row is written in the commit that marks the welcome as sending, and the key lets one in. It goes only when
    the provider has refused the message for certain: then nobody has had it.
    """

    driver = models.OneToOneField(Driver, primary_key=True, on_delete=models.CASCADE, related_name="welcome")
    message_id = models.UUIDField(help_text="Of the outbox.")
    channel = models.CharField(max_length=8, choices=ConsentChannel.choices)
    at = models.DateTimeField()

    class Meta:
        db_table = "welcomes"
        constraints = [
            models.CheckConstraint(name="welcome_channel", condition=Q(channel__in=ConsentChannel.values))
        ]

    def __str__(self) -> str:
        return self.channel


class SuppressedAddress(models.Model):
    """A keyed hash of an address whose holder said no on its channel; it outlives erasure and merging (spec §4).

    `is_everything`: the holder said stop to everything, so whoever comes in with the address starts that way.
    """

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=8, choices=ConsentChannel.choices)
    address_hash = models.CharField(max_length=64)
    is_everything = models.BooleanField(default=False)
    since = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "suppressed_addresses"
        constraints = [
            models.UniqueConstraint(fields=["channel", "address_hash"], name="address_suppressed_once"),
            models.CheckConstraint(name="suppressed_channel", condition=Q(channel__in=ConsentChannel.values)),
        ]

    def __str__(self) -> str:
        return self.get_channel_display()
