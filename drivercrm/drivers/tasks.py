"""What the clock starts here."""

from drivercrm.drivers import workflow as drivers
from drivercrm.jobs.workflow import task


@task("drivers.mark_inactive")
def mark_inactive() -> None:
    """Ends the activity of drivers without usage, nightly."""
    drivers.mark_inactive()
