"""The first morning of an operations team, in a real browser, on a laptop and on a phone."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from drivercrm.accounts.models import Organisation, User
from drivercrm.communications.models import Communication
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.models import Driver, SavedView, StatusChange

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed"),
    pytest.mark.django_db(transaction=True),
]

LIST = Path(__file__).resolve().parents[1] / "imports" / "data" / "driver-list.xlsx"


def shown(page: Page, selector: str) -> Locator:
    """The one of several that this screen size shows."""
    return page.locator(selector).locator("visible=true")


def set_up(page: Page, site: str) -> None:
    page.goto(site)
    expect(page).to_have_url(re.compile("/first-run/"))
    page.get_by_label("Organisation").fill("TimoRides Durban")
    page.get_by_label("Your name").fill("Nandi Pillay")
    page.get_by_label("Email").fill("nandi@example.org")
    page.get_by_label("Password", exact=True).fill("a long password")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


def import_the_list(page: Page, site: str) -> None:
    """The real list, step by step: match, check, settle, agree, run."""
    page.goto(f"{site}/imports/")
    page.locator("input[type=file]").set_input_files(LIST)
    upload = page.get_by_role("button", name="Upload and match columns")
    if upload.is_visible():
        upload.click()
    expect(page.get_by_role("main")).to_contain_text("left out, never stored")
    page.get_by_role("button", name="Check rows").click()
    expect(page.get_by_role("main")).to_contain_text("515 rows go in")
    page.get_by_role("link", name=re.compile("Review")).click()
    page.get_by_role("button", name=re.compile("undecided out")).click()
    expect(page).to_have_url(re.compile("/run/$"))
    go = page.get_by_role("button", name=re.compile("Import .* rows"))
    expect(go).to_have_text("Import 515 rows")
    go.click()
    expect(page.get_by_role("link", name="Open the drivers")).to_be_visible(timeout=60_000)


def rows_of(page: Page, size: str) -> Locator:
    return page.locator("table.tbl tbody tr" if size == "laptop" else ".dmob li")


def filter_and_save_a_view(page: Page, site: str, size: str) -> None:
    """Those in one area, as a view with a name."""
    page.goto(f"{site}/drivers/")
    if size == "laptop":
        page.get_by_text("Add filter").click()
        page.get_by_text("Area", exact=True).click()
        page.locator("details.fld[open] input[name=value]").fill("Umlazi")
        page.locator("details.fld[open] button").click()
    else:
        page.get_by_role("link", name="Filter").click()
        page.get_by_text("Area", exact=True).click()
        page.locator("details.fld[open] input[name=value]").fill("Umlazi")
        page.locator("details.fld[open] button").click()
    expect(page).to_have_url(re.compile("Umlazi"))
    expect(rows_of(page, size)).not_to_have_count(0)
    page.get_by_label("New view from this list").click()
    page.get_by_label("Name", exact=True).fill("Drivers in Umlazi")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("navigation", name="Saved views")).to_contain_text("Drivers in Umlazi")


def search_one(page: Page, site: str, size: str) -> Driver:
    """Typing part of a number as people write it leaves one driver."""
    driver = Driver.objects.filter(phone__startswith="+27").order_by("-id")[3]
    page.goto(f"{site}/drivers/")
    page.get_by_label("Search drivers").fill(
        "0" + driver.phone.removeprefix("+27")[:2] + " " + driver.phone[5:]
    )
    expect(rows_of(page, size)).to_have_count(1)
    expect(rows_of(page, size)).to_contain_text(driver.name)
    return driver


def change_many_and_undo(page: Page, site: str, size: str) -> None:
    """On a laptop three at once from the list; a phone's rows have no boxes, so there one on its own page."""
    changed = 3 if size == "laptop" else 1
    if size == "laptop":
        page.goto(f"{site}/drivers/")
        boxes = rows_of(page, size).locator("input[type=checkbox]")
        for number in range(changed):
            boxes.nth(number).check()
        page.get_by_role("toolbar").get_by_role("button", name="Change status").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Status").select_option("contacted")
    else:
        page.goto(f"{site}/drivers/{Driver.objects.order_by('-id')[0].pk}/")
        page.locator("#change-status").click()
        dialog = page.locator("#status-form")
        dialog.get_by_label("Contacted").check()
    dialog.get_by_label("Reason").fill("Met them at the rank")
    dialog.get_by_role("button", name=re.compile("Change|Move")).click()
    toasts = page.locator("#toasts")
    expect(toasts.get_by_role("button", name="Undo")).to_be_visible()
    assert Driver.objects.filter(onboarding_status=S.CONTACTED).count() == changed
    toasts.get_by_role("button", name="Undo").click()
    expect(toasts).to_contain_text(re.compile("back|undone", re.I))
    assert Driver.objects.filter(onboarding_status=S.CONTACTED).count() == 0
    assert StatusChange.objects.filter(reverses__isnull=False).count() == changed


