"""What the scripts add to the pages, in a real browser under the pages' own policy."""

import mimetypes
import shutil
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import BrowserContext, Page, Route, expect

from drivercrm.ui import assets, gallery

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed"),
]

SITE = "http://crm.test"
POLICY = "default-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; object-src 'none'"
TOAST = (
    '<div hx-swap-oob="beforeend:#toasts"><div class="toast ok" role="status" data-timed><span class="t">Moved</span>'
    '<form method="post" action="/undo/" hx-post="/undo/" hx-swap="none" data-undo>'
    '<button data-key="z">Undo</button></form></div></div>'
)
OPTIONS = (
    '<div role="group" aria-label="Drivers"><a class="it" role="option" href="/one/">One</a>'
    '<a class="it" role="option" href="/two/">Two</a></div>'
)


class Server:
    """Answers the browser without a network: the gallery, the built files, and what a test adds."""

    def __init__(self, gallery_page: str) -> None:
        self.pages = {"/": gallery_page}
        self.answers: dict[str, tuple[int, str, str]] = {}
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, route: Route) -> None:
        request = route.request
        path = request.url.removeprefix(SITE).partition("?")[0].partition("#")[0]
        if path.startswith("/static/built/"):
            file = assets.BUILT / path.removeprefix("/static/built/")
            kind = mimetypes.guess_type(file.name)[0] or "font/woff2"
            return route.fulfill(body=file.read_bytes(), content_type=kind)
        self.asked.append((request.method, path, request.post_data or ""))
        if path in self.answers:
            status, kind, body = self.answers[path]
            return route.fulfill(status=status, headers={"Content-Type": kind}, body=body)
        page = self.pages.get(path, "<!doctype html><title>Elsewhere</title>")
        return route.fulfill(
            headers={"Content-Security-Policy": POLICY, "Content-Type": "text/html"}, body=page
        )


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    arguments = [*flags.split(), "--disable-component-update", "--disable-sync"]
    return {**browser_type_launch_args, "executable_path": shutil.which("chromium"), "args": arguments}


@pytest.fixture
def server(rf, shell, monkeypatch: pytest.MonkeyPatch) -> Server:
    drawn: dict[str, str] = {}

    def render(request, template, context):
        everything = {"request": request, "shell": shell, "theme": "", "csrf_token": "a1", **context}
        drawn["page"] = render_to_string(template, everything)

    monkeypatch.setattr(gallery, "render", render)
    gallery.gallery(rf.get("/"))
    return Server(drawn["page"].replace('data-move-url="#"', 'data-move-url="/move/"'))


@pytest.fixture
def desk(context: BrowserContext, server: Server) -> Iterator[Page]:
    """The gallery, opened; fails when the browser complains about anything but refused requests."""
    complaints: list[str] = []
    context.route("**/*", server)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Policy" in line.text else None)
    page.goto(SITE + "/")
    yield page
    assert complaints == []


def cursor(desk: Page) -> str | None:
    return desk.locator("[data-rows] .is-cursor").get_attribute("data-row")


def test_j_and_k_walk_the_list_and_x_ticks(desk):
    for key in ("j", "j", "j", "k", "x"):
        desk.keyboard.press(key)

    assert cursor(desk) == "2"
    assert desk.locator("tr[aria-selected=true]").first.get_attribute("data-row") == "2"
    expect(desk.locator("[data-count]")).to_have_text("1")
    expect(desk.locator("[data-bulk]")).to_be_visible()


def test_shift_x_ticks_the_rows_in_between_and_escape_clears(desk):
    for key in ("j", "x", "j", "j", "Shift+X"):
        desk.keyboard.press(key)
    expect(desk.locator("[data-count]")).to_have_text("3")

    desk.keyboard.press("Escape")

    expect(desk.locator("[data-bulk]")).to_be_hidden()
    assert desk.locator("[data-select]:checked").count() == 0


def test_the_whole_view_is_chosen_until_a_tick_changes(desk):
    desk.locator("[data-select-page]").check()
    desk.locator("[data-select-all]").click()
    expect(desk.locator("[data-count]")).to_have_text("312")
    assert desk.locator("[data-all-flag]").input_value() == "1"

    desk.locator("[data-select]").first.uncheck()

    expect(desk.locator("[data-count]")).to_have_text("3")
    assert desk.locator("[data-all-flag]").input_value() == ""
    assert desk.locator("[data-select-page]").evaluate("box => box.indeterminate") is True


