"""Lists in every shape that spreadsheet programs give them (spec §10)."""

import datetime as dt
import io
from pathlib import Path

import pytest
import xlsxwriter
from openpyxl import Workbook, load_workbook

from drivercrm.imports.columns import drop_identity
from drivercrm.imports.reading import UnreadableFile, read

LIST = Path(__file__).parent / "data" / "driver-list.xlsx"


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def workbook(*rows: list[object], sheet: str = "Drivers") -> Workbook:
    book = Workbook()
    page = book.active
    page.title = sheet
    for row in rows:
        page.append(row)
    return book


def cells(content: bytes) -> list[tuple[str, ...]]:
    return [row.cells for row in read(content).rows()]


THABO = ("Thabo Nkosi", "0821234567", "thabo@example.org")
PLAIN = b"Name,Phone,Email\r\nThabo Nkosi,0821234567,thabo@example.org\r\n"


def test_the_real_lists_shape() -> None:
    sheet = read(LIST)

    assert sheet.headings == ("Surname & Name", "ID NO", "EMAIL ADDRESS", "CELL NO", "AREA")
    assert (sheet.name, sheet.header_row, sheet.row_count, sheet.other_sheets) == ("Sheet1", 1, 545, ())
    rows = list(sheet.rows())
    assert [rows[0].number, rows[-1].number] == [2, 546]
    assert rows[1].cells[2] == "priya.dlamini1@example.com"
    assert [row.number for row in rows if row.blank] == [161, 319, 346]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_in_every_encoding_and_separator(encoding: str, separator: str) -> None:
    text = (
        separator.join(["Name", "Phone", "Area"])
        + "\r\n"
        + separator.join(["Zoë Nkosi", "0821234567", "Orléans"])
    )

    assert cells(text.encode(encoding)) == [("Zoë Nkosi", "0821234567", "Orléans")]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_one(ending: str) -> None:
    assert cells(PLAIN.replace(b"\r\n", ending.encode())) == [THABO]


def test_a_stated_separator_is_believed_and_is_no_row() -> None:
    sheet = read(b"sep=;\r\nName;Phone\r\nNkosi, Thabo;0821234567\r\n")

    assert [row.number for row in sheet.rows()] == [2]
    assert [row.cells for row in sheet.rows()] == [("Nkosi, Thabo", "0821234567")]


def test_quoted_cells_may_hold_separators_quotes_and_lines() -> None:
    content = (
        b'Name,Phone,Notes\r\n"Nkosi, Thabo",0821234567,"said ""yes""\r\ntwice"\r\nSipho,0831234567,x\r\n'
    )

    rows = list(read(content).rows())

    assert rows[0].cells == ("Nkosi, Thabo", "0821234567", 'said "yes"\r\ntwice')
    assert [row.number for row in rows] == [2, 3]


def test_one_column_is_enough_to_read() -> None:
    assert cells(b"Phone\r\n0821234567\r\n") == [("0821234567",)]


def test_blank_rows_are_counted_and_those_at_the_end_are_not() -> None:
    sheet = read(b"Name,Phone\r\nA B,0821234567\r\n\r\n , \r\nC D,0821234568\r\n\r\n,,\r\n")

    assert [(row.number, row.blank) for row in sheet.rows()] == [(2, False), (3, True), (4, True), (5, False)]
    assert sheet.row_count == 4


def test_rows_are_as_wide_as_the_list() -> None:
    assert cells(b"Name,Phone,Email\r\nA B\r\nC D,0821234568,c@example.org,extra\r\n") == [
        ("A B", "", "", ""),
        ("C D", "0821234568", "c@example.org", "extra"),
    ]


def test_title_lines_may_stand_above_the_headings() -> None:
    content = b"Driver list, Durban\r\nMarch 2026\r\n\r\n" + PLAIN

    sheet = read(content)

    assert sheet.header_row == 4
    assert [row.number for row in sheet.rows()] == [5]
    assert [row.cells for row in sheet.rows()] == [THABO]


