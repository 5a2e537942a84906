"""The embedded engine's own promises: leases, fences, order keys, queries."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import leases, queries
from drivercrm.jobs import workflow as jobs
from drivercrm.jobs.enums import JobState
from drivercrm.jobs.models import Job
from drivercrm.jobs.port import patient

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
GONE = timedelta(seconds=-1)


def waiting(**more: object) -> int:
    return jobs.enqueue("probe.work", {"file": "/dev/null", "name": "a"}, **more)  # type: ignore[arg-type]


def test_worker_that_lost_its_lease_can_neither_renew_nor_settle_the_job() -> None:
    waiting()
    lost = leases.claim(None, GONE)
    held = leases.claim(None, MINUTE)
    assert lost
    assert held
    assert (lost.pk, lost.fence, lost.attempts) == (held.pk, held.fence - 1, 1)

    assert leases.renew(lost, MINUTE) is False
    assert leases.finish(lost) is False
    assert leases.fail(lost, RuntimeError("late"), None) is False
    assert leases.give_back(lost, MINUTE) is False

    assert Job.objects.get().state == JobState.RUNNING
    assert leases.renew(held, MINUTE) is True
    assert leases.finish(held) is True
    assert not Job.objects.exists()


def test_fence_holds_after_a_dead_letter_was_retried() -> None:
    job_id = waiting(max_attempts=1)
    old = leases.claim(None, GONE)
    dead = leases.claim(None, MINUTE)
    assert old
    assert dead
    leases.fail(dead, leases.WorkerLost(), None)

    jobs.retry(job_id)
    new = leases.claim(None, MINUTE)

    assert new
    assert (new.attempts, old.attempts) == (1, 1)
    assert leases.finish(old) is False
    assert leases.finish(new) is True


def test_job_is_claimed_by_one() -> None:
    waiting()

    assert leases.claim(None, MINUTE)
    assert leases.claim(None, MINUTE) is None


def test_job_that_is_given_back_is_not_counted() -> None:
    waiting()
    job = leases.claim(None, MINUTE)
    assert job

    leases.give_back(job, timedelta())

    again = leases.claim(None, MINUTE)
    assert again
    assert (again.attempts, again.fence) == (1, 2)


def test_database_refuses_two_running_jobs_of_one_order_key() -> None:
    waiting(order_key="x")
    waiting(order_key="x")

    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.update(state=JobState.RUNNING)


def test_earlier_job_that_becomes_due_does_not_overtake_a_running_one() -> None:
    delayed = waiting(order_key="x", run_at=clock.now() + MINUTE)
    now = waiting(order_key="x")
    running = leases.claim(None, MINUTE)
    assert running
    assert running.pk == now

    Job.objects.filter(pk=delayed).update(due_at=clock.now())

    assert leases.claim(None, MINUTE) is None
    leases.finish(running)
    later = leases.claim(None, MINUTE)
    assert later
    assert later.pk == delayed


def test_idle_poll_is_one_read_without_a_transaction() -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert leases.claim(None, MINUTE) is None

    assert [query["sql"].split()[0] for query in asked] == ["SELECT"]


def test_idle_poll_uses_the_index_of_due_moments() -> None:
    with CaptureQueriesContext(connection) as asked:
        leases.claim(None, MINUTE)

    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # which would read a table of no rows in any way it likes
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(explain + asked[0]["sql"])
        plan = str(cursor.fetchall()).lower()

    assert "index jobs_due" in plan or "index scan using jobs_due" in plan
    assert "sort" not in plan
    assert "b-tree" not in plan


@pytest.mark.postgres
@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_database_is_told_of_a_long_queue_once() -> None:
    now = clock.now()
    Job.objects.bulk_create(
        Job(task="probe.work", queue="default", due_at=now, max_attempts=1) for _ in range(leases.LONG + 1)
    )

    asked = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            leases.keep(MINUTE)
        asked.append([query["sql"].split()[0] for query in seen])

    assert asked == [["SELECT", "ANALYZE"], ["SELECT"]]


def test_pauses_grow_to_an_hour() -> None:
    assert [patient(attempt).total_seconds() for attempt in range(1, 9)] == [
        5, 20, 80, 320, 1280, 3600, 3600, 3600,
    ]  # fmt: skip


def test_place_is_the_innermost_line_of_ours() -> None:
    with pytest.raises(TypeError) as raised:
        clock.day_start("today")  # type: ignore[arg-type]

    assert leases.place(raised.value).startswith("core/clock.py:")


def test_task_that_a_newer_release_enqueued_waits_for_it(tmp_path: Path) -> None:
    waiting()
    Job.objects.update(task="next.release")

    assert jobs.worker(clockwork=False).drain() == 1

    [job] = Job.objects.all()
    assert (job.state, job.attempts, job.error_class) == (JobState.WAITING, 1, "LookupError")
    assert job.due_at
    assert job.due_at > clock.now()
    assert queries.dead_letters() == []


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("Somebody changed this to “082 123 4567” meanwhile.", "Somebody changed this to … meanwhile."),
        ("sipho@example.org has this number: +27 82 123 4567.", "… has this number: …."),
        ("This list is longer than 20 000 rows.", "This list is longer than … rows."),
        ("There is nobody in this list.", "There is nobody in this list."),
    ],
)
def test_a_refused_job_keeps_the_sentence_without_what_it_quotes(sentence: str, kept: str) -> None:
    waiting(max_attempts=1)
    job = leases.claim(None, MINUTE)
    assert job

    leases.fail(job, Refused("no", sentence), None)

    assert Job.objects.get().error == kept