def card(page: Page, status: str, number: int = 0) -> Locator:
    return page.locator(f"[data-column][data-status={status}] [data-card]").nth(number)


def move_on_the_board(page: Page, site: str, size: str) -> None:
    page.goto(f"{site}/pipeline/")
    if size == "laptop":
        dragged = card(page, "not_contacted")
        name = dragged.get_attribute("data-name")
        start = dragged.bounding_box()
        target = page.locator("[data-column][data-status=contacted]").bounding_box()
        assert start
        assert target
        page.mouse.move(start["x"] + 60, start["y"] + 20)
        page.mouse.down()
        page.mouse.move(start["x"] + 120, start["y"] + 40, steps=4)
        page.mouse.move(target["x"] + 80, target["y"] + 160, steps=8)
        page.mouse.up()
        expect(page.locator("#toasts")).to_contain_text(f"{name}")
        expect(page.locator("[data-column][data-status=contacted] [data-card]")).to_have_count(1)
        assert Driver.objects.get(onboarding_status=S.CONTACTED).name == name
        lifted = card(page, "not_contacted")
        name = lifted.get_attribute("data-name")
        lifted.focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        expect(page.locator("#toasts")).to_contain_text(f"{name}")
        expect(page.locator("[data-column][data-status=invited] [data-card]")).to_have_count(1)
        assert Driver.objects.get(onboarding_status=S.INVITED).name == name
    else:
        menu = card(page, "not_contacted").locator("details.menu")
        menu.locator("summary").click()
        menu.get_by_role("button", name="Contacted").click()
        expect(page.locator("#toasts")).to_contain_text("Contacted")
        assert Driver.objects.filter(onboarding_status=S.CONTACTED).count() == 1


def edit_and_call(page: Page, site: str, driver: Driver) -> None:
    page.goto(f"{site}/drivers/{driver.pk}/")
    page.locator("#driver-details-edit").click()
    page.locator("#detail-area").fill("Glenwood")
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/details/" in answer.url):
        page.get_by_role("button", name="Save details").click()
    expect(page.locator("#driver-details dl")).to_contain_text("Glenwood")
    page.get_by_label("How it went").select_option(label="Answered")
    page.get_by_label("Minutes").fill("4")
    page.get_by_label("What was said").fill("Will install the app tonight")
    page.get_by_role("button", name="Save call").click()
    expect(page.locator("#driver-timeline")).to_contain_text("Will install the app tonight")
    driver.refresh_from_db()
    assert (driver.area, driver.onboarding_status, driver.total_communications) == (
        "Glenwood",
        S.CONTACTED,
        1,
    )
    call = Communication.objects.get(driver=driver)
    assert (call.status, call.call_seconds, call.message_body) == (
        "replied",
        240,
        "Will install the app tonight",
    )


def test_first_run_makes_the_admin_and_leads_to_an_empty_today(page: Page, site: str, size: str) -> None:
    set_up(page, site)

    user = User.objects.get()
    assert (user.email, user.role, user.name) == ("nandi@example.org", "admin", "Nandi Pillay")
    assert Organisation.current().name == "TimoRides Durban"
    page.get_by_role("link", name="Choose file").click()
    expect(page).to_have_url(re.compile("/imports/$"))


def test_a_wrong_field_of_a_dialog_has_the_focus_and_the_answer_stays_in_sight(
    page: Page, site: str, size: str
) -> None:
    set_up(page, site)
    page.get_by_role("link", name="Drivers").locator("visible=true").click()
    shown(page, "header a.btn.primary").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Sipho Dlamini")
    dialog.get_by_label("Phone").fill("070 04")
    dialog.get_by_role("button", name="Add driver").click()

    expect(dialog.get_by_label("Phone")).to_be_focused()
    expect(dialog).to_contain_text("5 digits")
    expect(dialog.get_by_role("button", name="Add driver")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert Driver.objects.count() == 0


def test_the_morning_of_a_team(page: Page, site: str, size: str) -> None:
    set_up(page, site)
    import_the_list(page, site)
    assert Driver.objects.count() == 515

    filter_and_save_a_view(page, site, size)
    assert SavedView.objects.get().name == "Drivers in Umlazi"
    change_many_and_undo(page, site, size)
    move_on_the_board(page, site, size)
    edit_and_call(page, site, search_one(page, site, size))
