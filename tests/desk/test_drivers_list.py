"""The list of drivers: what it shows to whom, its tabs, orders, columns and pages, and what it costs."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.consent import workflow as consent
from drivercrm.consent.models import Consent
from drivercrm.core import clock
from drivercrm.drivers import filters
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

PART = {"HX-Request": "true", "HX-Target": "drivers"}
SEARCHED = {"HX-Request": "true", "HX-Target": "found"}


@pytest.fixture
def me(client: Client) -> User:
    user = make_user(Role.MANAGER, name="Nandi Pillay")
    client.force_login(user)
    return user


def page(client: Client, query: str = "", **headers: Any) -> str:
    answer = client.get(f"/drivers/?{query}" if query else "/drivers/", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(html: str) -> list[str]:
    """The names of the table, in order."""
    return [unescape(name) for name in re.findall(r'<a class="nm"[^>]*>([^<]*)</a>', html)]


def cells(html: str, name: str) -> str:
    """The text of one driver's row."""
    row = next(row for row in re.findall(r"<tr data-row.*?</tr>", html) if f">{name}</a>" in row)
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def heads(html: str) -> list[str]:
    table = html[html.index("<thead>") : html.index("</thead>")]
    return [" ".join(re.sub(r"<[^>]+>", " ", head).split()) for head in re.findall(r"<th[ >].*?</th>", table)]


def tabs(html: str) -> dict[str, str]:
    """Name → count of the tabs."""
    part = html[
        html.index('aria-label="Saved views"') : html.index("</nav>", html.index('aria-label="Saved views"'))
    ]
    return {
        unescape(name.strip()): unescape(count)
        for name, count in re.findall(
            r'<a href="[^"]*"[^>]*>([^<]+)<span class="n"[^>]*>([^<]*)</span>', part
        )
    }


def links(html: str, words: str) -> str:
    """The address of the link with these words."""
    found = re.search(rf'<a[^>]*href="([^"]*)"[^>]*>(?:<svg.*?</svg>)?{words}', html)
    assert found, words
    return unescape(found[1])


# Rows


def test_a_row_says_who_where_reachable_how_and_what_is_next(client: Client, me: User) -> None:
    driver = make_driver("Sipho <b>Dlamini", phone="+27700142287", email="s@example.org")
    consent.grant(
        driver, channels=["whatsapp"], purposes=["service"], source="staff", evidence="told us", by=NANDI
    )
    drivers.change_status(driver, "invited", reason="x", by=NANDI)
    drivers.assign([driver.pk], me, by=NANDI)
    due = clock.day_start(clock.today()) - timedelta(days=2)
    drivers.set_follow_ups([driver.pk], due_at=due, is_all_day=True, reason="", owner=None, by=NANDI)
    last = clock.now() - timedelta(hours=3, minutes=1)
    Driver.objects.filter(pk=driver.pk).update(
        engagement_score=71.6, response_rate=0.834, last_contact_date=last
    )

    html = page(client)

    assert rows(html) == ["Sipho <b>Dlamini"]
    shown = cells(html, "Sipho &lt;b&gt;Dlamini")
    assert shown.startswith("S Sipho &lt;b&gt;Dlamini Invited WhatsApp: consent given, preferred ")
    assert "Telegram: no address on file" in shown
    assert "Email: not asked +27 70 014 2287 72 83% 3 h Overdue 2 d Nandi P" in shown


def test_a_driver_nobody_reached_has_dashes(client: Client, me: User) -> None:
    make_driver("Precious Maluleke", phone="+27700128450")

    assert cells(page(client), "Precious Maluleke").endswith("+27 70 012 8450 – – Never – –")


def test_newest_drivers_come_first_and_heads_sort(client: Client, me: User) -> None:
    for name in ("Bongani", "Ayanda", "Chantelle"):
        make_driver(name)

    html = page(client)
    assert rows(html) == ["Chantelle", "Ayanda", "Bongani"]
    by_name = links(html, "Driver")
    assert by_name == "/drivers/?sort=name"

    html = page(client, "sort=name")
    assert rows(html) == ["Ayanda", "Bongani", "Chantelle"]
    assert 'aria-sort="ascending"' in html
    assert links(html, "Driver") == "/drivers/?sort=-name"
    assert links(page(client, "sort=-name"), "Driver") == "/drivers/"


