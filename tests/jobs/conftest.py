import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings

from tests import processes
from tests.jobs import probes

LEASE = 1.2
Process = subprocess.Popen[str]


@pytest.fixture(scope="session")
def procrastinates_tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """They are made as an operator makes them: by choosing the engine, and `migrate`."""
    with django_db_blocker.unblock():
        environment = processes.environment(DRIVERCRM_JOBS="procrastinate")
        connection.close()
    command = [sys.executable, "-m", "drivercrm.cli", "migrate"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def empty_procrastinates_tables() -> None:
    """Django's own clean-up knows nothing of them."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.fixture
def procrastinate(transactional_db: None, procrastinates_tables: None, settings: Settings) -> Iterator[None]:
    settings.JOBS_ENGINE = "procrastinate"
    empty_procrastinates_tables()
    yield
    connection.close()
    empty_procrastinates_tables()


@pytest.fixture(params=["embedded", pytest.param("procrastinate", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, settings: Settings, transactional_db: None) -> str:
    """Every engine passes the same contract, on every database that it runs on."""
    if request.param == "procrastinate":
        if connection.vendor != "postgresql":
            pytest.skip("procrastinate runs on PostgreSQL only")
        request.getfixturevalue("procrastinate")
    settings.JOBS_ENGINE = request.param
    return request.param


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traces"


@pytest.fixture
def start(
    engine: str, file: Path, tmp_path: Path, transactional_db: None
) -> Iterator[Callable[..., Process]]:
    """Starts worker processes on the test database, and ends what is left of them."""
    started: list[Process] = []

    def start_worker(
        *,
        threads: int = 2,
        queues: list[str] | None = None,
        lease: float = LEASE,
        grace: float = 5,
        clockwork: bool = False,
        as_web: bool = False,
    ) -> Process:
        options = {
            "threads": threads, "queues": queues, "lease": lease, "grace": grace, "clockwork": clockwork,
            "as_web": as_web,
        }  # fmt: skip
        environment = os.environ | {
            "DATABASE_URL": processes.database_url(),
            "DRIVERCRM_JOBS": engine,
            "PROBE_FILE": str(file),
        }
        command = [sys.executable, "-m", "tests.jobs.probe_worker", json.dumps(options)]
        with (tmp_path / f"worker-{len(started)}.log").open("w") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=Path.cwd()
            )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n", Path(log.name).read_text()
        return process

    yield start_worker
    for process in started:
        process.kill()
        process.wait()


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Waits for a condition; fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ended(file: Path) -> list[str]:
    return [trace.name for trace in probes.traces(file) if trace.what == "ended"]


def began(file: Path) -> list[str]:
    return [trace.name for trace in probes.traces(file) if trace.what == "began"]
