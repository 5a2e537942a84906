"""What every engine promises. Written against the port only: workflow and queries."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection, transaction

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import queries
from drivercrm.jobs import workflow as jobs
from drivercrm.jobs.port import Depth
from tests.jobs import probes
from tests.jobs.conftest import LEASE, Process, began, ended, until

pytestmark = [
    pytest.mark.django_db(transaction=True, available_apps=["drivercrm.jobs"]),
    pytest.mark.usefixtures("engine"),
]
Start = Callable[..., Process]


def args(file: Path, name: str, **more: object) -> dict[str, object]:
    return {"file": str(file), "name": name, **more}


def idle() -> bool:
    return queries.depths() == []


def test_job_runs_once_and_leaves_nothing(start: Start, file: Path) -> None:
    start()

    jobs.enqueue("probe.work", args(file, "a"))

    until(idle)
    assert ended(file) == ["a"]


def test_killed_worker_loses_no_job(start: Start, file: Path) -> None:
    first = start()
    jobs.enqueue("probe.hang_once", args(file, "a"))
    until(lambda: began(file) == ["a"])

    first.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    start()

    until(idle)
    runs = [trace for trace in probes.traces(file) if trace.what == "began"]
    assert [trace.pid == first.pid for trace in runs] == [True, False]
    assert runs[1].at - killed < LEASE + 1.5
    assert ended(file) == ["a"]


def test_two_workers_do_every_job_once(start: Start, file: Path) -> None:
    workers = [start(), start()]
    names = [str(number) for number in range(150)]

    for name in names:
        jobs.enqueue("probe.work", args(file, name, seconds=0.01))

    until(idle)
    assert sorted(began(file)) == sorted(names)
    assert sorted(ended(file)) == sorted(names)
    assert {trace.pid for trace in probes.traces(file)} == {worker.pid for worker in workers}


@pytest.mark.slow
def test_no_job_is_lost_or_doubled_while_workers_are_killed(start: Start, file: Path) -> None:
    names = [str(number) for number in range(60)]
    for name in names:
        jobs.enqueue("probe.work", args(file, name, seconds=0.05), max_attempts=20)

    deaths = {}
    workers = [start(), start()]
    for _ in range(3):
        victim = workers.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        deaths[victim.pid] = time.monotonic()
        workers.append(start())

    until(idle)
    assert set(ended(file)) == set(names)
    for name in names:
        spans = [trace for trace in probes.traces(file) if trace.name == name]
        runs = Counter(trace.pid for trace in spans if trace.what == "began")
        ends = {trace.pid: trace.at for trace in spans if trace.what == "ended"}
        begins = [trace for trace in spans if trace.what == "began"]
        assert set(runs.values()) == {1}
        for earlier, later in pairwise(begins):
            assert later.at > ends.get(earlier.pid, deaths[earlier.pid])


def test_job_longer_than_its_lease_runs_once(start: Start, file: Path) -> None:
    start(lease=0.9)
    start(lease=0.9)

    jobs.enqueue("probe.work", args(file, "a", seconds=2))

    until(lambda: ended(file))
    until(idle)
    assert began(file) == ["a"]


def test_frozen_worker_cannot_settle_a_job_that_another_did(start: Start, file: Path) -> None:
    first = start(threads=1)
    jobs.enqueue("probe.work", args(file, "a", seconds=0.5))
    until(lambda: began(file) == ["a"])

    first.send_signal(signal.SIGSTOP)
    time.sleep(LEASE)
    second = start(threads=1)
    until(lambda: began(file) == ["a", "a"])
    first.send_signal(signal.SIGCONT)

    until(idle)
    until(lambda: len(ended(file)) == 2)
    assert [trace.pid for trace in probes.traces(file) if trace.what == "began"] == [first.pid, second.pid]
    assert queries.dead_letters() == []


def test_poisoned_job_becomes_a_dead_letter_that_can_be_retried_and_discarded(
    start: Start, file: Path
) -> None:
    start()
    job_id = jobs.enqueue("probe.poison", args(file, "a"))

    until(queries.dead_letters)
    [letter] = queries.dead_letters()
    assert (letter.id, letter.task, letter.args, letter.attempts) == (
        job_id,
        "probe.poison",
        args(file, "a"),
        3,
    )
    assert letter.error_class == "ValueError"
    assert queries.depths() == [Depth(queue="default", waiting=0, running=0, dead=1)]
    assert began(file) == ["a"] * 3

    jobs.retry(job_id)
    with pytest.raises(Refused):
        jobs.retry(job_id)
    until(lambda: len(began(file)) == 6)
    until(queries.dead_letters)

    jobs.discard(queries.dead_letters()[0].id)
    assert idle()
    with pytest.raises(Refused):
        jobs.discard(job_id)


def test_dead_letter_tells_the_error_but_nobodys_details(start: Start, file: Path) -> None:
    start()
    jobs.enqueue("probe.poison", args(file, "Thandi"))
    jobs.enqueue("probe.refuse")

    until(lambda: len(queries.dead_letters()) == 2)
    assert {letter.error_class: letter.error for letter in queries.dead_letters()} == {
        "ValueError": "no row for … with … and … in line 7 (outside Driver CRM)",
        "Refused": "The office is closed.",
    }


def test_worker_writes_no_arguments_and_no_messages_to_its_log(
    start: Start, file: Path, tmp_path: Path
) -> None:
    start()
    jobs.enqueue("probe.poison", args(file, "Thandi"))

    until(queries.dead_letters)
    log = (tmp_path / "worker-0.log").read_text()
    assert "probe.poison" in log
    assert "ValueError" in log
    assert "Thandi" not in log
    assert "example.org" not in log
    assert "555" not in log


def test_job_that_kills_its_workers_becomes_a_dead_letter(start: Start, file: Path) -> None:
    jobs.enqueue("probe.kill_worker", args(file, "a"))
    for _ in range(2):
        start(lease=0.6).wait(timeout=10)

    start(lease=0.6)

    until(queries.dead_letters)
    [letter] = queries.dead_letters()
    assert (letter.attempts, letter.error_class) == (2, "WorkerLost")
    assert began(file) == ["a", "a"]


def test_unique_key_makes_one_job_while_it_waits(start: Start, file: Path) -> None:
    first = jobs.enqueue("probe.work", args(file, "a", seconds=1), unique_key="k")
    again = jobs.enqueue("probe.work", args(file, "b"), unique_key="k")
    other = jobs.enqueue("probe.work", args(file, "c"), unique_key="other")

    assert again == first
    assert other != first
    start()
    until(lambda: "a" in began(file))
    # news that comes while the job runs must not be lost: it needs another run
    later = jobs.enqueue("probe.work", args(file, "d"), unique_key="k")
    assert later != first
    until(idle)
    assert sorted(ended(file)) == ["a", "c", "d"]


def test_unique_key_holds_between_two_callers_at_once(file: Path) -> None:
    ids: list[int] = []

    def call() -> None:
        for number in range(10):
            with transaction.atomic():
                ids.append(jobs.enqueue("probe.work", args(file, "a"), unique_key=f"k{number}"))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(Counter(ids).values()) == {3}
    assert len(set(ids)) == 10


def test_unique_job_waits_for_the_caller_that_asked_last(start: Start, file: Path) -> None:
    jobs.enqueue("probe.work", args(file, "a"), unique_key="k", run_at=clock.now() + timedelta(seconds=1))
    start()

    with transaction.atomic():
        jobs.enqueue("probe.work", args(file, "b"), unique_key="k")
        time.sleep(1.5)
        before_commit = began(file)

    until(idle)
    assert before_commit == []
    assert began(file) == ["a"]


def test_delayed_job_waits_for_its_moment(start: Start, file: Path) -> None:
    start()
    asked = time.monotonic()

    jobs.enqueue("probe.work", args(file, "a"), run_at=clock.now() + timedelta(seconds=1))
    jobs.enqueue("probe.work", args(file, "b"))

    until(idle)
    assert ended(file) == ["b", "a"]
    [run] = [trace for trace in probes.traces(file) if (trace.name, trace.what) == ("a", "began")]
    assert 1 <= run.at - asked < 2.5


def test_jobs_with_one_order_key_run_one_at_a_time_in_order(start: Start, file: Path) -> None:
    for number in range(8):
        for key in ("x", "y", "z"):
            jobs.enqueue("probe.work", args(file, f"{key}{number}", seconds=0.02), order_key=key)

    start(threads=3)
    start(threads=3)

    until(idle)
    for key in ("x", "y", "z"):
        events = [(trace.name, trace.what) for trace in probes.traces(file) if trace.name[0] == key]
        assert events == [(f"{key}{number}", what) for number in range(8) for what in ("began", "ended")]


def test_failed_job_keeps_its_place_in_its_order(start: Start, file: Path) -> None:
    jobs.enqueue("probe.fail_once", args(file, "a"), order_key="x")
    jobs.enqueue("probe.work", args(file, "b"), order_key="x")

    start(threads=3)

    until(idle)
    assert ended(file) == ["a", "b"]


def test_delayed_job_does_not_hold_up_its_order(start: Start, file: Path) -> None:
    later = clock.now() + timedelta(hours=1)
    jobs.enqueue("probe.work", args(file, "delayed"), order_key="x", run_at=later)
    jobs.enqueue("probe.work", args(file, "a"), order_key="x")
    jobs.enqueue("probe.work", args(file, "b"), order_key="x")

    start(threads=3)

    until(lambda: ended(file) == ["a", "b"])
    until(lambda: queries.depths() == [Depth(queue="default", waiting=1, running=0, dead=0)])


def test_dead_letter_does_not_block_its_order(start: Start, file: Path) -> None:
    jobs.enqueue("probe.refuse", order_key="x")
    jobs.enqueue("probe.work", args(file, "b"), order_key="x")

    start()

    until(lambda: ended(file) == ["b"])
    assert len(queries.dead_letters()) == 1


def test_rolled_back_caller_enqueues_nothing(start: Start, file: Path) -> None:
    start()

    with transaction.atomic():
        jobs.enqueue("probe.work", args(file, "a"))
        jobs.enqueue("probe.work", args(file, "b"), unique_key="k")
        transaction.set_rollback(True)
    jobs.enqueue("probe.work", args(file, "c"))

    until(lambda: ended(file) == ["c"])
    assert idle()
    assert began(file) == ["c"]


def test_job_starts_only_after_its_caller_committed(start: Start, file: Path) -> None:
    start()

    with transaction.atomic():
        jobs.enqueue("probe.work", args(file, "a"))
        time.sleep(0.5)
        before_commit = began(file)

    until(idle)
    assert before_commit == []
    assert ended(file) == ["a"]


def test_worker_serves_only_its_queues(start: Start, file: Path) -> None:
    jobs.enqueue("probe.work", args(file, "a"), queue="slow")
    jobs.enqueue("probe.work", args(file, "b"))

    start(queues=["default"])

    until(lambda: ended(file) == ["b"])
    assert queries.depths() == [Depth(queue="slow", waiting=1, running=0, dead=0)]
    start(queues=["slow"])
    until(idle)
    assert ended(file) == ["b", "a"]


def test_sigterm_lets_the_current_job_finish(start: Start, file: Path) -> None:
    worker = start(threads=1)
    jobs.enqueue("probe.work", args(file, "a", seconds=1))
    jobs.enqueue("probe.work", args(file, "b"))
    until(lambda: began(file) == ["a"])

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=5) == 0
    assert ended(file) == ["a"]
    assert queries.depths() == [Depth(queue="default", waiting=1, running=0, dead=0)]


def test_sigterm_gives_back_a_job_that_does_not_finish(start: Start, file: Path) -> None:
    worker = start(lease=60, grace=0.3)
    jobs.enqueue("probe.hang_once", args(file, "a"), max_attempts=1)
    until(lambda: began(file) == ["a"])

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=5) == 0
    assert queries.depths() == [Depth(queue="default", waiting=1, running=0, dead=0)]
    start()
    until(idle)  # and not a dead letter: stopping is not the job's fault
    assert ended(file) == ["a"]


def test_threads_of_a_web_process_finish_their_job_when_it_ends(start: Start, file: Path) -> None:
    web = start(as_web=True)
    jobs.enqueue("probe.work", args(file, "a", seconds=0.8))
    until(lambda: began(file) == ["a"])

    os.kill(probes.traces(file)[0].pid, signal.SIGTERM)

    assert web.wait(timeout=5) == 0
    assert ended(file) == ["a"]
    assert idle()


def test_threads_of_this_process_serve_its_own_jobs_at_once(file: Path, engine: str) -> None:
    worker = jobs.worker(threads=2, poll=timedelta(seconds=30), clockwork=False)
    worker.start()
    try:
        time.sleep(0.5)
        jobs.enqueue("probe.work", args(file, "a"))
        until(lambda: ended(file) == ["a"], seconds=5)
    finally:
        worker.stop()
    assert idle()
    assert probes.traces(file)[0].pid == os.getpid()


def test_drain_runs_what_is_due_here_and_now(file: Path) -> None:
    jobs.enqueue("probe.work", args(file, "a"))
    jobs.enqueue("probe.refuse")
    jobs.enqueue("probe.work", args(file, "b"), run_at=clock.now() + timedelta(hours=1))

    runs = jobs.worker(clockwork=False).drain()

    assert runs == 2
    assert ended(file) == ["a"]
    assert queries.depths() == [Depth(queue="default", waiting=1, running=0, dead=1)]


def test_oldest_waiting_age_counts_from_the_moment_a_job_was_due(file: Path) -> None:
    assert queries.oldest_waiting_age() is None

    jobs.enqueue("probe.work", args(file, "later"), run_at=clock.now() + timedelta(hours=1))
    assert queries.oldest_waiting_age() is None

    jobs.enqueue("probe.work", args(file, "overdue"), run_at=clock.now() - timedelta(hours=2))
    age = queries.oldest_waiting_age()
    assert age is not None
    assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=1)


def test_unknown_task_is_refused_at_the_call() -> None:
    with pytest.raises(LookupError, match=r"No task is called probe\.nothing\."):
        jobs.enqueue("probe.nothing")
    assert idle()


def test_two_tasks_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"Two tasks are called probe\.work\."):
        jobs.task("probe.work")(lambda: None)


def test_two_workers_enqueue_the_schedule_once(start: Start, file: Path) -> None:
    start(clockwork=True)
    start(clockwork=True)
    until(lambda: began(file))
    began_at = probes.traces(file)[0].at

    time.sleep(2.2)

    ticks = [trace.at for trace in probes.traces(file)]
    # one a second, however slow the machine: none may come twice, and the clock threads look twice a second
    assert abs(len(ticks) - 1 - (ticks[-1] - began_at)) <= 1.5
    assert all(later - earlier > 0.2 for earlier, later in pairwise(ticks))


@pytest.mark.postgres
@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_worker_outlives_its_database_connections(start: Start, file: Path) -> None:
    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    start(threads=1)
    jobs.enqueue("probe.work", args(file, "a", seconds=2))
    until(lambda: began(file) == ["a"])
    time.sleep(LEASE / 3)
    cut()
    start(threads=1)
    until(idle)
    cut()
    jobs.enqueue("probe.work", args(file, "b"))

    until(idle)
    # the heartbeat lives too: nobody took the first job a second time
    assert began(file) == ["a", "b"]
    assert ended(file) == ["a", "b"]
