"""What this room announces."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from drivercrm.journal.events import Event


@dataclass(frozen=True)
class CallLogged(Event):
    """A person logged a phone call."""

    name: ClassVar[str] = "communication.call_logged"
    driver_id: UUID
    communication_id: UUID
    outcome: str
