"""The frame around every page: the role's pages, pinned views, theme, and what it costs."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation
from drivercrm.desk.shell import page
from drivercrm.drivers import workflow as drivers
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db


def sidebar(client: Client, path: str = "/drivers/") -> str:
    html = client.get(path).content.decode()
    return html[html.index('<nav class="side"') : html.index("</nav>", html.index('<nav class="side"'))]


def pages(side: str) -> dict[str, str]:
    found = re.findall(
        r'<a href="([^"]+)" title="[^"]*"[^>]*><svg.*?</svg><span class="lbl">([^<]+)</span>', side
    )
    return {words: url for url, words in found}


@pytest.mark.parametrize("role", list(Role))
def test_no_link_of_the_sidebar_is_dead_or_refused(client: Client, role: Role) -> None:
    client.force_login(make_user(role))

    linked = pages(sidebar(client))

    assert list(linked)[:3] == ["Today", "Drivers", "Pipeline"]
    assert ("Import" in linked) == (
        role in {Role.OPERATIONS, Role.MANAGER, Role.ADMIN} and bool(page("imports"))
    )
    assert ("Settings" in linked) == (role == Role.ADMIN)
    for words, url in linked.items():
        assert client.get(url).status_code == 200, words


def test_the_open_page_is_marked_and_keys_lead_there(client: Client) -> None:
    client.force_login(make_user())

    side = sidebar(client)

    assert re.findall(r'href="([^"]+)"[^>]*aria-current="page"', side) == ["/drivers/"]
    assert re.findall(r'data-key="(g \w)"', side) == ["g t", "g d", "g p"]


def test_pinned_views_are_ones_own_and_their_counts_come_later(client: Client) -> None:
    me, other = make_user(), make_user()
    client.force_login(me)
    mine = drivers.save_view(me, name="In Umlazi", query="area=Umlazi", is_pinned=True, by=NANDI)
    drivers.save_view(me, name="Not pinned", query="", by=NANDI)
    drivers.save_view(other, name="Theirs", query="", is_pinned=True, is_shared=True, by=NANDI)
    make_driver(area="Umlazi")

    before = sidebar(client, "/search/")
    client.get("/drivers/counts/")
    after = sidebar(client, "/search/")

    shown = re.findall(r'<span class="lbl trunc">([^<]+)</span><span class="n" id="([^"]+)">([^<]*)', before)
    assert shown == [("In Umlazi", f"pin-{mine.pk}", "")]
    assert 'hx-get="/drivers/counts/"' in before
    assert f'<span class="n" id="pin-{mine.pk}">1</span>' in after
    assert 'hx-get="/drivers/counts/"' not in after


@pytest.mark.parametrize(
    ("chosen", "cookie", "theme"),
    [
        ("dark", "", "dark"),
        ("", "light", "light"),
        ("dark", "light", "dark"),
        ("", "<evil>", ""),
        ("", "", ""),
    ],
)
def test_the_theme_is_the_accounts_else_the_browsers(
    client: Client, chosen: str, cookie: str, theme: str
) -> None:
    client.force_login(make_user(theme=chosen))
    client.cookies["theme"] = cookie

    html = client.get("/search/").content.decode()

    assert re.findall(r'<html[^>]*data-theme="(\w+)"', html) == ([theme] if theme else [])


def test_shortcuts_can_be_off(client: Client) -> None:
    client.force_login(make_user(has_shortcuts=False))

    assert 'data-keys="off"' in client.get("/search/").content.decode()


def test_the_frame_costs_one_query_and_a_fragment_none(client: Client) -> None:
    me = make_user()
    client.force_login(me)
    Organisation.current()
    drivers.save_view(me, name="Pinned", query="", is_pinned=True, by=NANDI)
    client.get("/drivers/counts/")
    client.get("/search/")

    with CaptureQueriesContext(connection) as whole:
        client.get("/search/")
    with CaptureQueriesContext(connection) as fragment:
        client.get("/search/", headers={"HX-Request": "true"})

    # the session and the user; then the newest entry: nothing has happened, so the organisation and the views hold
    assert (len(whole), len(fragment)) == (3, 2)