def test_unknown_headings_are_kept_for_matching_by_hand() -> None:
    sheet = read(b"Onoma,Tilefono\r\nThabo Nkosi,0821234567\r\n")

    assert sheet.headings == ("Onoma", "Tilefono")
    assert sheet.row_count == 1


def test_an_open_file_is_read_as_often_as_wanted() -> None:
    file = io.BytesIO(PLAIN)
    sheet = read(file)

    assert [row.cells for row in sheet.rows()] == [row.cells for row in sheet.rows()] == [THABO]


def test_two_readers_of_one_sheet_do_not_disturb_each_other() -> None:
    lines = b"".join(b"Driver %d,08212%05d\r\n" % (n, n) for n in range(50_000))
    sheet = read(io.BytesIO(b"Name,Phone\r\n" + lines))

    pairs = zip(sheet.rows(), sheet.rows(), strict=True)

    assert all(one == other for one, other in pairs)


def test_a_path_is_read_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(PLAIN)

    assert [row.cells for row in read(path).rows()] == [THABO]


def test_numbers_dates_and_booleans_become_text() -> None:
    moment = dt.datetime.fromisoformat("2026-11-17 09:42")
    book = workbook(
        ["Name", "Phone", "First contact", "Email", "Notes", "Area"],
        ["A B", 821234567, dt.date(2026, 11, 17), moment, 1.5, True],
        ["C D", 27821234567.0, dt.time(9, 42), "x", "#N/A", False],
    )

    assert cells(saved(book)) == [
        ("A B", "821234567", "2026-11-17", "2026-11-17 09:42:00", "1.5", "TRUE"),
        ("C D", "27821234567", "09:42:00", "x", "", "FALSE"),
    ]


def test_a_title_and_empty_columns_before_the_list() -> None:
    book = Workbook()
    page = book.active
    page["B2"] = "Driver list"
    page.merge_cells("B2:D2")
    for column, (heading, value) in enumerate(zip(("Name", "Phone", "Email"), THABO, strict=True), 2):
        page.cell(4, column, heading)
        page.cell(6, column, value)

    sheet = read(saved(book))

    assert (sheet.headings, sheet.header_row) == (("", "Name", "Phone", "Email"), 4)
    assert [(row.number, row.blank, row.cells) for row in sheet.rows()] == [
        (5, True, ("", "", "", "")),
        (6, False, ("", *THABO)),
    ]


def test_headings_merged_over_two_rows_and_columns() -> None:
    book = workbook(["Surname & Name", "Contact", None], [None, "EMAIL ADDRESS", "CELL NO"], list(THABO))
    book.active.merge_cells("A1:A2")
    book.active.merge_cells("B1:C1")

    sheet = read(saved(book))

    assert (sheet.headings, sheet.header_row) == (("Surname & Name", "EMAIL ADDRESS", "CELL NO"), 2)
    assert [row.number for row in sheet.rows()] == [3]


def test_headings_merged_downwards_leave_no_blank_row() -> None:
    book = workbook(["Name", "Phone"], [None, None], ["A B", "0821234567"])
    book.active.merge_cells("A1:A2")
    book.active.merge_cells("B1:B2")

    assert [row.number for row in read(saved(book)).rows()] == [3]


def test_what_stands_under_a_merged_heading_is_one_value() -> None:
    book = workbook(["Surname & Name", None, "Phone"], ["Nkosi", "Thabo", "0821234567"])
    book.active.merge_cells("A1:B1")

    sheet = read(saved(book))

    assert sheet.headings == ("Surname & Name", "", "Phone")
    assert [row.cells for row in sheet.rows()] == [("Nkosi Thabo", "", "0821234567")]


