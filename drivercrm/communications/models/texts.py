"""Texts that are written once and sent often (spec §2, §5)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import Approval, Channel, MessageType
from drivercrm.consent.enums import Purpose
from drivercrm.core import clock
from drivercrm.core.ids import uuid7


class MessageTemplate(models.Model):
    """One version of a text with named variables, for one channel and language; once sent, it never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    language = models.CharField(max_length=20, default="en")
    version = models.PositiveIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    message_type = models.CharField(max_length=10, choices=MessageType.choices)
    purpose = models.CharField(max_length=9, choices=Purpose.choices)
    subject = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField()
    buttons = models.JSONField(default=list, help_text="Quick replies: their words.")

    approval = models.CharField(max_length=8, choices=Approval.choices, default=Approval.NONE)
    approval_reason = models.CharField(max_length=300, blank=True, default="")
    category = models.CharField(max_length=20, blank=True, default="", help_text="The provider's.")
    quality = models.CharField(max_length=20, blank=True, default="")
    provider_name = models.CharField(max_length=512, blank=True, default="")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "message_templates"
        constraints = [
            models.UniqueConstraint(
                fields=["name", "channel", "language", "version"], name="template_version_once"
            ),
            models.UniqueConstraint(
                fields=["name", "channel", "language"],
                condition=Q(is_current=True),
                name="template_one_current",
            ),
            models.CheckConstraint(name="template_channel", condition=Q(channel__in=Channel.values)),
            models.CheckConstraint(name="template_type", condition=Q(message_type__in=MessageType.values)),
            models.CheckConstraint(name="template_purpose", condition=Q(purpose__in=Purpose.values)),
            models.CheckConstraint(name="template_approval", condition=Q(approval__in=Approval.values)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.channel}, {self.language}, {self.version})"


class CannedReply(models.Model):
    """A short answer that a person picks and edits; everybody's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    title = models.CharField(max_length=80, unique=True)
    body = models.TextField()
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "canned_replies"

    def __str__(self) -> str:
        return self.title
