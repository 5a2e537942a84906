"""Lists as files: what is in them, who may take them, and what is written down about it."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def me(client: Client) -> User:
    user = make_user(Role.MANAGER, name="Nandi Pillay")
    client.force_login(user)
    return user


def take(client: Client, **data: Any) -> list[list[str]]:
    answer = client.post("/drivers/export/", {"format": "csv", **data})
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_a_file_has_the_lists_drivers_order_and_columns(client: Client, me: User) -> None:
    for name, area in [("B", "Umlazi"), ("C", "Phoenix"), ("A", "Umlazi")]:
        driver = make_driver(
            name, area=area, email=f"{name.lower()}@example.org", phone=f"+2782000000{ord(name) % 10}"
        )
        drivers.assign([driver.pk], me, by=NANDI)

    rows = take(client, all="1", query="area=Umlazi&sort=name&cols=owner.status")

    assert rows == [
        ["Name", "Email", "Owner", "Status"],
        ["A", "a@example.org", "Nandi P", "Not contacted"],
        ["B", "b@example.org", "Nandi P", "Not contacted"],
    ]


def test_every_column_has_its_value(client: Client, me: User) -> None:
    driver = make_driver(
        "Sipho",
        phone="+27821234567",
        email="s@example.org",
        timo_driver_id="TR-1",
        pathpulse_account_id="PP-1",
    )
    consent.grant(driver, channels=["whatsapp"], purposes=["service"], source="s", evidence="e", by=NANDI)
    noon = clock.day_start(clock.today()) + timedelta(hours=12)
    Driver.objects.filter(pk=driver.pk).update(
        engagement_score=71.5,
        response_rate=0.8333333,
        last_contact_date=noon,
        first_contact_date=noon,
        onboarding_complete_date=None,
        total_communications=4,
    )
    day = f"{clock.today():%Y-%m-%d} 12:00:00"
    every = ".".join(
        "status channels phone engagement_score response_rate last_contact next_follow_up owner timo_driver_id"
        " pathpulse_account_id first_contact completed last_active messages".split()
    )

    heads, row = take(client, all="1", query=f"cols={every}")

    assert dict(zip(heads, row, strict=True)) == {
        "Name": "Sipho",
        "Email": "s@example.org",
        "Status": "Not contacted",
        "WhatsApp consent": "Granted",
        "Telegram consent": "",
        "Email consent": "Never asked",
        "Phone": "'+27821234567",
        "Engagement score": "71.5",
        "Response rate": "0.8333",
        "Last contact": day,
        "Next follow-up": "",
        "Owner": "",
        "Timo driver ID": "TR-1",
        "PathPulse account": "PP-1",
        "First contact": day,
        "Onboarding completed": "",
        "Last active": "",
        "Messages, total": "4",
    }


@pytest.mark.parametrize(
    "evil", ['=HYPERLINK("http://evil.example","x")', "@SUM(1)", "-2+3", "+1+cmd|'/c calc'!A0"]
)
def test_no_formula_leaves_in_either_format(client: Client, me: User, evil: str) -> None:
    make_driver(evil, timo_driver_id=evil)

    _, row = take(client, all="1", query="cols=timo_driver_id")
    answer = client.post("/drivers/export/", {"format": "xlsx", "all": "1", "query": "cols=timo_driver_id"})
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active

    assert (row[0], row[2]) == (f"'{evil}", f"'{evil}")
    assert [cell.value for cell in sheet[2]] == [f"'{evil}", None, f"'{evil}"]
    assert {cell.data_type for cell in sheet[2] if cell.value} == {"s"}
    assert answer["Content-Disposition"] == f'attachment; filename="drivers-{clock.today():%Y-%m-%d}.xlsx"'


def test_ticked_drivers_alone_leave(client: Client, me: User) -> None:
    a, b = make_driver("A"), make_driver("B")
    make_driver("C")

    rows = take(client, driver=[a.pk, b.pk], query="sort=name&cols=status")

    assert [row[0] for row in rows] == ["Name", "A", "B"]


def test_the_journal_has_filter_and_count_and_no_name(client: Client, me: User) -> None:
    make_driver("Sipho Dlamini", area="Umlazi")
    make_driver("Lerato", area="Phoenix")

    take(client, all="1", query="area=Umlazi&q=sipho")

    entry = Entry.objects.get(name="drivers.exported")
    assert (entry.actor, entry.driver_id) == (f"user:{me.pk}", None)
    assert entry.data == {"format": "csv", "filter": "Area is …; a search", "rows": 1}


def test_the_journal_keeps_known_values_and_nothing_typed(client: Client, me: User) -> None:
    owner = make_user(Role.OPERATIONS, name="Kabelo Maseko")
    driver = make_driver("Sipho", area="0821234567 Sipho")
    Driver.objects.filter(pk=driver.pk).update(source="agent Lerato")
    drivers.assign([driver.pk], owner, by=NANDI)
    query = (
        f"area=0821234567+Sipho&area=Phoenix&source=agent+Lerato&owner={owner.pk}&owner=me&owner=none"
        "&status=not_contacted&status=contacted&created.after=2020-01-06&response_rate=none"
    )

    asked = client.get("/drivers/export/", {"all": "1", "query": query}).content.decode()
    take(client, all="1", query=query)

    assert "Area is 0821234567 Sipho, Phoenix" in asked
    assert "Owner is Kabelo M, Me, Nobody" in asked
    data = Entry.objects.get(name="drivers.exported").data
    assert data["rows"] == 1
    assert data["filter"] == (
        "Area is …; Source is …; Owner is somebody, Me, Nobody; Status is Not contacted, Contacted;"
        " Created after Mon 6 Jan 2020; Response rate is None yet"
    )


def test_the_question_says_what_will_leave_and_writes_nothing(client: Client, me: User) -> None:
    make_driver(area="Umlazi")

    page = client.get("/drivers/export/?all=1&query=area%3DUmlazi").content.decode()
    dialog = client.get(
        "/drivers/export/?all=1&query=area%3DUmlazi", headers={"HX-Request": "true"}
    ).content.decode()

    for html in (page, dialog):
        assert "1 driver: Area is Umlazi." in re.sub(r"\s+", " ", html)
    assert dialog.startswith('<dialog class="dialog" id="export"')
    assert not Entry.objects.filter(name="drivers.exported").exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATIONS, Role.SUPPORT, Role.FINANCE])
def test_exporting_is_a_permission_of_its_own(client: Client, role: Role) -> None:
    client.force_login(make_user(role))
    make_driver()

    assert client.post("/drivers/export/", {"all": "1", "format": "csv"}).status_code == 403
    assert not Entry.objects.filter(name="drivers.exported").exists()


def test_an_empty_list_and_one_too_long_for_excel_are_refused(
    client: Client, me: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = client.post(
        "/drivers/export/", {"all": "1", "query": "status=active"}, headers={"HX-Request": "true"}
    )
    make_driver()
    monkeypatch.setattr("drivercrm.core.spreadsheets.MAX_XLSX_ROWS", 0)
    long = client.post("/drivers/export/", {"all": "1", "format": "xlsx"}, headers={"HX-Request": "true"})

    assert empty.content.decode() == "There is nobody in this list."
    assert long.content.decode() == "This list is longer than an Excel sheet. Export it as CSV."
    assert not Entry.objects.filter(name="drivers.exported").exists()
