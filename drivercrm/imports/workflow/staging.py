"""From a file to staged rows: read once, without identity numbers, judged on the way (ADR 0011)."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction

from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.bulk import bulk_work, insert_rows, update_rows
from drivercrm.core.errors import Refused
from drivercrm.imports.columns import ColumnMap, Suggestion, as_map, check, drop_identity, status_of, suggest
from drivercrm.imports.enums import ImportState
from drivercrm.imports.events import ImportCheckAsked, ImportDropped, ImportStaged
from drivercrm.imports.headings import LABELS, Confidence, Target, heading_key
from drivercrm.imports.identity_numbers import without_identity_numbers
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.reading import Row, Sheet, read
from drivercrm.imports.workflow.basis import NOTHING, Basis
from drivercrm.imports.workflow.judging import (
    CHUNK,
    VERDICT_COLUMNS,
    Judged,
    Judging,
    Staged,
    basis_of,
    read_staged,
    row_of,
    verdict_values,
)
from drivercrm.imports.workflow.states import check_in, move
from drivercrm.journal import workflow as journal

IN_BACKGROUND = 5000  # rows; a longer list is checked, run and undone by the worker
MOST_STATUS_WORDS = 40
TARGETS = tuple(target.value for target in Target if target is not Target.OPT_IN)
_BLOCK = 1 << 20
_STAGED_COLUMNS = ("of_id", "number", "cells", "is_blank", *VERDICT_COLUMNS, "fixes", "decision", "picks")
_REST_COLUMNS = ("did", "wrote", "kept")


class Prepared:
    """A readable list with its columns matched, and its identity numbers gone."""

    def __init__(self, sheet: Sheet, suggestions: Sequence[Suggestion]) -> None:
        self.sheet = sheet
        self.suggestions = suggestions

    @property
    def columns(self) -> ColumnMap:
        return as_map(self.suggestions)


def prepare(
    source: Path | bytes | BinaryIO, *, sheet: str | None = None, mapping: Mapping[str, str] | None = None
) -> Prepared:
    """Reads a file and matches its columns; `mapping` says what certain headings are, whatever they look like.

    Refuses a file that is no list, a heading it does not have and a target that does not exist (spec §10).
    """
    found = read(source, sheet=sheet)
    suggestions = suggest(found.headings, found.sample_columns())
    chosen = _chosen(found.headings, mapping or {})
    suggestions = _remapped(suggestions, chosen)
    keep = [index for index, target in chosen.items() if target not in {Target.IDENTITY, Target.IGNORE}]
    clean = drop_identity(found, keep)
    wiped = [one.index for one in suggestions if one.target is Target.IDENTITY]
    clean = clean.without(wiped, scrub=lambda text: text, spare=())
    return Prepared(clean, suggestions)


def _chosen(headings: Sequence[str], mapping: Mapping[str, str]) -> dict[int, Target]:
    chosen: dict[int, Target] = {}
    for heading, name in mapping.items():
        key = heading_key(heading)
        index = next((i for i, one in enumerate(headings) if key == heading_key(one)), None)
        if index is None:  # nobody is ever shown a heading with an identity number in it
            shown = [without_identity_numbers(one).strip() for one in headings]
            index = next((i for i, one in enumerate(shown) if one and key == heading_key(one)), None)
        if index is None:
            known = ", ".join(f"“{one}”" for one in shown if one)
            raise Refused(
                "unknown_heading",
                f"The list has no column “{without_identity_numbers(heading).strip()}”. It has {known}.",
                field="map",
            )
        if name not in TARGETS:
            raise Refused(
                "unknown_target", f"“{name}” is not a field. Use one of: {', '.join(TARGETS)}.", field="map"
            )
        chosen[index] = Target(name)
    return chosen


def _remapped(suggestions: Sequence[Suggestion], chosen: Mapping[int, Target]) -> list[Suggestion]:
    """A field that somebody gives to one column is taken from the column that seemed to hold it."""
    taken = {*chosen.values()} - {Target.IGNORE, Target.IDENTITY}
    changed = []
    for one in suggestions:
        if one.index in chosen:
            changed.append(
                replace(one, target=chosen[one.index], confidence=Confidence.CERTAIN, reason="Chosen by hand")
            )
        elif one.target in taken:
            changed.append(
                replace(
                    one, target=Target.IGNORE, confidence=Confidence.NONE, reason="Another column was chosen"
                )
            )
        else:
            changed.append(one)
    return changed


def judged_rows(prepared: Prepared, basis: Basis = NOTHING) -> Iterator[list[Judged]]:
    """The verdicts on a list, chunk by chunk, with nothing stored (the dry run); refuses unmatched columns."""
    check(prepared.columns)
    judging = Judging(prepared.columns, basis)
    for rows in _chunks(prepared.sheet.rows()):
        yield judging.chunk(rows)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def stage(
    source: Path | bytes | BinaryIO,
    *,
    file_name: str,
    by: Actor,
    sheet: str | None = None,
    mapping: Mapping[str, str] | None = None,
    basis: Basis = NOTHING,
) -> Import:
    """Reads a file once and keeps its rows, judged where the columns are clear; the file itself is not kept.

    A file that is refused, at whatever row, leaves nothing.
    """
    prepared = prepare(source, sheet=sheet, mapping=mapping)
    digest, size = fingerprint(source)
    found, suggestions = prepared.sheet, prepared.suggestions
    of = Import.objects.create(
        file_name=_plain_name(file_name),
        file_hash=digest,
        file_size=size,
        sheet=(found.name or "")[:200],
        headings=[without_identity_numbers(heading)[:200] for heading in found.headings],
        warnings=list(found.warnings),
        columns=[_column(one, one.index in found.hidden) for one in suggestions],
        surname_first=prepared.columns.surname_first,
        created_by=str(by),
        origin=by.origin,
        basis=basis.wording,
        evidence=basis.evidence,
        channels=list(basis.channels),
        purposes=list(basis.purposes),
    )
    try:
        with bulk_work():
            _write_rows(of, prepared, basis, by)
    except BaseException:
        discard(of)
        raise
    return of


def _plain_name(name: str) -> str:
    """The file's own name, without folders and control characters."""
    bare = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip()
    return without_identity_numbers(bare)[-200:] or "list"


