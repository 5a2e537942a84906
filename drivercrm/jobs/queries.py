"""What operators look at: how deep the queues are, how late they run, and what died."""

from datetime import timedelta

from drivercrm.jobs.port import DeadLetter, Depth, engine, other_engines

# a job that is overdue by more has nobody who works on it
LATE = timedelta(minutes=10)


def depths() -> list[Depth]:
    """How many jobs wait, run and died in each queue that is not empty, by name."""
    return engine().depths()


def oldest_waiting_age() -> timedelta | None:
    """How long the most overdue waiting job has been due; None when nothing is overdue."""
    return engine().oldest_waiting_age()


def dead_letters(limit: int = 100) -> list[DeadLetter]:
    """The latest jobs that used up their attempts, newest first."""
    return engine().dead_letters(limit)


def left_behind() -> int:
    """How many jobs stand in an engine that is not chosen any more: nobody works on them."""
    return sum(
        depth.waiting + depth.running + depth.dead for other in other_engines() for depth in other.depths()
    )
