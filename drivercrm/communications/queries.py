"""Reads of what was said, and of what is still to be sent."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from drivercrm.channels.provider import Address, AddressKind, Failure
from drivercrm.communications.enums import (
    AccountState,
    Approval,
    Channel,
    CommunicationStatus,
    Direction,
    MessageKind,
    OutboxState,
)
from drivercrm.communications.models import ChannelAccount, Communication, MessageTemplate, OutboxMessage
from drivercrm.core import clock
from drivercrm.core.addresses import mail_key
from drivercrm.drivers.models import ChannelIdentity, Driver

WINDOW = timedelta(hours=24)
MARGIN = timedelta(minutes=5)  # what is written now arrives a little later
# What a person wrote: reactions, notices and automatic answers open nothing and answer nothing.
WRITTEN = (MessageKind.TEXT, MessageKind.FILE, MessageKind.BUTTON, MessageKind.LOCATION, MessageKind.CONTACT)
MESSAGING = (Channel.WHATSAPP, Channel.TELEGRAM, Channel.EMAIL)


# Addresses

KINDS: dict[str, tuple[AddressKind, ...]] = {
    Channel.WHATSAPP: (AddressKind.BUSINESS_SCOPED_ID, AddressKind.WHATSAPP_ID, AddressKind.PHONE),
    Channel.TELEGRAM: (AddressKind.TELEGRAM_CHAT,),
    Channel.EMAIL: (AddressKind.EMAIL,),
}


def address_on(driver: Driver, channel: str) -> Address | None:
    """Where a message on this channel goes: the surest identity that is the driver's alone; None without one."""
    own = ChannelIdentity.objects.filter(
        driver=driver, until__isnull=True, kind__in=[str(kind) for kind in KINDS.get(channel, ())]
    )
    values = {identity.kind: identity.value for identity in own.order_by("since")}
    if channel == Channel.WHATSAPP:
        for kind in (AddressKind.BUSINESS_SCOPED_ID, AddressKind.WHATSAPP_ID):
            if kind in values:
                # lists write numbers there; what the provider itself told us has no plus
                is_number = values[kind].startswith("+")
                return Address(AddressKind.PHONE if is_number else kind, values[kind])
        number = driver.whatsapp_address
        return Address(AddressKind.PHONE, number) if number else None
    for kind in KINDS.get(channel, ()):
        if kind in values:
            return Address(kind, values[kind])
    return None


# Accounts


def account_of(channel: str) -> ChannelAccount | None:
    """The account that messages of this channel leave by; None where there is none."""
    return ChannelAccount.objects.filter(channel=channel).exclude(state=AccountState.DISCONNECTED).first()


# What was said


def last_wrote_at(driver_id: UUID, channel: str) -> datetime | None:
    """When the driver last wrote on this channel, by the provider's time; a lone STOP counts too."""
    said = Communication.objects.filter(
        driver_id=driver_id, channel=channel, direction=Direction.INBOUND, kind__in=WRITTEN
    )
    return said.order_by("-sent_at").values_list("sent_at", flat=True).first()


@dataclass(frozen=True)
class Window:
    """How long anything may be written; after it only approved templates. `until` is None where it is shut."""

    until: datetime | None

    @property
    def is_open(self) -> bool:
        return self.until is not None and clock.now() < self.until


def window_of(driver_id: UUID) -> Window:
    """WhatsApp's customer service window: a day from the driver's latest message, less a margin (channels.md §1.4).

    The provider's word that it is shut is the truth, until the driver writes again.
    """
    wrote = last_wrote_at(driver_id, Channel.WHATSAPP)
    if wrote is None:
        return Window(None)
    told = OutboxMessage.objects.filter(
        driver_id=driver_id,
        channel=Channel.WHATSAPP,
        reason=Failure.NEEDS_TEMPLATE,
        settled_at__gt=wrote,
    )
    return Window(None if told.exists() else wrote + WINDOW - MARGIN)


# The outbox

UNSETTLED = (OutboxState.QUEUED, OutboxState.HELD, OutboxState.SENDING, OutboxState.IN_DOUBT)
RETRY_HOLDS = timedelta(minutes=15)


