"""The door to opted out and back: grant, withdraw, ask, each with its proof (spec §4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q
from django.db.models.functions import Lower

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.events import ConsentGranted, ConsentWithdrawn
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.bulk import insert_rows
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.drivers.queries import locked
from drivercrm.journal import workflow as journal

CHUNK = 500
ALL_CHANNELS = tuple(ConsentChannel.values)
ALL_PURPOSES = tuple(Purpose.values)


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
    _check(channels, purposes)
    if not evidence.strip():
        raise Refused(
            "evidence_missing",
            "Say how the driver agreed, for example “phone call, 12 Nov”.",
            field="evidence",
        )
    moment = _not_in_future(at)
    with transaction.atomic():
        one = locked([driver.pk])[0]
        pairs = [(channel, purpose) for channel in channels for purpose in purposes]
        _write_pairs([one], ConsentEventKind.GRANTED, pairs, source, evidence, wording, by, moment, uuid7())
        # a paper of May that is found after a stop of June grants nothing, and frees no address
        granted = {
            channel
            for (channel, _), state in queries.states([driver.pk])[driver.pk].items()
            if state == ConsentState.GRANTED
        }
        if granted & set(channels):
            _free(one, granted & set(channels))
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
    _check(channels, purposes)
    moment = _not_in_future(at)
    pairs = [(channel, purpose) for channel in channels for purpose in purposes]
    with transaction.atomic():
        shared = _others_with_an_address_of(driver)
        one, *others = sorted(locked([driver.pk, *shared]), key=lambda each: each.pk != driver.pk)
        _withdraw(one, pairs, source=source, evidence=evidence, wording=wording, by=by, at=moment, act=act)
        bound = _bind(one, set(channels))
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
    _write_pairs(
        [driver], ConsentEventKind.WITHDRAWN, pairs, source, evidence, wording, by, at, act or uuid7()
    )
    after = queries.states([driver.pk])[driver.pk]
    if ConsentState.GRANTED in after.values():
        return
    if _is_no_to_everything(after) or ConsentState.GRANTED in before.values():
        drivers.opt_out(driver, by=by, at=at, reason=f"Consent withdrawn: {source}", act=act)


def _withdraw_address(
    driver: Driver, channels: Iterable[str], *, by: Actor, at: datetime, act: UUID | None = None
) -> bool:
    """Somebody said no with this driver's address: the channels that use it are withdrawn here too."""
    states = queries.states([driver.pk])[driver.pk]
    pairs = [
        (channel, purpose)
        for channel in channels
        for purpose in ALL_PURPOSES
        if states.get((channel, purpose)) != ConsentState.WITHDRAWN
    ]
    if pairs:
        _withdraw(driver, pairs, source="address", by=by, at=at, act=act)
    return bool(pairs)


def _others_with_an_address_of(driver: Driver) -> list[UUID]:
    """Drivers who share a number or a mail with this one: families and fleet owners do (spec §10)."""
    values = [value for _, value in queries.addresses_of(driver)]
    by_identity = ChannelIdentity.objects.filter(value__in=values, until__isnull=True)
    found = set(by_identity.values_list("driver_id", flat=True))
    numbers = [number for number in (driver.phone, driver.whatsapp_number) if number]
    found |= set(Driver.objects.filter(phone__in=numbers).values_list("pk", flat=True))
    if driver.email:
        found |= set(Driver.objects.filter(email=driver.email).values_list("pk", flat=True))
    return sorted(found - {driver.pk})


def grant_by_import(
    new_drivers: Sequence[Driver],
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: str,
    evidence: str,
    by: Actor,
    at: datetime,
    act: UUID,
    wording: str = "",
) -> list[UUID]:
    """What an import's stated basis covers, for drivers who never said no. Returns the drivers it covered.

    It never turns withdrawn consent on, neither the driver's own nor that of an address (spec §4, §10).
    """
    _check(channels, purposes)
    ids = [driver.pk for driver in new_drivers]
    states = queries.states(ids)
    bound = bound_drivers(new_drivers)
    covered = [
        driver
        for driver in new_drivers
        if driver.pk not in bound and ConsentState.WITHDRAWN not in states[driver.pk].values()
    ]
    with transaction.atomic():
        missing: dict[tuple[tuple[str, str], ...], list[Driver]] = {}
        for driver in covered:
            wanted = tuple(
                (channel, purpose)
                for channel in channels
                for purpose in purposes
                if states[driver.pk].get((channel, purpose)) != ConsentState.GRANTED
            )
            missing.setdefault(wanted, []).append(driver)
        for pairs, group in missing.items():
            _write_pairs(group, ConsentEventKind.GRANTED, pairs, source, evidence, wording, by, at, act)
    return [driver.pk for driver in covered]