@pytest.mark.parametrize("sort", [f"{sign}{key}" for key in filters.SORTS for sign in ("", "-")])
def test_pages_show_every_driver_once_in_every_order(client: Client, me: User, sort: str) -> None:
    now = clock.now()
    made = Driver.objects.bulk_create(
        Driver(
            name=f"Driver {number % 40:02d}",
            last_contact_date=now - timedelta(hours=number % 7) if number % 3 else None,
            next_follow_up_date=now + timedelta(hours=number % 5) if number % 3 else None,
            engagement_score=number % 9 if number % 3 else None,
            response_rate=(number % 4) / 4 if number % 3 else None,
        )
        for number in range(120)
    )
    seen: list[str] = []
    address = f"/drivers/?sort={sort}"
    pages = 0
    while address:
        html = client.get(address).content.decode()
        seen += re.findall(r'<tr data-row="([^"]+)"', html)
        pages += 1
        older = re.search(r'href="([^"]*)" rel="next"', html)
        address = unescape(older[1]) if older else ""

    assert pages == 3
    assert sorted(seen) == sorted(str(driver.pk) for driver in made)
    newer = re.search(r'href="([^"]*)" rel="prev"', html)
    assert newer
    before = client.get(unescape(newer[1])).content.decode()
    assert re.findall(r'<tr data-row="([^"]+)"', before) == seen[50:100]


def test_the_pager_counts_where_it_can(client: Client, me: User) -> None:
    for _ in range(53):
        make_driver()

    html = page(client)
    assert "1–50 of 53" in html
    older = re.search(r'href="([^"]*)" rel="next"', html)
    assert older
    assert "3 of 53" in client.get(unescape(older[1])).content.decode()


