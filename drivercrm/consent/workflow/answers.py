"""The door to opted out and back: grant and withdraw, each with its proof (spec §4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.events import ConsentGranted, ConsentWithdrawn
from drivercrm.consent.workflow.addresses import bind, free, sharers_of
from drivercrm.consent.workflow.ledger import ALL_CHANNELS, ALL_PURPOSES, is_no_to_everything, write
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked, locked_one, locked_with
from drivercrm.journal import workflow as journal

BY_ADDRESS = "Somebody with this address said no"


def grant(
    driver: Driver,
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: str,
    evidence: str,
    by: Actor,
    wording: str = "",
    at: datetime | None = None,
) -> None:
    """The driver agreed. A person who records it names the evidence; an opted-out driver comes back (spec §3)."""
    check(channels, purposes)
    if not evidence.strip():
        raise Refused(
            "evidence_missing",
            "Say how the driver agreed, for example “phone call, 12 Nov”.",
            field="evidence",
        )
    moment = _not_in_future(at)
    with transaction.atomic():
        one = locked_one(driver.pk)
        pairs = [(channel, purpose) for channel in channels for purpose in purposes]
        write([one], ConsentEventKind.GRANTED, pairs, source, evidence, wording, by, moment, uuid7())
        # a paper of May that is found after a stop of June grants nothing, and frees no address
        granted = {
            channel
            for (channel, _), state in queries.states([driver.pk])[driver.pk].items()
            if state == ConsentState.GRANTED
        }
        if granted & set(channels):
            free(one, granted & set(channels))
        if one.onboarding_status == OnboardingStatus.OPTED_OUT and granted:
            drivers.opt_in_again(one, by=by, at=moment, reason=f"Consent granted: {source}")
        journal.announce(
            ConsentGranted([driver.pk], list(channels), list(purposes)), by=by, driver_id=driver.pk
        )
    driver.refresh_from_db()


def withdraw(
    driver: Driver,
    *,
    channels: Sequence[str] = ALL_CHANNELS,
    purposes: Sequence[str] = ALL_PURPOSES,
    source: str,
    by: Actor,
    evidence: str = "",
    wording: str = "",
    at: datetime | None = None,
    act: UUID | None = None,
) -> None:
    """The driver said no. Everything, or the last granted channel, withdrawn → opted out (spec §4).

    It binds the driver's address on every channel that is left without a yes, and with it whoever else has that
    address. A withdrawal is never refused for want of proof.
    """
    check(channels, purposes)
    moment = _not_in_future(at)
    pairs = [(channel, purpose) for channel in channels for purpose in purposes]
    with transaction.atomic():
        one, others = locked_with(driver.pk, sharers_of(driver))
        _withdraw(one, pairs, source=source, evidence=evidence, wording=wording, by=by, at=moment, act=act)
        bound = bind(one, set(channels))
        for other in others:
            held = {channel for channel, value in queries.addresses_of(other) if (channel, value) in bound}
            _withdraw_address(other, held, by=by, at=moment, act=act)
        journal.announce(
            ConsentWithdrawn([driver.pk], list(channels), list(purposes)), by=by, driver_id=driver.pk
        )
    driver.refresh_from_db()


def _withdraw(
    driver: Driver,
    pairs: Sequence[tuple[str, str]],
    *,
    source: str,
    by: Actor,
    at: datetime,
    evidence: str = "",
    wording: str = "",
    act: UUID | None = None,
) -> None:
    """Writes the no, and opts out by what the ledger then says: nothing left, or nothing but no."""
    before = queries.states([driver.pk])[driver.pk]
    write([driver], ConsentEventKind.WITHDRAWN, pairs, source, evidence, wording, by, at, act or uuid7())
    after = queries.states([driver.pk])[driver.pk]
    if ConsentState.GRANTED in after.values():
        return
    if is_no_to_everything(after) or ConsentState.GRANTED in before.values():
        drivers.opt_out(driver, by=by, at=at, reason=f"Consent withdrawn: {source}", act=act)


def _withdraw_address(
    driver: Driver, channels: Iterable[str], *, by: Actor, at: datetime, act: UUID | None = None
) -> bool:
    """Somebody said no with this driver's address: the channels that use it are withdrawn here too.

    The journal tells it of this driver as well. False when nothing was left to withdraw.
    """
    states = queries.states([driver.pk])[driver.pk]
    pairs = [
        (channel, purpose)
        for channel in channels
        for purpose in ALL_PURPOSES
        if states.get((channel, purpose)) != ConsentState.WITHDRAWN
    ]
    if pairs:
        _withdraw(driver, pairs, source="address", evidence=BY_ADDRESS, by=by, at=at, act=act)
        channels, purposes = (list(dict.fromkeys(part)) for part in zip(*pairs, strict=True))
        journal.announce(
            ConsentWithdrawn([driver.pk], channels, purposes, BY_ADDRESS), by=by, driver_id=driver.pk
        )
    return bool(pairs)


def carry_over_suppression(
    candidates: Sequence[Driver],
    *,
    by: Actor,
    at: datetime,
    act: UUID,
    only: Iterable[str] = ALL_CHANNELS,
    are_new: bool = True,
) -> list[UUID]:
    """Drivers with an address whose holder said no: its channel is withdrawn here too (spec §4).

    A new driver whose address said stop to everything starts as opted out. `only` names the channels whose
    address has just been set. Safe to repeat. Returns the drivers that it changed.
    """
    changed = []
    with transaction.atomic():
        present = locked(driver.pk for driver in candidates)
        own = {
            driver.pk: [address for address in queries.addresses_of(driver) if address[0] in set(only)]
            for driver in present
        }
        bound = queries.suppressed(address for found in own.values() for address in found)
        for driver in present:
            held = [address for address in own[driver.pk] if address in bound]
            everything = are_new and any(bound[address] for address in held)
            channels = ALL_CHANNELS if everything else [channel for channel, _ in held]
            if _withdraw_address(driver, channels, by=by, at=at, act=act):
                changed.append(driver.pk)
    return changed


def check(channels: Sequence[str], purposes: Sequence[str]) -> None:
    """Refuses channels and purposes that are none, and none at all."""
    for channel in channels:
        if channel not in ConsentChannel.values:
            raise Refused("unknown_channel", f"“{channel}” is not a channel.", field="channels")
    for purpose in purposes:
        if purpose not in Purpose.values:
            raise Refused("unknown_purpose", f"“{purpose}” is not a purpose.", field="purposes")
    if not channels or not purposes:
        raise Refused("nothing_chosen", "Choose at least one channel and one purpose.", field="channels")


def _not_in_future(at: datetime | None) -> datetime:
    now = clock.now()
    if at is not None and at > now:
        raise Refused("in_future", "This moment is in the future.", field="at")
    return at or now
