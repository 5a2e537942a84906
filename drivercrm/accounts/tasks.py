"""What the clock starts here."""

from drivercrm.accounts import workflow as accounts
from drivercrm.jobs.workflow import task


@task("accounts.forget_answers")
def forget_answers() -> None:
    """Deletes the answers that no program may ask for again."""
    accounts.forget_answers()