def test_more_than_a_thousand_are_not_counted(
    client: Client, me: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivercrm.drivers.filters.finding.COUNTED", 2)
    for _ in range(3):
        make_driver()

    html = page(client)

    assert "1–3 of 1\u00a0000+" in html
    assert "Select all 1\u00a0000+" in html


def test_a_page_marker_of_another_order_starts_again(client: Client, me: User) -> None:
    make_driver()

    answer = client.get("/drivers/?sort=name&cursor=nonsense")

    assert (answer.status_code, answer["Location"]) == (302, "/drivers/?sort=name")


# Search and filters


def test_search_finds_by_number_and_answers_the_found_part(client: Client, me: User) -> None:
    make_driver("Sipho Dlamini", phone="+27821234567")
    make_driver("Lerato Mokoena", phone="+27731234567")

    html = page(client, "q=082+123", **SEARCHED)

    assert rows(html) == ["Sipho Dlamini"]
    assert html.startswith('<div class="dtab" id="found"')
    assert 'id="drivers-total" aria-live="polite" hx-swap-oob="true">1<' in html
    assert 'id="list-tools" hx-swap-oob="true"' in html
    assert rows(page(client, "q=082+123")) == ["Sipho Dlamini"]


def test_an_added_filter_lands_in_the_address(client: Client, me: User) -> None:
    driver = make_driver("Sipho")
    make_driver("Lerato")
    drivers.change_status(driver, "invited", reason="x", by=NANDI)

    plain = client.get("/drivers/?sort=name&add=status&op=not&value=not_contacted")
    swapped = client.get("/drivers/?sort=name&add=status&op=not&value=not_contacted", headers=PART)

    assert (plain.status_code, plain["Location"]) == (302, "/drivers/?status.not=not_contacted&sort=name")
    assert swapped["HX-Push-Url"] == "/drivers/?status.not=not_contacted&sort=name"
    html = swapped.content.decode()
    assert rows(html) == ["Sipho"]
    assert "Remove filter: Status" in html
    assert html.startswith('<div class="dlist" id="drivers"')
    assert re.search(r'<a class="x" href="/drivers/\?sort=name"', html)


def test_a_changed_filter_takes_the_old_ones_place(client: Client, me: User) -> None:
    answer = client.get(
        "/drivers/?status.not=invited&area=Umlazi&old=status.not&add=status&op=is&value=active&value=invited"
    )

    assert answer["Location"] == "/drivers/?area=Umlazi&status=active&status=invited"


def test_the_filter_menu_offers_every_field(client: Client, me: User) -> None:
    html = client.get("/drivers/filters/", headers={"HX-Request": "true"}).content.decode()

    assert re.findall(r'<summary class="it">([^<]+)</summary>', html) == [
        field.label for field in filters.FIELDS.values()
    ]
    assert "Nandi P" in html


def test_a_chips_menu_holds_its_own_values(client: Client, me: User) -> None:
    html = client.get(
        "/drivers/filters/?status.not=opted_out&edit=status.not", headers={"HX-Request": "true"}
    ).content.decode()

    assert re.findall(r'<summary class="it">([^<]+)</summary>', html) == ["Status"]
    assert '<option value="not" selected>' in html
    assert re.findall(r'value="(\w+)" checked', html) == ["opted_out"]
    assert '<input type="hidden" name="old" value="status.not">' in html


# Tabs and views


def test_built_in_tabs_and_their_counts(client: Client, me: User) -> None:
    late, stalled, out = make_driver("Late"), make_driver("Stalled"), make_driver("Out")
    due = clock.day_start(clock.today())
    drivers.set_follow_ups([late.pk], due_at=due, is_all_day=True, reason="", owner=None, by=NANDI)
    long_ago = clock.now() - timedelta(days=9)
    drivers.change_status(stalled, "onboarding_started", reason="x", by=NANDI, at=long_ago)
    consent.withdraw(out, source="staff", by=NANDI)

    before = page(client)
    counted = client.get("/drivers/counts/?tabs=1").content.decode()
    after = page(client)

    assert tabs(before)["All drivers"] == "3"
    assert tabs(before)["Opted out"] == ""
    assert client.get("/drivers/counts/").content.decode().strip() == ""  # a page without tabs
    assert 'hx-get="/drivers/counts/?tabs=1"' in before
    assert '<span class="n" id="tab-opted-out" hx-swap-oob="true">1</span>' in counted
    assert tabs(after) == {
        "All drivers": "3",
        "Follow-up this week": "1",
        "Stalled in onboarding": "1",
        "Consent not asked": "2",
        "Opted out": "1",
    }
    assert 'hx-get="/drivers/counts/?tabs=1"' not in after
    assert rows(page(client, "view=follow-up")) == ["Late"]
    assert rows(page(client, "view=stalled")) == ["Stalled"]
    assert rows(page(client, "view=not-asked")) == ["Stalled", "Late"]
    assert rows(page(client, "view=opted-out")) == ["Out"]


def test_a_count_is_forgotten_when_something_happens(client: Client, me: User) -> None:
    page(client)
    assert tabs(page(client))["All drivers"] == "0"

    make_driver()

    assert tabs(page(client, "view=opted-out"))["All drivers"] == ""
    assert tabs(page(client))["All drivers"] == "1"


def test_a_tab_keeps_its_list_until_the_address_says_more(client: Client, me: User) -> None:
    view = drivers.save_view(me, name="In Umlazi", query="area=Umlazi&sort=name", by=NANDI)
    for name, area in [("B", "Umlazi"), ("A", "Umlazi"), ("C", "Phoenix")]:
        make_driver(name, area=area)

    html = page(client, f"view={view.pk}")
    assert rows(html) == ["A", "B"]
    assert "Save view" not in html
    removed = re.search(r'<a class="x" href="([^"]*)"', html)
    assert removed

    html = client.get(unescape(removed[1])).content.decode()
    assert rows(html) == ["A", "B", "C"]
    assert "Save view" in html
    assert f'href="/drivers/?view={view.pk}"' in html
    assert rows(page(client, f"view={view.pk}&q=b")) == ["B"]
    assert rows(page(client, f"view={view.pk}&q=c")) == []
    assert rows(page(client, "view=unknown")) == ["C", "A", "B"]


def test_shared_views_are_everybodys_tabs_and_others_are_not(client: Client, me: User) -> None:
    other = make_user()
    drivers.save_view(other, name="For all", query="area=Umlazi", is_shared=True, by=NANDI)
    drivers.save_view(other, name="Private", query="area=Umlazi", by=NANDI)
    drivers.save_view(me, name="Mine", query="area=Phoenix", by=NANDI)
    drivers.save_view(me, name="Opted out", query="status=opted_out&sort=name", by=NANDI)

    assert list(tabs(page(client))) == [
        "All drivers",
        "Follow-up this week",
        "Stalled in onboarding",
        "Consent not asked",
        "Mine",
        "Opted out",
        "For all",
    ]


def test_columns_are_chosen_ordered_and_kept_in_the_address(client: Client, me: User) -> None:
    make_driver("Sipho", timo_driver_id="TR-1")

    html = page(client, "cols=owner.timo_driver_id")
    chosen = client.get("/drivers/?menu=columns&sort=-created&cols=phone&cols=status", headers=PART)

    assert heads(html) == ["", "Driver", "Owner", "Timo driver ID"]
    assert cells(html, "Sipho") == "S Sipho – TR-1"
    assert chosen["HX-Push-Url"] == "/drivers/?cols=phone.status"
    assert heads(chosen.content.decode()) == ["", "Driver", "Phone", "Status"]
    assert '<details class="menu right" id="columns" open>' in chosen.content.decode()
    every = page(client, "cols=" + ".".join(filters.COLUMNS))
    assert len(heads(every)) == 2 + len(filters.COLUMNS)


# Roles and states


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.VIEWER, set()),
        (Role.FINANCE, set()),
        (Role.SUPPORT, {"Set follow-up", "ticks"}),
        (Role.OPERATIONS, {"New driver", "Change status", "Assign", "Set follow-up", "ticks"}),
        (Role.MANAGER, {"New driver", "Change status", "Assign", "Set follow-up", "Export", "ticks"}),
        (Role.ADMIN, {"New driver", "Change status", "Assign", "Set follow-up", "Export", "ticks"}),
    ],
)
def test_a_role_sees_only_the_actions_it_has(client: Client, role: Role, shown: set[str]) -> None:
    client.force_login(make_user(role))
    make_driver()

    html = page(client)

    words = {"New driver", "Change status", "Assign", "Set follow-up", "Export"}
    assert {word for word in words if word in html} | (
        {"ticks"} if "data-select-page" in html else set()
    ) == shown


