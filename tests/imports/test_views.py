"""The pages of an import, with and without JavaScript (spec §10)."""

import io
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from drivercrm.accounts.enums import Role
from drivercrm.core import clock
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.reading import read
from drivercrm.jobs.workflow import worker
from tests.factories import NANDI, make_driver, make_user
from tests.imports.lists import REAL, applied, as_csv, differing, dump, many, staged

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(Role.OPERATIONS))
    return client


def upload(staff: Client, content: bytes, name: str = "list.csv", **more: str) -> HttpResponse:
    return staff.post("/imports/", {"file": SimpleUploadedFile(name, content), **more})


def work() -> None:
    """What the worker does in the background."""
    worker(clockwork=False).drain()


def text_of(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_the_real_list_from_upload_to_undo_without_javascript(staff: Client) -> None:
    numbers = sorted({row.cells[1] for row in read(REAL).rows()} - {""})

    response = upload(staff, REAL.read_bytes(), "driver-list.xlsx")
    of = Import.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/imports/{of.pk}/columns/")
    shown = staff.get(response["Location"])
    assert "Left out, never stored" in text_of(shown)
    assert "Identity number" in text_of(shown)
    assert [number for number in numbers if number in shown.content.decode()] == []

    targets = {f"target-{index}": column["target"] for index, column in enumerate(of.columns)}
    response = staff.post(f"/imports/{of.pk}/columns/", targets, follow=True)
    assert response.redirect_chain[-1][0] == f"/imports/{of.pk}/rows/"
    assert "Errors 18" in text_of(response)
    assert "Two numbers in one cell" in text_of(response)

    response = staff.post(
        f"/imports/{of.pk}/run/",
        {
            "wording": "TimoRides driver agreement, 2025-11",
            "evidence": "folder 3",
            "channels": ["whatsapp"],
            "purposes": ["service"],
        },
        follow=True,
    )
    assert "Importing, 0 of 545" in text_of(response)
    work()
    response = staff.get(f"/imports/{of.pk}/run/")
    assert "Imported, 545 rows" in text_of(response)
    assert Driver.objects.filter(communication_opt_in=True).count() == 515

    response = staff.get(f"/imports/{of.pk}/undo/")
    assert "515 new drivers will be deleted" in text_of(response)
    response = staff.post(f"/imports/{of.pk}/undo/", follow=True)
    assert response.redirect_chain[-1][0] == "/imports/"
    assert "driver-list.xlsx was taken back. Everything is as before." in text_of(response)
    assert "515 drivers deleted, 0 put back, 0 kept" in text_of(response)
    assert (Driver.objects.count(), Import.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("list.csv", b"", "The file is empty."),
        ("list.csv", b"Name,Phone\n", "There are headings, but no drivers under them."),
        ("list.csv", b"%PDF-1.7", "This is a PDF, not a list. Use an XLSX or CSV file."),
        (
            "list.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600,
            "This is an old Excel workbook (.xls).",
        ),
        ("list.xlsx", b"PK\x03\x04broken", "The workbook is broken or incomplete."),
        ("list.csv", b"Name,Phone\nA\x00B,0820000001\n", "The file contains NUL bytes"),
        ("list.csv", b"Name,Phone\n" + b"x" * 40_000 + b",0820000001\n", "Row 2 has a cell with more than"),
    ],
)
def test_a_file_that_is_no_list_comes_back_with_the_reason_and_stores_nothing(
    staff: Client, name: str, content: bytes, sentence: str
) -> None:
    staff.get("/imports/")  # the first page ever shown writes down the organisation
    before = dump(leave_out={"django_session"})

    response = upload(staff, content, name)

    assert response.status_code == 422
    assert sentence in text_of(response)
    assert differing(before, dump(leave_out={"django_session"})) == []


def test_without_a_file_the_page_says_so(staff: Client) -> None:
    response = staff.post("/imports/", {})

    assert response.status_code == 422
    assert "Choose a file first." in text_of(response)


def test_an_identity_looking_column_is_kept_only_when_named_at_upload(staff: Client) -> None:
    content = as_csv([["Ayanda Zulu", "0820000001", "TR-1"]], ["Name", "Phone", "ID NO"])

    assert upload(staff, content, id_heading="Nope").status_code == 422
    upload(staff, content, id_heading="ID NO")

    assert ImportRow.objects.get().values["timo_driver_id"] == "TR-1"


