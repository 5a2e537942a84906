"""Settings, Jobs: what waits, what runs late, and what gave up."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.jobs import queries
from drivercrm.jobs import workflow as jobs
from drivercrm.journal.models import Entry
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGE = "/settings/jobs/"


@jobs.task("tests.shut", max_attempts=1)
def shut() -> None:
    raise Refused("closed", "The office is closed.")


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user(Role.ADMIN)
    client.force_login(user)
    return user


def give_up(times: int = 1) -> list[int]:
    """Jobs that failed for good, the latest first."""
    for _ in range(times):
        jobs.enqueue("tests.shut")
    jobs.worker(clockwork=False).drain()
    return [letter.id for letter in queries.dead_letters()]


def words(client: Client) -> str:
    return " ".join(client.get(PAGE).content.decode().split())


def toasts(answer: Any) -> list[str]:
    return [str(one) for one in answer.context["messages"]]


def test_a_quiet_installation_says_so(client: Client, admin: User, settings: Settings) -> None:
    page = words(client)

    assert "Nothing waits and nothing runs." in page
    assert f"Nothing is overdue. Engine: {settings.JOBS_ENGINE}." in page
    assert "Retry all" not in page


def test_queues_late_jobs_and_those_that_gave_up_are_shown(client: Client, admin: User) -> None:
    [dead] = give_up()
    jobs.enqueue("tests.shut", run_at=clock.now() - timedelta(minutes=14))
    jobs.enqueue("tests.shut", queue="slow", run_at=clock.now() + timedelta(hours=1))

    page = words(client)

    context = client.get(PAGE).context
    assert [(one.queue, one.waiting, one.running, one.dead) for one in context["depths"]] == [
        ("default", 1, 0, 1),
        ("slow", 1, 0, 0),
    ]
    assert "A job has waited for 14 min." in page
    assert "tests.shut" in page
    assert "The office is closed." in page
    assert f"/settings/jobs/{dead}/retry/" in page


def test_a_job_is_tried_again_and_the_journal_knows_by_whom(client: Client, admin: User) -> None:
    [dead] = give_up()

    answer = client.post(f"{PAGE}{dead}/retry/", follow=True)

    assert toasts(answer) == ["tests.shut runs again."]
    assert queries.dead_letters() == []
    entry = Entry.objects.get(name="job.retried")
    assert (entry.actor, entry.data) == (
        f"user:{admin.pk}",
        {"job_ids": [dead], "tasks": ["tests.shut"]},
    )
    assert "Tried failed jobs again" in client.get("/settings/audit/").content.decode()


def test_a_job_is_discarded_for_good(client: Client, admin: User) -> None:
    [dead] = give_up()

    answer = client.post(f"{PAGE}{dead}/discard/", follow=True)

    assert toasts(answer) == ["tests.shut is discarded."]
    assert queries.depths() == []
    assert Entry.objects.get(name="job.discarded").data == {"job_id": dead, "task": "tests.shut"}


@pytest.mark.parametrize("verb", ["retry", "discard"])
def test_what_somebody_settled_meanwhile_is_refused(client: Client, admin: User, verb: str) -> None:
    [dead] = give_up()
    jobs.discard(dead)

    answer = client.post(f"{PAGE}{dead}/{verb}/", follow=True)

    assert toasts(answer) == ["This job did not fail, or somebody has settled it already."]
    assert not Entry.objects.filter(name__startswith="job.").exists()


def test_all_that_the_page_showed_are_tried_again_at_once(client: Client, admin: User) -> None:
    dead = give_up(3)
    jobs.discard(dead[0])

    answer = client.post(f"{PAGE}retry/", {"job": [*dead, "9" * 30, "x"]}, follow=True)

    assert toasts(answer) == ["2 jobs run again."]
    assert queries.dead_letters() == []
    [entry] = Entry.objects.filter(name="job.retried")
    assert sorted(entry.data["job_ids"]) == sorted(dead[1:])


def test_its_questions_are_the_same_for_one_and_for_three(client: Client, admin: User) -> None:
    counts = []
    for times in (1, 2):
        give_up(times)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as asked:
            client.get(PAGE)
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_only_an_admin_sees_it(client: Client) -> None:
    client.force_login(make_user(Role.MANAGER))

    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}retry/").status_code == 403