def test_letters_typed_into_a_field_are_only_letters(desk):
    desk.locator("#a1").press_sequentially("jxg?")

    assert desk.locator("#a1").input_value() == "jxg?"
    assert desk.locator(".is-cursor[data-row]").count() == 0
    assert desk.locator("dialog[open]").count() == 0


def test_letters_rest_when_turned_off_but_arrows_do_not(desk):
    desk.evaluate("document.documentElement.dataset.keys = 'off'")
    desk.keyboard.press("j")
    assert desk.locator(".is-cursor[data-row]").count() == 0

    desk.locator("[data-row='1']").focus()
    desk.keyboard.press("ArrowDown")

    assert cursor(desk) == "2"


def test_g_then_i_goes_to_the_inbox(desk):
    desk.keyboard.press("g")
    desk.keyboard.press("i")
    desk.wait_for_url(SITE + "/inbox/")


def test_question_mark_lists_the_shortcuts(desk):
    desk.keyboard.press("?")

    listed = desk.locator("dialog[open] dt").all_inner_texts()
    assert {"Search or jump to", "Today", "Inbox", "Tick the row", "Lift and drop a card"} <= set(listed)
    assert "" not in listed


def test_palette_finds_and_follows(desk, server):
    server.answers["/palette/"] = (HTTPStatus.OK, "text/html", OPTIONS)
    desk.keyboard.press("Control+k")
    expect(desk.locator("#palette [role=option]")).to_have_count(2)
    desk.keyboard.press("ArrowDown")
    chosen = desk.locator("#palette [aria-selected=true]")
    expect(chosen).to_have_text("Two")
    assert desk.locator("#palette input").get_attribute("aria-activedescendant") == chosen.get_attribute("id")

    desk.keyboard.press("Enter")

    desk.wait_for_url(SITE + "/two/")


def test_a_card_is_moved_by_keyboard(desk, server):
    server.answers["/move/"] = (HTTPStatus.OK, "text/html", TOAST)
    card = desk.locator("#example-card-1")
    card.focus()
    desk.keyboard.press("Space")
    desk.keyboard.press("ArrowRight")
    expect(desk.locator("#announce")).to_have_text("Over Active")
    desk.keyboard.press("ArrowRight")  # Inactive is not among its allowed columns

    desk.keyboard.press("Space")

    expect(desk.locator("[data-status=active] #example-card-1")).to_be_focused()
    expect(desk.locator("#toasts .toast")).to_have_count(1)
    assert ("POST", "/move/", "status=active") in server.asked


def test_escape_puts_a_lifted_card_back(desk, server):
    desk.locator("#example-card-2").focus()
    for key in ("Space", "ArrowRight", "Escape"):
        desk.keyboard.press(key)

    expect(desk.locator("[data-status=invited] #example-card-2")).to_be_focused()
    assert desk.locator(".kslot").count() == 0
    assert [path for _, path, _ in server.asked] == ["/"]


def test_a_card_is_dragged_by_its_grip(desk, server):
    server.answers["/move/"] = (HTTPStatus.OK, "text/html", TOAST)
    grip = desk.locator("#example-card-2 .grip")
    grip.scroll_into_view_if_needed()
    start = grip.bounding_box()
    goal = desk.locator("[data-column][data-status=inactive]").bounding_box()
    desk.mouse.move(start["x"] + 8, start["y"] + 8)
    desk.mouse.down()
    desk.mouse.move(start["x"] + 60, start["y"] + 30, steps=3)
    desk.mouse.move(goal["x"] + 60, goal["y"] + 80, steps=5)
    expect(desk.locator(".kslot b")).to_have_text("Drop to mark Inactive")

    desk.mouse.up()

    expect(desk.locator("[data-status=inactive] #example-card-2")).to_have_count(1)
    expect(desk.locator("#toasts .toast")).to_have_count(1)
    assert ("POST", "/move/", "status=inactive") in server.asked


def test_a_column_that_is_not_allowed_takes_no_card(desk, server):
    start = desk.locator("#example-card-1 .grip")
    start.scroll_into_view_if_needed()
    box = start.bounding_box()
    goal = desk.locator("[data-column][data-status=inactive]").bounding_box()
    desk.mouse.move(box["x"] + 8, box["y"] + 8)
    desk.mouse.down()
    desk.mouse.move(goal["x"] + 60, goal["y"] + 80, steps=5)

    desk.mouse.up()

    expect(desk.locator("[data-status=invited] #example-card-1")).to_have_count(1)
    assert [path for _, path, _ in server.asked] == ["/"]


