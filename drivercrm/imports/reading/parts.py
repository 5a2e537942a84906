"""One pass of expat over the XML parts of a workbook: sizes, merged cells, hidden columns and links.

No part may have a document type, so there are no entities to expand and nothing outside is fetched.
"""

import posixpath
import re
from array import array
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple
from xml.parsers import expat

from drivercrm.imports.reading.sheet import (
    HEADER_WITHIN,
    MAX_COLUMNS,
    MAX_ROWS,
    UnreadableFile,
    too_many_columns,
    too_many_rows,
)

MAX_CELLS = 20_000_000  # places calamine reserves, filled or not
MAX_SPARSE = 2_000_000  # places that need no reason
MAX_PLACES_PER_CELL = 100
MAX_TEXTS = 8_000_000  # shared texts, each of which calamine keeps apart
MAX_TEXT = (
    256 * 1024 * 1024
)  # bytes of shared texts, counted at every cell that shows one: calamine copies them
MAX_MERGES = 1000
_LONGEST_FORMULA = 10_000
_HYPERLINK = re.compile(
    r'\s*HYPERLINK\(\s*"((?:[^"]|"")*)"\s*(?:[,;]\s*"((?:[^"]|"")*)"\s*)?\)\s*', re.IGNORECASE
)
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})(?::([A-Za-z]{1,3})(\d{1,7}))?")
_INDEX = re.compile("[0-9]{1,8}")
_DIGITS = "0123456789"
_BETWEEN = " "  # stands between namespace and local name, and in neither
_SHEET_ROOTS = frozenset({"worksheet", "chartsheet", "dialogsheet", "macrosheet"})
_STRINGS = "xl/sharedstrings.xml"


class Merge(NamedTuple):
    """Merged cells: rows counted from 1 as shown, columns from 0."""

    top: int
    left: int
    bottom: int
    right: int


class WorksheetScan:
    """What is known of one worksheet before its values are read."""

    def __init__(self) -> None:
        self.last_row = 0
        self.last_column = 0
        self.filled = 0
        self.merges: list[Merge] = []
        self.hidden: frozenset[int] = frozenset()
        self.links: dict[int, dict[int, str]] = defaultdict(dict)
        self.unread_formulas = 0


class Scan:
    """The worksheets of a workbook by name; one that cannot be found by name has nothing special about it."""

    def __init__(
        self, sheets: dict[str, str], relations: dict[str, str], parts: dict[str, WorksheetScan]
    ) -> None:
        self._sheets, self._relations, self._parts = sheets, relations, parts

    def worksheet(self, name: str) -> WorksheetScan:
        """The scan of a worksheet by the name on its tab."""
        target = self._relations.get(self._sheets.get(name, ""), "")
        found = (self._parts.get(path) for path in _paths_of(target))
        return next((scan for scan in found if scan), WorksheetScan())


def _paths_of(target: str) -> tuple[str, str]:
    """Where a relation of the workbook may point to: beside the workbook, else from the top."""
    path = target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target)
    return posixpath.normpath(path).lower(), posixpath.normpath(target).lower()


