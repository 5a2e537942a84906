"""What several routes look up before they do anything."""

from uuid import UUID

from django.http import Http404

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Access
from drivercrm.core.errors import Refused
from drivercrm.drivers import queries
from drivercrm.drivers.models import Driver


def check_driver(driver_id: UUID) -> None:
    """Answers 404 when there is no such driver."""
    if not Driver.objects.filter(pk=driver_id).exists():
        raise Http404


def owner_of(owner_id: UUID | None) -> User | None:
    """The member of staff, or nobody. Refuses an id that is nobody's who works here."""
    if owner_id is None:
        return None
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise Refused("unknown_owner", "Nobody on the team has this id.", field="owner_id")
    if not queries.may_own(owner):
        raise Refused(
            "not_an_owner", f"{owner.name} cannot look after drivers in this role.", field="owner_id"
        )
    return owner


def person_id(who: Access) -> UUID | None:
    """The person who asks; None for a token."""
    return UUID(who.actor.id) if who.actor.is_person else None
