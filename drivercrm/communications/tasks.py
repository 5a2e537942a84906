"""What the clock and the outbox start."""

from drivercrm.communications import workflow as communications
from drivercrm.jobs.workflow import task


@task("communications.send_due")
def send_due(channel: str) -> None:
    """Sends what is due on one channel."""
    communications.send_due(channel)


@task("communications.sweep")
def sweep() -> None:
    """Finds messages whose sender has died, and channels whose job was lost."""
    communications.sweep()


@task("communications.understand")
def understand() -> None:
    """Reads what the vendors have told."""
    while communications.understand():
        pass
