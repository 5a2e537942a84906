"""Lists for people's spreadsheet programs: CSV and XLSX, row by row, with no formula in them (spec §11).

A text that a program would run as a formula gets an apostrophe in front, which the import takes off again.
A phone number begins with + and is harmless: in XLSX it is a text cell as it is; in CSV it gets the
apostrophe too, because spreadsheet programs would else read it as a number and shorten it.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import BinaryIO

from drivercrm.core.errors import Refused

MAX_XLSX_ROWS = 1_048_575  # under the row of headings; Excel's own limit
MAX_XLSX_TEXT = 32_767
_CSV_CHUNK = 64 * 1024
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_E164 = re.compile(r"\+[0-9]{7,15}")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_WIDEST = 45
_EXACT = 10**15  # beyond this, and for NaN, a spreadsheet's number is not the number


def csv_chunks(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """A CSV in UTF-8 with its mark, in pieces of some 64 kB; numbers stay numbers, moments are ISO 8601."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow([_guarded(heading) for heading in headings])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
        if buffer.tell() >= _CSV_CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def write_xlsx(
    file: BinaryIO, headings: Sequence[str], rows: Iterable[Sequence[object]], *, sheet: str = "List"
) -> int:
    """Write one sheet into an open file, keeping one row in memory, and say how many rows it has.

    Moments must be in local time already: spreadsheets know no time zone. Raises Refused beyond Excel's rows.
    """
    import xlsxwriter  # noqa: PLC0415  # slow import

    book = xlsxwriter.Workbook(
        file,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
            "remove_timezone": True,
        },
    )
    count = 0
    try:
        page = book.add_worksheet(_sheet_name(sheet))
        bold = book.add_format({"bold": True})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        page.freeze_panes(1, 0)
        for column, heading in enumerate(headings):
            page.set_column(column, column, min(_WIDEST, max(12, len(heading) + 4)))
        for column, heading in enumerate(headings):
            page.write_string(0, column, _xlsx_text(heading), bold)
        for count, row in enumerate(rows, 1):
            if count > MAX_XLSX_ROWS:
                raise Refused("too_many_rows", "This list is longer than an Excel sheet. Export it as CSV.")
            for column, value in enumerate(row):
                _write(page, count, column, value, day, moment)
        return count
    finally:
        book.close()


def _write(  # type: ignore[no-untyped-def]
    page, row: int, column: int, value: object, day, moment
) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        page.write_boolean(row, column, value)
    elif isinstance(value, int | float | Decimal) and -_EXACT < value < _EXACT:
        page.write_number(row, column, value)
    elif isinstance(value, dt.datetime):
        page.write_datetime(row, column, value, moment)
    elif isinstance(value, dt.date):
        page.write_datetime(row, column, value, day)
    else:
        page.write_string(row, column, _xlsx_text(str(value)))


def _xlsx_text(text: str) -> str:
    text = _UNSTORABLE.sub("", text)
    guarded = text if _E164.fullmatch(text) else _guarded(text)
    return guarded[:MAX_XLSX_TEXT]


def _csv_cell(value: object) -> object:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).upper()
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return _guarded(_UNSTORABLE.sub("", str(value)))


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def without_guard(text: str) -> str:
    """A cell as it was before an export put its apostrophe in front."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _sheet_name(name: str) -> str:
    return re.sub(r"[\[\]:*?/\\']", " ", name)[:31].strip() or "List"
