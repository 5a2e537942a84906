"""Actions on one driver: what they change, what they answer, how they are taken back, who may."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.core import clock
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, FollowUp, OnboardingStep
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(Role.OPERATIONS, name="Nandi Pillay"))
    return client


def post(client: Client, view: str, /, *args: object, htmx: bool = True, **data: object) -> Any:
    return client.post(reverse(view, args=args), data, headers=HTMX if htmx else {})


def undo_address(answer: Any) -> str:
    """Where the toast's Undo button posts to."""
    text = answer.content.decode()
    start = text.index('action="', text.index("toast")) + len('action="')
    return text[start : text.index('"', start)].replace("&amp;", "&")


# Status


def test_a_status_is_changed_with_a_reason_and_put_back(staff: Client) -> None:
    driver = make_driver("Sipho Dlamini", given_name="Sipho")

    answer = post(staff, "driver_status", driver.pk, to="invited", reason="Spoke at the depot")

    driver.refresh_from_db()
    assert (driver.onboarding_status, answer["HX-Trigger"], answer["HX-Reswap"]) == (
        "invited",
        "driver-changed",
        "none",
    )
    assert "Sipho set to Invited" in answer.content.decode()
    assert driver.status_changes.get().reason == "Spoke at the depot"

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert driver.onboarding_status == "not_contacted"


def test_a_status_change_without_a_reason_comes_back_with_the_sentence(staff: Client) -> None:
    driver = make_driver()

    answer = post(staff, "driver_status", driver.pk, to="invited", reason="  ")

    assert answer.status_code == 422
    assert answer.context["form"].errors["reason"] == ["Say why: the reason stays in the driver's history."]
    assert not driver.status_changes.exists()


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("not_contacted", "is already not contacted"),
        ("opted_out", "Opted out is set by consent"),
        ("retired", "is not a status"),
    ],
)
def test_a_refused_move_says_why_in_the_form(staff: Client, to: str, sentence: str) -> None:
    driver = make_driver()

    answer = post(staff, "driver_status", driver.pk, to=to, reason="Because")

    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_without_javascript_an_action_leads_back_to_the_page(staff: Client) -> None:
    driver = make_driver()

    answer = post(staff, "driver_status", driver.pk, htmx=False, to="contacted", reason="Met him")

    assert (answer.status_code, answer["Location"]) == (303, reverse("driver", args=[driver.pk]))


def test_next_leads_back_only_within_this_site(staff: Client) -> None:
    first, second = make_driver(), make_driver()

    here = post(staff, "driver_status", first.pk, htmx=False, to="invited", reason="x", next="/?whose=team")
    away = post(
        staff, "driver_status", second.pk, htmx=False, to="invited", reason="x", next="https://evil.example/"
    )

    assert (here["Location"], away["Location"]) == ("/?whose=team", reverse("driver", args=[second.pk]))


# Details and notes


def seen(driver: Driver, **typed: str) -> dict[str, str]:
    """What the browser sends: every field as it was shown, with the typed ones changed."""
    columns = (
        "name given_name phone whatsapp_number email telegram_username preferred_channel area language"
        " timo_driver_id pathpulse_account_id"
    ).split()
    shown = {column: getattr(driver, column) or "" for column in columns}
    return shown | {f"seen_{column}": value for column, value in shown.items()} | typed


def test_details_are_edited_in_place_and_the_edit_is_undone(staff: Client) -> None:
    driver = make_driver("Sipho Dlamini", area="Umlazi")

    answer = post(
        staff,
        "driver_details",
        driver.pk,
        **seen(driver, phone="082 555 1234", area="Durban", email="s@x.co.za"),
    )

    driver.refresh_from_db()
    assert (driver.phone, driver.area, driver.email) == ("+27825551234", "Durban", "s@x.co.za")
    assert 'id="driver-details"' in answer.content.decode()
    assert answer["HX-Trigger"] == "driver-changed"

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert (driver.area, driver.email) == ("Umlazi", None)


def test_only_fields_that_were_typed_in_are_written(staff: Client) -> None:
    driver = make_driver(area="Umlazi", language="isiZulu")
    shown = seen(driver, area="Durban")
    drivers.edit(driver, {"language": "English"}, by=NANDI)

    post(staff, "driver_details", driver.pk, **shown)

    driver.refresh_from_db()
    assert (driver.area, driver.language) == ("Durban", "English")