def test_columns_that_cannot_work_come_back_with_a_sentence(staff: Client) -> None:
    of = staged(many(1))

    response = staff.post(f"/imports/{of.pk}/columns/", {"target-0": "name", "target-1": "ignore"})

    assert response.status_code == 422
    assert "No column is read as a phone number or a mail address. Choose one." in text_of(response)


def test_words_of_a_status_column_are_matched(staff: Client) -> None:
    rows = [["Ayanda Zulu", "0820000001", "Parked"], ["Bongi Cele", "0820000002", "Started"]]
    of = staged(rows, ["Name", "Phone", "Stage"])
    response = staff.get(f"/imports/{of.pk}/columns/")
    assert "1 word to match below" in text_of(response)

    targets = {"target-0": "name", "target-1": "phone", "target-2": "onboarding_status"}
    response = staff.post(f"/imports/{of.pk}/columns/", targets)
    assert response["Location"] == f"/imports/{of.pk}/columns/"
    words = [word for word, _ in Import.objects.get().tally["status_words"]]
    chosen = {f"status-{words.index('Parked')}": "contacted", f"status-{words.index('Started')}": "ignore"}
    response = staff.post(f"/imports/{of.pk}/columns/", targets | chosen)

    assert response["Location"] == f"/imports/{of.pk}/"
    values = list(ImportRow.objects.order_by("number").values_list("values__onboarding_status", flat=True))
    assert values == ["contacted", None]


def test_a_cell_is_corrected_in_place(staff: Client) -> None:
    of = staged([["Ayanda Zulu", "12", ""], ["Bongi Cele", "0820000002", ""]])
    shown = staff.get(f"/imports/{of.pk}/rows/")
    assert 'name="cell-1"' in shown.content.decode()
    assert "2 digits: a South African number has ten, starting with 0" in text_of(shown)

    response = staff.post(f"/imports/{of.pk}/rows/2/", {"cell-1": "082 000 0001", "heap": "error"})
    assert (response.status_code, response["Location"]) == (303, f"/imports/{of.pk}/rows/?heap=error&row=2")
    part = staff.get(response["Location"], headers=HTMX)

    assert 'id="row-2"' in part.content.decode()
    assert "+27 82 000 0001" in text_of(part)
    assert ImportRow.objects.get(number=2).verdict == "create"


def test_a_row_is_left_out_and_taken_in_again(staff: Client) -> None:
    of = staged(many(2))

    staff.post(f"/imports/{of.pk}/rows/2/decision/", {"decision": "leave_out"})
    assert "1 rows go in" in text_of(staff.get(f"/imports/{of.pk}/rows/?heap=out"))
    staff.post(f"/imports/{of.pk}/rows/2/decision/", {})

    assert "2 rows go in" in text_of(staff.get(f"/imports/{of.pk}/rows/"))


def test_rows_come_page_by_page(staff: Client) -> None:
    of = staged(many(120))

    first = staff.get(f"/imports/{of.pk}/rows/?heap=ready").content.decode()
    second = staff.get(f"/imports/{of.pk}/rows/?heap=ready&after=51").content.decode()

    assert len(re.findall(r'<tr id="row-', first)) == 50
    assert "after=51" in first
    assert ("Earlier rows" in first, "Earlier rows" in second) == (False, True)
    assert re.findall(r'<tr id="row-(\d+)"', second)[0] == "52"
    assert 'heap=ready" rel="prev"' in second


@pytest.mark.parametrize("where", ["rows/?heap=ready", "columns/", "run/", "duplicates/"])
def test_pages_ask_the_same_number_of_questions_however_long_the_list_is(staff: Client, where: str) -> None:
    short, long = staged(many(1)), staged(many(3, start=10))
    staff.get(f"/imports/{short.pk}/{where}")
    counts = []
    for of in (short, long):
        with CaptureQueriesContext(
            connection,
        ) as queries_made:
            staff.get(f"/imports/{of.pk}/{where}")
        counts.append(len(queries_made))

    assert counts[0] == counts[1]


def test_the_list_of_imports_asks_the_same_number_of_questions(staff: Client) -> None:
    counts = []
    for _ in (1, 2):
        applied(staged(many(1, start=Driver.objects.count())))
        staff.get("/imports/")
        with CaptureQueriesContext(connection) as made:
            staff.get("/imports/")
        counts.append(len(made))

    assert counts[0] == counts[1]


