"""What consent does when it hears of drivers."""

from uuid import UUID

from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.core.ids import uuid7
from drivercrm.drivers.events import DriverCreated, DriverEdited
from drivercrm.drivers.models import Driver
from drivercrm.journal.models import Entry
from drivercrm.journal.workflow import on

BY = automation("address")


CHANNELS_OF = {
    "phone": {"phone", "whatsapp"},
    "whatsapp_number": {"whatsapp"},
    "email": {"email"},
    "telegram_username": {"telegram"},
}


def _came_by_hand(event: DriverCreated) -> bool:
    """An import looks for bound addresses itself, in the transaction that makes the drivers."""
    return not event.source.startswith("import")


def _changed_an_address(event: DriverEdited) -> bool:
    return not CHANNELS_OF.keys().isdisjoint(event.fields)


@on(DriverCreated, wants=_came_by_hand)
def bound_address_binds_the_new_driver(entry: Entry) -> None:
    """A number that somebody said stop with stays unwritten to, whoever holds it now (spec §4)."""
    consent.carry_over_suppression(_drivers(entry), by=BY, at=clock.now(), act=uuid7())


@on(DriverEdited, wants=_changed_an_address)
def bound_address_binds_the_edited_driver(entry: Entry) -> None:
    """The same for an address that a driver was given later: its channel alone."""
    only = {channel for field in entry.data["fields"] for channel in CHANNELS_OF.get(field, ())}
    consent.carry_over_suppression(
        _drivers(entry), by=BY, at=clock.now(), act=uuid7(), only=only, are_new=False
    )


def _drivers(entry: Entry) -> list[Driver]:
    return list(Driver.objects.filter(pk__in=[UUID(pk) for pk in entry.data["driver_ids"]]))
