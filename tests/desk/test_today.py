"""Today: what is due for whom, who was not reached, and the figures with their definitions."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation, User
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.imports.models import Import
from tests.counting import queries_of
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def nandi() -> User:
    return make_user(Role.OPERATIONS, name="Nandi Pillay")


@pytest.fixture
def staff(client: Client, nandi: User) -> Client:
    client.force_login(nandi)
    return client


def today(client: Client, **query: str) -> Any:
    return client.get(reverse("today"), query).context


def due(name: str, days: int, owner: User | None = None) -> FollowUp:
    at = clock.day_start(clock.today() + timedelta(days=days))
    [one] = drivers.set_follow_ups(
        [make_driver(name).pk], due_at=at, is_all_day=True, reason="Ask", owner=owner, by=NANDI
    )
    return one


def test_an_empty_house_points_to_the_import(staff: Client) -> None:
    answer = staff.get(reverse("today"))

    assert "Bring your drivers in" in answer.content.decode()


def test_follow_ups_up_to_tonight_are_due_the_oldest_first(staff: Client) -> None:
    due("Tomorrow", 1)
    due("Today", 0)
    due("Late", -3)

    context = today(staff)

    assert [one.driver.name for one in context["follow_ups"]] == ["Late", "Today"]
    assert (context["due_words"], context["overdue_words"]) == ("2", "1")


def test_mine_are_those_given_to_me_and_those_given_to_nobody(staff: Client, nandi: User) -> None:
    due("Mine", 0, nandi)
    due("Nobody's", 0)
    due("Kabelo's", 0, make_user(name="Kabelo"))

    mine = [one.driver.name for one in today(staff)["follow_ups"]]
    team = [one.driver.name for one in today(staff, whose="team")["follow_ups"]]

    assert (sorted(mine), sorted(team)) == (["Mine", "Nobody's"], ["Kabelo's", "Mine", "Nobody's"])


def test_who_does_not_edit_starts_with_the_team(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))
    due("Kabelo's", 0, make_user(name="Kabelo"))

    answer = client.get(reverse("today"))

    assert answer.context["whose"] == "team"
    main = answer.content.decode().split('<main class="main"')[1].split("</main>")[0]
    assert 'method="post"' not in main


def test_done_leads_back_here_and_leaves_the_list(staff: Client) -> None:
    one = due("Late", -1)

    answer = staff.post(reverse("follow_up_done", args=[one.pk]), {"next": "/?whose=mine"})

    assert (answer.status_code, answer["Location"]) == (303, "/?whose=mine")
    assert today(staff)["follow_ups"] == []


def unreached(name: str, **values: Any) -> Driver:
    driver = make_driver(name, **values)
    by = automation("outbox")
    drivers.trigger([driver.pk], Trigger.MESSAGE_ACCEPTED, by=by)
    drivers.trigger([driver.pk], Trigger.UNREACHED, by=by)
    return driver


def test_who_was_not_reached_is_listed_until_contacted(staff: Client) -> None:
    unreached("Sipho")
    reached = unreached("Zodwa")
    drivers.change_status(reached, "contacted", reason="Called", by=NANDI)

    assert [driver.name for driver, _ in today(staff)["unreached"]] == ["Sipho"]


def test_the_figures_count_what_their_words_say(staff: Client) -> None:
    organisation = Organisation.current()
    organisation.sign_up_goal = 400
    organisation.sign_up_by = clock.today() + timedelta(days=12)
    organisation.save()
    for status in ("invited", "onboarding_started", "onboarding_completed", "active", "active"):
        drivers.change_status(make_driver(), status, reason="x", by=NANDI)
    long_active = make_driver()
    drivers.change_status(long_active, "active", reason="x", by=NANDI, at=clock.now() - timedelta(days=20))
    drivers.change_status(long_active, "inactive", reason="x", by=NANDI)

    context = today(staff)

    figures = context["figures"]
    assert (figures.active, figures.active_change) == (2, 1)
    assert (figures.completed_this_week, figures.signed_up) == (3, 5)
    assert (context["goal"], context["days_left"]) == (400, 12)
    assert figures.funnel == [
        ("contacted", 6, 100),
        ("invited", 6, 100),
        ("onboarding_started", 5, 83),
        ("onboarding_completed", 4, 67),
        ("active", 3, 50),
    ]
    assert sum(figures.completed_per_day) == 4


@pytest.mark.parametrize(
    ("begins", "through", "says"),
    [
        (None, None, ""),
        (-10, -1, ""),
        (-10, None, "No usage is loaded yet, so nobody is called inactive."),
        (-10, -6, "Nobody is called inactive for the days after that."),
        (5, None, ""),
    ],
)
def test_a_warning_says_that_usage_is_not_loaded(
    staff: Client, begins: int | None, through: int | None, says: str
) -> None:
    make_driver()
    organisation = Organisation.current()
    organisation.pilot_starts_on = None if begins is None else clock.today() + timedelta(days=begins)
    organisation.metrics_complete_through = (
        None if through is None else clock.today() + timedelta(days=through)
    )
    organisation.save()

    warning = today(staff)["metrics_warning"]

    assert warning.endswith(says) if says else warning == ""


def test_the_region_that_refreshes_equals_the_fresh_page(staff: Client) -> None:
    due("Late", -1)
    unreached("Sipho")

    part = staff.get(reverse("today"), headers=HTMX).content.decode()
    page = staff.get(reverse("today")).content.decode()

    assert without_tokens(part) in without_tokens(page)


def without_tokens(text: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text).strip()


def test_today_asks_as_often_for_one_row_as_for_three(staff: Client) -> None:
    due("First", 0)
    unreached("Sipho")
    today(staff)
    one = queries_of(lambda: today(staff))
    for number in range(2):
        due(f"More {number}", -number)
        unreached(f"Also {number}")
    today(staff)

    three = queries_of(lambda: today(staff))

    assert one == three


def test_imports_at_work_are_shown_to_those_who_may_import(client: Client, nandi: User) -> None:
    make_driver()
    Import.objects.create(
        state="running",
        file_name="november.csv",
        file_hash="x",
        row_count=200,
        done_count=50,
        created_by="user:x",
    )
    Import.objects.create(state="done", file_name="october.csv", file_hash="y", created_by="user:x")

    seen = {}
    for user in (nandi, make_user(Role.VIEWER)):
        client.force_login(user)
        seen[user.role] = [(one.file_name, one.percent) for one in today(client)["running"]]

    assert seen == {"operations": [("november.csv", 25)], "viewer": []}