def test_doubtful_rows_are_settled_side_by_side(staff: Client) -> None:
    there = make_driver("Nazeem Fredericks", phone="+27820000001", by=automation("sync"))
    of = staged(
        [
            ["Gift Chauke", "0820000001", "gift@example.org"],
            ["Ayanda Zulu", "0820000002", ""],
            ["Bongi Cele", "0820000002", ""],
        ]
    )
    shown = text_of(staff.get(f"/imports/{of.pk}/duplicates/"))
    assert "Shared number: it belongs to Nazeem Fredericks" in shown
    assert "Already in Driver CRM" in shown

    response = staff.post(
        f"/imports/{of.pk}/duplicates/2/", {"decision": "same", "pick-name": "kept", "next": "4"}
    )
    assert response["Location"] == f"/imports/{of.pk}/duplicates/?row=4"
    shown = text_of(staff.get(response["Location"]))
    assert "Row 3 in the list" in shown
    staff.post(f"/imports/{of.pk}/duplicates/4/", {"decision": "another"})
    assert "2 of 2 decided." in text_of(staff.get(f"/imports/{of.pk}/duplicates/"))
    applied(of)

    there.refresh_from_db()
    assert (there.name, there.email) == ("Nazeem Fredericks", "gift@example.org")
    assert Driver.objects.filter(phone="+27820000002").count() == 2


def test_the_undecided_are_left_out_together(staff: Client) -> None:
    of = staged([["Ayanda Zulu", "0820000002", ""], ["Bongi Cele", "0820000002", ""]])

    staff.post(f"/imports/{of.pk}/duplicates/rest/", {"decision": "leave_out"})

    assert ImportRow.objects.get(number=3).heap == "out"


def test_rows_to_review_are_downloaded_corrected_and_uploaded_again(staff: Client) -> None:
    of = staged(
        [
            ["=1+1", "0820000001", "", "8001015009087"],
            ["@cmd Zulu", "12", "", ""],
            ["Bongi Cele", "0820000001", "", ""],
        ],
        ["Name", "Phone", "Notes", "ID NO"],
    )

    response = staff.get(f"/imports/{of.pk}/review/")

    assert response["Content-Disposition"] == 'attachment; filename="list to review.xlsx"'
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    table = [[cell.value for cell in row] for row in book.active.iter_rows()]
    assert table[0] == ["Name", "Phone", "Notes", "Row", "Why"]
    assert [row[:2] for row in table[1:]] == [["'=1+1", "0820000001"], ["'@cmd Zulu", "12"]] or len(
        table
    ) == 3
    assert all(cell.data_type != "f" for row in book.active.iter_rows() for cell in row)
    book.active["B3"] = "0820000009"
    file = io.BytesIO()
    book.save(file)
    upload(staff, file.getvalue(), "again.xlsx")
    again = Import.objects.exclude(pk=of.pk).get()
    assert [column["target"] for column in again.columns] == ["name", "phone", "notes", "ignore", "ignore"]


def test_a_basis_that_is_not_whole_comes_back_at_its_field(staff: Client) -> None:
    of = staged(many(1))

    response = staff.post(f"/imports/{of.pk}/run/", {"wording": "Agreement", "channels": ["whatsapp"]})

    assert response.status_code == 422
    assert "Say which purposes the basis covers: service, marketing." in text_of(response)
    assert Import.objects.get().state == ImportState.CHECKED


def test_nothing_to_import_is_said_on_the_page(staff: Client) -> None:
    applied(staged(many(1)))
    again = staged(many(1))

    response = staff.post(f"/imports/{again.pk}/run/", {})

    assert response.status_code == 422
    assert "Nothing to import: no row of this list changes anything." in text_of(response)


def test_progress_polls_while_it_runs_and_stops_when_it_is_done(staff: Client) -> None:
    make_driver()
    of = staged(many(2, start=50))
    staff.post(f"/imports/{of.pk}/run/", {})
    assert list(queries.running()) == [of]
    assert 'hx-trigger="every 1s"' in staff.get(f"/imports/{of.pk}/run/").content.decode()
    assert "Running: list.csv" in text_of(staff.get("/"))

    work()

    assert "every 1s" not in staff.get(f"/imports/{of.pk}/run/").content.decode()
    assert list(queries.running()) == []