def test_a_stale_edit_keeps_what_was_typed_and_offers_both_values(staff: Client) -> None:
    driver = make_driver(area="Umlazi")
    shown = seen(driver, area="Durban")
    drivers.edit(driver, {"area": "Pinetown"}, by=NANDI)

    answer = post(staff, "driver_details", driver.pk, **shown)

    line = next(line for line in answer.context["lines"] if line["name"] == "area")
    assert answer.status_code == 422
    assert (line["value"], line["conflict"], line["seen"]) == ("Durban", "Pinetown", "Pinetown")
    driver.refresh_from_db()
    assert driver.area == "Pinetown"


@pytest.mark.parametrize(("choice", "stays"), [("typed", "Durban"), ("stored", "Pinetown")])
def test_after_comparing_the_chosen_value_stays(staff: Client, choice: str, stays: str) -> None:
    driver = make_driver(area="Pinetown")

    answer = post(staff, "driver_details", driver.pk, **seen(driver, area="Durban", keep_area=choice))

    driver.refresh_from_db()
    assert (driver.area, answer.status_code) == (stays, 200)


@pytest.mark.parametrize(
    ("column", "typed", "sentence"),
    [
        ("name", "", "A driver needs a name."),
        ("phone", "123", "3 digits: a South African number has ten, starting with 0"),
        ("email", "nobody", "No @ sign"),
        ("timo_driver_id", "TR-1", "Timo driver ID TR-1 belongs to Zodwa."),
        ("preferred_channel", "pigeon", "not one of the available choices"),
    ],
)
def test_an_unusable_value_is_explained_at_its_field(
    staff: Client, column: str, typed: str, sentence: str
) -> None:
    make_driver("Zodwa", timo_driver_id="TR-1")
    driver = make_driver("Sipho")

    answer = post(staff, "driver_details", driver.pk, **seen(driver, **{column: typed}))

    line = next(line for line in answer.context["lines"] if line["name"] == column)
    assert answer.status_code == 422
    assert sentence in line["errors"][0]


def test_notes_keep_their_lines_and_come_back(staff: Client) -> None:
    driver = make_driver(notes="Drives evenings.")

    answer = post(
        staff,
        "driver_notes",
        driver.pk,
        notes="Drives evenings.\r\nPrefers isiZulu.",
        seen_notes="Drives evenings.",
    )

    driver.refresh_from_db()
    assert driver.notes == "Drives evenings.\nPrefers isiZulu."
    assert "Drives evenings.<br>Prefers isiZulu." in answer.content.decode()

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert driver.notes == "Drives evenings."


def test_an_owner_is_given_and_taken_back(staff: Client) -> None:
    driver, kabelo = make_driver("Sipho", given_name="Sipho"), make_user(name="Kabelo Maseko")

    answer = post(staff, "driver_owner", driver.pk, owner=kabelo.pk)

    driver.refresh_from_db()
    assert driver.owner == kabelo
    assert "Kabelo Maseko looks after Sipho" in answer.content.decode()

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert driver.owner is None


def test_an_owner_who_left_is_refused(staff: Client) -> None:
    driver, gone = make_driver(), make_user(is_active=False)

    answer = post(staff, "driver_owner", driver.pk, owner=gone.pk)

    assert (answer.status_code, answer.content.decode()) == (
        409,
        "This person cannot look after drivers.",
    )


# Checklist


def test_a_ticked_step_starts_onboarding_and_its_undo_takes_both_back(staff: Client) -> None:
    driver = make_driver()

    answer = post(staff, "driver_step", driver.pk, "app_installed")

    driver.refresh_from_db()
    assert driver.onboarding_status == "onboarding_started"
    assert "App installed: done" in answer.content.decode()

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert (driver.onboarding_status, OnboardingStep.objects.count()) == ("not_contacted", 0)


def test_a_step_is_unticked_without_moving_the_driver_back(staff: Client) -> None:
    driver = make_driver()
    drivers.complete_step(driver, "app_installed", by=NANDI)

    post(staff, "driver_step_undo", driver.pk, "app_installed")

    driver.refresh_from_db()
    assert (driver.onboarding_status, driver.steps.count()) == ("onboarding_started", 0)