def test_an_empty_crm_offers_the_first_steps(client: Client, me: User) -> None:
    html = page(client)

    assert "Bring your drivers in" in html
    assert 'href="/drivers/new/"' in html
    assert "<table" not in html


def test_nothing_found_says_why_and_how_to_go_on(client: Client, me: User) -> None:
    make_driver("Sipho")

    html = page(client, "status=invited&area=Umlazi")

    assert "“Status is Invited” and “Area is Umlazi” leave nobody." in html
    assert links(html, "Remove last filter") == "/drivers/?status=invited"
    assert links(html, "Clear all") == "/drivers/"
    assert "No drivers match “zzz”" in page(client, "q=zzz")


def test_the_part_equals_the_page(client: Client, me: User) -> None:
    """What a swap puts in is what a fresh page has there."""
    make_driver("Sipho")
    make_driver("Lerato")
    client.get("/drivers/counts/?tabs=1")
    page(client, "status=not_contacted")

    whole = page(client, "status=not_contacted&sort=name")
    part = page(client, "status=not_contacted&sort=name", **PART)

    assert part.strip() in whole


# Cost


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(address)
    return len(captured)


@pytest.mark.parametrize(
    "query", ["", "status=invited", "q=driver", "sort=-last_contact", "consent_whatsapp=granted&sort=name"]
)
def test_the_number_of_queries_does_not_grow_with_the_rows(client: Client, me: User, query: str) -> None:
    def more(count: int) -> None:
        now = clock.now()
        made = Driver.objects.bulk_create(
            Driver(
                name="Driver",
                phone="+27821234567",
                onboarding_status="invited",
                owner=me,
                last_contact_date=now,
            )
            for _ in range(count)
        )
        granted = {"channel": "whatsapp", "purpose": "service", "state": "granted", "since": now}
        Consent.objects.bulk_create(Consent(driver=driver, **granted) for driver in made)

    counts = []
    for count in (1, 2, 57):
        more(count)
        counts.append(queries(client, f"/drivers/?{query}"))

    # a page that one kind of rows fills need not look for the other kind, those without a date
    assert counts[0] == counts[1] >= counts[2] >= counts[0] - 1
    assert counts[0] <= 13
