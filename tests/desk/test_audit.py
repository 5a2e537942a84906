"""The audit log: who, what, when, through which door, before and after."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.events import DriverEdited
from drivercrm.drivers.models import Driver
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange
from drivercrm.journal.models import Entry
from drivercrm.ui import formats
from tests.factories import actor_of, make_driver, make_user

pytestmark = pytest.mark.django_db

PAGE = "/settings/audit/"


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user(Role.ADMIN, name="Lwazi Sithole")
    client.force_login(user)
    return user


def shown(client: Client, **asked: Any) -> list[Any]:
    return list(client.get(PAGE, asked).context["lines"])


def test_a_line_says_who_did_what_to_whom(client: Client, admin: User) -> None:
    driver = make_driver("Sipho Dlamini", by=actor_of(admin))
    drivers.edit(driver, {"area": "Umlazi"}, by=actor_of(admin))

    line = shown(client)[0]

    assert (line.who, line.what, line.origin) == ("Lwazi Sithole", "Changed details", "Browser")
    assert [record.name for record in line.records] == ["Sipho Dlamini"]
    assert line.changes == ["Area: – → Umlazi"]


def test_the_newest_comes_first(client: Client, admin: User) -> None:
    for name in ("First", "Second"):
        make_driver(name, by=actor_of(admin))

    assert [line.records[0].name for line in shown(client)] == ["Second", "First"]


def test_jobs_tokens_and_the_command_line_are_named(client: Client, admin: User) -> None:
    _, secret = accounts.create_token("Sync", role=Role.OPERATIONS, by=actor_of(admin))
    make_driver("By token", by=accounts.authenticate_token(secret).actor)  # type: ignore[union-attr]
    make_driver("By rule", by=automation("nightly"))

    lines = shown(client)

    assert [(line.who, line.origin) for line in lines] == [
        ("Nightly", "Job"),
        ("Token “Sync”", "API"),
        ("Lwazi Sithole", "Browser"),
    ]
    assert lines[2].changes == ["Name: – → Sync"]


def test_somebody_unknown_and_a_deleted_driver_do_not_break_the_page(client: Client, admin: User) -> None:
    driver = make_driver("Gone")
    Driver.objects.filter(pk=driver.pk).delete()

    line = shown(client)[0]

    assert (line.who, line.records[0].name) == ("Somebody who is gone", "A deleted driver")


def test_a_batch_names_three_and_counts_the_rest(client: Client, admin: User) -> None:
    batch = [make_driver() for _ in range(5)]
    changes = [FieldChange(driver.pk, "area", None, "Umlazi") for driver in batch]
    journal.announce(
        DriverEdited([driver.pk for driver in batch], ["area"]), by=actor_of(admin), changes=changes
    )

    line = shown(client)[0]

    assert (len(line.records), line.more_records) == (3, 2)
    assert (len(line.changes), line.more_changes) == (3, 2)


def test_it_is_filtered_by_person_kind_and_period(client: Client, admin: User) -> None:
    other = make_user(Role.OPERATIONS)
    make_driver("Old", by=actor_of(other))
    Entry.objects.update(at=clock.now() - timedelta(days=10))
    make_driver("By other", by=actor_of(other))
    make_driver("By rule", by=automation("nightly"))
    accounts.create_token("Sync", role=Role.VIEWER, by=actor_of(admin))
    today = clock.today()

    def names(**asked: Any) -> list[str]:
        return [line.records[0].name for line in shown(client, **asked)]

    assert names(who=f"user:{other.pk}") == ["By other", "Old"]
    assert names(who="automation") == ["By rule"]
    assert names(area="token") == ["Token “Sync”"]
    assert names(since=today.isoformat(), area="driver") == ["By rule", "By other"]
    assert names(until=(today - timedelta(days=1)).isoformat()) == ["Old"]
    assert names(who="user:nonsense") == []


def test_what_cannot_be_read_filters_nothing(client: Client, admin: User) -> None:
    make_driver(by=actor_of(admin))

    assert len(shown(client, since="2026-02-31", until="x", before="abc", after="9" * 30)) == 1


def test_pages_of_fifty_meet_without_gap_or_repeat(client: Client, admin: User) -> None:
    now = clock.now()
    Entry.objects.bulk_create(
        Entry(
            name="driver.created", actor=f"user:{admin.pk}", origin="web", at=now - timedelta(minutes=n // 4)
        )
        for n in range(120)
    )

    def page(address: str) -> Any:
        return client.get(PAGE + address).context

    first = page("")
    second = page(first["older"])
    third = page(second["older"])
    back = page(third["newer"])

    assert [len(part["lines"]) for part in (first, second, third)] == [50, 50, 20]
    assert (first["newer"], third["older"]) == ("", "")
    assert back["lines"] == second["lines"]
    moments = [line.at for part in (first, second, third) for line in part["lines"]]
    assert moments == sorted(moments, reverse=True)
    assert page(back["newer"])["lines"] == first["lines"]


def test_a_page_costs_the_same_with_one_row_and_with_three(client: Client, admin: User) -> None:
    counts = []
    for number in (1, 2):
        for _ in range(number):
            other = make_user(Role.OPERATIONS)
            drivers.edit(make_driver(by=actor_of(other)), {"area": "Umlazi"}, by=actor_of(other))
            accounts.create_token(f"Token {other.pk}", role=Role.VIEWER, by=actor_of(other))
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_no_secret_is_ever_in_it(client: Client, admin: User) -> None:
    token, secret = accounts.create_token("Sync", role=Role.VIEWER, by=actor_of(admin))
    _, invitation = accounts.invite("guest@umzila.example", Role.VIEWER, by=actor_of(admin))

    page = client.get(PAGE).content.decode()

    assert "Made a token" in page
    assert secret[10:] not in page
    assert invitation not in page
    assert token.secret_hash not in page


def test_an_unticked_step_shows_when_it_was_done(client: Client, admin: User) -> None:
    driver = make_driver(by=actor_of(admin))
    at = clock.now() - timedelta(days=1)
    drivers.complete_step(driver, "app_installed", by=actor_of(admin), at=at)
    drivers.undo_step(driver, "app_installed", by=actor_of(admin))

    line = shown(client)[0]

    assert (line.what, line.changes) == (
        "Unticked a step",
        [f"App installed: done at {formats.day_time(at)} → –"],
    )


def test_a_new_owner_is_named(client: Client, admin: User) -> None:
    driver = make_driver(by=actor_of(admin))
    drivers.assign([driver.pk], admin, by=actor_of(admin))

    assert shown(client)[0].changes == ["Owner: – → Lwazi Sithole"]


def test_what_an_event_stores_by_its_key_is_said_in_words(client: Client, admin: User) -> None:
    driver = make_driver(by=actor_of(admin))
    drivers.complete_step(driver, "app_installed", by=actor_of(admin))

    moved, ticked, added = shown(client)

    assert ticked.changes == ["Step: App installed"]
    assert moved.changes == [
        "Not contacted → Onboarding started",
        "Trigger: Checklist step done",
    ]
    assert added.what == "Added"


@pytest.mark.parametrize(
    ("due_at", "is_all_day", "reason", "words"),
    [
        (datetime(2031, 5, 7, 22, tzinfo=UTC), True, "Call", ["Due: Mon 5 May 2031 → Thu 8 May 2031"]),
        (
            datetime(2031, 5, 6, 7, 30, tzinfo=UTC),
            False,
            "",
            ["Due: Mon 5 May 2031 → 6 May 2031, 09:30", "Reason: Call → –"],
        ),
        (datetime(2031, 5, 4, 22, tzinfo=UTC), True, "Ring", ["Reason: Call → Ring"]),
    ],
)
def test_a_moved_follow_up_says_from_when_to_when(
    client: Client, admin: User, due_at: datetime, is_all_day: bool, reason: str, words: list[str]
) -> None:
    driver = make_driver("Sipho Dlamini", by=actor_of(admin))
    [one] = drivers.set_follow_ups(
        [driver.pk],
        due_at=datetime(2031, 5, 4, 22, tzinfo=UTC),
        is_all_day=True,
        reason="Call",
        owner=None,
        by=actor_of(admin),
    )
    drivers.move_follow_up(one, due_at=due_at, is_all_day=is_all_day, reason=reason, by=actor_of(admin))

    line = shown(client)[0]

    assert (line.who, line.what, line.changes, line.more_changes) == (
        "Lwazi Sithole",
        "Changed a follow-up",
        words,
        0,
    )
    assert [record.name for record in line.records] == ["Sipho Dlamini"]


@pytest.mark.parametrize(
    "asked",
    [{"since": "0001-01-01"}, {"until": "9999-12-31"}, {"since": "1999-12-31", "until": "2101-01-01"}],
)
def test_days_of_other_centuries_filter_nothing(client: Client, admin: User, asked: dict[str, str]) -> None:
    make_driver(by=actor_of(admin))

    answer = client.get(PAGE, asked)

    assert (answer.status_code, len(answer.context["lines"]), answer.context["is_filtered"]) == (
        200,
        1,
        False,
    )
