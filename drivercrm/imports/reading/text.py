"""CSV in the encodings and with the separators that spreadsheet programs write."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from drivercrm.core.spreadsheets import without_guard
from drivercrm.imports.headings import header_score
from drivercrm.imports.reading.sheet import (
    HEADER_WITHIN,
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROWS,
    Row,
    Sheet,
    UnreadableFile,
    check_cell_sizes,
    find_header,
    no_rows,
    too_many_columns,
    too_many_rows,
)

SEPARATORS = (",", ";", "\t", "|")
_CHUNK = 1 << 20
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_CONTROLS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SNIFFED = 60
_LONG_LINE = 100_000  # characters, and no line has as many separators: spreadsheets end at 16 384 columns
_LONGEST_LINE = MAX_COLUMNS * MAX_CELL
_SHOWN_COLUMNS = 2 * MAX_COLUMNS  # enough to tell headings and separators by
_END = "\ue000end\ue000"
_QUOTE_OPEN = UnreadableFile(
    "open_quote", "A quotation mark is opened and never closed, so the rows after it cannot be told apart."
)


class Format(NamedTuple):
    """How the characters and cells of a text file are told apart; `skipped` counts a leading `sep=` line."""

    encoding: str
    separator: str = ","
    skipped: int = 0


def read_text(source: Path | BinaryIO, head: bytes) -> Sheet:
    """The list in a CSV file; raises UnreadableFile for anything that is no text table."""
    try:
        return _read(source, Format(_encoding(source, head)))
    except (UnicodeError, csv.Error) as error:
        if "field larger" in str(error):
            raise UnreadableFile(
                "cell_too_large", "A cell is far too large, or a quotation mark is never closed."
            ) from error
        raise UnreadableFile("not_text", "This is not a text file with rows and columns.") from error


def _read(source: Path | BinaryIO, form: Format) -> Sheet:
    form = _with_separator(source, form)
    first = list(islice(_records(source, form), HEADER_WITHIN))
    if any(len(cells) > MAX_COLUMNS and _used(cells) > MAX_COLUMNS for cells in first):
        raise too_many_columns()
    header = find_header([cells[:MAX_COLUMNS] for cells in first])
    width, last = _measure(source, form, header.at)
    headings = tuple((*header.headings, *[""] * width)[: max(width, _used(header.headings))])

    def rows() -> Iterator[Row]:
        blank = ("",) * len(headings)
        for number, cells in enumerate(islice(_records(source, form), header.at + 1, last), header.at + 2):
            if any(cells):
                yield Row(number, tuple((*cells, *blank)[: len(headings)]), blank=False)
            else:
                yield Row(number, blank, blank=True)

    return Sheet(headings, header.at + 1, last - header.at - 1, rows)


def _measure(source: Path | BinaryIO, form: Format, header: int) -> tuple[int, int]:
    """The widest row and the number of the last one with something in it; refuses what is out of bounds."""
    width = last = number = 0
    for number, cells in enumerate(_records(source, form), 1):
        if number > MAX_ROWS:
            raise too_many_rows()
        if any(cells):
            last = number
            if len(cells) > width:
                used = _used(cells)
                if used > MAX_COLUMNS:
                    raise too_many_columns()
                width = max(width, used)
            if max(map(len, cells)) > 1000:
                check_cell_sizes(number, cells)
    if last <= header + 1:
        raise no_rows()
    return width, last


def _used(cells: Iterable[str]) -> int:
    return max((index for index, cell in enumerate(cells, 1) if cell), default=0)


def _encoding(source: Path | BinaryIO, head: bytes) -> str:
    """Read the whole file once: UTF-16 and UTF-8 by their marks, else UTF-8 if it is, else Windows-1252."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif head.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    else:
        candidates = ["utf-8", "cp1252"]
    for encoding in candidates:
        if _decodes(source, encoding):
            return encoding
    raise UnreadableFile(
        "not_text",
        "This is not a text file in UTF-8, UTF-16 or Windows-1252. Save it as CSV UTF-8 and try again.",
    )


def _decodes(source: Path | BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chain(_chunks(source), [b""]):
            text = decoder.decode(chunk, final=not chunk)
            if "\x00" in text:
                raise UnreadableFile(
                    "nul_bytes", "The file contains NUL bytes, so it is not plain text. Save it as CSV UTF-8."
                )
            if _CONTROLS.search(text.rstrip("\x1a")):
                raise UnreadableFile("not_text", "This is not a text file: it contains control characters.")
    except UnicodeError:
        return False
    return True


def _chunks(source: Path | BinaryIO) -> Iterator[bytes]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
        return
    source.seek(0)
    while chunk := source.read(_CHUNK):
        yield chunk


def _lines(source: Path | BinaryIO, form: Format) -> Iterator[str]:
    """The lines with their ends, kept as they are, so that quoted cells may span several."""
    if isinstance(source, Path):
        with source.open(encoding=form.encoding, newline="") as text:
            yield from islice(_bounded(text), form.skipped, None)
        return
    # A buffer of our own keeps two readers of one open file from moving each other's position.
    copy = io.TextIOWrapper(io.BufferedReader(_Window(source), _CHUNK), encoding=form.encoding, newline="")
    yield from islice(_bounded(copy), form.skipped, None)


def _bounded(text: TextIO) -> Iterator[str]:
    """The lines, none of them longer than a row can be: a line of separators alone costs a cell for each."""
    while line := text.readline(_LONGEST_LINE):
        if len(line) > _LONG_LINE:
            if max(map(line.count, SEPARATORS)) > _LONG_LINE:
                raise too_many_columns()
            if len(line) >= _LONGEST_LINE:
                raise UnreadableFile(
                    "cell_too_large", "A cell is far too large, or a quotation mark is never closed."
                )
        yield line


class _Window(io.RawIOBase):
    """Reads an open file from its start without owning it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._position)
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)


def _records(source: Path | BinaryIO, form: Format) -> Iterator[list[str]]:
    """Cells of each record. A mark after the last line tells whether a quotation mark was left open."""
    lines = chain(_lines(source, form), ["\n", _END])
    previous: list[str] | None = None
    for record in csv.reader(lines, delimiter=form.separator):
        if previous is not None:
            yield _cells(previous)
        previous = record
    if previous != [_END]:
        raise _QUOTE_OPEN


def _cells(record: list[str]) -> list[str]:
    return [without_guard(cell.strip(" \t\r\n\x1a")) if cell else cell for cell in record]


def _with_separator(source: Path | BinaryIO, form: Format) -> Format:
    first = next(_lines(source, form), "")
    stated = _SEPARATOR_LINE.fullmatch(first)
    if stated and stated[1] in SEPARATORS:
        return form._replace(separator=stated[1], skipped=1)
    return max(
        (form._replace(separator=separator) for separator in SEPARATORS),
        key=lambda candidate: _merit(source, candidate),
    )


def _merit(source: Path | BinaryIO, form: Format) -> tuple[int, int, int]:
    """The right separator shows known headings, and then rows of the same width."""
    records = [record for record in islice(_records_loosely(source, form), _SNIFFED) if any(record)]
    widths = Counter(len(record) for record in records)
    width, times = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    score = max((header_score(record) for record in records[:HEADER_WITHIN]), default=0)
    return score, times if width > 1 else 0, width


def _records_loosely(source: Path | BinaryIO, form: Format) -> Iterator[list[str]]:
    for record in csv.reader(islice(_lines(source, form), _SNIFFED * 4), delimiter=form.separator):
        yield [cell.strip() for cell in record[:_SHOWN_COLUMNS]]
