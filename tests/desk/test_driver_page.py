"""The driver page: the path, the timeline, the rail, and what each role sees of them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.communications import workflow as communications
from drivercrm.communications.models import Communication
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.journal.models import Change
from tests.counting import queries_of
from tests.factories import NANDI, actor_of, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(Role.OPERATIONS, name="Nandi Pillay"))
    return client


def ago(days: float) -> datetime:
    return clock.now() - timedelta(days=days)


def page(client: Client, driver: Driver, **query: str) -> Any:
    return client.get(reverse("driver", args=[driver.pk]), query)


def heads(answer: Any) -> list[str]:
    """The timeline's lines as plain text, the oldest first."""
    return [" ".join(item.head.split()) for item in answer.context["timeline"].items]


# The path


def test_each_step_shows_when_it_was_first_reached(staff: Client) -> None:
    driver = make_driver()
    drivers.change_status(driver, "contacted", reason="x", by=NANDI, at=ago(9))
    drivers.change_status(driver, "invited", reason="x", by=NANDI, at=ago(5))
    drivers.change_status(driver, "contacted", reason="x", by=NANDI, at=ago(4))
    drivers.change_status(driver, "invited", reason="x", by=NANDI, at=ago(3))

    stages = page(staff, driver).context["stages"]

    days = [stage.when.split(",")[0] for stage in stages]
    assert [stage.state for stage in stages] == ["done", "done", "now", "todo", "todo", "todo"]
    assert days[1:3] == [f"{at.astimezone(clock.zone()):%-d %b}" for at in (ago(9), ago(5))]
    assert days[3:] == ["", "", ""]


@pytest.mark.parametrize(
    ("leave", "label", "place"), [("inactive", "Inactive", 5), ("opted_out", "Opted out", 2)]
)
def test_who_left_the_path_shows_it_at_the_last_reached_step(
    staff: Client, leave: str, label: str, place: int
) -> None:
    driver = make_driver()
    if leave == "inactive":
        drivers.change_status(driver, "active", reason="x", by=NANDI)
        drivers.change_status(driver, "inactive", reason="x", by=NANDI)
    else:
        drivers.change_status(driver, "invited", reason="x", by=NANDI)
        consent.withdraw(driver, source="message", by=NANDI)

    stages = page(staff, driver).context["stages"]

    assert [(number, stage.label) for number, stage in enumerate(stages) if stage.state == "now"] == [
        (place, label)
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "Never asked"),
        (["grant"], f"Opted in {clock.now().astimezone(clock.zone()):%-d %b}"),
        (["grant", "withdraw"], "Consent withdrawn"),
    ],
)
def test_the_tag_beside_the_name_says_whether_the_driver_opted_in(
    staff: Client, said: list[str], words: str
) -> None:
    driver = make_driver()
    if "grant" in said:
        consent.grant(driver, channels=["whatsapp"], purposes=["service"], source="x", evidence="y", by=NANDI)
    if "withdraw" in said:
        consent.withdraw(driver, source="message", by=NANDI)

    assert page(staff, driver).context["opt_in"][2] == words


# The timeline


def a_busy_driver() -> Driver:
    nandi = actor_of(make_user(Role.OPERATIONS, name="Nandi Pillay"))
    driver = make_driver("Thandeka Mkhize", given_name="Thandeka", by=nandi)
    Driver.objects.filter(pk=driver.pk).update(created_at=ago(10))
    consent.grant(
        driver,
        channels=["whatsapp"],
        purposes=["service"],
        source="agreement",
        evidence="2025-11",
        by=nandi,
        at=ago(9),
    )
    communications.log_call(
        driver,
        direction="outbound",
        outcome="answered",
        by=nandi,
        note="She is keen.",
        seconds=240,
        at=ago(8),
    )
    drivers.change_status(driver, "onboarding_started", reason="Came by", by=nandi, at=ago(7))
    drivers.edit(driver, {"area": "Umlazi"}, by=nandi)
    drivers.complete_step(driver, "app_installed", by=nandi)
    [one] = drivers.set_follow_ups(
        [driver.pk],
        due_at=clock.day_start(clock.today()),
        is_all_day=True,
        reason="Ask",
        owner=None,
        by=nandi,
    )
    drivers.complete_follow_up(one, by=nandi)
    return driver


def test_the_timeline_mixes_every_kind_of_fact_in_order(staff: Client) -> None:
    assert heads(page(staff, a_busy_driver())) == [
        "<b>Thandeka</b> added by hand",
        "Consent <b>granted</b> for WhatsApp: service",
        "<b>Nandi Pillay</b> called, spoke for 4 min",
        "Not contacted → <b>Contacted</b>",
        "Contacted → <b>Onboarding started</b>",
        "<b>Nandi Pillay</b> changed Area",
        "<b>App installed</b> ticked by Nandi Pillay",
        f"<b>Nandi Pillay</b> set a follow-up for {clock.today():%a %-d %b %Y}",
        "Follow-up done by Nandi Pillay",
    ]


