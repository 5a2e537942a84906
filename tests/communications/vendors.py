"""A vendor of our own: an in-memory provider that takes messages, refuses them, or leaves us in doubt, as told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from drivercrm.channels.provider import (
    Accepted,
    Attachment,
    Capabilities,
    Event,
    Knock,
    Outgoing,
    RemoteFile,
    Standing,
)
from drivercrm.communications.enums import ProviderKind
from drivercrm.communications.models import ChannelAccount
from drivercrm.core import clock


@dataclass
class Vendor:
    """Every message that it got, in order; `answers` are raised or called instead of accepting, first come."""

    got: list[Outgoing] = field(default_factory=list)
    answers: list[Exception | Callable[[Outgoing], Accepted]] = field(default_factory=list)
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            has_delivery=True,
            has_read=True,
            window=timedelta(hours=24),
            has_templates=True,
            longest_text=4096,
            per_second=1_000_000,
        )
    )

    def send(self, message: Outgoing) -> Accepted:
        self.got.append(message)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer(message) if answer else Accepted(f"vendor.{message.id.hex}", clock.now())

    def is_genuine(self, knock: Knock) -> bool:
        return True

    def greeting(self, knock: Knock) -> str | None:
        return None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        return []

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        raise NotImplementedError

    def check(self) -> Standing:
        return Standing("Vendor", "+27110000000")

    def close(self) -> None:
        """Nothing is open."""


def connect(monkeypatch: Any, channel: str = "whatsapp", **fields: Any) -> tuple[Vendor, ChannelAccount]:
    """A connected account of the channel whose provider is the vendor."""
    vendor = Vendor()
    fields.setdefault("provider", ProviderKind.CLOUD)
    account = ChannelAccount.objects.create(
        channel=channel, hook_token=f"hook-{channel}", created_by="user:test", **fields
    )
    monkeypatch.setattr(
        "drivercrm.communications.workflow.providers.MAKERS",
        dict.fromkeys(ProviderKind, lambda account, settings: vendor),
    )
    return vendor, account
