"""The board: its columns and cards, moving them, and what is refused."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.communications import workflow as communications
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from tests.counting import queries_of
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(Role.OPERATIONS))
    return client


def board(client: Client, **query: str) -> dict[str, Any]:
    """The columns by status."""
    answer = client.get(reverse("pipeline"), query)
    return {column.status: column for column in [*answer.context["columns"], *answer.context["folds"]]}


def names(column: Any) -> list[str]:
    return [card.driver.name for card in column.cards]


def in_status(status: str, name: str = "", **values: Any) -> Driver:
    driver = make_driver(name, **values)
    if status != "not_contacted":
        drivers.change_status(driver, status, reason="x", by=NANDI)
    return driver


def due(driver: Driver, days: int) -> None:
    at = clock.day_start(clock.today() + timedelta(days=days))
    drivers.set_follow_ups([driver.pk], due_at=at, is_all_day=True, reason="", owner=None, by=NANDI)


def test_columns_count_their_drivers_and_keep_the_two_closed_ones_folded(staff: Client) -> None:
    for status in ("not_contacted", "invited", "invited", "inactive"):
        in_status(status)
    consent.withdraw(make_driver(), source="message", by=NANDI)

    columns = board(staff)

    assert {status: column.counted for status, column in columns.items()} == {
        "not_contacted": "1",
        "contacted": "0",
        "invited": "2",
        "onboarding_started": "0",
        "onboarding_completed": "0",
        "active": "0",
        "inactive": "1",
        "opted_out": "1",
    }
    assert [columns[status].cards for status in ("inactive", "opted_out")] == [None, None]
    assert len(board(staff, open="inactive")["inactive"].cards) == 1


def test_cards_come_by_follow_up_then_by_the_longest_silence(staff: Client) -> None:
    quiet, recent, late, soon = (in_status("contacted", name) for name in ("Quiet", "Recent", "Late", "Soon"))
    never = in_status("contacted", "Never")
    due(late, -2)
    due(soon, 1)
    for driver, days in ((quiet, 20), (recent, 1)):
        at = clock.now() - timedelta(days=days)
        communications.log_call(driver, direction="outbound", outcome="voicemail", by=NANDI, at=at)

    column = board(staff)["contacted"]

    assert names(column) == ["Late", "Soon", "Quiet", "Recent", never.name]
    assert [card.follow_up for card in column.cards] == ["late", "later", "none", "none", "none"]
    assert [card.channel for card in column.cards] == ["", "", "phone", "phone", ""]


def test_a_full_column_links_to_the_rest_as_a_list(staff: Client) -> None:
    for _ in range(10):
        make_driver(area="Umlazi")

    column = board(staff, area="Umlazi")["not_contacted"]

    assert (len(column.cards), column.rest) == (8, "2 more")
    assert column.list_url == f"{reverse('drivers')}?area=Umlazi&status=not_contacted"


def test_the_board_is_searched_and_filtered_by_owner(staff: Client) -> None:
    kabelo = make_user(name="Kabelo")
    make_driver("Zodwa Ndlovu")
    mine = make_driver("Zodwa Mahlaba")
    make_driver("Sipho Dlamini")
    drivers.assign([mine.pk], kabelo, by=NANDI)

    assert sorted(names(board(staff, q="zodwa")["not_contacted"])) == ["Zodwa Mahlaba", "Zodwa Ndlovu"]
    assert names(board(staff, owner=str(kabelo.pk))["not_contacted"]) == ["Zodwa Mahlaba"]
    assert board(staff, owner="none")["not_contacted"].count == 2


def test_the_median_wait_counts_moves_to_the_next_stage(staff: Client) -> None:
    now = clock.now()
    for days in (1, 2, 6):
        driver = make_driver()
        drivers.change_status(driver, "contacted", reason="x", by=NANDI, at=now - timedelta(days=days))
        drivers.change_status(driver, "invited", reason="x", by=NANDI, at=now)

    assert board(staff)["contacted"].hint == "2.0 d · next: invitation"


# Moving


def move(client: Client, driver: Driver, *, htmx: bool = True, **data: str) -> Any:
    return client.post(reverse("pipeline_move", args=[driver.pk]), data, headers=HTMX if htmx else {})


def test_a_drop_moves_the_card_and_the_counts_and_can_be_undone(staff: Client) -> None:
    driver = make_driver("Sipho Dlamini")

    answer = move(staff, driver, status="invited")

    counts = {column.status: column.count for column in answer.context["columns"]}
    assert (counts["not_contacted"], counts["invited"]) == (0, 1)
    assert driver.status_changes.get().reason == "Moved on the board"
    text = answer.content.decode()
    assert "Sipho Dlamini set to Invited" in text
    act = driver.status_changes.get().act
    assert reverse("driver_status_undo", args=[driver.pk, act]) in text


def test_the_menu_may_say_why(staff: Client) -> None:
    driver = make_driver()

    move(staff, driver, status="inactive", reason="Car sold")

    assert driver.status_changes.get().reason == "Car sold"


def test_the_answer_to_a_move_equals_the_fresh_board(staff: Client) -> None:
    driver = make_driver()

    answer = move(staff, driver, status="invited").content.decode()
    fresh = staff.get(reverse("pipeline"), headers=HTMX).content.decode()

    start, end = answer.index('<div class="kan"'), answer.index('<div hx-swap-oob="beforeend:#toasts"')
    assert without_tokens(answer[start:end]) == without_tokens(fresh[fresh.index('<div class="kan"') :])


def without_tokens(text: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text).strip()


def test_the_filter_stays_after_a_move(staff: Client) -> None:
    driver = make_driver("Zodwa")
    make_driver("Sipho")

    url = reverse("pipeline_move", args=[driver.pk]) + "?q=zodwa"
    answer = staff.post(url, {"status": "invited"}, headers=HTMX)

    assert sum(column.count for column in answer.context["columns"]) == 1


@pytest.mark.parametrize("status", ["opted_out", "not_contacted", "nowhere"])
def test_a_refused_move_says_why_and_changes_nothing(staff: Client, status: str) -> None:
    driver = make_driver("Sipho", given_name="Sipho")

    answer = move(staff, driver, status=status)

    assert answer.status_code == 409
    assert answer.content.decode() in {
        "Opted out is set by consent. Record or withdraw consent on the driver's page instead.",
        "Sipho is already not contacted.",
        "“nowhere” is not a status.",
    }
    assert not driver.status_changes.exists()


def test_who_opted_out_is_not_moved_by_hand(staff: Client) -> None:
    driver = make_driver()
    consent.withdraw(driver, source="message", by=NANDI)

    answer = move(staff, driver, status="active")

    driver.refresh_from_db()
    assert (answer.status_code, driver.onboarding_status) == (409, "opted_out")
    assert board(staff, open="opted_out")["opted_out"].moves == []


def test_without_javascript_the_form_leads_back_to_the_board(staff: Client) -> None:
    answer = move(staff, make_driver(), htmx=False, status="invited")

    assert (answer.status_code, answer["Location"]) == (303, reverse("pipeline"))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.FINANCE])
def test_who_may_not_edit_sees_the_board_without_grips(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    driver = make_driver()

    text = client.get(reverse("pipeline")).content.decode()
    answer = move(client, driver, status="invited")

    driver.refresh_from_db()
    assert ("data-card" in text, "grip" in text, "Move to" in text) == (False, False, False)
    assert (answer.status_code, driver.onboarding_status) == (403, "not_contacted")


def test_the_board_asks_as_often_for_one_card_as_for_three(staff: Client) -> None:
    for status in ("not_contacted", "contacted", "active"):
        due(in_status(status), 1)
    board(staff)
    first = queries_of(lambda: board(staff))
    for status in ("not_contacted", "contacted", "active") * 2:
        due(in_status(status), 2)
    board(staff)

    second = queries_of(lambda: board(staff))

    assert first == second


def test_a_search_for_many_loses_nobody_and_does_not_pretend_to_have_counted(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("desk.pipeline", "drivers.filters.finding"):
        monkeypatch.setattr(f"drivercrm.{place}.COUNTED", 3)
    for number in range(4):
        make_driver(f"Zed Person {number}")
    due(make_driver("Zed Late"), 1)

    column = board(staff, q="zed")["not_contacted"]

    assert names(column)[0] == "Zed Late"
    assert (column.count, column.is_more) == (3, True)
    assert "3+ drivers" in staff.get(reverse("pipeline"), {"q": "zed"}).content.decode()