def goes_first(message: OutboxMessage) -> bool:
    """Whether an earlier message of the driver on this channel must leave before this one (spec §5.2).

    One that is leaving, one that waits for its next attempt (a quarter of an hour at most), one that is due.
    """
    now = clock.now()
    earlier = OutboxMessage.objects.filter(
        driver_id=message.driver_id, channel=message.channel, pk__lt=message.pk
    )
    waits_for_retry = Q(state=OutboxState.QUEUED, attempts__gt=0, first_tried_at__gt=now - RETRY_HOLDS)
    is_due = Q(state=OutboxState.QUEUED, attempts=0, due_at__lte=now)
    leaving = Q(state=OutboxState.SENDING)
    return earlier.filter(waits_for_retry | is_due | leaving).exists()


def written_first(account: ChannelAccount) -> set[UUID]:
    """The drivers whom this account has written to outside their window in the last 24 hours (channels.md §1.7)."""
    return set(
        OutboxMessage.objects.filter(
            account=account,
            is_first=True,
            sending_at__gt=clock.now() - WINDOW,
            state__in=[OutboxState.SENDING, OutboxState.IN_DOUBT, OutboxState.ACCEPTED],
        ).values_list("driver_id", flat=True)
    )


# Texts


def approved(template: MessageTemplate | None) -> bool:
    """Whether the provider lets this template open a conversation."""
    return template is not None and template.approval == Approval.APPROVED


# Tokens of answers by mail


def reply_token(message_id: UUID) -> str:
    """What comes back in the address that an answer goes to: nobody can make one up."""
    return f"{message_id.hex}{_seal(message_id)}"


def read_reply_token(token: str) -> UUID | None:
    """The message that an answer's address names; None for a made-up one."""
    text = token.strip().lower()
    try:
        message_id = UUID(hex=text[:32])
    except ValueError:
        return None
    return message_id if hmac.compare_digest(text[32:], _seal(message_id)) else None


def _seal(message_id: UUID) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), b"reply:" + message_id.bytes, hashlib.sha256).hexdigest()[
        :20
    ]


def unanswered(driver_id: UUID, channel: str, after: datetime) -> Communication | None:
    """The latest message of ours on a channel that did not fail, no older than `after`."""
    ours = Communication.objects.filter(
        driver_id=driver_id, channel=channel, direction=Direction.OUTBOUND, sent_at__gte=after
    )
    return ours.exclude(status=CommunicationStatus.FAILED).order_by("-sent_at", "-id").first()


# Who wrote


def holders_of(addresses: Iterable[Address]) -> list[UUID]:
    """The drivers who have one of these addresses, the surest kind that anybody has deciding (spec §2).

    A WhatsApp id is opaque, and often a number without its plus: both are looked for.
    """
    for address in addresses:
        values = _spellings(address)
        kinds = [str(address.kind)]
        if address.kind == AddressKind.WHATSAPP_ID:
            kinds.append(str(AddressKind.PHONE))
        held = ChannelIdentity.objects.filter(kind__in=kinds, value__in=values, until__isnull=True)
        found = list(held.order_by("driver_id").values_list("driver_id", flat=True).distinct())
        if not found and address.kind in {AddressKind.WHATSAPP_ID, AddressKind.PHONE}:
            numbers = [value for value in values if value.startswith("+")]
            on_record = Driver.objects.filter(Q(phone__in=numbers) | Q(whatsapp_number__in=values))
            found = list(on_record.order_by("pk").values_list("pk", flat=True))
        if found:
            return found
    return []


def _spellings(address: Address) -> list[str]:
    if address.kind == AddressKind.EMAIL:
        return [mail_key(address.value)]
    digits = address.value.removeprefix("+")
    if address.kind == AddressKind.WHATSAPP_ID and digits.isdigit():
        return [digits, f"+{digits}"]
    return [address.value]


def template_for(name: str, channel: str, language: str = "") -> MessageTemplate | None:
    """The present version of a text, in the driver's language where there is one, else in English."""
    present = MessageTemplate.objects.filter(name=name, channel=channel, is_current=True)
    found = {template.language: template for template in present}
    return found.get(language) or found.get("en") or next(iter(found.values()), None)
