import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from pytest_django import Settings

from tests.jobs import probes

LEASE = 1.2
Process = subprocess.Popen[str]


@pytest.fixture(params=["embedded"])
def engine(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Every engine passes the same contract."""
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
            "DATABASE_URL": database_url(),
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


def database_url() -> str:
    """The address of the test database, for other processes."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


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
