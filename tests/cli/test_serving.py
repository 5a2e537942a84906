"""The server starts by itself, works, and stops gracefully."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.cli.conftest import PASSWORD, Place

Serve = Callable[..., tuple["subprocess.Popen[str]", str, Path]]


def get(url: str, token: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_a_fresh_sqlite_file_is_made_and_served(make_place: Callable[[], Place], serve: Serve) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL is migrated by hand; see the next test")
    place = make_place()

    process, address, log = serve(place)

    assert get(f"{address}/readyz") == {"status": "ready"}
    assert "Applied" in log.read_text()
    assert not (place.folder / "backups").exists()  # there was nothing to back up
    process.terminate()
    assert process.wait(20) == 0


def test_an_older_sqlite_file_is_backed_up_before_it_is_changed(
    make_place: Callable[[], Place], serve: Serve
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("an SQLite matter")
    place = make_place()
    environment = place.environment(DJANGO_SETTINGS_MODULE="drivercrm.config.settings")
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "accounts", "0001"],
        env=environment,
        check=True,
        capture_output=True,
    )

    serve(place)

    assert [file.name[:15] for file in (place.folder / "backups").iterdir()] == ["before-upgrade-"]


def test_postgres_is_not_migrated_without_being_asked(make_place: Callable[[], Place]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a PostgreSQL matter")
    result = make_place().run("serve", "--bind", "127.0.0.1:1")

    assert (result.code, result.err) == (
        1,
        "The database is not of this version yet. Run “drivercrm migrate” first.\n",
    )


def test_it_answers_works_and_stops_gracefully(place: Place, serve: Serve) -> None:
    place.run("create-user", "ada@example.org", typed=PASSWORD)
    token = place.run("create-token", "--role", "admin").out.strip()
    process, address, log = serve(place, DRIVERCRM_LOG="json")

    assert get(f"{address}/api/v1/drivers?search=0821234567", token) == {"items": [], "next_cursor": None}
    assert get(f"{address}/api/v1/me", token)["kind"] == "token"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(20) == 0

    assert time.monotonic() - began < 8
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert lines[-1]["event"] == "stopped"
    requests = [line for line in lines if line["event"] == "request"]
    assert {"method", "view", "status", "ms", "request_id"} <= set(requests[-1])
    text = log.read_text()
    for personal in ("0821234567", token, "search", "ada@example.org", "127.0.0.1 -"):
        assert personal not in text


def test_a_taken_address_is_refused_with_a_sentence(place: Place, serve: Serve) -> None:
    _, address, _ = serve(place)

    result = place.run("serve", "--bind", address.removeprefix("http://"))
    assert (result.code, result.err) == (1, f"Cannot serve on {address}: address already in use.\n")
    assert place.run("serve", "--bind", "nowhere").err.startswith("“nowhere” is no address to serve on.")


def test_a_worker_runs_alone_beside_a_server_without_jobs(place: Place, serve: Serve) -> None:
    serve(place, "--no-jobs")
    worker = subprocess.Popen(
        [sys.executable, "-m", "drivercrm.cli", "worker"], env=place.environment(), stderr=subprocess.PIPE
    )
    time.sleep(3)
    worker.terminate()
    assert worker.wait(20) == 0


def test_several_processes_share_a_port_on_postgres(place: Place, serve: Serve) -> None:
    if connection.vendor == "sqlite":
        result = place.run("serve", "--processes", "2")
        assert (result.code, result.err) == (
            1,
            "SQLite has one writer, so one process serves it. Use more threads.\n",
        )
        return
    process, address, log = serve(place, "--processes", "2")
    time.sleep(3)

    assert log.read_text().count("serving") == 2
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)
    time.sleep(5)
    assert get(f"{address}/readyz") == {"status": "ready"}
    assert log.read_text().count("serving") == 3
    process.terminate()
    assert process.wait(20) == 0


def test_a_restore_waits_for_nobody_who_serves(place: Place, serve: Serve, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    assert place.run("backup", str(archive)).code == 0
    serve(place)

    result = place.run("restore", str(archive))
    assert result.code == 1
    assert result.err == "Driver CRM is running on this data. Stop it first.\n"
