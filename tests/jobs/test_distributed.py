"""The second engine's own promises: signing on and off, fences, orders, keys, and the way between the engines."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError
from pytest_django import Settings

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import queries, shifts
from drivercrm.jobs import workflow as jobs
from drivercrm.jobs.models import Job
from drivercrm.jobs.port import Depth
from drivercrm.jobs.shifts import Shift
from tests import processes
from tests.jobs import probes  # noqa: F401
from tests.jobs.conftest import Process, began, ended, until

pytestmark = [
    pytest.mark.django_db(transaction=True, available_apps=["drivercrm.jobs"]),
    pytest.mark.postgres,
    pytest.mark.skipif("connection.vendor != 'postgresql'"),
    pytest.mark.usefixtures("procrastinate"),
]
MINUTE = timedelta(minutes=1)
NOW = timedelta()


@pytest.fixture
def engine(procrastinate: None) -> str:
    """What the workers are told that `start` starts."""
    return "procrastinate"


def waiting(name: str = "a", **more: object) -> int:
    return jobs.enqueue("probe.work", {"file": os.devnull, "name": name}, **more)  # type: ignore[arg-type]


def rows(columns: str = "id, status::text, attempts") -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


def name(held: shifts.Held | None) -> str | None:
    return held.args["name"] if held else None


def freeze(shift: Shift) -> None:
    """What everybody sees of a worker that stopped an hour ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour' WHERE id = ANY(%s)",
            [list(shift._beaten)],
        )


def test_worker_that_was_signed_off_can_neither_renew_nor_settle_its_job() -> None:
    waiting()
    frozen, other = Shift(), Shift()
    lost = frozen.claim(None, MINUTE)
    assert lost
    freeze(frozen)
    shifts.free_the_stalled(MINUTE)
    held = other.claim(None, MINUTE)
    assert held
    assert (held.pk, held.attempts) == (lost.pk, 2)

    assert frozen.renew(lost, MINUTE) is False
    assert frozen.finish(lost) is False
    assert frozen.fail(lost, RuntimeError("late"), None) is False
    assert frozen.give_back(lost, MINUTE) is False

    assert rows() == [(held.pk, "doing", 1)]
    assert other.renew(held, MINUTE) is True
    assert other.finish(held) is True
    assert rows() == []


def test_fence_holds_after_a_dead_letter_was_retried() -> None:
    job_id = waiting(max_attempts=1)
    frozen, other = Shift(), Shift()
    old = frozen.claim(None, MINUTE)
    assert old
    freeze(frozen)
    shifts.free_the_stalled(MINUTE)
    assert [letter.error_class for letter in queries.dead_letters()] == ["WorkerLost"]

    jobs.retry(job_id)
    new = other.claim(None, MINUTE)

    assert new
    assert (new.attempts, old.attempts) == (1, 1)
    assert frozen.finish(old) is False
    assert other.finish(new) is True


def test_worker_that_wakes_up_signs_on_anew() -> None:
    frozen = Shift()
    assert frozen.claim(None, MINUTE) is None
    freeze(frozen)
    shifts.free_the_stalled(MINUTE)
    waiting()

    assert frozen.claim(None, MINUTE) is None
    assert name(frozen.claim(None, MINUTE)) == "a"


def test_beating_worker_keeps_its_jobs() -> None:
    waiting()
    shift = Shift()
    held = shift.claim(None, MINUTE)
    assert held
    freeze(shift)

    shift.keep(MINUTE)

    assert shift.renew(held, MINUTE) is True


def test_claim_whose_answer_was_lost_is_found_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting()
    shift = Shift()

    def loses(query: str, **arguments: object) -> object:
        answer = asked(query, **arguments)
        if query == "fetch_job":
            raise OperationalError("the connection is closed")
        return answer

    asked = shifts.ask
    with monkeypatch.context() as patched:
        patched.setattr(shifts, "ask", loses)
        with pytest.raises(OperationalError):
            shift.claim(None, MINUTE)
    assert [row[1] for row in rows()] == ["doing"]

    with connection.cursor() as cursor:  # an hour later: the heart beats on for what this worker knows of
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    shift.keep(MINUTE)

    again = shift.claim(None, MINUTE)
    assert again
    assert again.attempts == 2


