"""XLSX: the archive is measured and copied part by part before calamine sees it.

calamine is fast and trusts the file: it reserves a cell for every place up to the farthest value, and the
archive may lie about its sizes. So each XML part is inflated within limits, parsed once by expat without
any document type, and written to a copy; what calamine reads is that copy.
"""

import datetime as dt
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum

from drivercrm.core.errors import Refused
from drivercrm.core.spreadsheets import without_guard
from drivercrm.imports.identity_numbers import without_identity_numbers
from drivercrm.imports.reading.parts import Scan, Scanner, WorksheetScan
from drivercrm.imports.reading.sheet import (
    HEADER_WITHIN,
    Header,
    Row,
    Sheet,
    UnreadableFile,
    check_cell_sizes,
    find_header,
    no_rows,
)

MAX_PARTS = 2000
MAX_DIRECTORY = 2 * 1024 * 1024
MAX_INFLATED = 768 * 1024 * 1024
MAX_RATIO = 200
SMALL = 32 * 1024 * 1024  # below this a high ratio does no harm
IN_MEMORY = 64 * 1024 * 1024
_CHUNK = 1 << 18
_ENCRYPTED_FLAG = 0x1
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_DIRECTORY_END_64 = struct.Struct("<4sQ2H2L4Q")

_BROKEN = "The workbook is broken or incomplete. Open it in Excel, save it again and try once more."
_BOMB = "The workbook unpacks to far more than its size, so it was not opened."


class _Found(NamedTuple):
    name: str
    header: Header
    sheet: CalamineSheet
    scan: WorksheetScan


def read_workbook(file: BinaryIO, wanted: str | None) -> Sheet:
    """The sheet that holds the list; raises UnreadableFile for anything broken, hostile or too large."""
    try:
        copy, scan = _measured_copy(file)
        book = CalamineWorkbook.from_filelike(copy)
        return _chosen_sheet(book, scan, wanted)
    except Refused:
        raise
    except MemoryError as error:
        raise UnreadableFile("file_too_large", "The workbook is too large to open.") from error
    except BaseException as error:
        # calamine's own errors have no common base with zip and XML ones, and a Rust panic is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile("broken_workbook", _BROKEN) from error


def _measured_copy(file: BinaryIO) -> tuple[BinaryIO, Scan]:
    _check_directory(file)
    scanner = Scanner()
    # Unlinked from the start: nothing of the file stays behind if the process dies.
    copy = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - lives as long as the sheet
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as clean:
        parts = _checked_parts(archive)
        budget = MAX_INFLATED
        for part in parts:
            if not part.filename.lower().endswith((".xml", ".rels")):
                continue
            parser = scanner.parser_for(part.filename)
            with archive.open(part) as packed, clean.open(part.filename, "w", force_zip64=True) as unpacked:
                while chunk := packed.read(_CHUNK):
                    budget -= len(chunk)
                    if budget < 0:
                        raise UnreadableFile("zip_bomb", _BOMB)
                    parser.Parse(chunk, False)
                    unpacked.write(chunk)
                parser.Parse(b"", True)
    if scanner.may_repeat_too_much_text():
        _count_texts(copy, scanner)
    copy.seek(0)
    return copy, scanner.result()  # type: ignore[return-value]


def _count_texts(copy: Any, scanner: Scanner) -> None:
    """Refuses a small file whose cells all show one long text: each of them would be a copy of it."""
    parser_for = scanner.text_counter()
    with zipfile.ZipFile(copy) as archive:
        for part in archive.infolist():
            parser = parser_for(part.filename)
            if parser is None:
                continue
            with archive.open(part) as unpacked:
                while chunk := unpacked.read(_CHUNK):
                    parser.Parse(chunk, False)
                parser.Parse(b"", True)


