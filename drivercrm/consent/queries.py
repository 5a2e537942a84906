"""Reads of the ledger and its projection."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings

from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.formula import Facts
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress, Welcome
from drivercrm.core.addresses import mail_key
from drivercrm.core.bulk import ByIds
from drivercrm.core.phone import is_mobile
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver

IMPORTED = "import"  # the source of what a list granted

State = dict[tuple[str, str], str]

STATES = ByIds(
    lambda ids: Consent.objects.filter(driver_id__in=ids), ("driver_id", "channel", "purpose", "state")
)


def states(driver_ids: Iterable[UUID]) -> dict[UUID, State]:
    """(channel, purpose) → state of each driver, in one query; what is not there was never asked."""
    found: dict[UUID, State] = {pk: {} for pk in driver_ids}
    for pk, channel, purpose, state in STATES.read(found):
        found[pk][channel, purpose] = state
    return found


def state_of(states_of_driver: State, channel: str, purpose: str) -> str:
    """One state, *never asked* where the ledger is silent."""
    return states_of_driver.get((channel, purpose), ConsentState.NEVER_ASKED)


def from_ledger(driver_ids: Iterable[UUID]) -> dict[UUID, dict[tuple[str, str], ConsentEvent]]:
    """The event that decides each state, worked out from the ledger: the last grant or withdrawal by the time

    it happened (then by the time it was recorded), else the last question.
    """
    ids = list(driver_ids)
    events = ConsentEvent.objects.filter(driver_id__in=ids).order_by("at", "recorded_at", "id")
    return {pk: {} for pk in ids} | decided(events)


def decided(events: Iterable[ConsentEvent]) -> dict[UUID, dict[tuple[str, str], ConsentEvent]]:
    """The same for events already read, in their order."""
    found: dict[UUID, dict[tuple[str, str], ConsentEvent]] = {}
    for event in events:
        place = found.setdefault(event.driver_id, {})
        key = (event.channel, event.purpose)
        before = place[key].kind if key in place else ""
        if event.kind == ConsentEventKind.ASKED and before in {"granted", "withdrawn"}:
            continue
        if event.source == IMPORTED and event.kind == ConsentEventKind.GRANTED and before == "withdrawn":
            continue  # no list turns a no around, however late the no was learned
        place[key] = event
    return found


Address = tuple[str, str]


def addresses(
    *, phone: str | None, whatsapp_number: str | None, email: str | None, telegram_username: str | None
) -> list[Address]:
    """(channel, value) of each way to reach somebody; a mobile phone is the WhatsApp address too (spec §2)."""
    whatsapp = whatsapp_number or (phone if phone and is_mobile(phone) else None)
    found = {
        ConsentChannel.WHATSAPP: whatsapp,
        ConsentChannel.PHONE: phone,
        ConsentChannel.EMAIL: mail_key(email) if email else None,
        ConsentChannel.TELEGRAM: telegram_username.casefold() if telegram_username else None,
    }
    return [(str(channel), value) for channel, value in found.items() if value]


def addresses_of(driver: Driver) -> list[Address]:
    """The same for a driver's record."""
    return addresses(
        phone=driver.phone,
        whatsapp_number=driver.whatsapp_number,
        email=driver.email,
        telegram_username=driver.telegram_username,
    )


def address_hash(address: Address) -> str:
    """A keyed hash: it recognises an address, and gives none away to whoever reads the table."""
    key = settings.ADDRESS_KEY.encode()
    return hmac.new(key, ":".join(address).encode(), hashlib.sha256).hexdigest()


def suppressed(candidates: Iterable[Address]) -> dict[Address, bool]:
    """Which of these addresses belong to somebody who said no, and whether to everything (spec §4)."""
    hashes = {address_hash(address): address for address in candidates}
    channels = {channel for channel, _ in hashes.values()}
    rows = SuppressedAddress.objects.filter(channel__in=channels, address_hash__in=list(hashes))
    return {
        hashes[address_hash]: is_everything
        for address_hash, is_everything in rows.values_list("address_hash", "is_everything")
    }


@dataclass(frozen=True)
class Standing:
    """What stands for one channel and purpose, and the event that decided it; none where never asked."""

    channel: str
    purpose: str
    state: str
    event: ConsentEvent | None

    @property
    def label(self) -> str:
        """The purpose in words."""
        return str(Purpose(self.purpose).label)

    @property
    def state_label(self) -> str:
        """The state in words."""
        return str(ConsentState(self.state).label)


@dataclass(frozen=True)
class ChannelLine:
    """One channel of a driver: whether there is an address, and what stands for each purpose."""

    channel: str
    has_address: bool
    purposes: list[Standing]

    @property
    def label(self) -> str:
        """The channel in words."""
        return str(ConsentChannel(self.channel).label)

    @property
    def mark(self) -> str:
        """The state that the channel's icon shows: service, the driver's own matters."""
        return self.purposes[0].state if self.has_address else "none"


