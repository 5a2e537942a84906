"""Logging a call on a driver's page."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.communications.models import Communication
from drivercrm.core import clock
from drivercrm.drivers.models import Driver
from tests.factories import make_driver, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def support(client: Client) -> Client:
    client.force_login(make_user(Role.SUPPORT))
    return client


def log(client: Client, driver: Driver, **data: Any) -> Any:
    return client.post(reverse("driver_calls", args=[driver.pk]), data, headers={"HX-Request": "true"})


def test_an_answered_call_is_logged_and_makes_contact(support: Client) -> None:
    driver = make_driver()
    at = (clock.now() - timedelta(hours=2)).astimezone(clock.zone())

    answer = log(
        support, driver, call="outbound:answered", minutes="4", note="He is keen.", at=f"{at:%Y-%m-%dT%H:%M}"
    )

    call = Communication.objects.get()
    driver.refresh_from_db()
    assert (call.direction, call.call_outcome, call.status, call.call_seconds, call.message_body) == (
        "outbound",
        "answered",
        "replied",
        240,
        "He is keen.",
    )
    assert call.sent_at == at.replace(second=0, microsecond=0)
    assert (driver.onboarding_status, driver.total_communications) == ("contacted", 1)
    assert answer["HX-Trigger"] == "driver-changed"


def test_a_form_that_is_sent_twice_logs_one_call(support: Client) -> None:
    driver, other = make_driver(), make_driver()
    page = support.get(reverse("driver", args=[driver.pk])).content.decode()
    call_id = re.search(r'name="call_id" value="([^"]+)"', page)[1]  # type: ignore[index]

    first = log(support, driver, call="outbound:answered", note="Keen", call_id=call_id)
    log(support, driver, call="outbound:answered", note="Keen", call_id=call_id)
    fresh = re.search(r'name="call_id" value="([^"]+)"', first.content.decode())[1]  # type: ignore[index]
    log(support, driver, call="outbound:busy", call_id=fresh)
    refused = log(support, driver, call="", call_id="00000000-0000-7000-8000-000000000001")

    driver.refresh_from_db()
    assert fresh != call_id
    assert driver.total_communications == 2
    assert list(
        Communication.objects.order_by("recorded_at").values_list("call_outcome", "message_body")
    ) == [
        ("answered", "Keen"),
        ("busy", ""),
    ]
    assert 'value="00000000-0000-7000-8000-000000000001"' in refused.content.decode()
    assert other.total_communications == 0


def test_a_missed_call_of_the_driver_is_inbound(support: Client) -> None:
    log(support, make_driver(), call="inbound:missed")

    call = Communication.objects.get()
    assert (call.direction, call.status, call.call_seconds) == ("inbound", "delivered", None)


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"call": "inbound:busy"}, "call", "Choose how the call went."),
        ({"call": "outbound:busy", "minutes": "long"}, "minutes", "Write whole minutes."),
        ({"call": "outbound:busy", "minutes": "9999"}, "minutes", "A call lasts between 0 and 24 hours."),
        (
            {"call": "outbound:busy", "at": "2099-01-01T10:00"},
            "at",
            "A call cannot be logged before it is made.",
        ),
        ({"call": "outbound:busy", "at": "yesterday"}, "at", "This is not a day and time."),
    ],
)
def test_an_unusable_call_is_explained_at_its_field(
    support: Client, data: dict[str, str], field: str, sentence: str
) -> None:
    answer = log(support, make_driver(), **data)

    assert (answer.status_code, answer.context["form"].errors[field]) == (422, [sentence])
    assert not Communication.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_who_may_not_contact_logs_nothing(client: Client, role: str) -> None:
    client.force_login(make_user(role))

    answer = log(client, make_driver(), call="outbound:answered")

    assert (answer.status_code, Communication.objects.count()) == (403, 0)


def test_the_form_is_also_a_page_of_its_own(support: Client) -> None:
    answer = support.get(reverse("driver_calls", args=[make_driver("Sipho").pk]))

    assert "<h1>Log a call</h1>" in answer.content.decode()


@pytest.mark.parametrize("at", ["0001-01-01T00:00", "1999-12-31T12:00", "9999-12-31T23:59"])
def test_a_call_of_another_century_is_refused(support: Client, at: str) -> None:
    answer = log(support, make_driver(), call="outbound:busy", at=at)

    assert answer.status_code == 422
    assert "Use a day between 2000 and 2100." in answer.content.decode()
    assert not Communication.objects.exists()