def test_a_running_import_is_stopped_and_goes_on(staff: Client) -> None:
    of = staged(many(2))
    staff.post(f"/imports/{of.pk}/run/", {})

    response = staff.post(f"/imports/{of.pk}/stop/", follow=True)
    assert "Stopped after 0 of 2 rows" in text_of(response)
    work()
    assert Driver.objects.count() == 0
    staff.post(f"/imports/{of.pk}/run/", {})
    work()

    assert (Driver.objects.count(), Import.objects.get().state) == (2, ImportState.DONE)


def test_a_long_list_is_checked_run_and_undone_in_the_background(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("staging", "undoing"):
        monkeypatch.setattr(f"drivercrm.imports.workflow.{module}.IN_BACKGROUND", 2)
    before = Driver.objects.count()
    of = staged([[*row, "Umlazi"] for row in many(4)], ["Name", "Phone", "Email", "Ref"])
    response = staff.post(
        f"/imports/{of.pk}/columns/",
        {"target-0": "name", "target-1": "phone", "target-2": "email", "target-3": "area"},
    )
    waiting = staff.get(response["Location"])
    assert "Checking rows" in text_of(waiting)
    work()
    response = staff.get(f"/imports/{of.pk}/", headers=HTMX)
    assert response["HX-Redirect"] == f"/imports/{of.pk}/rows/"
    staff.post(f"/imports/{of.pk}/run/", {})
    work()
    assert Driver.objects.filter(area="Umlazi").count() == 4

    response = staff.post(f"/imports/{of.pk}/undo/", follow=True)
    assert "Being undone" in text_of(response)
    work()

    assert (Driver.objects.count(), Import.objects.count()) == (before, 0)


def test_the_undo_names_what_is_kept_and_afterwards_shows_it(staff: Client) -> None:
    of = applied(staged(many(2)))
    touched = Driver.objects.get(phone="+27820000001")
    drivers.edit(touched, {"area": "Umlazi"}, by=NANDI)

    dialog = staff.get(f"/imports/{of.pk}/undo/", headers=HTMX)
    assert "data-open" in dialog.content.decode()
    assert "1 new driver will be deleted" in text_of(dialog)
    assert "Thandi Nkosi1 details changed since" in text_of(dialog)
    response = staff.post(f"/imports/{of.pk}/undo/", follow=True)

    assert response.redirect_chain[-1][0] == f"/imports/{of.pk}/run/"
    assert "Thandi Nkosi1 details changed since" in text_of(response)
    assert list(Driver.objects.all()) == [touched]


def test_an_import_that_can_no_longer_be_undone_says_until_when_it_could(staff: Client) -> None:
    of = applied(staged(many(1)))
    Import.objects.filter(pk=of.pk).update(finished_at=clock.now() - timedelta(days=8))

    assert "Undo ended" in text_of(staff.get("/imports/"))
    assert staff.get(f"/imports/{of.pk}/undo/").status_code == 302
    assert staff.post(f"/imports/{of.pk}/undo/").status_code == 409


def test_a_list_is_put_away(staff: Client) -> None:
    of = staged(many(1))

    response = staff.post(f"/imports/{of.pk}/deletion/", follow=True)

    assert "list.csv was put away. Nothing was imported." in text_of(response)
    assert ImportRow.objects.count() == 0


@pytest.mark.parametrize("where", ["columns", "rows", "duplicates"])
def test_steps_of_an_import_that_has_run_lead_to_its_result(staff: Client, where: str) -> None:
    of = applied(staged(many(1)))

    response = staff.get(f"/imports/{of.pk}/{where}/", follow=True)

    assert response.redirect_chain[-1][0] == f"/imports/{of.pk}/run/"


def test_a_name_from_a_list_is_shown_as_text(staff: Client) -> None:
    of = staged([["<script>alert(1)</script>", "0820000001", '"><img src=x>']])

    for where in ("rows/?heap=look", "rows/?heap=ready", "columns/"):
        shown = staff.get(f"/imports/{of.pk}/{where}").content.decode()
        assert "<script>alert" not in shown
        assert "<img src=x>" not in shown
    assert imports.work_left(of) == 1
