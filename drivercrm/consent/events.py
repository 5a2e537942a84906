"""What this room announces."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from drivercrm.journal.events import Event


@dataclass(frozen=True)
class ConsentGranted(Event):
    """These drivers agreed to be contacted, on these channels for these purposes."""

    name: ClassVar[str] = "consent.granted"
    driver_ids: list[UUID]
    channels: list[str]
    purposes: list[str]


@dataclass(frozen=True)
class ConsentWithdrawn(Event):
    """This driver said no, on these channels for these purposes; `reason` where somebody else said it for them."""

    name: ClassVar[str] = "consent.withdrawn"
    driver_ids: list[UUID]
    channels: list[str]
    purposes: list[str]
    reason: str = ""