def test_the_undo_of_an_untick_brings_the_step_back_as_it_was(staff: Client) -> None:
    driver = make_driver()
    at = datetime(2025, 11, 3, 8, tzinfo=UTC)
    drivers.complete_step(driver, "app_installed", by=NANDI, at=at)

    answer = post(staff, "driver_step_undo", driver.pk, "app_installed")
    assert not driver.steps.exists()
    back = staff.post(undo_address(answer), headers=HTMX)

    step = driver.steps.get()
    assert (step.done_at, step.done_by) == (at, str(NANDI))
    assert "App installed: done" in back.content.decode()
    for entry in ("0", "9" * 40, "-1", "x"):
        refused = staff.post(
            f"{reverse('driver_step', args=[driver.pk, 'app_tested'])}?entry={entry}", headers=HTMX
        )
        assert (refused.status_code, refused.content.decode()) == (409, "There is nothing to undo here.")


def test_an_unknown_step_is_refused(staff: Client) -> None:
    answer = post(staff, "driver_step", make_driver().pk, "tyres_checked")

    assert (answer.status_code, answer.content.decode()) == (
        409,
        "“tyres_checked” is not a step of the checklist.",
    )


# Follow-ups


def test_a_follow_up_for_a_day_is_set_and_removed_again(staff: Client) -> None:
    driver, day = make_driver(), clock.today() + timedelta(days=3)

    answer = post(
        staff, "driver_follow_ups", driver.pk, on=day.isoformat(), at="", reason="Ask again", owner=""
    )

    one = FollowUp.objects.get()
    driver.refresh_from_db()
    assert (one.due_at, one.is_all_day, one.reason) == (clock.day_start(day), True, "Ask again")
    assert driver.next_follow_up_date == one.due_at

    staff.post(undo_address(answer), headers=HTMX)

    driver.refresh_from_db()
    assert driver.next_follow_up_date is None


def test_a_follow_up_with_an_hour_is_moved(staff: Client) -> None:
    driver, day = make_driver(), clock.today() + timedelta(days=1)
    post(staff, "driver_follow_ups", driver.pk, on=day.isoformat(), at="", reason="Ask", owner="")
    one = FollowUp.objects.get()

    answer = post(staff, "follow_up", one.pk, on=day.isoformat(), at="11:30", reason="Ask nicely")

    one.refresh_from_db()
    local = one.due_at.astimezone(clock.zone())
    assert (local.date(), f"{local:%H:%M}", one.is_all_day, one.reason) == (day, "11:30", False, "Ask nicely")
    assert f'id="follow-up-{one.pk}"' in answer.content.decode()


def test_the_undo_of_a_follow_up_that_was_done_meanwhile_says_so(staff: Client) -> None:
    answer = post(staff, "driver_follow_ups", make_driver().pk, on="2031-12-01", at="", reason="", owner="")
    one = FollowUp.objects.get()
    drivers.complete_follow_up(one, by=NANDI)

    undone = staff.post(undo_address(answer), headers=HTMX)

    one.refresh_from_db()
    assert (undone.status_code, undone.content.decode(), one.outcome) == (
        409,
        "Nothing was removed: this follow-up was done meanwhile.",
        "done",
    )


def hidden(answer: Any) -> dict[str, str]:
    """What the form sends along: what was seen."""
    found = re.findall(r'name="(seen_\w+)" value="([^"]*)"', answer.content.decode())
    return {name: unescape(value) for name, value in found}