def grant_to_new(
    driver_ids: Sequence[UUID],
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: str,
    evidence: str,
    wording: str,
    by: Actor,
    at: datetime,
    act: UUID,
) -> None:
    """What an import's basis covers, for drivers whom it has just made: their ledger is empty, so this is quick."""
    _check(channels, purposes)
    pairs = [(channel, purpose) for channel in channels for purpose in purposes]
    proof = (
        ConsentEventKind.GRANTED,
        at,
        clock.now(),
        source[:40],
        wording[:500],
        evidence[:500],
        str(by),
        act,
    )
    with transaction.atomic():
        insert_rows(
            ConsentEvent,
            (
                *("id", "driver_id", "channel", "purpose", "kind", "at", "recorded_at"),
                *("source", "wording", "evidence", "actor", "act"),
            ),
            ((uuid7(), pk, *pair, *proof) for pk in driver_ids for pair in pairs),
        )
        insert_rows(
            Consent,
            ("driver_id", "channel", "purpose", "state", "since"),
            ((pk, *pair, ConsentState.GRANTED, at) for pk in driver_ids for pair in pairs),
        )
        if Purpose.SERVICE in purposes:
            drivers.set_opt_in(dict.fromkeys(driver_ids, True))
        if driver_ids:
            journal.announce(
                ConsentGranted(list(driver_ids), list(channels), list(purposes)),
                by=by,
                driver_id=driver_ids[0] if len(driver_ids) == 1 else None,
            )


def take_back_import(act: UUID, driver_ids: Sequence[UUID], *, moments: Iterable[datetime]) -> set[UUID]:
    """Takes what an import wrote out of the ledger, as if the list had never come (undo of spec §10).

    A driver who has said or been asked something since keeps it all; those are returned. `moments` are the times
    of the import's chunks: addresses that it bound then are free again.
    """
    with transaction.atomic():
        events = ConsentEvent.objects.filter(driver_id__in=list(driver_ids))
        ours = events.filter(act=act)
        first = dict(ours.values_list("driver_id").annotate(Min("recorded_at")).order_by())
        later = events.exclude(act=act).filter(driver_id__in=list(first))
        kept = {pk for pk, at in later.values_list("driver_id", "recorded_at") if at > first[pk]}
        back = [pk for pk in first if pk not in kept]
        if back:
            withdrawn = ours.filter(driver_id__in=back, kind=ConsentEventKind.WITHDRAWN)
            _free_addresses(list(withdrawn.values_list("driver_id", flat=True).distinct()), moments, act)
            ours.filter(driver_id__in=back).delete()
            project(back)
    return kept


def _free_addresses(driver_ids: Sequence[UUID], moments: Iterable[datetime], act: UUID) -> None:
    """Frees what an import bound, but no address whose other holder has said no outside that import."""
    addresses = {
        address
        for driver in Driver.objects.filter(pk__in=driver_ids)
        for address in queries.addresses_of(driver)
    }
    hashes = {queries.address_hash(address): address for address in addresses}
    bound = SuppressedAddress.objects.filter(address_hash__in=list(hashes), since__in=list(moments))
    found = {hashes[value] for value in bound.values_list("address_hash", flat=True)}
    free = found - _still_refused(found, driver_ids, act)
    bound.filter(address_hash__in=[queries.address_hash(address) for address in free]).delete()


def _still_refused(
    addresses: Iterable[queries.Address], driver_ids: Sequence[UUID], act: UUID
) -> set[queries.Address]:
    """The addresses that somebody else holds who has said no on that channel, outside this act."""
    values = {value for _, value in addresses}
    if not values:
        return set()
    holders = Driver.objects.alias(mail=Lower("email"), telegram=Lower("telegram_username")).filter(
        Q(phone__in=values)
        | Q(whatsapp_number__in=values)
        | Q(mail__in=values)
        | Q(telegram__in=values)
        | Q(identities__value__in=values, identities__until__isnull=True)
    )
    others = {driver.pk: driver for driver in holders.exclude(pk__in=driver_ids).distinct()}
    refused = set(
        Consent.objects.filter(driver_id__in=list(others), state=ConsentState.WITHDRAWN).values_list(
            "driver_id", "channel"
        )
    )
    said = ConsentEvent.objects.filter(driver_id__in=list(others), kind=ConsentEventKind.WITHDRAWN)
    refused &= set(said.exclude(act=act).values_list("driver_id", "channel"))
    return {
        address
        for pk, driver in others.items()
        for address in queries.addresses_of(driver)
        if (pk, address[0]) in refused
    }


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


