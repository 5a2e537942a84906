"""What this room does when it hears news: work for many drivers, off the request."""

from drivercrm.accounts.events import OrganisationChanged
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.journal.models import Entry
from drivercrm.journal.workflow import changes_of, on

STEPS = "onboarding_steps"


def _changed_the_checklist(event: OrganisationChanged) -> bool:
    return STEPS in event.fields


@on(OrganisationChanged, is_long=True, wants=_changed_the_checklist)
def shorter_checklist_completes_who_has_done_it(entry: Entry) -> None:
    """A step that was required is not any more: it may have been the last one that drivers lacked (spec §3)."""
    for change in changes_of(entry.pk, OrganisationChanged):
        if change.field == STEPS and change.before:
            before = [step["key"] for step in change.before if step["required"]]
            drivers.complete_who_has_done_all(before, at=entry.at, by=automation("checklist"))