def test_two_windows_that_edit_one_follow_up_lose_nothing(staff: Client) -> None:
    [one] = drivers.set_follow_ups(
        [make_driver().pk],
        due_at=datetime(2031, 12, 1, 7, 30, 15, 5, tzinfo=UTC),
        is_all_day=False,
        reason="Ask <b>",
        owner=None,
        by=NANDI,
    )
    seen = hidden(staff.get(reverse("follow_up", args=[one.pk]), headers=HTMX))
    assert seen == {
        "seen_due": "2031-12-01T07:30:15.000005+00:00",
        "seen_all_day": "",
        "seen_reason": "Ask <b>",
    }
    post(staff, "follow_up", one.pk, on="2031-12-24", at="", reason="Ask <b>", **seen)

    # the other window changes the reason alone: the colleague's day stays
    merged = post(staff, "follow_up", one.pk, on="2031-12-01", at="09:30", reason="Ring", **seen)
    one.refresh_from_db()
    assert (merged.status_code, one.due_at, one.is_all_day, one.reason) == (
        200,
        clock.day_start(date(2031, 12, 24)),
        True,
        "Ring",
    )

    # and where both changed the same, it is told first
    stale = post(staff, "follow_up", one.pk, on="2031-12-02", at="09:30", reason="Ask <b>", **seen)
    one.refresh_from_db()
    assert (stale.status_code, one.due_at, one.reason) == (422, clock.day_start(date(2031, 12, 24)), "Ring")
    assert stale.context["form"].errors == {
        "on": [
            "Somebody moved this to 24 Dec 2031 while you were typing. Save again to replace it.",
        ]
    }
    told = hidden(stale)
    assert (clock.local_day(datetime.fromisoformat(told["seen_due"])), told["seen_all_day"]) == (
        date(2031, 12, 24),
        "yes",
    )
    assert told["seen_reason"] == "Ask <b>"

    # saved again it replaces, and still leaves what this window did not touch
    post(staff, "follow_up", one.pk, on="2031-12-02", at="09:30", reason="Ask <b>", **told)
    one.refresh_from_db()
    assert (one.due_at, one.is_all_day, one.reason) == (
        datetime(2031, 12, 2, 7, 30, tzinfo=UTC),
        False,
        "Ring",
    )

    # a reason is told the same way
    stale = post(staff, "follow_up", one.pk, on="2031-12-01", at="09:30", reason="Write", **seen)
    assert stale.context["form"].errors == {
        "reason": ["Somebody changed this to “Ring” while you were typing. Save again to replace it."]
    }


def test_saving_a_follow_up_as_it_stands_changes_nothing(staff: Client) -> None:
    due_at = datetime(2031, 12, 1, 7, 30, 15, tzinfo=UTC)
    [one] = drivers.set_follow_ups(
        [make_driver().pk], due_at=due_at, is_all_day=False, reason="", owner=None, by=NANDI
    )
    seen = hidden(staff.get(reverse("follow_up", args=[one.pk]), headers=HTMX))

    answer = post(staff, "follow_up", one.pk, on="2031-12-01", at="09:30", reason="", **seen)

    one.refresh_from_db()
    assert (answer.status_code, one.due_at) == (200, due_at)
    assert "toast" not in answer.content.decode()


def test_done_is_taken_back(staff: Client) -> None:
    driver = make_driver()
    [one] = drivers.set_follow_ups(
        [driver.pk], due_at=clock.now(), is_all_day=False, reason="Ask", owner=None, by=NANDI
    )

    answer = post(staff, "follow_up_done", one.pk)

    one.refresh_from_db()
    assert one.outcome == "done"

    staff.post(undo_address(answer), headers=HTMX)

    one.refresh_from_db()
    driver.refresh_from_db()
    assert (one.outcome, one.done_at, driver.next_follow_up_date) == ("", None, one.due_at)


def test_done_twice_is_refused_with_a_sentence(staff: Client) -> None:
    [one] = drivers.set_follow_ups(
        [make_driver().pk], due_at=clock.now(), is_all_day=False, reason="", owner=None, by=NANDI
    )
    post(staff, "follow_up_done", one.pk)

    answer = post(staff, "follow_up_done", one.pk)

    assert (answer.status_code, answer.content.decode()) == (409, "This follow-up is done already.")


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"on": ""}, "on", "Choose a day."),
        ({"on": "soon"}, "on", "This is not a day."),
        ({"on": "2026-12-01", "at": "late"}, "at", "This is not a time of day."),
        ({"on": "2026-12-01", "reason": "x" * 201}, "reason", "Keep the reason under 200 letters."),
    ],
)
def test_an_unusable_follow_up_is_explained(
    staff: Client, data: dict[str, str], field: str, sentence: str
) -> None:
    answer = post(staff, "driver_follow_ups", make_driver().pk, **data)

    assert (answer.status_code, answer.context["form"].errors[field]) == (422, [sentence])


