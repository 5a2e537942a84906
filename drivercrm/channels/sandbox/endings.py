"""Made-up addresses at which something goes wrong, or comes otherwise than usual (docs/channels/sandbox.md).

A number or a Telegram chat ends in 0999 and three digits (+27 70 099 9001), a mail address in its word before the @
(thandi+unreachable@example.org).
"""

import re
from enum import StrEnum

from drivercrm.channels.provider import Address, AddressKind


class Channel(StrEnum):
    """What a sandbox stands for."""

    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    EMAIL = "email"


class Outcome(StrEnum):
    """What becomes of every message to an address."""

    USUAL = "usual"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    TEMPORARY = "temporary"
    RATE = "rate"
    IN_DOUBT = "doubt"
    CONTENT = "content"
    MARKETING_STOPPED = "nomarketing"
    NOT_NOW = "notnow"
    HELD = "held"
    NEVER_READ = "neverread"
    READ_ALONE = "readalone"
    NEVER_DELIVERED = "neverdelivered"
    RECIPIENT_RATE = "toofast"
    WINDOW_SHUT = "windowshut"


NUMBERS = {
    "001": Outcome.UNREACHABLE,
    "002": Outcome.BLOCKED,
    "003": Outcome.TEMPORARY,
    "004": Outcome.RATE,
    "005": Outcome.IN_DOUBT,
    "006": Outcome.CONTENT,
    "007": Outcome.MARKETING_STOPPED,
    "008": Outcome.NOT_NOW,
    "009": Outcome.HELD,
    "010": Outcome.NEVER_READ,
    "011": Outcome.READ_ALONE,
    "012": Outcome.NEVER_DELIVERED,
    "013": Outcome.RECIPIENT_RATE,
    "024": Outcome.WINDOW_SHUT,
}

CHANNELS = {
    AddressKind.PHONE: Channel.WHATSAPP,
    AddressKind.WHATSAPP_ID: Channel.WHATSAPP,
    AddressKind.BUSINESS_SCOPED_ID: Channel.WHATSAPP,
    AddressKind.TELEGRAM_CHAT: Channel.TELEGRAM,
    AddressKind.EMAIL: Channel.EMAIL,
}


def channel_of(address: Address) -> Channel:
    """The channel that an address belongs to."""
    return CHANNELS[address.kind]


def outcome_of(address: Address) -> Outcome:
    """What its ending asks for."""
    if address.kind == AddressKind.EMAIL:
        found = re.search(r"\+([a-z]+)@", address.value.lower())
        return Outcome(found[1]) if found and found[1] in set(Outcome) else Outcome.USUAL
    found = re.search(r"0999([0-9]{3})$", address.value)
    return NUMBERS.get(found[1], Outcome.USUAL) if found else Outcome.USUAL