def _column(one: Suggestion, is_hidden: bool) -> dict[str, Any]:
    return {
        "target": str(one.target),
        "confidence": str(one.confidence),
        "reason": one.reason[:300],
        "is_identity": one.target is Target.IDENTITY,
        "is_hidden": is_hidden,
        "is_surname_first": one.surname_first,
        "samples": [sample[:80] for sample in one.samples],
    }


def fingerprint(source: Path | bytes | BinaryIO) -> tuple[str, int]:
    """The SHA-256 of a file, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    for block in _blocks(source):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _blocks(source: Path | bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")
        return
    source.seek(0)
    yield from iter(lambda: source.read(_BLOCK), b"")


def _write_rows(of: Import, prepared: Prepared, basis: Basis, by: Actor) -> None:
    columns = prepared.columns
    is_clear = _is_clear(columns)
    judging = Judging(columns, basis)
    tally = Tally(columns)
    for rows in _chunks(prepared.sheet.rows()):
        with transaction.atomic():
            judged = judging.chunk(rows) if is_clear else []
            insert_rows(ImportRow, (*_STAGED_COLUMNS, *_REST_COLUMNS), _lines(of, rows, judged))
        tally.add(rows, judged)
        of.last_row = rows[-1].number
        of.row_count += len(rows)
    with transaction.atomic():
        tally.keep(of)
        # words of a status column that only a person can place are a choice to be made first
        move(of, ImportState.CHECKED if is_clear else ImportState.STAGED)
        of.save()
        journal.announce(ImportStaged(of.pk, of.row_count), by=by)


def _is_clear(columns: ColumnMap) -> bool:
    try:
        check(columns)
    except Refused:
        return False
    return True


def _lines(of: Import, rows: Sequence[Row], judged: Sequence[Judged]) -> Iterator[tuple[Any, ...]]:
    waiting: tuple[Any, ...] = ("", "", "", [], {}, {}, "", None, None, "")
    for index, row in enumerate(rows):
        verdict = verdict_values(judged[index]) if judged else waiting
        cells = [] if row.blank else list(row.cells)
        yield (of.pk, row.number, cells, row.blank, *verdict, {}, "", {}, "", {}, "")


class Tally:
    """Counts while rows are judged: verdicts, filled cells, notes, and the words of a status column."""

    def __init__(self, columns: ColumnMap) -> None:
        self._status = columns.index_of(Target.STATUS)
        self.verdicts: Counter[str] = Counter()
        self.filled: Counter[int] = Counter()
        self.notes: Counter[str] = Counter()
        self.words: Counter[str] = Counter()

    def add(self, rows: Sequence[Row], judged: Sequence[Judged]) -> None:
        self.verdicts.update(one.judgement.verdict.value for one in judged)
        for one in judged:
            if one.judgement.notes:
                self.notes.update(one.judgement.notes)
        for row in rows:
            for index, cell in enumerate(row.cells):
                if cell:
                    self.filled[index] += 1
            if self._status is not None and self._status < len(row.cells) and row.cells[self._status]:
                self.words[row.cells[self._status][:60]] += 1

    def keep(self, of: Import) -> None:
        """Writes the counts on the import, unsaved."""
        of.verdicts = dict(self.verdicts)
        of.tally = {
            "filled": [self.filled[index] for index in range(len(of.headings))],
            "notes": dict(self.notes.most_common(60)),
            "status_words": self.words.most_common(MOST_STATUS_WORDS),
        }


def remap(
    of: Import,
    targets: Sequence[str],
    *,
    by: Actor,
    status_values: Mapping[str, str | None] | None = None,
) -> Import:
    """Reads the columns as a person says, and judges the rows again; refuses a map that cannot work.

    A column that is said to hold identity numbers is emptied at once.
    """
    with transaction.atomic():
        of = locked_import(of)
        check_in(of, ImportState.STAGED, ImportState.CHECKED)
        columns = _with_targets(of, targets, status_values)
        is_same = columns == of.column_map and of.state == ImportState.CHECKED
        check(columns)
        emptied = [
            index
            for index, target in enumerate(columns.targets)
            if target is Target.IDENTITY and not of.columns[index]["is_identity"]
        ]
        for index, column in enumerate(of.columns):
            column["target"] = str(columns.targets[index])
            if index in emptied:
                column |= {"is_identity": True, "samples": []}
        of.status_values = dict(columns.status_values)
        of.surname_first = columns.surname_first
        _empty(of, emptied)
        of.save()
    return of if is_same and not emptied else recheck(of, by=by)


def _with_targets(
    of: Import, targets: Sequence[str], status_values: Mapping[str, str | None] | None
) -> ColumnMap:
    if len(targets) != len(of.headings) or any(target not in TARGETS for target in targets):
        raise Refused("unknown_target", "Choose a field for every column.", field="columns")
    chosen = [Target(target) for target in targets]
    for index, column in enumerate(of.columns):
        if column["is_identity"] and chosen[index] not in {Target.IDENTITY, Target.IGNORE}:
            raise Refused(
                "identity_column",
                "This column held identity numbers. They were left out and are not stored. To use the column,"
                " upload the file again and choose its field there.",
                field=str(index),
            )
    surname_first = any(
        column["is_surname_first"] and chosen[index] is Target.NAME for index, column in enumerate(of.columns)
    )
    values = dict(of.status_values if status_values is None else status_values)
    return ColumnMap(tuple(chosen), surname_first, values)


def _empty(of: Import, indexes: Sequence[int]) -> None:
    """Takes whole columns out of the staged rows."""
    if not indexes:
        return
    wiped = set(indexes)
    rows = ImportRow.objects.filter(of=of).values_list("cells", "fixes", "pk")
    update_rows(
        ImportRow,
        ("cells", "fixes"),
        (
            (
                ["" if index in wiped else cell for index, cell in enumerate(cells)],
                {index: text for index, text in fixes.items() if int(index) not in wiped},
                pk,
            )
            for cells, fixes, pk in list(rows)
        ),
    )


def recheck(of: Import, *, by: Actor) -> Import:
    """Judges every staged row again: now, or in the background when the list is long."""
    with transaction.atomic():
        of = locked_import(of)
        move(of, ImportState.CHECKING)
        of.save(update_fields=["state", "progress_at"])
        if of.row_count > IN_BACKGROUND:
            journal.announce(ImportCheckAsked(of.pk), by=by)
    if of.row_count <= IN_BACKGROUND:
        judge_all(of)
    return Import.objects.get(pk=of.pk)


def judge_all(of: Import) -> None:
    """Judges the staged rows in their order; safe to run again from the start."""
    columns = of.column_map
    judging, tally = Judging(columns, basis_of(of)), Tally(columns)
    done = 0
    while staged := read_staged(ImportRow.objects.filter(of=of, number__gt=done).order_by("number")[:CHUNK]):
        done = staged[-1].number
        with transaction.atomic():
            judged = judging.again(staged)
            keep_verdicts(staged, judged, always=True)
            if not Import.objects.filter(pk=of.pk, state=ImportState.CHECKING).update(
                progress_at=clock.now()
            ):
                return  # somebody else has finished this check
        tally.add([row_of(row) for row in staged], judged)
    with transaction.atomic():
        held = locked_import(of)
        if held.state == ImportState.CHECKING:
            tally.keep(held)
            move(held, ImportState.CHECKED)
            held.save()


def keep_verdicts(staged: Sequence[Staged], judged: Sequence[Judged], *, always: bool = False) -> None:
    """Writes verdicts beside their rows: all of them, or those that are not what they were.

    A decision about somebody whom the row no longer resembles is taken away: a person looks again.
    """
    lines, undecided = [], []
    for row, one in zip(staged, judged, strict=True):
        verdict = one.judgement
        stood = (row.verdict, row.code, row.match_id, row.earlier_row)
        if always or stood != (verdict.verdict, verdict.code, verdict.driver, verdict.earlier_row):
            lines.append((*verdict_values(one), row.pk))
        if row.decision and not one.said.decision:
            undecided.append(row.pk)
    update_rows(ImportRow, VERDICT_COLUMNS, lines)
    if undecided:
        ImportRow.objects.filter(pk__in=undecided).update(decision="", picks={})


def drop(of: Import, *, by: Actor) -> None:
    """Puts a list away before anything of it went in."""
    with transaction.atomic():
        held = locked_import(of)
        check_in(held, ImportState.STAGED, ImportState.CHECKED)
        discard(held)
        journal.announce(ImportDropped(of.pk), by=by)


def discard(of: Import) -> None:
    """Deletes an import and its rows."""
    with transaction.atomic():
        ImportRow.objects.filter(of=of).delete()
        Import.objects.filter(pk=of.pk).delete()


def unplaced_words(of: Import) -> list[str]:
    """Words of the status column that only a person can place."""
    return [
        word
        for word, _ in of.tally.get("status_words", [])
        if word not in of.status_values and status_of(word) is None
    ]


def label_of(target: str) -> str:
    """The words for what a column is read as."""
    return LABELS[Target(target)]


def locked_import(of: Import) -> Import:
    """The import, locked until the transaction ends; refuses one that is gone."""
    held = Import.objects.select_for_update().filter(pk=of.pk).first()
    if held is None:
        raise Refused("gone", "This import no longer exists.")
    return held


def rows_by_number(of: Import, numbers: Iterable[int]) -> list[Staged]:
    """Some rows in the order of the list."""
    return read_staged(ImportRow.objects.filter(of=of, number__in=list(numbers)).order_by("number"))
