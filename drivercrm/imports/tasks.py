"""What the clock starts here."""

from drivercrm.imports import workflow as imports
from drivercrm.jobs.workflow import task


@task("imports.resume")
def resume() -> None:
    """Goes on with imports whose worker was lost."""
    imports.resume_silent()


@task("imports.tidy")
def tidy() -> None:
    """Removes the rows of lists that nobody needs any more."""
    imports.tidy()