@pytest.mark.parametrize(
    ("show", "lines"),
    [
        ("calls", ["<b>Nandi Pillay</b> called, spoke for 4 min"]),
        ("status", ["Not contacted → <b>Contacted</b>", "Contacted → <b>Onboarding started</b>"]),
        ("consent", ["Consent <b>granted</b> for WhatsApp: service"]),
        ("changes", ["<b>Thandeka</b> added by hand", "<b>Nandi Pillay</b> changed Area"]),
    ],
)
def test_the_filter_shows_one_kind_and_counts_it(staff: Client, show: str, lines: list[str]) -> None:
    answer = page(staff, a_busy_driver(), show=show)

    counts = {one["key"]: one["count"] for one in answer.context["filters"]}
    assert heads(answer) == lines
    assert counts == {"all": 9, "calls": 1, "status": 2, "consent": 1, "changes": 2}


def test_an_unticked_step_says_which_and_the_journal_keeps_when_it_was_done(staff: Client) -> None:
    driver = make_driver()
    nandi = actor_of(make_user(Role.OPERATIONS, name="Thabo Nkosi"))
    at = ago(2)
    drivers.complete_step(driver, "app_installed", by=nandi, at=at)
    drivers.undo_step(driver, "app_installed", by=nandi)

    assert heads(page(staff, driver, show="changes"))[1:] == ["<b>Thabo Nkosi</b> unticked App installed"]
    change = Change.objects.get(object_id=driver.pk)
    assert (change.field, change.before, change.after) == (
        "step:app_installed",
        {"done_at": at.isoformat(), "done_by": str(nandi)},
        None,
    )


def test_a_moved_follow_up_says_from_when_to_when(staff: Client) -> None:
    nandi = actor_of(make_user(Role.OPERATIONS, name="Nandi Pillay"))
    driver = make_driver("Thandeka Mkhize", by=nandi)
    due = datetime(2031, 5, 4, 22, tzinfo=UTC)
    [one] = drivers.set_follow_ups(
        [driver.pk], due_at=due, is_all_day=True, reason="Call <b>", owner=None, by=nandi
    )
    hour = due + timedelta(hours=33, minutes=30)
    drivers.move_follow_up(one, due_at=hour, is_all_day=False, reason="Call <b>", by=nandi)
    drivers.move_follow_up(one, due_at=hour, is_all_day=False, reason="Ring", by=nandi)

    answer = page(staff, driver)

    assert heads(answer)[1:] == [
        "<b>Nandi Pillay</b> set a follow-up for Mon 5 May 2031",
        "<b>Nandi Pillay</b> moved a follow-up from Mon 5 May 2031 to 6 May 2031, 09:30",
        "<b>Nandi Pillay</b> changed the reason of the follow-up for 6 May 2031, 09:30",
    ]
    assert [item.foot for item in answer.context["timeline"].items[2:]] == [
        "<span>Call &lt;b&gt;</span>",
        "<span>Call &lt;b&gt; → Ring</span>",
    ]
    assert {one["key"]: one["count"] for one in answer.context["filters"]}["changes"] == 3


def test_messages_and_edited_values_are_for_the_roles_that_may_read_them(client: Client) -> None:
    driver = a_busy_driver()

    client.force_login(make_user(Role.VIEWER))
    viewer = page(client, driver).content.decode()
    client.force_login(make_user(Role.SUPPORT))
    support = page(client, driver).content.decode()
    client.force_login(make_user(Role.OPERATIONS))
    operations = page(client, driver).content.decode()

    assert ["She is keen." in text for text in (viewer, support, operations)] == [False, True, True]
    assert ["empty → Umlazi" in text for text in (viewer, support, operations)] == [False, False, True]
    assert "Not shown to your role" in viewer


def test_who_may_only_read_sees_no_action(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))
    driver = a_busy_driver()

    text = page(client, driver).content.decode()

    main = text[text.index('<main class="main"') : text.index("</main>")]
    assert 'method="post"' not in main
    assert "Change status" not in main
    assert "hx-post" not in main


def test_a_user_who_typed_markup_gets_it_back_as_text(staff: Client) -> None:
    driver = make_driver("<b>Bold</b>", given_name="<i>x</i>", notes="<script>1</script>")
    drivers.edit(driver, {"area": "<u>Durban</u>"}, by=NANDI)
    communications.log_call(driver, direction="outbound", outcome="busy", by=NANDI, note="<em>y</em>")

    text = page(staff, driver).content.decode()

    for markup in ("<b>Bold", "<i>x", "<script>1", "<u>Durban", "<em>y"):
        assert markup not in text


