"""The organisation's settings and the checklist of onboarding."""

from datetime import date, timedelta
from typing import Any

import pytest

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.journal.models import Change, Entry
from tests.factories import NANDI, make_driver

pytestmark = pytest.mark.django_db


def steps() -> list[dict[str, Any]]:
    return Organisation.current().onboarding_steps


def save_steps(wanted: list[dict[str, Any]]) -> list[str]:
    accounts.save_organisation({"onboarding_steps": wanted}, by=NANDI)
    return [step["key"] for step in steps()]


def test_only_what_changed_is_journalled_with_before_and_after() -> None:
    changed = accounts.save_organisation(
        {"name": "Umzila Rides", "pilot_starts_on": date(2026, 11, 1), "inactive_after_days": 14}, by=NANDI
    )

    entry = Entry.objects.get()
    told = {change.field: (change.before, change.after) for change in Change.objects.all()}
    assert changed == ["name", "pilot_starts_on"]
    assert (entry.name, entry.data) == ("organisation.changed", {"fields": ["name", "pilot_starts_on"]})
    assert told == {"name": ("Driver CRM", "Umzila Rides"), "pilot_starts_on": (None, "2026-11-01")}
    assert Organisation.current().pilot_starts_on == date(2026, 11, 1)


def test_saving_the_same_changes_nothing() -> None:
    before = Organisation.current().updated_at

    assert accounts.save_organisation({"inactive_after_days": 14}, by=NANDI) == []
    assert (Entry.objects.count(), Organisation.current().updated_at) == (0, before)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("inactive_after_days", 0),
        ("inactive_after_days", 366),
        ("sign_up_goal", 0),
        ("metrics_complete_through", date.max),
    ],
)
def test_values_that_make_no_sense_are_refused_at_their_field(field: str, value: object) -> None:
    with pytest.raises(Refused) as refusal:
        accounts.save_organisation({field: value}, by=NANDI)

    assert refusal.value.field == field


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        accounts.save_organisation({"secret_key": "x"}, by=NANDI)

    assert refusal.value.code == "unknown_setting"


def test_a_change_that_somebody_else_overtook_is_refused() -> None:
    seen = Organisation.current().updated_at
    accounts.save_organisation({"name": "First"}, by=NANDI, expected=seen)

    with pytest.raises(Refused) as refusal:
        accounts.save_organisation({"name": "Second"}, by=NANDI, expected=seen)

    assert refusal.value.code == "stale"
    assert Organisation.current().name == "First"


def test_a_step_is_renamed_and_keeps_its_key() -> None:
    wanted = steps()
    wanted[0] = {**wanted[0], "label": "App is on the phone", "required": False}

    keys = save_steps(wanted)

    assert keys[0] == "app_installed"
    assert steps()[0] == {"key": "app_installed", "label": "App is on the phone", "required": False}
    assert "app_installed" not in Organisation.current().required_steps


def test_steps_are_added_at_their_place_and_get_keys_of_their_own() -> None:
    new = {"label": "Vehicle photo", "required": True}
    again = {"label": "Vehicle-photo!", "required": False}

    keys = save_steps([new, *steps(), again])

    assert (keys[0], keys[-1]) == ("vehicle_photo", "vehicle_photo_2")


def test_a_step_that_nobody_has_done_is_removed() -> None:
    assert save_steps(steps()[1:])[0] == "pathpulse_account_created"


def test_a_step_that_somebody_has_done_stays() -> None:
    drivers.complete_step(make_driver(), "app_installed", by=NANDI)

    with pytest.raises(Refused) as refusal:
        save_steps(steps()[1:])

    assert (
        refusal.value.sentence == "Drivers have done “App installed”, so it stays. It can be made optional."
    )
    assert save_steps([{**steps()[0], "required": False}, *steps()[1:]])[0] == "app_installed"


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [{"label": "One", "required": False}],
        [{"label": "", "required": True}],
        [{"label": "x" * 61, "required": True}],
        [{"label": "Same", "required": True}, {"label": "same", "required": True}],
        [{"key": "made_up", "label": "One", "required": True}],
        [{"label": f"Step {number}", "required": True} for number in range(31)],
    ],
)
def test_a_checklist_that_cannot_work_is_refused(wanted: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused) as refusal:
        save_steps(wanted)

    assert refusal.value.field == "onboarding_steps"


def test_a_step_that_is_listed_twice_is_refused() -> None:
    before = steps()

    with pytest.raises(Refused) as refusal:
        save_steps([*before, {"key": "app_installed", "label": "Twice", "required": True}])

    assert (refusal.value.code, refusal.value.field, refusal.value.sentence) == (
        "bad_steps",
        "onboarding_steps",
        "The step “app_installed” is in the list twice.",
    )
    assert steps() == before


def test_usage_may_be_complete_through_today_but_not_tomorrow() -> None:
    accounts.save_organisation({"metrics_complete_through": clock.today()}, by=NANDI)

    with pytest.raises(Refused):
        accounts.save_organisation({"metrics_complete_through": clock.today() + timedelta(days=1)}, by=NANDI)
