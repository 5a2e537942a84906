"""A no binds the address as well as the driver: who shares one, what is suppressed, what is free again (spec §4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Lower

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentEventKind, ConsentState
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress
from drivercrm.consent.workflow.ledger import ALL_PURPOSES, is_no_to_everything
from drivercrm.drivers.models import ChannelIdentity, Driver


def bound_drivers(candidates: Sequence[Driver]) -> set[UUID]:
    """Which of these drivers hold an address that is suppressed."""
    own = {driver.pk: queries.addresses_of(driver) for driver in candidates}
    bound = queries.suppressed(address for found in own.values() for address in found)
    return {pk for pk, found in own.items() if not bound.keys().isdisjoint(found)}


def sharers_of(driver: Driver) -> list[UUID]:
    """Drivers who share a number or a mail with this one: families and fleet owners do (spec §10)."""
    values = [value for _, value in queries.addresses_of(driver)]
    by_identity = ChannelIdentity.objects.filter(value__in=values, until__isnull=True)
    found = set(by_identity.values_list("driver_id", flat=True))
    numbers = [number for number in (driver.phone, driver.whatsapp_number) if number]
    found |= set(Driver.objects.filter(phone__in=numbers).values_list("pk", flat=True))
    if driver.email:
        found |= set(Driver.objects.filter(email=driver.email).values_list("pk", flat=True))
    return sorted(found - {driver.pk})


def bind(driver: Driver, channels: set[str]) -> set[queries.Address]:
    """Suppresses the driver's address on each of these channels that is left without any yes. Returns them."""
    states = queries.states([driver.pk])[driver.pk]
    is_everything = is_no_to_everything(states)
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


def free(driver: Driver, channels: set[str]) -> None:
    """The driver agreed again: the addresses of these channels are free, and no other still means everything."""
    for address in queries.addresses_of(driver):
        rows = SuppressedAddress.objects.filter(
            channel=address[0], address_hash=queries.address_hash(address)
        )
        if address[0] in channels:
            rows.delete()
        else:
            rows.update(is_everything=False)


def free_imported(driver_ids: Sequence[UUID], moments: Iterable[datetime], act: UUID) -> None:
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