def test_z_undoes_the_newest_toast(desk, server):
    server.answers["/move/"] = (HTTPStatus.OK, "text/html", TOAST)
    server.answers["/undo/"] = (HTTPStatus.OK, "text/html", "")
    desk.locator("#example-card-2").focus()
    for key in ("Space", "ArrowRight", "Space"):
        desk.keyboard.press(key)
    expect(desk.locator("#toasts .toast")).to_have_count(1)

    desk.keyboard.press("z")

    expect(desk.locator("#toasts .toast")).to_have_count(0)
    assert server.asked[-1][:2] == ("POST", "/undo/")


def test_a_refused_move_says_why_and_goes_back(desk, server):
    server.answers["/move/"] = (HTTPStatus.CONFLICT, "text/plain", "Riaan opted out.")
    desk.locator("#example-card-2").focus()
    for key in ("Space", "ArrowRight", "Space"):
        desk.keyboard.press(key)

    expect(desk.locator("#toasts .toast.danger[role=alert] .t")).to_have_text("Riaan opted out.")
    expect(desk.locator("[data-status=invited] #example-card-2")).to_be_focused()


def test_a_menu_closes_on_escape_and_gives_the_focus_back(desk):
    summary = desk.locator("summary", has_text="Menu")
    summary.focus()
    desk.keyboard.press("Enter")
    desk.keyboard.press("ArrowDown")
    expect(desk.get_by_role("button", name="Edit")).to_be_focused()

    desk.keyboard.press("Escape")

    expect(summary).to_be_focused()
    expect(desk.get_by_role("button", name="Edit")).to_be_hidden()


def test_a_menu_closes_on_a_press_outside(desk):
    desk.locator("summary", has_text="Menu").click()
    desk.locator("h1").click()
    expect(desk.get_by_role("button", name="Edit")).to_be_hidden()


def test_columns_change_their_order_by_keyboard(desk):
    desk.locator("summary", has_text="Columns").click()
    desk.locator("[data-columns] input[value=Telegram]").focus()
    desk.keyboard.press("Alt+ArrowUp")

    values = desk.locator("[data-columns] input").evaluate_all("boxes => boxes.map(box => box.value)")
    assert values == ["Telegram", "WhatsApp", "Email", "Phone"]
    expect(desk.locator("#announce")).to_have_text("Telegram, place 1 of 4")


def test_what_cannot_be_undone_is_asked_first(desk, server):
    desk.get_by_role("button", name="Ask first").click()
    expect(desk.locator("dialog[open] p")).to_have_text(
        "Revoke this token? Programs that use it stop at once."
    )
    expect(desk.get_by_role("button", name="Cancel").last).to_be_focused()
    desk.keyboard.press("Escape")
    assert len(server.asked) == 1

    desk.get_by_role("button", name="Ask first").click()
    desk.get_by_role("button", name="Revoke").click()

    desk.wait_for_url("**/?#confirmed")


def test_the_theme_is_switched_kept_and_stored(desk, server):
    with desk.expect_response("**/theme/"):
        desk.locator(".bar [data-theme-form] button").click()

    assert desk.evaluate("document.documentElement.dataset.theme") == "dark"
    assert "theme=dark" in desk.evaluate("document.cookie")
    method, path, sent = server.asked[-1]
    assert (method, path) == ("POST", "/theme/")
    assert "dark" in sent


def test_icons_follow_the_theme(desk):
    colour = "getComputedStyle(document.querySelector('.ws .mark')).color"
    light = desk.evaluate(colour)
    desk.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert desk.evaluate(colour) != light


def test_the_page_can_be_read_without_scripts(browser, server):
    context = browser.new_context(java_script_enabled=False)
    context.route("**/*", server)
    page = context.new_page()
    page.goto(SITE + "/")

    expect(page.locator("[data-bulk]")).to_be_visible()
    expect(page.locator("[data-dialog]")).to_be_hidden()
    page.locator("summary", has_text="Menu").click()
    expect(page.get_by_role("button", name="Edit")).to_be_visible()
    context.close()
