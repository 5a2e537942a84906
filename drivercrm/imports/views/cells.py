"""The rows of a list as the pages show them: each cell with what was wrong with it or was mended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drivercrm.core.phone import (
    COUNTRY_CODE,
    FOREIGN,
    LETTER_O,
    LOST_ZERO,
    TRUNK_ZERO,
    UNASSIGNED,
    read_phone,
)
from drivercrm.imports.headings import LABELS, Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.repair import IDENTITY_INSTEAD
from drivercrm.imports.workflow import REPAIRS

SHOWN = (
    Target.NAME,
    Target.PHONE,
    Target.SECOND_PHONE,
    Target.WHATSAPP,
    Target.EMAIL,
    Target.TIMO_ID,
    Target.PATHPULSE_ID,
    Target.TELEGRAM,
    Target.AREA,
    Target.STATUS,
    Target.FIRST_CONTACT,
)
# Where a note belongs, by how it begins.
BEGINS: dict[str, Target] = {
    "Mail": Target.EMAIL,
    "Telegram username": Target.TELEGRAM,
    "Status": Target.STATUS,
    "First contact date": Target.FIRST_CONTACT,
    "Area": Target.AREA,
    "Language": Target.LANGUAGE,
    "List number": Target.NAME,
}
OF_NUMBERS = frozenset({LETTER_O, LOST_ZERO, COUNTRY_CODE, TRUNK_ZERO, UNASSIGNED, FOREIGN})
OF_IDS = (Target.TIMO_ID, Target.PATHPULSE_ID, Target.TELEGRAM)
ERROR, WARNING, REPAIR = "bad", "wrn", "rep"


@dataclass(frozen=True)
class Cell:
    """One cell: what it says, whether it can be corrected here, and why it is marked."""

    target: str
    label: str
    index: int | None
    text: str
    raw: str
    level: str = ""
    why: str = ""

    @property
    def is_marked(self) -> bool:
        return self.level in {ERROR, WARNING} and self.index is not None


@dataclass(frozen=True)
class Line:
    """One row."""

    row: ImportRow
    cells: tuple[Cell, ...]


def targets_shown(of: Import) -> list[Target]:
    """The fields of this list that the pages show: those with something in them, name and phone always."""
    columns, filled = of.column_map, of.tally.get("filled", [])
    has_name = {Target.NAME, Target.GIVEN_NAME, Target.SURNAME} & columns.fields
    shown = []
    for target in SHOWN:
        index = columns.index_of(target)
        is_filled = index is not None and index < len(filled) and filled[index]
        if is_filled or target is Target.PHONE or (target is Target.NAME and has_name):
            shown.append(target)
    return shown


def lines(of: Import, rows: Iterable[ImportRow]) -> list[Line]:
    """Rows with their cells in the order of `targets_shown`."""
    targets = targets_shown(of)
    columns = of.column_map
    places = {target: columns.index_of(target) for target in targets}
    return [Line(row, tuple(_cells(row, places))) for row in rows]


def _cells(row: ImportRow, places: Mapping[Target, int | None]) -> Iterable[Cell]:
    marks = _marks(row, places)
    for target, index in places.items():
        raw = row.cell(index) if index is not None else ""
        level, why = marks.get(target, ("", ""))
        text = row.values.get(target, "")
        if not text and row.contested_number and _is_contested(row, target, raw):
            text = row.contested_number
        yield Cell(target.value, LABELS[target], index, text or raw, raw, level, why)


def _is_contested(row: ImportRow, target: Target, raw: str) -> bool:
    is_number = target in {Target.PHONE, Target.WHATSAPP}
    return is_number and read_phone(raw).e164 == row.contested_number


def _marks(row: ImportRow, places: Mapping[Target, int | None]) -> dict[Target, tuple[str, str]]:
    """What to say at which cell: repairs, then warnings, then the error, the later the stronger."""
    marks: dict[Target, tuple[str, str]] = {}
    for note in sorted(row.notes, key=lambda note: note not in REPAIRS):
        place = _place_of(note)
        level = REPAIR if note in REPAIRS else WARNING
        said = marks[place][1] + ", " if place in marks and marks[place][0] == level else ""
        marks[place] = (level, said + _shortened(note))
    if row.verdict in {"review", "duplicate"}:
        marks[_error_place(row, places)] = (ERROR, row.reason)
    return marks


def _shortened(note: str) -> str:
    """A note as its own cell says it: the column's name stands above already."""
    start, colon, rest = note.partition(" left out: ")
    if colon and start in BEGINS:
        return f"Left out: {rest}"
    if note.startswith("Status “"):
        return "Left out: not known"
    return note


def _place_of(note: str) -> Target:
    if note in OF_NUMBERS:
        return Target.PHONE
    return next((target for start, target in BEGINS.items() if note.startswith(start)), Target.NAME)


def _error_place(row: ImportRow, places: Mapping[Target, int | None]) -> Target:
    if row.code == "unusable":
        for target in (Target.PHONE, Target.SECOND_PHONE, Target.WHATSAPP):
            index = places.get(target)
            if index is not None and read_phone(row.cell(index)).problem == row.reason:
                return target
        for target, reason in IDENTITY_INSTEAD.items():
            if row.reason == reason:
                return target
        return Target.NAME
    if row.code == "no_name":
        return Target.NAME
    if row.code in {"shared_mail", "mail_held"}:
        return Target.EMAIL
    if row.code in {"shared_id", "id_held", "two_ids"}:
        return next((target for target in OF_IDS if row.values.get(target)), Target.TIMO_ID)
    if row.contested_number:
        index = places.get(Target.WHATSAPP)
        if index is not None and read_phone(row.cell(index)).e164 == row.contested_number:
            phone = places.get(Target.PHONE)
            if phone is None or read_phone(row.cell(phone)).e164 != row.contested_number:
                return Target.WHATSAPP
    if not row.values.get(Target.PHONE) and row.values.get(Target.EMAIL) and not row.contested_number:
        return Target.EMAIL
    return Target.PHONE


def review_table(of: Import, rows: Iterable[ImportRow]) -> tuple[list[str], Iterable[list[Any]]]:
    """The rows that need a person, as they stood in the file, with row number and reason: to be mended there."""
    kept = [index for index, column in enumerate(of.columns) if not column["is_identity"]]
    headings = [*(of.headings[index].strip() or f"Column {index + 1}" for index in kept), "Row", "Why"]
    return headings, ([*(row.cell(index) for index in kept), row.number, row.reason] for row in rows)
