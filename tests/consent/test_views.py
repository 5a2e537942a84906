"""Recording consent on a driver's page: grants with proof, withdrawals, the way out."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import ConsentEvent
from drivercrm.drivers.models import Driver
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def support(client: Client) -> Client:
    client.force_login(make_user(Role.SUPPORT))
    return client


def post(client: Client, name: str, driver: Driver, **data: Any) -> Any:
    return client.post(reverse(name, args=[driver.pk]), data, headers=HTMX)


def test_a_grant_with_its_evidence_is_recorded(support: Client) -> None:
    driver = make_driver()

    answer = post(
        support,
        "driver_consent_grant",
        driver,
        channels=["whatsapp", "email"],
        purposes=["service"],
        source="phone call",
        evidence="phone call, 12 Nov",
    )

    driver.refresh_from_db()
    kept = ConsentEvent.objects.order_by("channel").values_list(
        "channel", "purpose", "kind", "source", "evidence"
    )
    assert list(kept) == [
        ("email", "service", "granted", "phone call", "phone call, 12 Nov"),
        ("whatsapp", "service", "granted", "phone call", "phone call, 12 Nov"),
    ]
    assert (driver.communication_opt_in, answer["HX-Trigger"]) == (True, "driver-changed")


@pytest.mark.parametrize(
    ("left_out", "field", "sentence"),
    [
        ("evidence", "evidence", "Say how the driver agreed, for example “phone call, 12 Nov”."),
        ("channels", "channels", "Choose at least one channel."),
        ("purposes", "purposes", "Choose at least one purpose."),
    ],
)
def test_a_grant_that_lacks_something_is_refused(
    support: Client, left_out: str, field: str, sentence: str
) -> None:
    data: dict[str, Any] = {
        "channels": ["whatsapp"],
        "purposes": ["service"],
        "source": "message",
        "evidence": "He wrote yes",
    }

    del data[left_out]

    answer = post(support, "driver_consent_grant", make_driver(), **data)

    assert (answer.status_code, answer.context["form"].errors[field]) == (422, [sentence])
    assert not ConsentEvent.objects.exists()


def test_withdrawing_one_of_two_channels_leaves_the_driver_on_the_path(support: Client) -> None:
    driver = make_driver()
    consent.grant(
        driver, channels=["whatsapp", "email"], purposes=["service"], source="x", evidence="y", by=NANDI
    )

    post(
        support,
        "driver_consent_withdrawal",
        driver,
        channels=["email"],
        purposes=["service", "marketing"],
        source="message",
    )

    driver.refresh_from_db()
    assert (driver.onboarding_status, driver.communication_opt_in) == ("not_contacted", True)


def test_opting_out_of_everything_and_coming_back(support: Client) -> None:
    driver = make_driver("Sipho", given_name="Sipho")

    out = post(support, "driver_opt_out", driver)

    driver.refresh_from_db()
    assert driver.onboarding_status == "opted_out"
    assert "Sipho has opted out: nothing more is sent" in out.content.decode()

    post(
        support,
        "driver_consent_grant",
        driver,
        channels=["whatsapp"],
        purposes=["service"],
        source="message",
        evidence="Wrote START",
    )

    driver.refresh_from_db()
    assert driver.onboarding_status == "not_contacted"


def test_the_page_shows_everything_that_was_said_by_whom(support: Client) -> None:
    driver = make_driver()
    thabo = make_user(Role.SUPPORT, name="Thabo Nkosi")
    support.force_login(thabo)
    post(
        support,
        "driver_consent_grant",
        driver,
        channels=["whatsapp"],
        purposes=["service"],
        source="message",
        evidence="He wrote yes",
    )
    post(support, "driver_opt_out", driver)

    acts = support.get(reverse("driver_consent", args=[driver.pk])).context["acts"]

    assert [(act.kind, act.covers, name) for act, name in acts] == [
        ("withdrawn", "everything", "Thabo Nkosi"),
        ("granted", "WhatsApp: service", "Thabo Nkosi"),
    ]


@pytest.mark.parametrize("name", ["driver_consent_grant", "driver_consent_withdrawal", "driver_opt_out"])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_who_only_reads_records_nothing(client: Client, role: str, name: str) -> None:
    client.force_login(make_user(role))

    answer = post(
        client, name, make_driver(), channels=["email"], purposes=["service"], source="other", evidence="x"
    )

    assert (answer.status_code, ConsentEvent.objects.count()) == (403, 0)


def test_everybody_may_see_what_stands(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))

    answer = client.get(reverse("driver_consent", args=[make_driver().pk]))

    assert answer.status_code == 200
    assert "driver_consent_grant" not in answer.content.decode()
