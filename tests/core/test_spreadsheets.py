"""Exports: no formula leaves, and what leaves can come back (spec §11)."""

import datetime as dt
import io
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from drivercrm.core import spreadsheets
from drivercrm.core.errors import Refused
from drivercrm.core.spreadsheets import csv_chunks, without_guard, write_xlsx
from drivercrm.imports.reading import read

HEADINGS = ["Name", "Phone", "Email", "Notes"]


def xlsx(rows: list[list[object]]) -> bytes:
    file = io.BytesIO()
    write_xlsx(file, HEADINGS, rows, sheet="Drivers: all")
    return file.getvalue()


def csv(rows: list[list[object]]) -> bytes:
    return b"".join(csv_chunks(HEADINGS, rows))


def test_csv_is_utf8_with_its_mark_and_guarded() -> None:
    content = csv([["=1+1", "+27821234567", "@x", "-y"], ["Zoë", None, True, Decimal("-5.20")]])

    assert content.decode("utf-8") == (
        "\ufeffName,Phone,Email,Notes\r\n'=1+1,'+27821234567,'@x,'-y\r\nZoë,,TRUE,-5.20\r\n"
    )


def test_csv_comes_in_pieces() -> None:
    pieces = list(csv_chunks(HEADINGS, ([f"Driver {n}", "x" * 50, "", ""] for n in range(5000))))

    assert len(pieces) > 3
    assert b"".join(pieces).count(b"\r\n") == 5001


def test_xlsx_holds_texts_numbers_and_dates_and_no_formula() -> None:
    moment = dt.datetime.fromisoformat("2026-11-17 09:42")
    book = load_workbook(
        io.BytesIO(
            xlsx(
                [["=1+1", "+27821234567", "\tx", "-y"], [Decimal("-5.20"), 7, dt.date(2026, 11, 17), moment]]
            )
        )
    )
    page = book.active

    assert page.title == "Drivers  all"
    assert [cell.value for cell in page[2]] == ["'=1+1", "+27821234567", "'\tx", "'-y"]
    assert [cell.value for cell in page[3]] == [-5.2, 7, dt.datetime.fromisoformat("2026-11-17"), moment]
    assert {cell.data_type for cell in page[2]} == {"s"}


def test_what_no_spreadsheet_can_hold_is_left_out() -> None:
    uuid = UUID(int=7)
    book = load_workbook(
        io.BytesIO(xlsx([["a\x00b", 10**15, float("nan"), uuid], [True, "", None, "y" * 40_000]]))
    )
    page = book.active

    assert [cell.value for cell in page[2]] == ["ab", "1000000000000000", "nan", str(uuid)]
    assert [page["A3"].value, page["B3"].value, page["C3"].value] == [True, None, None]
    assert len(page["D3"].value) == 32_767


def test_more_rows_than_excel_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_XLSX_ROWS", 2)

    with pytest.raises(Refused) as caught:
        xlsx([["x"]] * 3)

    assert caught.value.code == "too_many_rows"


@pytest.mark.parametrize("write", [csv, xlsx])
def test_an_export_can_be_imported_again(write) -> None:  # type: ignore[no-untyped-def]
    rows = [
        ["Thabo Nkosi", "+27821234567", "t@example.org", "=1+1"],
        ["'=quoted", "+27831234567", "", "- called twice"],
        ["Zoë; Nkosi", "+27841234567", "z@example.org", 'said "yes"'],
    ]

    assert [list(row.cells) for row in read(write(rows)).rows()] == rows


@given(st.text())
def test_guarding_is_undone_exactly(text: str) -> None:
    assert without_guard(spreadsheets._guarded(text)) == text
    assert not spreadsheets._guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