def test_worker_that_stops_signs_off() -> None:
    waiting()

    assert jobs.worker(clockwork=False).drain() == 1

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        assert cursor.fetchone() == (0,)


def test_job_that_is_given_back_is_not_counted() -> None:
    waiting()
    shift = Shift()
    held = shift.claim(None, MINUTE)
    assert held

    shift.give_back(held, NOW)

    again = shift.claim(None, MINUTE)
    assert again
    assert again.attempts == 1


def test_failed_job_whose_key_was_given_anew_can_still_be_tried_again() -> None:
    first = waiting("a", unique_key="k")
    shift, other = Shift(), Shift()
    held = shift.claim(None, MINUTE)
    assert held
    second = waiting("b", unique_key="k")
    assert second != first

    assert shift.fail(held, RuntimeError("not yet"), NOW) is True

    assert {name(shift.claim(None, MINUTE)), name(other.claim(None, MINUTE))} == {"a", "b"}


def test_delayed_job_joins_its_order_when_its_moment_has_come() -> None:
    waiting("later", order_key="x", run_at=clock.now() + timedelta(hours=1))
    waiting("now", order_key="x")
    waiting("last", order_key="x")
    shift, other = Shift(), Shift()
    running = shift.claim(None, MINUTE)
    assert name(running) == "now"
    assert running

    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")

    assert other.claim(None, MINUTE) is None  # one runs
    assert shift.finish(running) is True
    assert name(other.claim(None, MINUTE)) == "later"  # it was asked for first
    assert shift.claim(None, MINUTE) is None


def test_job_on_another_machine_wakes_an_idle_worker(file: Path) -> None:
    worker = jobs.worker(threads=1, poll=MINUTE, clockwork=False)
    worker.start()
    try:
        program = f"""
        from drivercrm.jobs import workflow as jobs
        from tests.jobs import probes  # noqa: F401
        jobs.enqueue("probe.work", {{"file": {str(file)!r}, "name": "a"}})
        """
        time.sleep(1)  # until it is idle and listens
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("DRIVERCRM_JOBS", "procrastinate")
            processes.run_together(program, at=time.time())
        until(lambda: ended(file) == ["a"], seconds=20)
    finally:
        worker.stop()


def test_task_that_a_newer_release_enqueued_waits_for_it() -> None:
    waiting()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET task_name = 'next.release'")

    assert jobs.worker(clockwork=False).drain() == 1

    assert [row[1:] for row in rows()] == [("todo", 1)]
    assert queries.dead_letters() == []


def test_job_that_another_program_deferred_gives_up_and_is_seen() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " VALUES ('default', 'of.another.program', '{\"a\": 1}')"
        )

    assert jobs.worker(clockwork=False).drain() == 1

    [letter] = queries.dead_letters()
    assert (letter.task, letter.args["a"], letter.error_class) == ("of.another.program", 1, "LookupError")


def test_caller_that_rolled_back_frees_its_unique_key() -> None:
    with transaction.atomic():
        waiting("a", unique_key="k")
        transaction.set_rollback(True)

    waiting("b", unique_key="k")

    assert name(Shift().claim(None, MINUTE)) == "b"


def test_two_workers_that_free_the_stalled_count_one_attempt() -> None:
    for _ in range(20):
        waiting()
    frozen = [Shift() for _ in range(20)]
    for shift in frozen:
        shift.claim(None, MINUTE)
        freeze(shift)

    def sweep() -> None:
        shifts.free_the_stalled(MINUTE)
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row[1:] for row in rows()] == [("todo", 1)] * 20


def test_killed_machine_signs_off_when_another_looks(start: Callable[..., Process], file: Path) -> None:
    first = start(threads=3)
    jobs.enqueue("probe.hang_once", {"file": str(file), "name": "a"})
    until(lambda: began(file) == ["a"])
    first.send_signal(signal.SIGKILL)

    start(threads=1)

    until(lambda: queries.depths() == [])
    until(lambda: len(signed_on()) == 1)


