"""The one welcome: it leaves once in a life, and asks (spec §4)."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from drivercrm.consent.enums import ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.models import Welcome
from drivercrm.consent.queries import state_of, states
from drivercrm.consent.workflow.ledger import write
from drivercrm.core.actors import Actor
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver


def let_welcome_leave(driver: Driver, *, message_id: UUID, channel: str, at: datetime) -> bool:
    """Takes the driver's only place for a welcome, in the transaction that marks it *sending*; False when it is taken.

    The same message may take it again: it is sent anew after the provider was away.
    """
    try:
        with transaction.atomic():
            Welcome.objects.create(driver=driver, message_id=message_id, channel=channel, at=at)
    except IntegrityError:
        return Welcome.objects.filter(driver=driver, message_id=message_id).exists()
    return True


def take_welcome_back(driver: Driver, *, message_id: UUID) -> None:
    """The provider has refused it for certain: nobody has had it, and another may leave."""
    Welcome.objects.filter(driver=driver, message_id=message_id).delete()


def note_asked(driver: Driver, *, channel: str, wording: str, by: Actor, at: datetime) -> None:
    """The welcome was accepted: the driver was asked on this channel, wherever nothing stood yet."""
    known = states([driver.pk])[driver.pk]
    pairs = [
        (channel, str(purpose))
        for purpose in Purpose.values
        if state_of(known, channel, purpose) == ConsentState.NEVER_ASKED
    ]
    if pairs:
        write([driver], ConsentEventKind.ASKED, pairs, "welcome", "", wording, by, at, uuid7())
