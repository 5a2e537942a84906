"""Usage makes active, its end makes inactive (spec §3)."""

from datetime import date, timedelta
from uuid import UUID

from django.db import transaction

from drivercrm.accounts.models import Organisation
from drivercrm.core import clock
from drivercrm.core.actors import Actor, automation
from drivercrm.drivers import queries
from drivercrm.drivers.enums import (
    OnboardingStatus,
    Trigger,
)
from drivercrm.drivers.models import Driver
from drivercrm.drivers.moves import History
from drivercrm.drivers.queries import locked, locked_one
from drivercrm.drivers.workflow.checklist import tick
from drivercrm.drivers.workflow.status import CHUNK, trigger

USAGE_PROVES = ("app_installed", "pathpulse_account_created", "timorides_linked", "app_tested")


def note_usage(driver: Driver, day: date, *, by: Actor) -> None:
    """The driver used the app on a local day: keeps `last_active_date`, proves four steps, makes active (spec §3)."""
    organisation = Organisation.current()
    with transaction.atomic():
        held = locked_one(driver.pk)
        moment = clock.day_start(day)
        if held.last_active_date is None or held.last_active_date < moment:
            Driver.objects.filter(pk=driver.pk).update(last_active_date=moment, updated_at=clock.now())
        if organisation.pilot_starts_on and day >= organisation.pilot_starts_on:
            configured = {step["key"] for step in organisation.onboarding_steps}
            for step in USAGE_PROVES:
                if step in configured:
                    tick(held, step, at=moment, by=by)
            if not _is_stale_usage(held, day, organisation):
                trigger([driver.pk], Trigger.USAGE, by=by, at=moment)
    driver.refresh_from_db()


def _is_stale_usage(driver: Driver, day: date, organisation: Organisation) -> bool:
    """Whether an inactive driver's late-loaded day is so old that the nightly job would end it again."""
    through = organisation.metrics_complete_through
    return (
        driver.onboarding_status == OnboardingStatus.INACTIVE
        and through is not None
        and (through - day).days >= organisation.inactive_after_days
    )


def mark_inactive() -> list[UUID]:
    """Ends the activity of drivers without usage for `inactive_after_days`, nightly (spec §3).

    Counts only days whose metrics are loaded: nobody is called inactive for a file that has not come.
    The change is dated at the end of the last day that was waited for. Returns the drivers that moved.
    """
    organisation = Organisation.current()
    through = organisation.metrics_complete_through
    if through is None:
        return []
    wait = timedelta(days=organisation.inactive_after_days)
    by = automation("inactive")
    moved: list[UUID] = []
    active = Driver.objects.filter(onboarding_status=OnboardingStatus.ACTIVE).order_by("pk")
    ids = list(active.values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            chunk = locked(ids[start : start + CHUNK])  # usage that is noted meanwhile waits, or is seen here
            histories = queries.histories(driver.pk for driver in chunk)
            for driver in chunk:
                history = History(histories[driver.pk])
                if history.status != OnboardingStatus.ACTIVE:
                    continue
                became_active = history.standing[-1].at
                last_day = (
                    clock.local_day(max(driver.last_active_date or became_active, became_active)) + wait
                )
                if last_day <= through:
                    reason = f"No usage for {organisation.inactive_after_days} days"
                    at = clock.day_end(last_day)
                    moved += trigger([driver.pk], Trigger.USAGE_STOPPED, by=by, at=at, reason=reason)
    return moved