def events_of(driver: Driver) -> list[ConsentEvent]:
    """Everything this driver ever said or was asked, the first first."""
    return list(ConsentEvent.objects.filter(driver=driver).order_by("at", "recorded_at", "id"))


def overview(driver: Driver, events: Iterable[ConsentEvent] | None = None) -> list[ChannelLine]:
    """Every channel and purpose of one driver with the event that decided it; the driver's events, if at hand."""
    said = events_of(driver) if events is None else events
    standing = decided(said).get(driver.pk, {})
    addresses = {
        ConsentChannel.WHATSAPP: bool(driver.whatsapp_address),
        ConsentChannel.TELEGRAM: bool(driver.telegram_username),
        ConsentChannel.EMAIL: bool(driver.email),
        ConsentChannel.PHONE: bool(driver.phone),
    }
    return [
        ChannelLine(
            str(channel),
            has_address,
            [
                _standing(str(channel), purpose, standing.get((str(channel), purpose)))
                for purpose in Purpose.values
            ],
        )
        for channel, has_address in addresses.items()
    ]


def _standing(channel: str, purpose: str, event: ConsentEvent | None) -> Standing:
    return Standing(channel, purpose, event.kind if event else ConsentState.NEVER_ASKED, event)


@dataclass(frozen=True)
class ConsentAct:
    """What was said at one moment: the events that one act recorded together."""

    act: UUID
    kind: str
    at: datetime
    source: str
    evidence: str
    actor: str
    pairs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def covers(self) -> str:
        """“WhatsApp, Email: service” or “everything”."""
        channels = list(dict.fromkeys(channel for channel, _ in self.pairs))
        purposes = list(dict.fromkeys(purpose for _, purpose in self.pairs))
        if len(self.pairs) == len(ConsentChannel.values) * len(Purpose.values):
            return "everything"
        names = ", ".join(str(ConsentChannel(channel).label) for channel in channels)
        return f"{names}: {' and '.join(str(Purpose(purpose).label).lower() for purpose in purposes)}"


def as_acts(events: Iterable[ConsentEvent]) -> list[ConsentAct]:
    """Events put together by the act that recorded them, in their order."""
    acts: dict[tuple[UUID, str], ConsentAct] = {}
    for event in events:
        key = (event.act, event.kind)
        if key not in acts:
            acts[key] = ConsentAct(event.act, event.kind, event.at, event.source, event.evidence, event.actor)
        acts[key].pairs.append((event.channel, event.purpose))
    return list(acts.values())


def history(driver: Driver) -> list[ConsentAct]:
    """Everything this driver ever said or was asked about consent, the latest first."""
    return as_acts(ConsentEvent.objects.filter(driver=driver).order_by("-at", "-id"))


# Leaving


def facts(
    driver: Driver,
    *,
    channel: str,
    purpose: str,
    is_automatic: bool,
    last_wrote_at: datetime | None = None,
    has_open_ticket: bool = False,
    is_confirmed: bool = False,
    holds_automation: bool = False,
) -> Facts:
    """What stands about one driver for the decision whether a message may leave; what this room cannot know is given.

    Call it under the driver's lock, in the transaction that marks the message *sending*.
    """
    known = states([driver.pk])[driver.pk]
    own = [address for address in addresses_of(driver) if address[0] == channel]
    return Facts(
        channel=channel,
        purpose=purpose,
        states=known,
        is_opted_out=driver.onboarding_status == OnboardingStatus.OPTED_OUT,
        is_suppressed=bool(own and suppressed(own)),
        is_welcomed=Welcome.objects.filter(driver=driver).exists(),
        last_wrote_at=last_wrote_at,
        said_no_at=_said_no_at(driver, channel, known),
        has_open_ticket=has_open_ticket,
        is_confirmed=is_confirmed,
        holds_automation=holds_automation,
        is_automatic=is_automatic,
    )


def _said_no_at(driver: Driver, channel: str, known: State) -> datetime | None:
    """The latest no on a channel that still stands for one of its purposes."""
    if all(state != ConsentState.WITHDRAWN for (of, _), state in known.items() if of == channel):
        return None
    said = ConsentEvent.objects.filter(driver=driver, channel=channel, kind=ConsentEventKind.WITHDRAWN)
    return said.order_by("-at").values_list("at", flat=True).first()


def welcomed(driver_ids: Iterable[UUID]) -> set[UUID]:
    """Those who have had the one welcome."""
    return set(Welcome.objects.filter(driver_id__in=list(driver_ids)).values_list("driver_id", flat=True))