# Who may


ACTIONS = [
    ("driver_status", {"to": "invited", "reason": "x"}),
    ("driver_details", {"name": "Other"}),
    ("driver_notes", {"notes": "x"}),
    ("driver_owner", {"owner": ""}),
]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.FINANCE])
@pytest.mark.parametrize(("name", "data"), ACTIONS)
def test_who_may_not_edit_is_refused(client: Client, role: str, name: str, data: dict[str, str]) -> None:
    client.force_login(make_user(role))
    driver = make_driver("Sipho")

    answer = client.post(reverse(name, args=[driver.pk]), data)

    driver.refresh_from_db()
    assert (answer.status_code, driver.name, driver.onboarding_status) == (403, "Sipho", "not_contacted")


@pytest.mark.parametrize("name", ["driver_status", "driver_details", "driver_notes", "driver_follow_ups"])
def test_every_form_is_also_a_page_of_its_own(staff: Client, name: str) -> None:
    driver = make_driver("Sipho Dlamini")

    page = staff.get(reverse(name, args=[driver.pk]))
    part = staff.get(reverse(name, args=[driver.pk]), headers=HTMX)

    assert "<h1>" in page.content.decode()
    assert part.content.decode().lstrip().startswith("<form")


@pytest.mark.parametrize("noun", ["details", "notes"])
def test_cancelling_brings_back_what_the_page_shows(staff: Client, noun: str) -> None:
    driver = make_driver("Sipho Dlamini", notes="Evenings", area="Umlazi")

    part = staff.get(reverse(f"driver_{noun}_shown", args=[driver.pk]), headers=HTMX).content.decode()
    page = staff.get(reverse("driver", args=[driver.pk])).content.decode()

    assert part.strip() in page


@pytest.mark.parametrize("on", ["0001-01-01", "1999-12-31", "9999-12-31"])
def test_a_follow_up_in_another_century_is_refused(staff: Client, on: str) -> None:
    driver = make_driver()

    one = post(staff, "driver_follow_ups", driver.pk, on=on)
    many = post(staff, "drivers_follow_ups", on=on, driver=str(driver.pk))

    assert (one.status_code, many.status_code) == (422, 422)
    for answer in (one, many):
        assert "Use a day between 2000 and 2100." in answer.content.decode()
    assert not FollowUp.objects.exists()


def test_support_sets_moves_ends_and_reopens_follow_ups_but_edits_nothing(client: Client) -> None:
    client.force_login(make_user(Role.SUPPORT))
    driver = make_driver("Sipho Dlamini")

    assert post(client, "driver_follow_ups", driver.pk, on="2026-12-01").status_code == 200
    one = FollowUp.objects.get()
    assert post(client, "follow_up", one.pk, on="2026-12-02", reason="Ring").status_code == 200
    text = client.get(reverse("driver", args=[driver.pk])).content.decode()
    done = [
        post(client, name, one.pk) for name in ("follow_up_done", "follow_up_reopening", "follow_up_undo")
    ]
    many = post(client, "drivers_follow_ups", on="2026-12-03", driver=str(driver.pk))
    undone = client.post(undo_address(many), headers=HTMX)

    assert [answer.status_code for answer in (*done, many, undone)] == [200] * 5
    assert "Done</button>" in text
    assert 'id="follow-up-open"' in text
    assert "Set follow-up" in client.get(reverse("drivers")).content.decode()
    assert "Set follow-up" in client.get(reverse("search"), {"q": "Sipho"}).content.decode()
    for name in ("driver_status", "driver_details", "driver_notes"):
        assert post(client, name, driver.pk).status_code == 403
    assert "Change status" not in text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_who_may_not_contact_drivers_sets_no_follow_up(client: Client, role: str) -> None:
    client.force_login(make_user(role))

    driver = make_driver()

    one = post(client, "driver_follow_ups", driver.pk, on="2026-12-01")
    many = post(client, "drivers_follow_ups", on="2026-12-01", driver=str(driver.pk))

    assert (one.status_code, many.status_code, FollowUp.objects.count()) == (403, 403, 0)
