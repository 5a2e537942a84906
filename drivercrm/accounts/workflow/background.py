"""An admin settles background work that gave up."""

from collections.abc import Sequence

from django.db import transaction

from drivercrm.accounts.events import JobDiscarded, JobsRetried
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.jobs import workflow as jobs
from drivercrm.journal import workflow as journal


@transaction.atomic
def retry_job(job_id: int, *, by: Actor) -> str:
    """Gives a job that gave up a fresh set of attempts, and says which task it runs."""
    task = jobs.retry(job_id)
    journal.announce(JobsRetried([job_id], [task]), by=by)
    return task


@transaction.atomic
def retry_jobs(job_ids: Sequence[int], *, by: Actor) -> int:
    """The same for many; those that somebody has settled meanwhile are left out of the count."""
    tried: dict[int, str] = {}
    for job_id in job_ids:
        try:
            tried[job_id] = jobs.retry(job_id)
        except Refused:
            continue
    if tried:
        journal.announce(JobsRetried(list(tried), sorted(set(tried.values()))), by=by)
    return len(tried)


@transaction.atomic
def discard_job(job_id: int, *, by: Actor) -> str:
    """Removes a job that gave up for good, and says which task it would have run."""
    task = jobs.discard(job_id)
    journal.announce(JobDiscarded(job_id, task), by=by)
    return task
