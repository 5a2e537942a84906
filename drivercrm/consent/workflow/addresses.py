"""A no binds the address as well as the driver: who shares one, what is suppressed, what is free again (spec §4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Lower

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState
from drivercrm.consent.models import Consent, ConsentEvent, SuppressedAddress
from drivercrm.consent.workflow.ledger import ALL_PURPOSES, is_no_to_everything
from drivercrm.core.bulk import find_rows, listed
from drivercrm.drivers.enums import IdentityKind
from drivercrm.drivers.models import ChannelIdentity, Driver


def bound_drivers(candidates: Sequence[Driver]) -> set[UUID]:
    """Which of these drivers hold an address that is suppressed."""
    own = {driver.pk: queries.addresses_of(driver) for driver in candidates}
    bound = queries.suppressed(address for found in own.values() for address in found)
    return {pk for pk, found in own.items() if not bound.keys().isdisjoint(found)}


def sharers_of(driver: Driver) -> list[UUID]:
    """Drivers who share an address with this one: families and fleet owners do (spec §10)."""
    return sorted(holders_of(queries.addresses_of(driver)) - {driver.pk})


def holders_of(addresses: Iterable[queries.Address]) -> set[UUID]:
    """Every driver who has one of these addresses, on the record or as an identity.

    Two may have one address, and only one of them its identity: each column is looked up in its own index.
    """
    wanted: dict[str, set[str]] = {channel: set() for channel in ConsentChannel.values}
    for channel, value in addresses:
        wanted[channel].add(value)
    numbers = wanted[ConsentChannel.PHONE] | wanted[ConsentChannel.WHATSAPP]
    mails, telegrams = wanted[ConsentChannel.EMAIL], wanted[ConsentChannel.TELEGRAM]
    record = Driver.objects.alias(mail=Lower("email"), telegram=Lower("telegram_username"))
    held = ChannelIdentity.objects.filter(until__isnull=True)
    # “not null” is what the partial indexes ask for
    places = (
        (record, "phone", "pk", numbers),
        (record.filter(whatsapp_number__isnull=False), "whatsapp_number", "pk", numbers),
        (record.filter(email__isnull=False), "mail", "pk", mails),
        (record.filter(telegram_username__isnull=False), "telegram", "pk", telegrams),
        (held.filter(kind=IdentityKind.PHONE), "value", "driver_id", numbers),
        (held.filter(kind=IdentityKind.WHATSAPP_ID), "value", "driver_id", numbers),
        (held.filter(kind=IdentityKind.EMAIL), "value", "driver_id", mails),
    )
    return {
        pk
        for rows, column, key, values in places
        if values
        for (pk,) in find_rows(rows, column, sorted(values), (key,))
    }


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
    channels = {channel for channel, _ in addresses}
    bound = SuppressedAddress.objects.filter(
        channel__in=channels, address_hash__in=list(hashes), since__in=list(moments)
    )
    found = {hashes[value] for value in bound.values_list("address_hash", flat=True)}
    free = found - _still_refused(found, driver_ids, act)
    bound.filter(address_hash__in=[queries.address_hash(address) for address in free]).delete()


def _still_refused(
    addresses: Iterable[queries.Address], driver_ids: Sequence[UUID], act: UUID
) -> set[queries.Address]:
    """The addresses that somebody else holds who has said no on that channel, outside this act."""
    holders = holders_of(addresses) - set(driver_ids)
    if not holders:
        return set()
    others = {driver.pk: driver for driver in Driver.objects.filter(pk__in=listed(holders))}
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
