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


@dataclass(frozen=True)
class MessageQueued(Event):
    """Somebody or something wants a message to leave."""

    name: ClassVar[str] = "communication.queued"
    driver_id: UUID
    message_id: UUID
    channel: str
    message_type: str


@dataclass(frozen=True)
class MessageSent(Event):
    """A provider has taken a message over."""

    name: ClassVar[str] = "communication.sent"
    driver_id: UUID
    message_id: UUID
    channel: str
    message_type: str


@dataclass(frozen=True)
class MessageFailed(Event):
    """A provider has refused a message, or said later that it did not arrive."""

    name: ClassVar[str] = "communication.failed"
    driver_id: UUID
    message_id: UUID
    channel: str
    failure: str


@dataclass(frozen=True)
class MessageInDoubt(Event):
    """Nobody knows whether a message left: a receipt or a person settles it."""

    name: ClassVar[str] = "communication.in_doubt"
    driver_id: UUID
    message_id: UUID
    channel: str


@dataclass(frozen=True)
class MessageCancelled(Event):
    """A message will not leave: somebody took it back, or it may not."""

    name: ClassVar[str] = "communication.cancelled"
    driver_id: UUID
    message_id: UUID
    reason: str


@dataclass(frozen=True)
class OutboxCleared(Event):
    """All that a driver was still to get was taken back at once."""

    name: ClassVar[str] = "communication.outbox_cleared"
    driver_id: UUID
    messages: int
    reason: str


@dataclass(frozen=True)
class MessageReceived(Event):
    """A driver wrote."""

    name: ClassVar[str] = "communication.received"
    driver_id: UUID
    communication_id: UUID
    channel: str


@dataclass(frozen=True)
class MessageReplied(Event):
    """A driver's message answers one of ours."""

    name: ClassVar[str] = "communication.replied"
    driver_id: UUID
    communication_id: UUID
    answered_by: UUID