def signed_on() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM procrastinate_workers")
        return [row[0] for row in cursor.fetchall()]


EVERYTHING = [Depth("default", waiting=5, running=0, dead=1), Depth("slow", waiting=1, running=0, dead=0)]


def fill() -> None:
    """One of each kind: plain, failed once, with a key, in an order, delayed in an order, in another queue, dead."""
    jobs.enqueue("probe.refuse")
    jobs.worker(clockwork=False).drain()
    waiting("failed", max_attempts=5)
    shift = jobs.worker(clockwork=False).moves  # type: ignore[attr-defined]
    held = shift.claim(None, MINUTE)
    shift.fail(held, RuntimeError("not yet"), NOW)
    waiting("keyed", unique_key="k")
    waiting("ordered", order_key="x")
    waiting("delayed", order_key="x", run_at=clock.now() + timedelta(hours=1))
    waiting("plain")
    waiting("slow", queue="slow")


@pytest.mark.parametrize(("before", "after"), [("embedded", "procrastinate"), ("procrastinate", "embedded")])
def test_jobs_are_carried_from_one_engine_to_the_other(before: str, after: str, settings: Settings) -> None:
    settings.JOBS_ENGINE = before
    fill()
    assert queries.depths() == EVERYTHING
    letter = queries.dead_letters()[0]
    age = queries.oldest_waiting_age()

    settings.JOBS_ENGINE = after
    assert queries.depths() == []
    assert queries.left_behind() == 7
    waiting("twin", unique_key="k")
    assert jobs.carry_over() == 7

    assert queries.left_behind() == 0
    assert queries.depths() == EVERYTHING  # the twin stands for the job with its key
    [carried] = queries.dead_letters()
    assert (carried.task, carried.error_class, carried.error, carried.attempts, carried.died_at) == (
        letter.task,
        "Refused",
        "The office is closed.",
        1,
        letter.died_at,
    )
    assert age is not None
    assert queries.oldest_waiting_age() >= age  # type: ignore[operator]
    shift = jobs.worker(clockwork=False).moves  # type: ignore[attr-defined]
    first = shift.claim(None, MINUTE)
    assert (first.args["name"], first.attempts, first.max_attempts) in (
        ("failed", 2, 5),
        ("twin", 1, 8),
    )
    shift.finish(first)
    jobs.worker(clockwork=False).drain()
    assert queries.depths() == [Depth("default", waiting=1, running=0, dead=1)]  # the delayed one
    jobs.retry(carried.id)
    assert queries.depths() == [Depth("default", waiting=2, running=0, dead=0)]


@pytest.mark.parametrize(("before", "after"), [("embedded", "procrastinate"), ("procrastinate", "embedded")])
def test_nothing_is_carried_while_a_worker_holds_a_job(before: str, after: str, settings: Settings) -> None:
    settings.JOBS_ENGINE = before
    waiting()
    waiting()
    shift = jobs.worker(clockwork=False).moves  # type: ignore[attr-defined]
    shift.claim(None, MINUTE)

    settings.JOBS_ENGINE = after
    with pytest.raises(Refused) as refusal:
        jobs.carry_over()

    assert "still holds a job. Stop all workers" in refusal.value.sentence
    assert queries.depths() == []
    assert queries.left_behind() == 2


def test_command_carries_and_says_so(settings: Settings) -> None:
    settings.JOBS_ENGINE = "embedded"
    waiting()
    command = [sys.executable, "-m", "drivercrm.cli", "carry-jobs"]
    environment = processes.environment(DRIVERCRM_JOBS="procrastinate")

    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert said.stdout == "Carried 1 job into the engine procrastinate.\n"
    assert not Job.objects.exists()
    assert [row[1] for row in rows()] == ["todo"]


def test_engine_keeps_our_arguments_apart_from_its_own() -> None:
    waiting("a")

    [(task, packed)] = rows("task_name, args")

    assert task == "probe.work"
    assert json.loads(str(packed)).keys() == {"args", "max_attempts", "asked_at"}