def test_earlier_pages_continue_without_a_gap_or_a_repeat(staff: Client) -> None:
    driver = make_driver()
    at = ago(3)
    for number in range(70):
        # pairs at the very same moment
        communications.log_call(
            driver,
            direction="outbound",
            outcome="no_answer",
            by=NANDI,
            note=f"call {number:02}",
            at=at + timedelta(minutes=number // 2),
        )
    for _ in range(5):
        drivers.change_status(driver, "invited", reason="x", by=NANDI, at=at)
        drivers.change_status(driver, "contacted", reason="x", by=NANDI, at=at)

    answer = page(staff, driver)
    found = [item for item in answer.context["timeline"].items]
    pages = 1
    while answer.context["earlier"]:
        answer = staff.get(
            f"{reverse('driver_timeline', args=[driver.pk])}?{answer.context['earlier']}", headers=HTMX
        )
        found = [*answer.context["timeline"].items, *found]
        pages += 1

    bodies = [str(item.body) for item in found if item.body]
    assert (len(found), pages) == (70 + 10 + 1, 3)
    assert sorted(bodies) == [f"call {number:02}" for number in range(70)]
    assert [item.at for item in found] == sorted(item.at for item in found)


@pytest.mark.parametrize(
    "marker",
    [
        "x",
        "2026-01-01T10:00~1~zz",
        "2026-01-01T10:00+02:00~99~1",
        "~~",
        "0001-01-01T00:00+14:00~3~1",
        "9999-12-31T23:59-14:00~3~1",
        f"2026-01-01T10:00+02:00~3~{2**63}",
    ],
)
def test_a_made_up_marker_is_refused(staff: Client, marker: str) -> None:
    answer = staff.get(reverse("driver_timeline", args=[make_driver().pk]), {"before": marker}, headers=HTMX)

    assert (answer.status_code, answer.content.decode()) == (
        409,
        "This page marker does not belong to this timeline. Start again.",
    )


# Regions that refresh themselves


def test_every_region_after_a_change_equals_the_fresh_page(staff: Client) -> None:
    driver = a_busy_driver()

    live = staff.get(reverse("driver_live", args=[driver.pk]), headers=HTMX).content.decode()
    fresh = page(staff, driver).content.decode()

    regions = ("driver-follow-ups", "driver-checklist", "driver-engagement", "driver-details", "driver-facts")
    regions += ("driver-consent", "driver-notes", "driver-timeline")
    for region in regions:
        assert without_tokens(part(live, region)) == without_tokens(part(fresh, region))


def part(text: str, region: str) -> str:
    start = (
        text.index(f'<section id="{region}"')
        if f'<section id="{region}"' in text
        else text.index(f'id="{region}"')
    )
    return text[start : text.index("</section>", start)]


def without_tokens(text: str) -> str:
    text = re.sub(r' hx-swap-oob="[^"]*"', "", text)
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


# Neighbours


def test_previous_and_next_follow_the_list_the_page_was_opened_from(staff: Client) -> None:
    names = {name: make_driver(name, area="Umlazi") for name in ("Bongi", "Ayanda", "Cebo")}
    make_driver("Bulelwa", area="Durban")
    came_from = "area=Umlazi&sort=name"

    answer = page(staff, names["Bongi"], **{"from": came_from})

    assert str(names["Ayanda"].pk) in answer.context["previous"]
    assert str(names["Cebo"].pk) in answer.context["following"]
    assert answer.context["list_url"] == f"{reverse('drivers')}?{came_from}"


def test_without_a_list_there_are_no_neighbours(staff: Client) -> None:
    make_driver()

    answer = page(staff, make_driver())

    assert "previous" not in answer.context
    assert "following" not in answer.context


# Cost


def test_the_page_asks_as_often_for_one_of_everything_as_for_three(staff: Client) -> None:
    one, three = a_busy_driver(), a_busy_driver()
    by = actor_of(make_user(Role.OPERATIONS))
    for number in range(2):
        communications.log_call(three, direction="outbound", outcome="busy", by=by)
        drivers.edit(three, {"area": f"Area {number}"}, by=by)
        drivers.set_follow_ups(
            [three.pk], due_at=clock.now(), is_all_day=False, reason="x", owner=make_user(), by=by
        )
        drivers.complete_step(three, ("app_tested", "training_done")[number], by=by)
        drivers.change_status(three, ("invited", "contacted")[number], reason="x", by=by)
    page(staff, one)

    first = queries_of(lambda: page(staff, one))
    second = queries_of(lambda: page(staff, three))

    assert first == second == QUERIES
    assert Communication.objects.count() == 4


# sign-in, person; driver with owner and two counts; newest entry; status, steps, consent, follow-ups,
# messages and calls, edits
QUERIES = 11
