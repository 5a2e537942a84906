"""A database that may be a copy works with nobody outside until an admin says that it is the one (spec §11)."""

from drivercrm.accounts.events import OrganisationHeld, OrganisationReleased
from drivercrm.accounts.workflow import people
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal

LONGEST_REASON = 200


def hold(*, because: str, by: Actor) -> None:
    """Stops sending, polling and exporting; a hold that stands already gets the newer moment and reason."""
    reason = " ".join(because.split())[:LONGEST_REASON]
    if not reason:
        raise Refused("reason_missing", "Say why this database is held.", field="because")
    with people.team_lock() as organisation:
        organisation.held_since, organisation.held_because = clock.now(), reason
        organisation.save(update_fields=["held_since", "held_because"])
        journal.announce(OrganisationHeld(reason), by=by)


def release(*, by: Actor) -> None:
    """Ends the hold. Refused where there is none, so that of two admins only one has done it."""
    with people.team_lock() as organisation:
        if organisation.held_since is None:
            raise Refused("not_held", "This database is not held.")
        since = organisation.held_since.isoformat()
        organisation.held_since, organisation.held_because = None, ""
        organisation.save(update_fields=["held_since", "held_because"])
        journal.announce(OrganisationReleased(since), by=by)
