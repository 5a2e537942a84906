"""The accounts with providers that messages leave by and come in through (spec §5.1)."""

from django.db import models
from django.db.models import Q

from drivercrm.communications.enums import AccountState, Channel, ProviderKind
from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.core.sealing import seal, unseal


class ChannelAccount(models.Model):
    """One number, bot or mailbox. A channel has one that is not disconnected; its settings are sealed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    provider = models.CharField(max_length=8, choices=ProviderKind.choices)
    name = models.CharField(max_length=120, blank=True, default="")
    address = models.CharField(max_length=254, blank=True, default="")
    sealed_settings = models.TextField(blank=True, default="")

    state = models.CharField(max_length=12, choices=AccountState.choices, default=AccountState.CONNECTED)
    halted_because = models.CharField(max_length=300, blank=True, default="")
    halted_at = models.DateTimeField(null=True)
    next_slot_at = models.DateTimeField(
        null=True,
        help_text="When the next message may leave: its rate, or a pause that the provider asked for.",
    )

    is_test_mode = models.BooleanField(default=False)
    test_addresses = models.JSONField(default=list, help_text="Where messages may go in test mode.")

    hook_token = models.CharField(max_length=64, unique=True)
    poll_cursor = models.CharField(max_length=120, blank=True, default="")
    last_heard_at = models.DateTimeField(null=True, help_text="The latest genuine webhook or poll.")
    last_forged_at = models.DateTimeField(null=True, help_text="The latest webhook with a wrong signature.")

    messaging_limit = models.PositiveIntegerField(null=True, help_text="New people in 24 hours.")
    quality = models.CharField(max_length=20, blank=True, default="")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "channel_accounts"
        constraints = [
            models.CheckConstraint(name="account_channel", condition=Q(channel__in=Channel.values)),
            models.CheckConstraint(name="account_provider", condition=Q(provider__in=ProviderKind.values)),
            models.CheckConstraint(name="account_state", condition=Q(state__in=AccountState.values)),
            models.UniqueConstraint(
                fields=["channel"],
                condition=~Q(state=AccountState.DISCONNECTED),
                name="account_one_per_channel",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.address}".strip()

    @property
    def is_sandbox(self) -> bool:
        return self.provider == ProviderKind.SANDBOX

    def read_settings(self) -> str:
        """The settings as JSON text. Raises Unreadable where the key has changed."""
        return unseal(self.sealed_settings) if self.sealed_settings else "{}"

    def keep_settings(self, text: str) -> None:
        """Seals settings given as JSON text."""
        self.sealed_settings = seal(text)
