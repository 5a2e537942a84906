"""axe finds nothing on any page, in either theme, on a laptop and on a phone (WCAG 2.2 AA).

No page is wider than its window either: what does not fit scrolls inside a region of its own.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from drivercrm.accounts.models import User
from drivercrm.cli import synthetic
from drivercrm.drivers.models import Driver
from tests.factories import make_user

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed"),
    pytest.mark.django_db(transaction=True),
]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
LIST = Path(__file__).resolve().parents[1] / "imports" / "data" / "driver-list.xlsx"
FOR_STRANGERS = ("account_login",)
PAGES = (
    "today",
    "drivers",
    "driver_new",
    "driver_filters",
    "saved_views",
    "pipeline",
    "search",
    "imports",
    "profile",
    "settings_organisation",
    "organisation_release",
    "settings_team",
    "settings_tokens",
    "settings_audit",
    "settings_jobs",
    "mfa_index",
    "gallery",
)


def findings(page: Page, address: str) -> list[str]:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    report = Axe().run(page, options=RULES)
    found = [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in report.response["violations"]
        for node in violation["nodes"]
    ]
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found if wide <= window else [*found, f"{wide} px wide in a window of {window}"]


def sign_in(context: BrowserContext, client: Any, user: User, site: str) -> None:
    client.force_login(user)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    page: Page, context: BrowserContext, site: str, client: Any, theme: str, size: str
) -> None:
    synthetic.fill(synthetic.Options(drivers=14, days=30), say=lambda sentence: None)
    User.objects.update(theme=theme)
    context.add_cookies([{"name": "theme", "value": theme, "url": site}])
    found: dict[str, list[str]] = {}

    def look(name: str, path: str) -> None:
        seen = findings(page, site + path)
        if seen:
            found[name] = seen

    for name in FOR_STRANGERS:
        look(name, reverse(name))
    sign_in(context, client, User.objects.get(role="admin"), site)
    for name in PAGES:
        look(name, reverse(name))
    busy = Driver.objects.order_by("-total_communications", "id")[0]
    look("driver", reverse("driver", args=[busy.pk]))
    look("drivers, filtered", reverse("drivers") + "?q=zzzz")
    look("not found", "/nowhere/")
    sign_in(context, client, User.objects.get(role="viewer"), site)
    look("refused", reverse("settings_team"))

    assert found == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_before_and_during_the_first_import(
    page: Page, context: BrowserContext, site: str, client: Any, theme: str, size: str
) -> None:
    context.add_cookies([{"name": "theme", "value": theme, "url": site}])
    found = {"first run": findings(page, site + reverse("first_run"))}
    admin = make_user("admin")
    User.objects.update(theme=theme)
    sign_in(context, client, admin, site)
    for name in ("today", "drivers", "pipeline", "imports"):
        found[f"{name}, nobody there"] = findings(page, site + reverse(name))
    page.locator("input[type=file]").set_input_files(LIST)
    page.get_by_role("button", name="Upload and match columns").click()
    expect(page.get_by_role("main")).to_contain_text("left out, never stored")
    one = page.url
    found["columns"] = findings(page, one)
    page.get_by_role("button", name="Check rows").click()
    expect(page.get_by_role("main")).to_contain_text("515 rows go in")
    found["rows"] = findings(page, page.url)
    found["duplicates"] = findings(page, one.replace("/columns/", "/duplicates/"))
    found["before the import"] = findings(page, one.replace("/columns/", "/run/"))
    page.get_by_role("button", name="Import 515 rows").click()
    expect(page.get_by_role("link", name="Open the drivers")).to_be_visible(timeout=60_000)
    found["after the import"] = findings(page, page.url)
    found["undo"] = findings(page, one.replace("/columns/", "/undo/"))

    assert {where: seen for where, seen in found.items() if seen} == {}


def test_the_page_names_its_theme(page: Page, context: BrowserContext, site: str, client: Any) -> None:
    synthetic.fill(synthetic.Options(drivers=2, days=30), say=lambda sentence: None)
    user = User.objects.get(role="admin")
    sign_in(context, client, user, site)
    for theme in ("dark", "light"):
        User.objects.filter(pk=user.pk).update(theme=theme)
        page.goto(site)
        assert page.locator("html").get_attribute("data-theme") == theme
