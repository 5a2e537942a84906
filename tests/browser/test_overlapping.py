"""Slow answers that overlap on the driver page: nothing that was done is lost, and the page ends up true."""

import re
import shutil
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from drivercrm.drivers.models import Driver, OnboardingStep
from tests.factories import make_driver, make_user

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("size", ["laptop"], indirect=True),
]


@pytest.fixture
def driver(page: Page, context: BrowserContext, site: str, client: Any) -> Driver:
    """A driver whose page is open."""
    client.force_login(make_user("operations", name="Nandi Pillay"))
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    made = make_driver("Sipho Dlamini")
    page.goto(f"{site}/drivers/{made.pk}/")
    page.wait_for_load_state("networkidle")
    return made


class Held:
    """The next request to an address: asked now or later, answered when the test says so."""

    def __init__(self, page: Page, address: str, method: str, *, asks: bool) -> None:
        self._page, self._asks, self._method = page, asks, method
        self._route: Route | None = None
        self._answer: Any = None
        page.route(re.compile(address), self._hold)

    def _hold(self, route: Route) -> None:
        if self._route or route.request.method != self._method:
            route.continue_()
            return
        self._route = route
        if self._asks:
            self._answer = route.fetch()

    def wait(self) -> None:
        for _ in range(100):
            if self._route and (self._answer or not self._asks):
                return
            self._page.wait_for_timeout(50)
        raise AssertionError("the request never came")

    def let_go(self) -> None:
        assert self._route
        if self._asks:
            self._route.fulfill(response=self._answer)
        else:
            self._route.continue_()


def edit_area(page: Page) -> None:
    page.locator("#driver-details-edit").click()
    page.locator("#detail-area").fill("Glenwood")
    page.get_by_role("button", name="Save details").click()


def log_call(page: Page) -> None:
    page.get_by_label("What was said").fill("Will install the app tonight")
    page.get_by_role("button", name="Save call").click()


def test_nobody_who_is_quicker_than_the_page_types_into_another_field(page: Page, driver: Driver) -> None:
    """The first field takes the focus at once or not at all: later it would catch what is meant for another."""
    page.evaluate(
        """() => new MutationObserver((changes, observer) => {
            const area = document.getElementById("detail-area");
            if (area) { observer.disconnect(); area.focus(); }
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    page.locator("#driver-details-edit").click()
    expect(page.locator("#detail-area")).to_be_visible()
    page.wait_for_timeout(100)
    page.keyboard.type("Glenwood")
    page.get_by_role("button", name="Save details").click()

    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    driver.refresh_from_db()
    assert (driver.name, driver.area) == ("Sipho Dlamini", "Glenwood")


def test_a_slow_edit_is_kept_when_a_call_is_logged_meanwhile(page: Page, driver: Driver) -> None:
    edit = Held(page, r"/details/$", "POST", asks=False)
    edit_area(page)
    edit.wait()

    log_call(page)
    expect(page.locator("#driver-timeline")).to_contain_text("Will install the app tonight")
    edit.let_go()

    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    expect(page.locator("#driver-timeline")).to_contain_text("changed Area")
    driver.refresh_from_db()
    assert (driver.area, driver.total_communications) == ("Glenwood", 1)


def test_a_slow_call_is_kept_when_an_edit_is_saved_meanwhile(page: Page, driver: Driver) -> None:
    call = Held(page, r"/calls/$", "POST", asks=False)
    log_call(page)
    call.wait()

    edit_area(page)
    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    call.let_go()

    expect(page.locator("#driver-timeline")).to_contain_text("Will install the app tonight")
    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    driver.refresh_from_db()
    assert (driver.area, driver.total_communications) == ("Glenwood", 1)


def test_a_refresh_read_before_an_edit_does_not_hide_it(page: Page, driver: Driver) -> None:
    refresh = Held(page, r"/live/", "GET", asks=True)
    log_call(page)
    refresh.wait()

    edit_area(page)
    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    refresh.let_go()
    page.wait_for_load_state("networkidle")

    expect(page.locator("#driver-timeline")).to_contain_text("changed Area")
    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")


def test_an_edit_that_is_being_opened_opens_though_the_page_refreshes(page: Page, driver: Driver) -> None:
    refresh = Held(page, r"/live/", "GET", asks=True)
    form = Held(page, r"/details/$", "GET", asks=True)
    log_call(page)
    refresh.wait()
    page.locator("#driver-details-edit").click()
    form.wait()

    refresh.let_go()
    expect(page.locator("#driver-timeline")).to_contain_text("Will install the app tonight")
    form.let_go()

    expect(page.locator("#detail-area")).to_be_visible()


def test_a_step_that_is_being_ticked_is_shown_though_the_page_refreshes(page: Page, driver: Driver) -> None:
    refresh = Held(page, r"/live/", "GET", asks=True)
    tick = Held(page, r"/steps/app_installed/$", "POST", asks=False)
    log_call(page)
    refresh.wait()
    page.locator("#step-app_installed").click()
    tick.wait()

    refresh.let_go()
    expect(page.locator("#driver-timeline")).to_contain_text("Will install the app tonight")
    tick.let_go()

    expect(page.locator("#toasts").get_by_role("button", name="Undo")).to_be_visible()
    expect(page.locator("#step-app_installed")).to_have_attribute("aria-pressed", "true")
    assert OnboardingStep.objects.filter(driver=driver, step="app_installed").exists()
