"""The driver record over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts.enums import Role
from drivercrm.communications.models import Communication
from drivercrm.consent.models import ConsentEvent
from drivercrm.core import clock
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, FollowUp, SavedView
from drivercrm.journal.models import Entry
from tests.api.conftest import Api, problem
from tests.factories import NANDI, make_driver, make_user


def made(api: Api, **values: Any) -> dict[str, Any]:
    response = api.post("/drivers", {"name": "Sipho Dlamini", "phone": "082 123 4567", **values})
    assert response.status_code == 201, response.content
    return response.json()


def test_a_driver_is_made_read_and_found(api: Api) -> None:
    owner = make_user(Role.OPERATIONS)
    driver = made(api, email="Sipho@Example.org", area="Umlazi", owner_id=str(owner.pk))

    assert (driver["phone"], driver["email"], driver["onboarding_status"], driver["source"]) == (
        "+27821234567",
        "Sipho@example.org",
        "not_contacted",
        "api",
    )
    assert (driver["preferred_channel"], driver["owner_id"]) == ("whatsapp", str(owner.pk))
    assert api.get(f"/drivers/{driver['id']}").json() == driver
    assert api.get("/drivers", search="0821234").json() == {"items": [driver], "next_cursor": None}
    entry = Entry.objects.get(name="driver.created")
    assert (entry.actor.partition(":")[0], entry.origin) == ("token", "api")


def test_what_another_driver_holds_is_never_taken_over(api: Api) -> None:
    made(api)

    assert problem(api.post("/drivers", {"name": "Zola", "phone": "+27 82 123 4567"})) == (
        409,
        "value_taken",
        "phone",
    )
    assert problem(api.post("/drivers", {"name": "Zola", "phone": "12"})) == (422, "unusable_number", "phone")
    assert problem(api.post("/drivers", {"name": "Zola"})) == (422, "unreachable", "phone")
    nobody = "00000000-0000-7000-8000-00000000000f"
    refused = api.post("/drivers", {"name": "Zola", "phone": "0821111111", "owner_id": nobody})
    assert problem(refused) == (422, "unknown_owner", "owner_id")
    assert Driver.objects.count() == 1


def test_a_change_keeps_what_it_does_not_name(api: Api) -> None:
    driver = made(api, area="Umlazi", notes="Drives at night")

    changed = api.patch(f"/drivers/{driver['id']}", {"area": "KwaMashu", "email": None}).json()

    assert (changed["area"], changed["notes"], changed["email"]) == ("KwaMashu", "Drives at night", None)
    assert changed["updated_at"] > driver["updated_at"]


def test_the_owner_is_given_and_taken(api: Api) -> None:
    owner = make_user(Role.OPERATIONS)
    driver = made(api)

    given = api.patch(f"/drivers/{driver['id']}", {"owner_id": str(owner.pk)}).json()
    assert given["owner_id"] == str(owner.pk)
    assert api.patch(f"/drivers/{driver['id']}", {"owner_id": None}).json()["owner_id"] is None


def test_a_change_of_an_older_version_is_refused(api: Api) -> None:
    driver = made(api)
    path = f"/drivers/{driver['id']}"
    tag = api.get(path)["ETag"]

    second = api.patch(path, {"area": "Umlazi"}, If_Match=tag)
    third = api.patch(path, {"area": "Phoenix"}, If_Match=tag)

    assert second.status_code == 200
    assert problem(third) == (412, "version_changed", None)
    assert api.patch(path, {"area": "Phoenix"}, If_Match=second["ETag"]).json()["area"] == "Phoenix"
    assert problem(api.patch(path, {"area": "Durban", "expected": {"area": "Umlazi"}})) == (
        409,
        "edited_since",
        "area",
    )
    assert Driver.objects.get().area == "Phoenix"


def test_pages_follow_each_other_without_gap_or_repeat(api: Api) -> None:
    names = [f"Driver {letter}" for letter in "ABCDEFG"]
    for name in names:
        make_driver(name)

    found, cursor = [], None
    while True:
        page = api.get("/drivers", sort="name", limit=3, **({"cursor": cursor} if cursor else {})).json()
        found += [driver["name"] for driver in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == names
    assert [row["name"] for row in api.get("/drivers", sort="-name", limit=2).json()["items"]] == names[
        :-3:-1
    ]
    assert problem(api.get("/drivers", limit=201)) == (422, "invalid", None)
    assert problem(api.get("/drivers", limit=0)) == (422, "invalid", None)


def test_the_list_is_filtered(api: Api) -> None:
    owner = make_user(Role.OPERATIONS)
    ana, ben = make_driver("Ana"), make_driver("Ben")
    Driver.objects.filter(pk=ana.pk).update(owner=owner, updated_at=clock.now() - timedelta(days=3))
    api.post(f"/drivers/{ben.pk}/status-changes", {"to": "invited", "reason": "Met at the depot"})

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in api.get("/drivers", sort="name", **query).json()["items"]]

    assert names(status="invited") == ["Ben"]
    assert names(status=["invited", "not_contacted"]) == ["Ana", "Ben"]
    assert names(owner=str(owner.pk)) == ["Ana"]
    assert names(owner="none") == ["Ben"]
    assert names(updated_since=(clock.now() - timedelta(days=1)).isoformat()) == ["Ben"]
    assert names(**{"status.not": "invited"}) == ["Ana"]
    assert problem(api.get("/drivers", status="happy")) == (422, "invalid", None)
    assert problem(api.get("/drivers", sort="shoe_size")) == (422, "invalid", None)


def test_changes_can_be_followed_by_their_moment(api: Api) -> None:
    for number in range(5):
        driver = make_driver(f"Driver {number}")
        Driver.objects.filter(pk=driver.pk).update(updated_at=clock.now() - timedelta(minutes=10 - number))

    first = api.get("/drivers", sort="updated", limit=3).json()
    second = api.get("/drivers", sort="updated", limit=3, cursor=first["next_cursor"]).json()

    names = [row["name"] for row in first["items"] + second["items"]]
    assert names == [f"Driver {number}" for number in range(5)]


def queries_of(api: Api, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(path).status_code == 200
    return len(captured)


def test_lists_ask_the_database_as_often_for_one_row_as_for_three(api: Api) -> None:
    driver = make_driver()

    def fill() -> None:
        api.post(
            f"/drivers/{driver.pk}/communications",
            {"channel": "phone", "direction": "outbound", "outcome": "no_answer"},
        )
        api.post(f"/drivers/{driver.pk}/follow-ups", {"due_on": "2026-12-01"})
        api.post(
            f"/drivers/{driver.pk}/consents/grants",
            {"channels": ["email"], "purposes": ["service"], "evidence": "Phone call"},
        )

    paths = [
        "/drivers",
        "/follow-ups",
        "/communications",
        f"/drivers/{driver.pk}/communications",
        f"/drivers/{driver.pk}/follow-ups",
        f"/drivers/{driver.pk}/consents",
        f"/drivers/{driver.pk}/consents/events",
        f"/drivers/{driver.pk}/status-changes",
    ]
    fill()
    with_one = [queries_of(api, path) for path in paths]
    make_driver()
    make_driver()
    fill()
    fill()

    assert [queries_of(api, path) for path in paths] == with_one


# Status changes


def test_a_move_its_history_and_its_undoing(api: Api) -> None:
    driver = make_driver()
    path = f"/drivers/{driver.pk}/status-changes"

    moved = api.post(path, {"to": "invited", "reason": "Met at the depot"})
    assert moved.status_code == 201
    assert moved.json()["onboarding_status"] == "invited"
    assert [(one["from_status"], one["to_status"], one["trigger"]) for one in moved.json()["changes"]] == [
        ("not_contacted", "invited", "staff")
    ]
    assert problem(api.post(path, {"to": "invited", "reason": "Again"})) == (409, "same_status", None)
    assert problem(api.post(path, {"to": "active", "reason": ""})) == (422, "reason_missing", "reason")
    assert problem(api.post(path, {"to": "opted_out", "reason": "No"})) == (422, "opted_out_by_staff", "to")

    undone = api.post(f"{path}/{moved.json()['act']}/undo")
    assert undone.status_code == 200
    assert undone.json()["onboarding_status"] == "not_contacted"
    assert problem(api.post(f"{path}/{moved.json()['act']}/undo")) == (409, "moved_on", None)
    other = make_driver()
    elsewhere = f"/drivers/{other.pk}/status-changes/{moved.json()['act']}/undo"
    assert problem(api.post(elsewhere)) == (404, "not_found", None)
    history = api.get(path).json()["items"]
    assert [(one["to_status"], one["reverses_id"]) for one in history] == [
        ("not_contacted", history[1]["id"]),
        ("invited", None),
    ]


def test_undoing_a_move_under_one_driver_leaves_the_others_of_the_same_act(api: Api) -> None:
    first, second, third = make_driver(), make_driver(), make_driver()
    act, _ = drivers.change_status_of_many(
        [first.pk, second.pk, third.pk], "invited", reason="Depot day", by=NANDI
    )
    drivers.change_status(third, "active", reason="Signed up at once", by=NANDI)

    refused = api.post(f"/drivers/{third.pk}/status-changes/{act}/undo")
    undone = api.post(f"/drivers/{first.pk}/status-changes/{act}/undo")

    assert problem(refused) == (409, "moved_on", None)
    assert undone.status_code == 200
    assert [Driver.objects.get(pk=one.pk).onboarding_status for one in (first, second, third)] == [
        "not_contacted",
        "invited",
        "active",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("next_follow_up.before", "someday"),
        ("engagement_score.under", "low"),
        ("owner", "Nandi"),
        ("status.near", "invited"),
        ("channel", "pigeon"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_instead_of_finding_everybody(
    api: Api, name: str, value: str
) -> None:
    make_driver()

    assert problem(api.get("/drivers", **{name: value})) == (422, "unreadable_filter", name)
    assert len(api.get("/drivers", owner="none").json()["items"]) == 1


# Steps


def test_steps_are_ticked_and_unticked(api: Api) -> None:
    driver = make_driver()
    path = f"/drivers/{driver.pk}/steps"
    before = api.get(path).json()
    assert [line["done_at"] for line in before["items"]] == [None] * 7

    ticked = api.post(path, {"step": "app_installed"})
    assert ticked.status_code == 201
    assert ticked.json()["onboarding_status"] == "onboarding_started"
    assert ticked.json()["items"][0]["done_at"] is not None
    assert problem(api.post(path, {"step": "app_installed"})) == (409, "step_done", "step")
    assert problem(api.post(path, {"step": "flying"})) == (422, "unknown_step", "step")
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    assert problem(api.post(path, {"step": "app_tested", "at": tomorrow})) == (422, "in_future", "at")
    assert api.delete(f"{path}/app_installed").json()["items"][0]["done_at"] is None
    assert problem(api.delete(f"{path}/app_installed")) == (409, "step_not_done", "step")


def test_the_last_required_step_completes_onboarding(api: Api) -> None:
    driver = make_driver()
    path = f"/drivers/{driver.pk}/steps"

    for line in api.get(path).json()["items"]:
        last = api.post(path, {"step": line["step"]}).json()

    assert last["onboarding_status"] == "onboarding_completed"


# Follow-ups


def test_a_follow_up_is_set_moved_done_and_opened_again(api: Api) -> None:
    driver = make_driver()

    made = api.post(f"/drivers/{driver.pk}/follow-ups", {"due_on": "2026-12-01", "reason": "Call back"})
    assert made.status_code == 201
    follow_up = made.json()["items"][0]
    assert (follow_up["due_at"], follow_up["is_all_day"], follow_up["reason"]) == (
        "2026-11-30T22:00:00Z",
        True,
        "Call back",
    )
    path = f"/follow-ups/{follow_up['id']}"
    moved = api.patch(path, {"due_at": "2026-12-02T09:00:00+02:00"}).json()
    assert (moved["due_at"], moved["is_all_day"], moved["reason"]) == (
        "2026-12-02T07:00:00Z",
        False,
        "Call back",
    )
    assert api.get(f"/drivers/{driver.pk}").json()["next_follow_up_date"] == "2026-12-02T07:00:00Z"
    assert api.post(f"{path}/completion").json()["outcome"] == "done"
    assert problem(api.post(f"{path}/completion")) == (409, "follow_up_ended", None)
    assert api.get("/follow-ups").json()["items"] == []
    assert [one["id"] for one in api.get("/follow-ups", state="done").json()["items"]] == [follow_up["id"]]
    assert api.delete(f"{path}/completion").json()["done_at"] is None
    assert problem(api.delete(f"{path}/completion")) == (409, "follow_up_open", None)
    assert api.get(path).json()["outcome"] == ""


def test_a_follow_up_keeps_what_a_patch_leaves_out_and_what_others_changed(api: Api) -> None:
    driver = make_driver()
    made = api.post(f"/drivers/{driver.pk}/follow-ups", {"due_on": "2031-12-01", "reason": "Call"})
    one = made.json()["items"][0]
    path = f"/follow-ups/{one['id']}"
    seen = {key: one[key] for key in ("due_at", "is_all_day", "reason")}
    api.patch(path, {"due_on": "2031-12-24"})

    merged = api.patch(path, {"reason": "Ring", "expected": seen}).json()
    stale = api.patch(path, {"due_at": "2031-12-02T07:00:00Z", "expected": seen})
    reworded = api.patch(path, {"reason": "Write", "expected": {"reason": "Call"}})
    long = api.patch(path, {"reason": "x" * 201})

    assert (merged["due_at"], merged["is_all_day"], merged["reason"]) == (
        "2031-12-23T22:00:00Z",
        True,
        "Ring",
    )
    assert problem(stale) == (409, "edited_since", "due_at")
    assert stale.json()["detail"] == "Somebody moved this to 24 Dec 2031 while you were typing."
    assert problem(reworded) == (409, "edited_since", "reason")
    assert problem(long) == (422, "reason_too_long", "reason")
    assert long.json()["detail"] == "Keep the reason under 200 letters."
    assert api.get(path).json() == merged


def test_a_patch_that_reads_before_a_colleague_moves_loses_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = drivers.set_follow_ups(
        [make_driver().pk], due_at=clock.now(), is_all_day=False, reason="Call", owner=None, by=NANDI
    )
    move, later = drivers.move_follow_up, clock.now() + timedelta(days=9)

    def overtaken(follow_up: FollowUp, **asked: Any) -> bool:
        move(FollowUp.objects.get(pk=follow_up.pk), due_at=later, is_all_day=False, by=NANDI)
        return move(follow_up, **asked)

    monkeypatch.setattr(drivers, "move_follow_up", overtaken)
    api.patch(f"/follow-ups/{one.pk}", {"reason": "Ring"})

    one.refresh_from_db()
    assert (one.due_at, one.reason) == (later, "Ring")


def test_another_next_follow_up_is_another_version_of_the_driver(api: Api) -> None:
    driver = make_driver()
    path = f"/drivers/{driver.pk}"
    made = api.post(f"{path}/follow-ups", {"due_on": "2031-12-01"}).json()["items"][0]
    read = api.get(path)
    since = clock.now().isoformat()
    assert api.get("/drivers", updated_since=since).json()["items"] == []

    api.patch(f"/follow-ups/{made['id']}", {"due_on": "2031-12-05"})

    assert api.get(path)["ETag"] != read["ETag"]
    listed = api.get("/drivers", updated_since=since).json()["items"]
    assert [row["next_follow_up_date"] for row in listed] == ["2031-12-04T22:00:00Z"]
    late = api.patch(path, {"area": "Umlazi"}, If_Match=read["ETag"])
    assert problem(late) == (412, "version_changed", None)


def test_follow_ups_for_many_and_those_that_are_due(api: Api) -> None:
    drivers = [make_driver(), make_driver()]
    ids = [str(driver.pk) for driver in drivers]

    made = api.post("/follow-ups", {"driver_ids": ids, "due_on": "2026-12-01"})
    assert sorted(one["driver_id"] for one in made.json()["items"]) == sorted(ids)
    api.post(f"/drivers/{ids[0]}/follow-ups", {"due_on": "2026-11-25"})

    due = api.get("/follow-ups", due_before="2026-11-30T00:00:00+02:00").json()["items"]
    assert [one["due_at"] for one in due] == ["2026-11-24T22:00:00Z"]
    assert len(api.get("/follow-ups", owner="none").json()["items"]) == 3
    assert api.get("/follow-ups", owner="me").json()["items"] == []
    nobody = "00000000-0000-7000-8000-00000000000f"
    refused = api.post("/follow-ups", {"driver_ids": [nobody], "due_on": "2026-12-01"})
    assert problem(refused) == (422, "unknown_driver", "driver_ids")
    assert problem(api.post("/follow-ups", {"driver_ids": ids})) == (422, "due_missing", "due_on")
    assert FollowUp.objects.count() == 3


# Consent


def test_consent_is_granted_withdrawn_and_kept_in_the_ledger(api: Api) -> None:
    driver = make_driver()
    path = f"/drivers/{driver.pk}/consents"
    assert {one["state"] for one in api.get(path).json()["items"]} == {"never_asked"}

    granted = api.post(
        f"{path}/grants",
        {"channels": ["whatsapp"], "purposes": ["service", "service"], "evidence": "Phone call, 12 Nov"},
    )
    assert granted.status_code == 201
    assert granted.json()["communication_opt_in"] is True
    assert [one for one in granted.json()["items"] if one["state"] == "granted"] == [
        {
            "channel": "whatsapp",
            "purpose": "service",
            "state": "granted",
            "since": granted.json()["items"][0]["since"],
        }
    ]
    assert problem(
        api.post(f"{path}/grants", {"channels": ["email"], "purposes": ["service"], "evidence": " "})
    ) == (
        422,
        "evidence_missing",
        "evidence",
    )
    assert ConsentEvent.objects.count() == 1

    withdrawn = api.post(f"{path}/withdrawals", {}).json()
    assert (withdrawn["onboarding_status"], withdrawn["communication_opt_in"]) == ("opted_out", False)
    assert {one["state"] for one in withdrawn["items"]} == {"withdrawn"}
    events = api.get(f"{path}/events", limit=3).json()
    assert [one["kind"] for one in events["items"]] == ["withdrawn"] * 3
    assert events["next_cursor"] is not None


# Communications


CALL = {
    "channel": "phone",
    "direction": "outbound",
    "outcome": "answered",
    "note": "Wants to start on Monday",
}


def test_a_logged_call_makes_contacted(api: Api) -> None:
    driver = make_driver()

    call = api.post(f"/drivers/{driver.pk}/communications", CALL | {"seconds": 95})

    assert call.status_code == 201
    assert {
        name: call.json()[name] for name in ("status", "call_outcome", "call_seconds", "message_body")
    } == {
        "status": "replied",
        "call_outcome": "answered",
        "call_seconds": 95,
        "message_body": "Wants to start on Monday",
    }
    assert api.get(f"/drivers/{driver.pk}").json()["onboarding_status"] == "contacted"
    assert api.get(f"/communications/{call.json()['id']}").json() == call.json()
    assert api.get("/communications", channel="phone").json()["items"] == [call.json()]
    assert api.get("/communications", channel="email").json()["items"] == []
    inbound = CALL | {"direction": "inbound", "outcome": "busy"}
    assert problem(api.post(f"/drivers/{driver.pk}/communications", inbound)) == (
        422,
        "outcome_does_not_fit",
        "outcome",
    )
    mail = CALL | {"channel": "email"}
    assert problem(api.post(f"/drivers/{driver.pk}/communications", mail)) == (422, "invalid", None)
    assert Communication.objects.count() == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_roles_that_read_no_messages_see_that_there_was_one(
    api: Api, api_as: Callable[..., Api], role: str
) -> None:
    driver = make_driver()
    call = api.post(f"/drivers/{driver.pk}/communications", CALL).json()
    reader = api_as(role)

    hidden = call | {"subject": None, "message_body": None, "attachments": None}
    assert reader.get(f"/communications/{call['id']}").json() == hidden
    assert reader.get("/communications").json()["items"] == [hidden]
    assert reader.get(f"/drivers/{driver.pk}/communications").json()["items"] == [hidden]


# Saved views and the organisation


def test_a_token_sees_the_shared_views_only(api: Api) -> None:
    owner = make_user(Role.OPERATIONS)
    SavedView.objects.create(owner=owner, name="Mine", query="status=invited")
    shared = SavedView.objects.create(owner=owner, name="Ours", query="status=active", is_shared=True)

    items = api.get("/saved-views").json()["items"]

    assert [(one["id"], one["name"], one["query"]) for one in items] == [
        (str(shared.pk), "Ours", "status=active")
    ]


def test_the_organisation_is_read(api: Api) -> None:
    body = api.get("/organisation").json()

    assert (body["time_zone"], body["inactive_after_days"]) == ("Africa/Johannesburg", 14)
    assert [step["key"] for step in body["onboarding_steps"]][:2] == [
        "app_installed",
        "pathpulse_account_created",
    ]
