"""What machines ask about the installation."""

from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from drivercrm.config import health, metrics
from drivercrm.jobs import workflow as jobs
from drivercrm.jobs.models import Job


def test_healthz_asks_nobody() -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_is_ready_when_the_database_is_of_this_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/readyz").json() == {"status": "ready"}
    assert Client().get("/readyz").json() == {"status": "ready"}

    monkeypatch.setattr(health, "_known_ready", False)
    monkeypatch.setattr(health.upgrade, "pending", lambda: ["drivers.9999_later"])
    response = Client().get("/readyz")
    assert (response.status_code, response.json()["reason"]) == (503, "The database needs a migration.")

    with mock.patch.object(health.upgrade, "pending", side_effect=OperationalError("password=…")):
        response = Client().get("/readyz")
    assert (response.status_code, response.json()["reason"]) == (503, "The database cannot be reached.")


@pytest.mark.django_db
def test_metrics_count_requests_and_jobs() -> None:
    @jobs.task("tests.metrics")
    def nothing() -> None:
        """A job that waits."""

    jobs.enqueue("tests.metrics")
    before = dict(metrics._requests)

    Client().get("/healthz")
    page = Client().get("/metrics")

    assert metrics._requests["GET", "2xx"] == before.get(("GET", "2xx"), 0) + 2
    lines = page.content.decode().splitlines()
    assert 'drivercrm_jobs{queue="default",state="waiting"} 1' in lines
    assert any(line.startswith("drivercrm_jobs_oldest_seconds ") for line in lines)
    assert page["Content-Type"].startswith("text/plain; version=0.0.4")
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert names == {
        "drivercrm_requests_total",
        "drivercrm_request_seconds_bucket",
        "drivercrm_request_seconds_sum",
        "drivercrm_request_seconds_count",
        "drivercrm_jobs",
        "drivercrm_jobs_oldest_seconds",
        "process_resident_memory_bytes",
    }


@pytest.mark.django_db
def test_metrics_can_be_kept_for_a_bearer(settings: Settings) -> None:
    settings.METRICS_TOKEN = "a long secret"

    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer a long secret"}).status_code == 200


@pytest.mark.django_db
def test_the_doctor_names_what_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JOBS_ENGINE = "embedded"
    found = {one.check: one.state for one in health.examine()}
    assert (
        found["Database"] == found["Version"] == found["Background work"] == found["Failed jobs"] == "right"
    )
    assert found["Team"] == "note"

    Job.objects.create(
        task="journal.sweep",
        queue="default",
        state="dead",
        due_at=None,
        died_at="2026-11-22T10:00:00Z",
        attempts=8,
        max_attempts=8,
        error="No such file",
    )
    monkeypatch.setattr(health.upgrade, "pending", lambda: [])
    failed = next(one for one in health.examine() if one.check == "Failed jobs")
    assert (failed.state, failed.says) == (
        "wrong",
        "1 gave up; the latest is journal.sweep: No such file. See Settings, Jobs.",
    )

    monkeypatch.setattr(health.upgrade, "pending", lambda: ["drivers.9999_later"])
    assert [one.state for one in health.examine()][:2] == ["right", "wrong"]
    assert "Failed jobs" not in {one.check for one in health.examine()}