def _check_directory(file: BinaryIO) -> None:
    """Refuse a list of parts too long to hold before the standard library builds it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 66_000))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _DIRECTORY_END.size:
        raise UnreadableFile("broken_workbook", _BROKEN)
    length = _DIRECTORY_END.unpack_from(tail, at)[5]
    at_64 = tail.rfind(b"PK\x06\x06")
    if at_64 >= 0 and len(tail) - at_64 >= _DIRECTORY_END_64.size:
        length = max(length if length != 0xFFFFFFFF else 0, _DIRECTORY_END_64.unpack_from(tail, at_64)[8])
    if length > MAX_DIRECTORY:
        raise UnreadableFile("zip_bomb", _BOMB)
    file.seek(0)


def _checked_parts(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    parts = archive.infolist()
    names = [part.filename.lower().replace("\\", "/").lstrip("/") for part in parts]
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > 2 * MAX_INFLATED:
        raise UnreadableFile("zip_bomb", _BOMB)
    for part in parts:
        if part.file_size > SMALL and part.file_size > MAX_RATIO * max(1, part.compress_size):
            raise UnreadableFile("zip_bomb", _BOMB)
        if part.flag_bits & _ENCRYPTED_FLAG:
            raise UnreadableFile(
                "encrypted", "The workbook is protected with a password. Save it without one and try again."
            )
    if "xl/workbook.xml" not in names:
        raise UnreadableFile("wrong_kind", _kind_sentence(names))
    if len(set(names)) != len(names):
        raise UnreadableFile("broken_workbook", _BROKEN)
    return parts


def _kind_sentence(names: list[str]) -> str:
    if "xl/workbook.bin" in names:
        return "This is a binary Excel workbook (.xlsb). Save it as .xlsx or CSV and try again."
    if "content.xml" in names and "mimetype" in names:
        return "This is an OpenDocument file. Save it as .xlsx or CSV and try again."
    if any(name.startswith("word/") for name in names):
        return "This is a Word document, not a list. Use an XLSX or CSV file."
    return "This is a compressed archive, not a list. Use an XLSX or CSV file."


def _chosen_sheet(book: CalamineWorkbook, scan: Scan, wanted: str | None) -> Sheet:
    names = [m.name for m in book.sheets_metadata if m.typ == SheetTypeEnum.WorkSheet]
    if wanted is not None and wanted not in names:
        shown = without_identity_numbers(wanted).strip()
        called = f"called “{shown}”" if shown else "of that name"
        raise UnreadableFile("no_such_sheet", f"The workbook has no sheet {called}.")
    refusal: UnreadableFile | None = None
    best: _Found | None = None
    filled: list[str] = []
    for name in names:
        sheet = book.get_sheet_by_name(name)
        if sheet.start is None:
            continue
        filled.append(name)
        if wanted not in {None, name}:
            continue
        part = scan.worksheet(name)
        try:
            header = find_header(_first_rows(sheet, part))
        except UnreadableFile as error:
            refusal = refusal or error
            continue
        if best is None or header.score > best.header.score:
            best = _Found(name, header, sheet, part)
    if best is None:
        raise refusal or UnreadableFile("empty_file", "The workbook is empty.")
    return _as_sheet(best, tuple(name for name in filled if name != best.name))


def _first_rows(sheet: CalamineSheet, part: WorksheetScan) -> list[list[str]]:
    return [list(row.cells) for row in islice(_rows(sheet, part, 1), HEADER_WITHIN)]


def _as_sheet(found: _Found, others: tuple[str, ...]) -> Sheet:
    part, header = found.scan, found.header
    first = _below_merged_headings(header.at, part)
    joined = _merged_headings(header, part)
    headings = _headings(header, found.sheet, joined)
    last = 0
    for row in _rows(found.sheet, part, first + 1):
        check_cell_sizes(row.number, row.cells)
        if not row.blank:
            last = row.number
    if not last:
        raise no_rows()

    def rows() -> Iterator[Row]:
        for row in _rows(found.sheet, part, first + 1):
            if row.number > last:
                return
            yield _joined(row, joined) if joined else row

    warnings: tuple[str, ...] = ()
    if part.unread_formulas:
        warnings = (
            f"{part.unread_formulas} cells hold formulas without a result and read as empty."
            " Open the file in Excel and save it to fill them.",
        )
    return Sheet(
        headings,
        header.at + 1,
        last - first,
        rows,
        name=found.name,
        other_sheets=others,
        hidden=part.hidden,
        warnings=warnings,
    )


def _headings(header: Header, sheet: CalamineSheet, joined: dict[int, int]) -> tuple[str, ...]:
    width = (sheet.end or (0, 0))[1] + 1
    headings = [*header.headings, *[""] * width][: max(width, len(header.headings))]
    for start, end in joined.items():
        headings[start + 1 : end + 1] = [""] * (end - start)
    return tuple(headings)


def _below_merged_headings(index: int, part: WorksheetScan) -> int:
    """The number of the last row of the headings: cells merged downwards make them two rows high."""
    number = index + 1
    across = {m for m in part.merges if m.top <= number <= m.bottom and m.bottom <= number + 2}
    return max((m.bottom for m in across), default=number)


def _merged_headings(header: Header, part: WorksheetScan) -> dict[int, int]:
    """Headings merged over several columns, as {first: last}: what stands under them is one value."""
    number = header.at + 1
    return {
        m.left: m.right
        for m in part.merges
        if m.top <= number <= m.bottom
        and m.right > m.left
        and not any(header.headings[m.left + 1 : m.right + 1])
        and m.left < len(header.headings)
        and header.headings[m.left]
    }


def _joined(row: Row, joined: dict[int, int]) -> Row:
    cells = list(row.cells)
    for start, end in joined.items():
        cells[start] = " ".join(filter(None, cells[start : end + 1]))
        cells[start + 1 : end + 1] = [""] * len(cells[start + 1 : end + 1])
    return Row(row.number, tuple(cells), row.blank)


def _rows(sheet: CalamineSheet, part: WorksheetScan, start: int) -> Iterator[Row]:
    """Rows from `start` (1-based) as text, at their place in the sheet even where its first columns are empty."""
    indent = ("",) * (sheet.start or (0, 0))[1]
    links = part.links
    for number, values in enumerate(islice(sheet.iter_rows(), start - 1, None), start):
        cells: tuple[str, ...] = (*indent, *map(_text, values))
        if links and number in links:
            changed = list(cells)
            for column, text in links[number].items():
                if column < len(changed) and changed[column] in {"", "0"}:
                    changed[column] = text
            cells = tuple(changed)
        yield Row(number, cells, not any(cells))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return without_guard(value.replace("\x00", "").strip())
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time.min else value.isoformat(" ", "seconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
