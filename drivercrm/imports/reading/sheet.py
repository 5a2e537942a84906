"""What every list becomes: a row of headings, and rows under it numbered as the spreadsheet shows them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from drivercrm.core.addresses import read_mail
from drivercrm.core.errors import Refused
from drivercrm.core.phone import read_phone
from drivercrm.imports.headings import header_score
from drivercrm.imports.identity_numbers import SHORTEST_IDENTITY, is_identity_number

MAX_ROWS = 1_000_000
MAX_COLUMNS = 256
MAX_CELL = 32_767  # characters; Excel's own limit
HEADER_WITHIN = 30  # title lines may stand above the headings
SAMPLE_ROWS = 200
_SURE = 2


class UnreadableFile(Refused):
    """The file is not a list that can be read; the sentence says why and nothing has changed (spec §10)."""


class Row(NamedTuple):
    """One row of text cells; `blank` when the file has nothing in it, whatever was taken out since."""

    number: int
    cells: tuple[str, ...]
    blank: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A readable list. `rows()` may be called again and again; nothing of the file is changed."""

    headings: tuple[str, ...]
    header_row: int
    row_count: int
    source: Callable[[], Iterator[Row]] = field(repr=False)
    name: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()

    def rows(self) -> Iterator[Row]:
        """Every row under the headings up to the last one with something in it, blank ones too."""
        return self.source()

    def sample_columns(self) -> list[list[str]]:
        """The first values of every column, for guessing what it holds."""
        first = [row.cells for row in islice((row for row in self.rows() if not row.blank), SAMPLE_ROWS)]
        return [[cells[index] for cells in first] for index in range(len(self.headings))]

    def without(
        self,
        columns: Iterable[int],
        *,
        scrub: Callable[[str], str],
        spare: Iterable[int] = (),
        by_column: Mapping[int, Callable[[str], str]] | None = None,
    ) -> "Sheet":
        """The sheet with whole columns read as empty, and `scrub` applied to every cell outside `spare`.

        `by_column` names columns that have a scrub of their own.
        """
        emptied, spared, source = frozenset(columns), frozenset(spare), self.source
        own = by_column or {}

        def cleaned() -> Iterator[Row]:
            for number, cells, blank in source():
                kept = [
                    cell if len(cell) < SHORTEST_IDENTITY or index in spared else own.get(index, scrub)(cell)
                    for index, cell in enumerate(cells)
                ]
                for index in emptied:
                    kept[index] = ""
                yield Row(number, tuple(kept), blank)

        return replace(self, source=cleaned)


class Header(NamedTuple):
    """Where the headings stand (0-based index of their last row) and what they are."""

    at: int
    headings: list[str]
    score: int


def find_header(rows: Sequence[Sequence[str]]) -> Header:
    """The row among the first ones that names the most columns; two rows make one where headings are merged.

    Raises UnreadableFile when there is nothing, or when the first row already looks like a driver.
    """
    best = Header(-1, [], 0)
    for index, row in enumerate(rows):
        single = header_score(row)
        if single > best.score:
            best = Header(index, list(row), single)
        if index:
            above = rows[index - 1]
            both = [_at(row, column) or _at(above, column) for column in range(max(len(row), len(above)))]
            stacked = header_score(both)
            if stacked > max(best.score, single):
                best = Header(index, both, stacked)
    if best.score >= _SURE:
        return best
    return _first_row(rows, best)


def _first_row(rows: Sequence[Sequence[str]], best: Header) -> Header:
    filled = [(index, row) for index, row in enumerate(rows) if any(row)]
    if not filled:
        raise UnreadableFile("empty_file", "The file is empty.")
    index, row = next(((i, r) for i, r in filled if sum(map(bool, r)) > 1), filled[0])
    if best.score and best.at <= index:
        index, row = best.at, rows[best.at]
    if any(_is_data(cell) for cell in row):
        raise UnreadableFile(
            "no_headings",
            "There is no row of headings. Add one above the drivers, such as Name, Phone, Email.",
        )
    return Header(index, list(row), best.score)


def _is_data(cell: str) -> bool:
    return bool(
        cell
        and (
            read_mail(cell).address
            or is_identity_number(cell)
            or (cell[-1].isdigit() and read_phone(cell).e164)
        )
    )


def _at(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def check_cell_sizes(number: int, cells: Iterable[str]) -> None:
    """Refuse a cell larger than any spreadsheet program can show."""
    for cell in cells:
        if len(cell) > MAX_CELL:
            raise UnreadableFile(
                "cell_too_large", f"Row {number} has a cell with more than {_spaced(MAX_CELL)} characters."
            )


def too_many_rows() -> UnreadableFile:
    return UnreadableFile(
        "too_many_rows", f"The list has more than {_spaced(MAX_ROWS)} rows. Split it into smaller files."
    )


def too_many_columns() -> UnreadableFile:
    return UnreadableFile(
        "too_many_columns",
        f"The list has more than {MAX_COLUMNS} columns. Keep those that describe the drivers.",
    )


def no_rows() -> UnreadableFile:
    return UnreadableFile("no_rows", "There are headings, but no drivers under them.")


def _spaced(count: int) -> str:
    return f"{count:,}".replace(",", " ")