def test_identity_numbers_in_and_under_merged_headings_are_left_out() -> None:
    book = workbook(
        ["Drivers 8001015009087", None, "Phone"],
        ["Surname & Name", "ID", None],
        ["Nkosi Thabo", "8001015009087", "0821234567"],
    )
    for cells in ("A1:B1", "C1:C2"):
        book.active.merge_cells(cells)

    clean = drop_identity(read(saved(book)))

    assert "8001015009087" not in repr((clean.headings, list(clean.rows())))
    assert [row.cells for row in clean.rows()] == [("Nkosi Thabo", "", "0821234567")]


def test_an_identity_number_split_over_two_cells_of_a_merged_heading_is_left_out() -> None:
    book = workbook(["Name", "Phone", "Remarks", None], ["Nkosi Thabo", "0821234567", "800101", "5009087"])
    book.active.merge_cells("C1:D1")

    clean = drop_identity(read(saved(book)))

    assert [row.cells for row in clean.rows()] == [("Nkosi Thabo", "0821234567", "", "")]


def test_an_identity_number_in_a_heading_merged_downwards_is_left_out() -> None:
    book = workbook(["Name", "Phone", "Seen 8001015009087"], [None, None, None], ["A B", "0821234567", "x"])
    for cells in ("A1:A2", "B1:B2", "C1:C2"):
        book.active.merge_cells(cells)

    clean = drop_identity(read(saved(book)))

    assert clean.headings == ("Name", "Phone", "Seen ")


def test_hidden_columns_and_rows_are_read_and_known() -> None:
    book = workbook(["Name", "ID NO", "Phone"], ["A B", "x", "0821234567"], ["C D", "y", "0821234568"])
    book.active.column_dimensions["B"].hidden = True
    book.active.row_dimensions[2].hidden = True

    sheet = read(saved(book))

    assert sheet.hidden == frozenset({1})
    assert [row.number for row in sheet.rows()] == [2, 3]


def test_the_sheet_with_the_list_is_chosen_and_named() -> None:
    book = workbook(["Totals", "12"], ["March", "13"], sheet="Summary")
    page = book.create_sheet("Drivers 2026")
    page.append(["Name", "Phone"])
    page.append(["A B", "0821234567"])
    book.create_sheet("Empty")

    sheet = read(saved(book))

    assert (sheet.name, sheet.other_sheets) == ("Drivers 2026", ("Summary",))
    assert read(saved(book), sheet="Drivers 2026").row_count == 1
    with pytest.raises(UnreadableFile) as caught:
        read(saved(book), sheet="Other")
    assert caught.value.code == "no_such_sheet"


def test_links_are_read_by_their_value_even_if_no_program_stored_it() -> None:
    """Excel stores what a formula shows; other programs leave it out or write 0."""
    link = '=HYPERLINK("mailto:a@example.org","a@example.org")'
    bare = '=HYPERLINK("mailto:b@example.org")'
    uncached = workbook(
        ["Name", "Email", "Phone"], ["A B", link, "1"], ["C D", bare, "2"], ["E F", "=1+1", "3"]
    )
    file = io.BytesIO()
    zeroed = xlsxwriter.Workbook(file)
    page = zeroed.add_worksheet()
    page.write_row(0, 0, ["Name", "Email"])
    page.write_string(1, 0, "A B")
    page.write_formula(1, 1, link)
    zeroed.close()

    sheet = read(saved(uncached))

    assert [row.cells[1] for row in sheet.rows()] == ["a@example.org", "mailto:b@example.org", ""]
    assert sheet.warnings == (
        "1 cells hold formulas without a result and read as empty. Open the file in Excel and save it to fill them.",
    )
    assert cells(file.getvalue()) == [("A B", "a@example.org")]


def test_the_real_list_saved_by_another_program_reads_the_same() -> None:
    """It drops the stored values of the link formulas."""
    resaved = saved(load_workbook(LIST))

    assert cells(resaved) == [row.cells for row in read(LIST).rows()]


def test_our_own_guards_are_taken_off() -> None:
    assert cells(b"Name,Phone,Notes\r\nA B,'+27821234567,'=1\r\n") == [("A B", "+27821234567", "=1")]
