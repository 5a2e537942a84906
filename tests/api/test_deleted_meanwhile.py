"""A driver whom somebody deletes between two looks: every verb says so in a sentence (spec §3, §9)."""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.shortcuts import get_object_or_404
from django.test import Client
from django.urls import reverse

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import CallOutcome, Direction
from drivercrm.communications.models import Communication
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import ConsentEvent, SuppressedAddress
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

GONE = "This driver no longer exists."

VERBS: dict[str, Callable[[Driver], Any]] = {
    "edit": lambda one: drivers.edit(one, {"area": "Umlazi"}, by=NANDI),
    "change the status": lambda one: drivers.change_status(one, "invited", reason="x", by=NANDI),
    "tick a step": lambda one: drivers.complete_step(one, "app_installed", by=NANDI),
    "untick a step": lambda one: drivers.undo_step(one, "app_installed", by=NANDI),
    "note usage": lambda one: drivers.note_usage(one, clock.today(), by=NANDI),
    "set a follow-up": lambda one: drivers.set_follow_ups(
        [one.pk], due_at=clock.now(), is_all_day=True, reason="", owner=None, by=NANDI
    ),
    "complete a follow-up": lambda one: drivers.complete_follow_up(FollowUp(driver=one), by=NANDI),
    "move a follow-up": lambda one: drivers.move_follow_up(FollowUp(driver=one), reason="x", by=NANDI),
    "grant": lambda one: consent.grant(
        one, channels=["whatsapp"], purposes=["service"], source="staff", evidence="call", by=NANDI
    ),
    "withdraw": lambda one: consent.withdraw(one, source="staff", by=NANDI),
    "log a call": lambda one: communications.log_call(
        one, direction=Direction.OUTBOUND, outcome=CallOutcome.NO_ANSWER, by=NANDI
    ),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_refuses_a_driver_who_is_gone_and_writes_nothing(verb: Callable[[Driver], Any]) -> None:
    driver = make_driver(phone="+27821112222")
    sharer = make_driver()
    Driver.objects.filter(pk=sharer.pk).update(phone="+27821112222")
    Driver.objects.filter(pk=driver.pk).delete()
    before = Entry.objects.count()

    with pytest.raises(Refused) as refusal:
        verb(driver)

    assert (refusal.value.code, refusal.value.sentence, refusal.value.field) == ("gone", GONE, None)
    assert Entry.objects.count() == before
    written = (ConsentEvent, SuppressedAddress, Communication)
    assert [model.objects.count() for model in written] == [0, 0, 0]


def deleted_after_the_first_look(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """The page finds the driver, and then somebody deletes it."""

    def found(*args: Any, **wanted: Any) -> Any:
        driver = get_object_or_404(*args, **wanted)
        Driver.objects.filter(pk=driver.pk).delete()
        return driver

    monkeypatch.setattr(import_module(module), "get_object_or_404", found)


API = {
    "drivers.api.steps": ("steps", {"step": "app_installed"}),
    "drivers.api.status_changes": ("status-changes", {"to": "invited", "reason": "x"}),
    "consent.api": ("consents/withdrawals", {}),
    "communications.api": (
        "communications",
        {"channel": "phone", "direction": "outbound", "outcome": "no_answer"},
    ),
}


@pytest.mark.parametrize(
    ("module", "path", "values"),
    [
        *((module, path, values) for module, (path, values) in API.items()),
        ("consent.api", "consents/grants", {"channels": ["email"], "purposes": ["service"], "evidence": "x"}),
    ],
)
def test_a_program_is_told_so(
    monkeypatch: pytest.MonkeyPatch, module: str, path: str, values: dict[str, Any]
) -> None:
    _, secret = accounts.create_token("CRM", role=Role.ADMIN, by=NANDI)
    driver = make_driver()
    deleted_after_the_first_look(monkeypatch, f"drivercrm.{module}")

    sent = Client(HTTP_AUTHORIZATION=f"Bearer {secret}").post(
        f"/api/v1/drivers/{driver.pk}/{path}", json.dumps(values), content_type="application/json"
    )

    said = sent.json()
    assert (sent.status_code, said["code"], said["detail"]) == (404, "gone", GONE)


PAGES = [
    ("drivers.views.one", "driver_details", {"name": "New", "preferred_channel": "email", "area": "Umlazi"}, 422),
    ("drivers.views.one", "driver_step", {}, 409),
    ("drivers.views.one", "driver_follow_ups", {"on": "2030-01-07", "at": ""}, 422),
    ("drivers.views.one", "driver_status", {"to": "invited", "reason": "x"}, 422),
    ("consent.views", "driver_consent_grant",
     {"channels": ["email"], "purposes": ["service"], "source": "phone call", "evidence": "x"}, 422),
    ("consent.views", "driver_consent_withdrawal",
     {"channels": ["email"], "purposes": ["service"], "source": "other"}, 422),
    ("consent.views", "driver_opt_out", {}, 409),
    ("communications.views", "driver_calls", {"call": "outbound:no_answer"}, 422),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "values", "status"), PAGES, ids=[page[1] for page in PAGES])
def test_a_page_says_so(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    name: str,
    values: dict[str, Any],
    status: int,
) -> None:
    client.force_login(make_user(Role.ADMIN))
    driver = make_driver()
    deleted_after_the_first_look(monkeypatch, f"drivercrm.{module}")
    where = [driver.pk, "app_installed"] if name == "driver_step" else [driver.pk]

    answer = client.post(reverse(name, args=where), values, HTTP_HX_REQUEST="true")

    assert (answer.status_code, GONE in answer.content.decode()) == (status, True)