def bound_drivers(candidates: Sequence[Driver]) -> set[UUID]:
    """Which of these drivers hold an address that is suppressed."""
    own = {driver.pk: queries.addresses_of(driver) for driver in candidates}
    bound = queries.suppressed(address for found in own.values() for address in found)
    return {pk for pk, found in own.items() if not bound.keys().isdisjoint(found)}


def _check(channels: Sequence[str], purposes: Sequence[str]) -> None:
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


def _is_no_to_everything(states: queries.State) -> bool:
    return all(
        states.get((channel, purpose)) == ConsentState.WITHDRAWN
        for channel in ALL_CHANNELS
        for purpose in ALL_PURPOSES
    )


def _write_pairs(
    group: Sequence[Driver],
    kind: ConsentEventKind,
    pairs: Sequence[tuple[str, str]],
    source: str,
    evidence: str,
    wording: str,
    by: Actor,
    at: datetime,
    act: UUID,
) -> None:
    """Facts first, then their projection, for one kind of event about many drivers."""
    ConsentEvent.objects.bulk_create(
        [
            ConsentEvent(
                driver=driver,
                channel=channel,
                purpose=purpose,
                kind=kind,
                at=at,
                source=source[:40],
                wording=wording[:500],
                evidence=evidence[:500],
                actor=str(by),
                act=act,
            )
            for driver in group
            for channel, purpose in pairs
        ],
        batch_size=CHUNK,
    )
    project(driver.pk for driver in group)


def project(driver_ids: Iterable[UUID]) -> int:
    """Makes the projection and `communication_opt_in` what the ledger says. Returns how many values were wrong."""
    ids = list(driver_ids)
    wrong = 0
    with transaction.atomic():
        ledger = queries.from_ledger(ids)
        rows = {
            (row.driver_id, row.channel, row.purpose): row
            for row in Consent.objects.filter(driver_id__in=ids)
        }
        fresh: list[Consent] = []
        stale: list[Consent] = []
        opted_in: dict[UUID, bool] = {}
        for pk, decided in ledger.items():
            for (channel, purpose), event in decided.items():
                row = rows.pop((pk, channel, purpose), None)
                if row is None:
                    fresh.append(
                        Consent(
                            driver_id=pk, channel=channel, purpose=purpose, state=event.kind, since=event.at
                        )
                    )
                elif (row.state, row.since) != (event.kind, event.at):
                    row.state, row.since = event.kind, event.at
                    stale.append(row)
            opted_in[pk] = any(
                purpose == Purpose.SERVICE and event.kind == ConsentEventKind.GRANTED
                for (_, purpose), event in decided.items()
            )
        Consent.objects.bulk_create(fresh, batch_size=CHUNK)
        Consent.objects.bulk_update(stale, ["state", "since"], batch_size=CHUNK)
        orphans = [row.pk for row in rows.values()]
        Consent.objects.filter(pk__in=orphans).delete()
        wrong += len(fresh) + len(stale) + len(orphans)
        drivers_off = Driver.objects.filter(
            Q(pk__in=[pk for pk, value in opted_in.items() if value], communication_opt_in=False)
            | Q(pk__in=[pk for pk, value in opted_in.items() if not value], communication_opt_in=True)
        ).count()
        wrong += drivers_off
        if drivers_off:
            drivers.set_opt_in(opted_in)
    return wrong


def rebuild() -> dict[str, int]:
    """Works consent out from the ledger again. Returns how many values were wrong."""
    wrong = 0
    ids = list(Driver.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            locked(ids[start : start + CHUNK])  # an answer that comes in meanwhile waits
            wrong += project(ids[start : start + CHUNK])
    return {"consent": wrong}


def _bind(driver: Driver, channels: set[str]) -> set[queries.Address]:
    """Suppresses the driver's address on each of these channels that is left without any yes. Returns them."""
    states = queries.states([driver.pk])[driver.pk]
    is_everything = _is_no_to_everything(states)
    bound = {
        (channel, value)
        for channel, value in queries.addresses_of(driver)
        if channel in channels
        and all(states.get((channel, purpose)) == ConsentState.WITHDRAWN for purpose in ALL_PURPOSES)
    }
    for address in sorted(bound):
        row, is_new = SuppressedAddress.objects.get_or_create(
            channel=address[0],
            address_hash=queries.address_hash(address),
            defaults={"is_everything": is_everything},
        )
        if not is_new and is_everything and not row.is_everything:
            row.is_everything = True
            row.save(update_fields=["is_everything"])
    return bound


def _free(driver: Driver, channels: set[str]) -> None:
    """The driver agreed again: the addresses of these channels are free, and no other still means everything."""
    for address in queries.addresses_of(driver):
        rows = SuppressedAddress.objects.filter(
            channel=address[0], address_hash=queries.address_hash(address)
        )
        if address[0] in channels:
            rows.delete()
        else:
            rows.update(is_everything=False)
