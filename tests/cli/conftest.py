import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.processes import database_url

KEYS = {
    "DRIVERCRM_SECRET_KEY": "only-for-tests-0123456789-0123456789-0123456789",
    "DRIVERCRM_ADDRESS_KEY": "only-for-tests-9876543210-9876543210-9876543210",
}
PASSWORD = "a very long password\n"


@dataclass
class Result:
    code: int
    out: str
    err: str


@dataclass
class Place:
    """An installation of its own: a data folder and an empty database."""

    folder: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIVERCRM_")}
        return (
            kept
            | {"DRIVERCRM_DATA_DIR": str(self.folder), "DATABASE_URL": self.url}
            | (KEYS if self.url.startswith("postgres") else {})
            | more
        )

    def run(self, *words: str, typed: str = "", **more: str) -> Result:
        """One command, with what is typed into it and more variables around it."""
        return self._run("drivercrm.cli", *words, typed=typed, **more)

    def run_django(self, *words: str) -> Result:
        """One of Django's own commands."""
        return self._run("django", *words, DJANGO_SETTINGS_MODULE="drivercrm.config.settings")

    def _run(self, module: str, *words: str, typed: str = "", **more: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            env=self.environment(**more),
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def make_place(
    tmp_path: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[], Place]]:
    """Makes installations on the kind of database that is being tested; PostgreSQL's are dropped afterwards."""
    names: list[str] = []

    def execute(sql: str) -> None:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(sql)

    def make() -> Place:
        folder = tmp_path / f"place-{uuid4().hex[:8]}"
        folder.mkdir()
        if connection.vendor == "sqlite":
            return Place(folder, f"sqlite:///{folder / 'drivercrm.sqlite3'}")
        name = f"drivercrm_test_{uuid4().hex[:12]}"
        execute(f"CREATE DATABASE {name}")
        names.append(name)
        return Place(folder, database_url().rsplit("/", 1)[0] + f"/{name}")

    yield make
    for name in names:
        execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def place(make_place: Callable[[], Place]) -> Place:
    """An installation whose database is of this version, with one admin."""
    made = make_place()
    assert made.run("migrate").code == 0
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str, Path]]]:
    """Starts `drivercrm serve` and waits until it answers: (process, address, its log)."""
    started: list[subprocess.Popen[str]] = []

    def start(place: Place, *words: str, **more: str) -> tuple[subprocess.Popen[str], str, Path]:
        address, log = f"127.0.0.1:{free_port()}", tmp_path / f"serve-{len(started)}.log"
        with log.open("w") as target:
            process = subprocess.Popen(
                [sys.executable, "-m", "drivercrm.cli", "serve", "--bind", address, *words],
                env=place.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                text=True,
            )
        started.append(process)
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://{address}/healthz", timeout=5)
                return process, f"http://{address}", log
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise AssertionError(log.read_text())

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
