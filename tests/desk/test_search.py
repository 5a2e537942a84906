"""Search or jump to: drivers first, then what can be done with the first of them, then pages, each by role."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client

from drivercrm.accounts.enums import Role
from tests.factories import make_driver, make_user

pytestmark = pytest.mark.django_db


def found(client: Client, text: str) -> dict[str, list[str]]:
    """Heading → words of the options under it."""
    html = client.get("/search/", {"q": text}, headers={"HX-Request": "true"}).content.decode()
    groups = re.findall(
        r'<div role="group" aria-label="([^"]*)">(.*?)</div>\s*(?=<div role="group"|$)', html, re.S
    )
    return {
        unescape(title): [
            unescape(" ".join(re.sub(r"<[^>]+>", " ", option).split()))
            for option in re.findall(r'<a class="it".*?</a>', body, re.S)
        ]
        for title, body in groups
    }


def test_drivers_whose_name_begins_so_come_first(client: Client) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    make_driver("Sipho Dlamini", phone="+27821234567", timo_driver_id="TR-1")
    make_driver("Ntombi Sipho", phone="+27831234567")

    groups = found(client, "sip")

    assert groups["Drivers"] == [
        "SD Sip ho Dlamini TR-1 · +27 82 123 4567 Not contacted",
        "NS Ntombi Sip ho +27 83 123 4567 Not contacted",
    ]
    assert groups["With Sipho Dlamini"] == ["Open", "Log a call", "Set follow-up", "Change status"]


@pytest.mark.parametrize("text", ["082 123", "tr-77", "Sipho D", "sipho@ex", "pp-9"])
def test_numbers_mails_and_ids_find_too(client: Client, text: str) -> None:
    client.force_login(make_user(Role.VIEWER))
    make_driver(
        "Sipho Dlamini",
        phone="+27821234567",
        email="sipho@example.org",
        timo_driver_id="TR-77",
        pathpulse_account_id="PP-9",
    )
    make_driver("Lerato Mokoena", phone="+27731112222")

    assert len(found(client, text)["Drivers"]) == 1


@pytest.mark.parametrize(
    ("role", "actions", "settings"),
    [
        (Role.VIEWER, ["Open"], []),
        (Role.FINANCE, ["Open"], []),
        (Role.SUPPORT, ["Open", "Log a call", "Set follow-up"], []),
        (Role.OPERATIONS, ["Open", "Log a call", "Set follow-up", "Change status"], []),
        (
            Role.ADMIN,
            ["Open", "Log a call", "Set follow-up", "Change status"],
            [
                "Settings: organisation",
                "Settings: team",
                "Settings: tokens",
                "Settings: audit log",
                "Settings: jobs",
            ],
        ),
    ],
)
def test_a_role_is_offered_what_it_may_do(
    client: Client, role: Role, actions: list[str], settings: list[str]
) -> None:
    client.force_login(make_user(role))
    make_driver("Seth Mokoena")

    groups = found(client, "set")

    assert groups["With Seth Mokoena"] == actions
    assert [words.replace("Set tings", "Settings") for words in groups.get("Go to", [])] == settings


def test_every_option_leads_somewhere(client: Client) -> None:
    client.force_login(make_user(Role.ADMIN))
    make_driver("Sipho")

    for text in ("", "sipho"):
        html = client.get("/search/", {"q": text}, headers={"HX-Request": "true"}).content.decode()
        addresses = [unescape(url) for url in re.findall(r'<a class="it"[^>]*href="([^"]*)"', html)]
        assert addresses
        assert {url: client.get(url).status_code for url in addresses} == dict.fromkeys(addresses, 200)


def test_what_was_typed_is_never_markup(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))
    make_driver("<script>alert(1)</script> Sipho")

    html = client.get("/search/", {"q": "<script>"}, headers={"HX-Request": "true"}).content.decode()
    nothing = client.get("/search/", {"q": "<b>(.*"}, headers={"HX-Request": "true"}).content.decode()

    assert "<script>" not in html
    assert "<mark>&lt;script&gt;</mark>alert(1)" in html
    assert "Nothing matches “&lt;b&gt;(.*”" in nothing


def test_without_javascript_it_is_a_page(client: Client) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    driver = make_driver("Sipho Dlamini")

    html = client.get("/search/?q=dlamini").content.decode()

    assert "<h1>Search</h1>" in html
    assert f'href="/drivers/{driver.pk}/"' in html
    assert 'href="/drivers/new/"' in client.get("/search/?q=new").content.decode()
    assert "Nothing matches “qqqq”" in client.get("/search/?q=qqqq").content.decode()


def test_the_number_of_queries_does_not_grow(
    client: Client, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    make_driver("Sipho 1")
    # session, user, the index, the drivers; SQLite's index knows rows of its own table, not drivers
    most = 5 if connection.vendor == "sqlite" else 4
    for count in (1, 3):
        with django_assert_num_queries(most):  # type: ignore[operator]
            client.get("/search/?q=sipho", headers={"HX-Request": "true"})
        for _ in range(count):
            make_driver("Sipho again")


def test_the_gallery_is_for_admins(client: Client) -> None:
    client.force_login(make_user(Role.ADMIN))
    assert client.get("/gallery/").status_code == 200

    client.force_login(make_user(Role.MANAGER))
    assert client.get("/gallery/").status_code == 403