class Scanner:
    """Makes an expat parser for every part of one workbook and keeps what they find."""

    def __init__(self) -> None:
        self._sheets: dict[str, str] = {}
        self._relations: dict[str, str] = {}
        self._parts: dict[str, WorksheetScan] = {}
        self._roots: dict[str, str] = {}
        self._text_sizes = array("Q")  # bytes of each shared text

    def parser_for(self, path: str) -> expat.XMLParserType:
        """A parser that refuses document types and reads the part by its root element."""
        # calamine goes by local names, so prefixes must not tell elements apart here either.
        parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype

        place = _place(path)

        def cells() -> None:
            scan = self._parts[place] = WorksheetScan()
            _WorksheetHandler(parser, scan)

        def other(tag: str, attributes: dict[str, str]) -> None:
            if _local(tag) == "sheetData":
                cells()

        sizes = self._text_sizes

        def text(tag: str, attributes: dict[str, str]) -> None:
            local = _local(tag)
            if local == "si":
                sizes.append(0)
                if len(sizes) > MAX_TEXTS:
                    raise _too_many_texts()
            elif local == "sheetData":
                raise _broken()

        def letters(data: str) -> None:
            if sizes:
                sizes[-1] += len(data) if data.isascii() else len(data.encode())

        def root(tag: str, attributes: dict[str, str]) -> None:
            local = self._roots[place] = _local(tag)
            if place == _STRINGS and local != "sst":
                raise _broken()
            if local in {"worksheet", "sheetData"}:
                cells()
            elif place == _STRINGS:
                parser.StartElementHandler = text
                parser.CharacterDataHandler = letters
            elif local == "workbook":
                parser.StartElementHandler = self._workbook_element
            elif local == "Relationships" and place.endswith("workbook.xml.rels"):
                parser.StartElementHandler = self._relation_element
            else:
                parser.StartElementHandler = other

        parser.StartElementHandler = root
        return parser

    def may_repeat_too_much_text(self) -> bool:
        """Whether the cells could show more text than may be read, were every one of them the longest."""
        filled = sum(part.filled for part in self._parts.values())
        return filled * max(self._text_sizes, default=0) > MAX_TEXT

    def text_counter(self) -> Callable[[str], expat.XMLParserType | None]:
        """Gives a parser for every worksheet, which adds up the shared texts that cells show, and refuses too much."""
        shown = 0

        def add(index: str) -> None:
            nonlocal shown
            # calamine also takes numbers that no program writes, such as +0 and 000000000
            if not _INDEX.fullmatch(index) or int(index) >= len(self._text_sizes):
                raise _broken()
            shown += self._text_sizes[int(index)]
            if shown > MAX_TEXT:
                raise _too_many_texts()

        def parser_for(path: str) -> expat.XMLParserType | None:
            return _shared_text_parser(add) if _place(path) in self._parts else None

        return parser_for

    def result(self) -> Scan:
        """What was found; refuses a sheet that is none, and more places than can be read at once."""
        for relation in self._sheets.values():
            for path in _paths_of(self._relations.get(relation, "")):
                if self._roots.get(path, "worksheet") not in _SHEET_ROOTS:
                    raise _broken()
        places = sum(part.last_row * part.last_column for part in self._parts.values())
        filled = sum(part.filled for part in self._parts.values())
        if places > min(MAX_CELLS, max(MAX_SPARSE, MAX_PLACES_PER_CELL * filled)):
            raise UnreadableFile(
                "too_many_cells",
                "The sheet is too large: a value stands far from the list, or there are too many columns."
                " Copy the list into a new sheet.",
            )
        return Scan(self._sheets, self._relations, self._parts)

    def _workbook_element(self, tag: str, attributes: dict[str, str]) -> None:
        local = _local(tag)
        if local == "sheetData":
            raise _broken()
        if local == "sheet" and "name" in attributes:
            relation = next((v for k, v in attributes.items() if _local(k) == "id"), "")
            self._sheets[attributes["name"]] = relation

    def _relation_element(self, tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "sheetData":
            raise _broken()
        self._relations[attributes.get("Id", "")] = attributes.get("Target", "")


def _shared_text_parser(add: Callable[[str], None]) -> expat.XMLParserType:
    """A parser that calls `add` with the number of every shared text that a cell shows."""
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.buffer_text = True
    is_shared = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal is_shared
        local = _local(tag)
        if local == "c":
            is_shared = attributes.get("t") == "s"
        elif local == "v" and is_shared:
            parser.CharacterDataHandler = collect

    value: list[str] = []

    def collect(data: str) -> None:
        value.append(data)

    def end(tag: str) -> None:
        if _local(tag) != "v":
            return
        # also after an empty value: what stands behind it belongs to no cell
        parser.CharacterDataHandler = None
        if value:
            index = "".join(value).strip()
            value.clear()
            add(index)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    return parser


def _place(path: str) -> str:
    return path.replace("\\", "/").lstrip("/").lower()


def _local(tag: str) -> str:
    return tag.rpartition(_BETWEEN)[2]


def _broken() -> UnreadableFile:
    return UnreadableFile(
        "broken_workbook",
        "The workbook is not put together as spreadsheet programs do it. Save it again as XLSX.",
    )


def _too_many_texts() -> UnreadableFile:
    return UnreadableFile(
        "too_many_texts",
        "The workbook holds more texts than can be read at once. Split it into smaller files.",
    )


def _refuse_doctype(*_: object) -> None:
    raise UnreadableFile("hostile_xml", "The workbook contains XML that no spreadsheet program writes.")


class _WorksheetHandler:
    """Follows the cells of one worksheet. Only cells with a value count: formatting reaches further."""

    def __init__(self, parser: expat.XMLParserType, scan: WorksheetScan) -> None:
        self._parser, self._scan = parser, scan
        self._columns: dict[str, int] = {}
        self._hidden: set[int] = set()
        self._row, self._row_text, self._column = 0, "", 0
        self._row_begun = 0  # cells may name another row than the one they stand in
        self._formula: list[str] = []
        self._value: list[str] = []
        parser.StartElementHandler = self._start_handler()

    def _start_handler(self):  # type: ignore[no-untyped-def]
        scan, columns = self._scan, self._columns

        # The hot loop: a million elements in a large list.
        def start(tag: str, attributes: dict[str, str]) -> None:  # noqa: PLR0912
            local = tag.rpartition(_BETWEEN)[2]
            if local == "c":
                reference = attributes.get("r")
                if reference is None:
                    self._column += 1
                    self._row, self._row_text = self._row_begun, ""
                    return
                letters = reference.rstrip(_DIGITS)
                if reference[len(letters) :] != self._row_text:
                    self._move_to_row(reference[len(letters) :])
                number = columns.get(letters)
                self._column = number if number is not None else self._learn(letters)
            elif local in ("v", "is"):
                scan.filled += 1
                if self._column > scan.last_column:
                    scan.last_column = self._column
                    if self._column > MAX_COLUMNS:
                        raise too_many_columns()
                if self._row > scan.last_row:
                    scan.last_row = self._row
                    if self._row > MAX_ROWS:
                        raise too_many_rows()
            elif local == "row":
                self._column = 0
                number_text = attributes.get("r")
                if number_text is None:
                    self._row = self._row_begun + 1
                    self._row_text = str(self._row)
                else:
                    self._move_to_row(number_text)
                self._row_begun = self._row
            elif local == "f":
                self._begin_formula()
            elif local == "mergeCell":
                self._merge(attributes.get("ref", ""))
            elif local == "col" and attributes.get("hidden") in {"1", "true"}:
                self._hide(attributes)

        return start

    def _move_to_row(self, text: str) -> None:
        if not text.isdigit() or len(text) > 7:
            raise UnreadableFile("broken_workbook", "The workbook has a cell without a place.")
        self._row_text, self._row = text, int(text)

    def _learn(self, letters: str) -> int:
        number = self._columns[letters] = _column_number(letters)
        return number

    def _merge(self, reference: str) -> None:
        match = _REFERENCE.fullmatch(reference)
        if not match or not match[3] or len(self._scan.merges) >= MAX_MERGES:
            return
        top, bottom = int(match[2]), int(match[4])
        if top <= HEADER_WITHIN:
            left, right = _column_number(match[1]) - 1, _column_number(match[3]) - 1
            self._scan.merges.append(Merge(top, left, bottom, right))

    def _hide(self, attributes: dict[str, str]) -> None:
        first, last = attributes.get("min", ""), attributes.get("max", "")
        if first.isdigit() and last.isdigit() and len(first) < 6 and len(last) < 6:
            self._hidden.update(range(int(first) - 1, min(int(last), MAX_COLUMNS)))
            self._scan.hidden = frozenset(self._hidden)

    def _begin_formula(self) -> None:
        """A formula's own text matters only where no program has stored its result."""
        self._formula, self._value = [], []
        # A result may be missing, and then a link still has a place.
        self._scan.last_column = max(self._scan.last_column, min(self._column, MAX_COLUMNS))
        self._parser.CharacterDataHandler = self._collect_formula
        self._parser.EndElementHandler = self._end

    def _collect_formula(self, text: str) -> None:
        if len(self._formula) < 100 and len(text) < _LONGEST_FORMULA:
            self._formula.append(text)

    def _collect_value(self, text: str) -> None:
        if len(self._value) < 100 and len(text) < _LONGEST_FORMULA:
            self._value.append(text)

    def _end(self, tag: str) -> None:
        local = _local(tag)
        if local == "f":
            self._parser.CharacterDataHandler = self._collect_value
        elif local == "c":
            self._parser.CharacterDataHandler = None
            self._parser.EndElementHandler = None
            if "".join(self._value).strip() in {"", "0"}:
                self._keep_link("".join(self._formula))

    def _keep_link(self, formula: str) -> None:
        if match := _HYPERLINK.fullmatch(formula):
            shown = match[2] if match[2] is not None else match[1]
            self._scan.links[self._row][self._column - 1] = shown.replace('""', '"').strip()
        elif not "".join(self._value).strip():
            self._scan.unread_formulas += 1


def _column_number(letters: str) -> int:
    """A = 1, Z = 26, AA = 27."""
    if not 0 < len(letters) < 4 or not letters.isascii() or not letters.isalpha():
        raise UnreadableFile("broken_workbook", "The workbook has a cell without a place.")
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
