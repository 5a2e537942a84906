"""Actions on many drivers, a new driver, and named lists: what they change, and how each is taken back."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, FollowUp, SavedView
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def me(client: Client) -> User:
    user = make_user(Role.OPERATIONS, name="Nandi Pillay")
    client.force_login(user)
    return user


def toast(answer: Any) -> str:
    found = re.search(r'<div class="toast .*?<span class="t">([^<]*)</span>', answer.content.decode())
    return unescape(found[1]) if found else ""


def undo(client: Client, answer: Any) -> Any:
    found = re.search(r'action="([^"]*)"[^>]*data-undo', answer.content.decode())
    assert found
    return client.post(unescape(found[1]), headers=HTMX)


def statuses() -> dict[str, str]:
    return dict(Driver.objects.values_list("name", "onboarding_status"))


# Status


def test_the_status_of_many_is_changed_and_put_back(client: Client, me: User) -> None:
    a, b, c = make_driver("A"), make_driver("B"), make_driver("C")
    drivers.change_status(b, "invited", reason="before", by=NANDI)
    make_driver("Not ticked")

    answer = client.post(
        "/drivers/status/",
        {"driver": [a.pk, b.pk, c.pk], "to": "invited", "reason": "Called the depot"},
        headers=HTMX,
    )

    assert (answer["HX-Trigger"], answer["HX-Reswap"]) == ("driver-changed", "none")
    assert toast(answer) == "2 drivers set to Invited. 1 driver stayed: there already, or opted out"
    assert statuses() == {"A": "invited", "B": "invited", "C": "invited", "Not ticked": "not_contacted"}
    assert set(a.status_changes.values_list("reason", "actor")) == {("Called the depot", f"user:{me.pk}")}

    back = undo(client, answer)

    assert toast(back) == "Status of 2 drivers put back"
    assert statuses() == {
        "A": "not_contacted",
        "B": "invited",
        "C": "not_contacted",
        "Not ticked": "not_contacted",
    }


def test_undo_leaves_a_driver_who_moved_on(client: Client, me: User) -> None:
    a, b = make_driver("A"), make_driver("B")
    answer = client.post(
        "/drivers/status/", {"driver": [a.pk, b.pk], "to": "contacted", "reason": "x"}, headers=HTMX
    )
    drivers.change_status(b, "active", reason="y", by=NANDI)

    back = undo(client, answer)

    assert toast(back) == "Status of 1 driver put back, 1 driver had moved on"
    assert statuses() == {"A": "not_contacted", "B": "active"}


def test_all_matching_are_found_again_when_it_is_done(client: Client, me: User) -> None:
    for name, area in [("A", "Umlazi"), ("B", "Umlazi"), ("C", "Phoenix")]:
        make_driver(name, area=area)
    asked = client.get("/drivers/status/", {"all": "1", "query": "area=Umlazi"}, headers=HTMX)
    make_driver("D, who came meanwhile", area="Umlazi")

    client.post(
        "/drivers/status/",
        {"all": "1", "query": "area=Umlazi", "to": "invited", "reason": "x"},
        headers=HTMX,
    )

    assert "Change 2 drivers" in asked.content.decode()
    assert statuses() == {
        "A": "invited",
        "B": "invited",
        "C": "not_contacted",
        "D, who came meanwhile": "invited",
    }


def test_nobody_is_moved_into_or_out_of_opted_out(client: Client, me: User) -> None:
    out, other = make_driver("Out"), make_driver("Other")
    consent.withdraw(out, source="staff", by=NANDI)

    offered = client.get("/drivers/status/", {"driver": other.pk}, headers=HTMX)
    forged = client.post(
        "/drivers/status/", {"driver": other.pk, "to": "opted_out", "reason": "x"}, headers=HTMX
    )
    moved = client.post("/drivers/status/", {"driver": out.pk, "to": "active", "reason": "x"}, headers=HTMX)

    assert 'value="opted_out"' not in offered.content.decode()
    assert (forged.status_code, moved.status_code) == (422, 422)
    assert "None of these drivers can move there" in moved.content.decode()
    assert statuses() == {"Out": "opted_out", "Other": "not_contacted"}


def test_a_reason_is_asked_for_at_its_field(client: Client, me: User) -> None:
    driver = make_driver("A")

    answer = client.post(
        "/drivers/status/", {"driver": driver.pk, "to": "invited", "reason": " "}, headers=HTMX
    )

    html = answer.content.decode()
    assert answer.status_code == 422
    assert html.startswith('<dialog class="dialog" id="many"')
    assert "Say why: the reason stays in the driver&#x27;s history." in html
    assert f'name="driver" value="{driver.pk}"' in html
    assert statuses() == {"A": "not_contacted"}


def test_without_javascript_the_question_is_a_page_and_the_answer_a_way_back(
    client: Client, me: User
) -> None:
    driver = make_driver("A", area="Umlazi")

    asked = client.get("/drivers/status/", {"driver": driver.pk, "query": "area=Umlazi"})
    done = client.post(
        "/drivers/status/", {"driver": driver.pk, "query": "area=Umlazi", "to": "invited", "reason": "x"}
    )

    assert "<h1>Change status</h1>" in asked.content.decode()
    assert (done.status_code, done["Location"]) == (303, "/drivers/?area=Umlazi")
    assert toast(client.get("/drivers/")) == "1 driver set to Invited"


def test_nothing_ticked_is_a_sentence(client: Client, me: User) -> None:
    answer = client.get("/drivers/status/", headers=HTMX)

    assert (answer.status_code, answer.content.decode()) == (409, "Tick at least one driver first.")


# Owner


def test_many_are_assigned_and_given_back(client: Client, me: User) -> None:
    other = make_user(Role.OPERATIONS, name="Zaid Hassan")
    a, b = make_driver("A"), make_driver("B")
    drivers.assign([b.pk], me, by=NANDI)

    answer = client.post("/drivers/owner/", {"driver": [a.pk, b.pk], "owner": other.pk}, headers=HTMX)

    assert toast(answer) == "2 drivers assigned to Zaid H"
    assert set(Driver.objects.values_list("owner_id", flat=True)) == {other.pk}

    back = undo(client, answer)

    assert toast(back) == "Owner of 2 drivers put back"
    assert dict(Driver.objects.values_list("name", "owner_id")) == {"A": None, "B": me.pk}


def test_assigning_to_the_owner_they_have_changes_nothing(client: Client, me: User) -> None:
    driver = make_driver("A")
    entries = Entry.objects.count()

    answer = client.post("/drivers/owner/", {"driver": driver.pk, "owner": ""}, headers=HTMX)

    assert toast(answer) == "Nothing changed: 1 driver had this owner already"
    assert Entry.objects.count() == entries


def test_nobody_who_left_is_given_drivers(client: Client, me: User) -> None:
    gone = make_user(Role.OPERATIONS, is_active=False)
    driver = make_driver("A")

    answer = client.post("/drivers/owner/", {"driver": driver.pk, "owner": gone.pk}, headers=HTMX)

    assert answer.status_code == 422
    assert "This person cannot look after drivers." in answer.content.decode()


# Follow-ups


def test_follow_ups_are_set_for_many_and_removed_together(client: Client, me: User) -> None:
    a, b, out = make_driver("A"), make_driver("B"), make_driver("Out")
    consent.withdraw(out, source="staff", by=NANDI)
    day = clock.today() + timedelta(days=3)

    answer = client.post(
        "/drivers/follow-ups/",
        {"driver": [a.pk, b.pk, out.pk], "on": day.isoformat(), "reason": "Ask again"},
        headers=HTMX,
    )
    later = client.post(
        "/drivers/follow-ups/", {"driver": [a.pk], "on": day.isoformat(), "at": "14:30"}, headers=HTMX
    )

    assert toast(answer).startswith("Follow-up set for 2 drivers: ")
    assert toast(answer).endswith(". 1 driver opted out and got none")
    assert toast(later).endswith(", 14:30")
    assert set(FollowUp.objects.values_list("driver__name", "reason", "is_all_day", "owner_id")) == {
        ("A", "Ask again", True, me.pk),
        ("B", "Ask again", True, me.pk),
        ("A", "", False, me.pk),
    }

    back = undo(client, answer)

    assert toast(back) == "Follow-up of 2 drivers removed"
    still = FollowUp.objects.filter(done_at__isnull=True)
    assert [(one.driver.name, one.is_all_day) for one in still] == [("A", False)]
    assert set(Driver.objects.values_list("name", "next_follow_up_date")) == {
        ("A", still[0].due_at),
        ("B", None),
        ("Out", None),
    }
    assert undo(client, answer).content.decode() == "There is nothing to undo here."


def test_a_follow_up_needs_a_day(client: Client, me: User) -> None:
    driver = make_driver("A")

    answer = client.post("/drivers/follow-ups/", {"driver": driver.pk, "on": "someday"}, headers=HTMX)

    assert answer.status_code == 422
    assert "This is not a day." in answer.content.decode()
    assert FollowUp.objects.count() == 0


# Roles


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.FINANCE])
def test_roles_that_do_not_edit_change_nothing(client: Client, role: Role) -> None:
    client.force_login(make_user(role))
    driver = make_driver("A")
    data = {
        "driver": driver.pk,
        "to": "invited",
        "reason": "x",
        "owner": "",
        "on": "2027-01-01",
        "name": "New",
    }

    for address in ("/drivers/status/", "/drivers/owner/", "/drivers/new/"):
        assert client.post(address, data).status_code == 403

    assert statuses() == {"A": "not_contacted"}
    assert FollowUp.objects.count() == 0


# A new driver


def test_a_driver_is_added_by_hand(client: Client, me: User) -> None:
    answer = client.post(
        "/drivers/new/", {"name": "Sipho Dlamini", "phone": "082 123 4567", "area": "Umlazi"}, headers=HTMX
    )

    driver = Driver.objects.get()
    assert (driver.name, driver.phone, driver.area, driver.preferred_channel, driver.source) == (
        "Sipho Dlamini",
        "+27821234567",
        "Umlazi",
        "whatsapp",
        "person",
    )
    assert (answer.status_code, answer["HX-Redirect"]) == (204, f"/drivers/{driver.pk}/")
    assert toast(client.get("/drivers/")) == "Sipho Dlamini added"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "", "phone": "0821234567"}, "A driver needs a name."),
        ({"name": "Sipho"}, "Add a phone number, a mail or another way to reach this driver."),
        ({"name": "Sipho", "phone": "0821112222"}, "belongs to Lerato."),
        ({"name": "Sipho", "phone": "12"}, 'aria-invalid="true"'),
    ],
)
def test_a_driver_that_cannot_be_added_is_said_at_the_field(
    client: Client, me: User, values: dict[str, str], sentence: str
) -> None:
    make_driver("Lerato", phone="+27821112222")

    answer = client.post("/drivers/new/", values)

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Driver.objects.count() == 1


# Named lists


def test_a_list_is_named_pinned_and_shared(client: Client, me: User) -> None:
    answer = client.post(
        "/drivers/views/",
        {
            "name": "  In Umlazi ",
            "query": "view=all&area=Umlazi&sort=name&q=sipho&nonsense=1",
            "is_shared": "on",
            "is_pinned": "on",
        },
    )

    view = SavedView.objects.get()
    assert (view.name, view.query, view.owner, view.is_shared, view.is_pinned) == (
        "In Umlazi",
        "area=Umlazi&sort=name",
        me,
        True,
        True,
    )
    assert (answer.status_code, answer["Location"]) == (303, f"/drivers/?view={view.pk}")
    assert Entry.objects.filter(name="view.saved", data__view_id=str(view.pk)).count() == 1


def test_a_name_is_taken_once_per_person(client: Client, me: User) -> None:
    drivers.save_view(make_user(), name="Mine", query="", by=NANDI)
    drivers.save_view(me, name="Mine", query="", by=NANDI)

    answer = client.post("/drivers/views/", {"name": "Mine", "query": ""})

    assert answer.status_code == 422
    assert "You have a view called “Mine” already." in answer.content.decode()


def test_a_view_is_renamed_and_takes_the_list_only_when_asked(client: Client, me: User) -> None:
    view = drivers.save_view(me, name="Old", query="area=Umlazi", by=NANDI)
    now = urlencode({"view": view.pk, "area": "Phoenix", "sort": "-created"})

    asked = client.get(f"/drivers/views/{view.pk}/?{now}").content.decode()
    plain = client.get(f"/drivers/views/{view.pk}/?view={view.pk}").content.decode()
    client.post(f"/drivers/views/{view.pk}/", {"name": "New", "query": now})
    view.refresh_from_db()
    renamed = (view.name, view.query)
    client.post(f"/drivers/views/{view.pk}/", {"name": "New", "query": now, "takes_list": "on"})
    view.refresh_from_db()

    assert ("takes_list" in asked, "takes_list" in plain) == (True, False)
    assert renamed == ("New", "area=Umlazi")
    assert (view.name, view.query) == ("New", "area=Phoenix")


def test_only_ones_own_views_can_be_touched(client: Client, me: User) -> None:
    theirs = drivers.save_view(make_user(), name="Theirs", query="", is_shared=True, by=NANDI)

    assert client.get(f"/drivers/views/{theirs.pk}/").status_code == 404
    assert client.post(f"/drivers/views/{theirs.pk}/", {"name": "Mine now"}).status_code == 404
    assert client.post(f"/drivers/views/{theirs.pk}/deletion/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_a_deleted_view_comes_back_under_its_address(client: Client, me: User) -> None:
    view = drivers.save_view(me, name="Mine", query="area=Umlazi", is_pinned=True, by=NANDI)

    client.post(f"/drivers/views/{view.pk}/deletion/")
    page = client.get("/drivers/")
    gone = SavedView.objects.count()
    back = undo(client, page)

    restored = SavedView.objects.get()
    assert (gone, toast(page)) == (0, "View “Mine” deleted")
    assert (restored.pk, restored.name, restored.query, restored.is_pinned) == (
        view.pk,
        "Mine",
        "area=Umlazi",
        True,
    )
    assert back["HX-Redirect"] == f"/drivers/?view={view.pk}"


def test_a_view_that_was_deleted_in_another_window_stays_deleted(client: Client, me: User) -> None:
    view = drivers.save_view(me, name="Mine", query="area=Umlazi", by=NANDI)
    stale = SavedView.objects.get(pk=view.pk)
    drivers.delete_view(view, by=NANDI)

    with pytest.raises(Refused) as refusal:
        drivers.change_view(stale, name="New", is_shared=True, is_pinned=False, by=NANDI)

    assert (refusal.value.code, refusal.value.sentence) == (
        "gone",
        "This view was deleted in another window.",
    )
    assert not SavedView.objects.exists()
    assert [entry.name for entry in Entry.objects.order_by("pk")] == ["view.saved", "view.deleted"]


def test_another_persons_undo_does_nothing(client: Client, me: User) -> None:
    view = drivers.save_view(me, name="Mine", query="", by=NANDI)
    client.post(f"/drivers/views/{view.pk}/deletion/")
    page = client.get("/drivers/")

    other = Client()
    other.force_login(make_user())
    answer = undo(other, page)
    forged = client.post("/drivers/views/restoration/?kept=forged", headers=HTMX)

    assert answer.content.decode() == "This view was not yours."
    assert forged.content.decode() == "This view can no longer be brought back."
    assert SavedView.objects.count() == 0


def test_a_viewer_may_keep_views_too(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))

    assert client.post("/drivers/views/", {"name": "Mine", "query": ""}).status_code == 303
