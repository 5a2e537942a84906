"""The tables of what is said: history, what is still to be sent, what came in, texts, threads, accounts."""

from drivercrm.communications.models.accounts import ChannelAccount
from drivercrm.communications.models.history import Communication, DeliveryEvent, StoredFile
from drivercrm.communications.models.incoming import RawBody, UnmatchedMessage
from drivercrm.communications.models.outbox import OutboxMessage
from drivercrm.communications.models.texts import CannedReply, MessageTemplate
from drivercrm.communications.models.threads import Note, Thread

__all__ = [
    "CannedReply",
    "ChannelAccount",
    "Communication",
    "DeliveryEvent",
    "MessageTemplate",
    "Note",
    "OutboxMessage",
    "RawBody",
    "StoredFile",
    "Thread",
    "UnmatchedMessage",
]
