"""What the clock and the queue start here."""

from drivercrm.jobs.workflow import task
from drivercrm.journal import workflow as journal


@task("journal.deliver")
def deliver(delivery_id: int) -> None:
    """Brings one entry to one subscriber."""
    journal.deliver(delivery_id)


@task("journal.sweep")
def sweep() -> None:
    """Picks up deliveries that a lost job left."""
    journal.sweep()
