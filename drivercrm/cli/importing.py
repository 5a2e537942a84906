"""`import-drivers`: what a list would do, what it did, and the way back."""

import json as jsons
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import django
from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from drivercrm.core.actors import Actor
    from drivercrm.imports.models import Import
    from drivercrm.imports.workflow import Basis

DONE, TO_REVIEW, WRONG_USE = 0, 1, 2
NOBODY_READS = 141  # what a shell says of a program that SIGPIPE has ended
ORDER = ("create", "update", "unchanged", "duplicate", "review", "blank")
SHOWN = frozenset({"update", "duplicate", "review"})
_USAGE = frozenset(
    {
        "unknown_heading",
        "unknown_target",
        "basis_missing",
        "basis_unclear",
        "channels_missing",
        "purposes_missing",
        "no_such_sheet",
    }
)


def import_drivers(
    file: Path | None = None,
    *,
    apply: Annotated[
        bool, Parameter(negative="", help="Let the list in; without it nothing is stored.")
    ] = False,
    basis: Annotated[str, Parameter(help="What the opt-in rests on, a colon, purposes and channels.")] = "",
    evidence: Annotated[str, Parameter(help="What proves the basis, such as where the papers are.")] = "",
    map: Annotated[
        list[str] | None, Parameter(name="--map", negative="", help="HEADING=field; may be given again.")
    ] = None,
    sheet: Annotated[str | None, Parameter(help="One sheet of a workbook, by its name.")] = None,
    undo: Annotated[
        str | None, Parameter(help="The id of an import to take back (within seven days).")
    ] = None,
    json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print summary and rows as JSON.")
    ] = False,
) -> int:
    """Reads a list of drivers (XLSX or CSV) and says for each row what would become of it, and why.

    Nothing is stored until --apply. Then the rows that are sure go in; exit code 1 says that some need a person.
    An applied import that was interrupted goes on when the command is repeated.

    Parameters
    ----------
    file
        The list. Identity numbers in it are left out, whatever their column is called.
    basis
        For example "TimoRides driver agreement, 2025-11: service, WhatsApp". Without it drivers are never asked.
    """
    if (file is None) == (undo is None):
        return _wrong_use("Name a file to import, or an import to --undo.")
    mapping = _mapping(map or [])
    if mapping is None:
        return _wrong_use("--map takes HEADING=field, for example --map “Full Name=name”.")
    django.setup()
    from drivercrm.core.errors import Refused  # app ready
    from drivercrm.imports import workflow as imports  # app ready

    _make_ready()
    try:
        if file is None:
            return _undo(undo or "", json)
        stated = imports.read_basis(basis, evidence=evidence)
        if apply:
            return _apply(file, sheet, mapping, stated, json)
        return _dry_run(file, sheet, mapping, stated, json)
    except Refused as refusal:
        if refusal.code in _USAGE:
            return _wrong_use(refusal.sentence)
        raise


def _wrong_use(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return WRONG_USE


def _mapping(pairs: Iterable[str]) -> dict[str, str] | None:
    mapping = {}
    for pair in pairs:
        heading, equals, target = pair.rpartition("=")
        if not equals or not heading.strip():
            return None
        mapping[heading] = target.strip()
    return mapping


def _make_ready() -> None:
    """A new SQLite file gets its tables; a database of another version is refused."""
    from django.db import connection  # app ready

    from drivercrm.config import upgrade  # app ready

    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        upgrade.migrate(say=lambda sentence: None)
    else:
        upgrade.refuse_unless_migrated()


def _operator() -> "Actor":
    """Whoever runs the command on this machine."""
    from drivercrm.core.actors import Actor  # app ready

    return Actor("automation", "command-line", "cli")


def _dry_run(file: Path, sheet: str | None, mapping: dict[str, str], basis: "Basis", as_json: bool) -> int:
    from drivercrm.imports import workflow as imports  # app ready

    prepared = imports.prepare(file, sheet=sheet, mapping=mapping)
    rows: list[dict[str, Any]] = []
    summary: Counter[str] = Counter()
    with _bar("Checking", prepared.sheet.row_count, as_json) as advance:
        for chunk in imports.judged_rows(prepared, basis):
            for judged in chunk:
                row = judged.judgement.as_row()
                summary[row["verdict"]] += 1
                if as_json or row["verdict"] in SHOWN:
                    rows.append(row)
            advance(len(chunk))
    report = {"file": file.name, "applied": False, "warnings": list(prepared.sheet.warnings)}
    return _print(report, summary, rows, as_json)


def _apply(file: Path, sheet: str | None, mapping: dict[str, str], basis: "Basis", as_json: bool) -> int:
    from drivercrm.imports import workflow as imports  # app ready
    from drivercrm.imports.enums import ImportState  # app ready

    with _bar("Importing", None, as_json) as advance:
        reached = 0

        def on_progress(of: "Import") -> None:
            nonlocal reached
            advance(of.done_count - reached, of.row_count)
            reached = of.done_count

        of = imports.apply_file(
            file, by=_operator(), sheet=sheet, mapping=mapping, basis=basis, on_progress=on_progress
        )
    rows = [row for row in _staged_rows(of) if as_json or row["verdict"] in SHOWN]
    is_empty = of.state == ImportState.CHECKED or of.created_count + of.updated_count == 0
    report = {
        "file": file.name,
        "applied": True,
        "import": None if is_empty else str(of.pk),
        "created": of.created_count,
        "updated": of.updated_count,
        "warnings": of.warnings,
    }
    summary = Counter(of.verdicts)
    if is_empty:
        imports.discard(of)
    return _print(report, summary, rows, as_json)


def _staged_rows(of: "Import") -> "Iterable[dict[str, Any]]":
    """The rows as they were kept, in the shape of a dry run."""
    from drivercrm.imports.models import ImportRow  # app ready

    columns = ("number", "verdict", "reason", "values", "notes")
    for row in ImportRow.objects.filter(of=of).order_by("number").values(*columns).iterator(chunk_size=2000):
        values = row["values"]
        yield {
            "row": row["number"],
            "verdict": row["verdict"],
            "reason": row["reason"],
            "name": values.get("name"),
            "phone": values.get("phone"),
            "email": values.get("email"),
            "notes": row["notes"],
        }


def _undo(import_id: str, as_json: bool) -> int:
    from drivercrm.core.errors import Refused  # app ready
    from drivercrm.imports import queries  # app ready
    from drivercrm.imports import workflow as imports  # app ready
    from drivercrm.imports.models import Import  # app ready

    try:
        of = Import.objects.filter(pk=UUID(import_id)).first()
    except ValueError:
        of = None
    if of is None:
        raise Refused("no_such_import", f"There is no import {import_id}. It may have been undone already.")
    expected = imports.outlook(of)
    left = imports.undo(of, by=_operator(), in_background=False)
    kept = queries.kept_drivers(left) if left else []
    if as_json:
        report = {"import": import_id, "deleted": expected.deleted, "restored": expected.restored}
        print(jsons.dumps(report | {"kept": kept}, indent=1, ensure_ascii=False))
    else:
        print(f"{expected.deleted} drivers deleted, {expected.restored} put back, {len(kept)} kept.")
        for one in kept:
            print(f"  {one['name']}: {one['reason']}")
    return DONE


def _print(report: dict[str, Any], summary: "Counter[str]", rows: list[dict[str, Any]], as_json: bool) -> int:
    counts = {verdict: summary[verdict] for verdict in ORDER if summary[verdict]}
    try:
        if as_json:
            print(jsons.dumps({"summary": counts} | report | {"rows": rows}, indent=1, ensure_ascii=False))
        else:
            _print_table(report, counts, rows)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the console of tables ends by itself
        # whoever reads has seen enough, and the end of Python would complain of it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    return TO_REVIEW if summary["review"] else DONE


def _print_table(report: dict[str, Any], counts: dict[str, int], rows: list[dict[str, Any]]) -> None:
    console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
    if rows:
        table = Table("Row", "Verdict", "Name", "Phone", "Why", box=None, pad_edge=False)
        for row in rows:
            reason = "; ".join([row["reason"], *row["notes"]])
            cells = [str(row["row"]), row["verdict"], row["name"] or "", row["phone"] or "", reason]
            table.add_row(*map(escape, cells))  # a name in brackets is no colour
        console.print(table)
    for warning in report["warnings"]:
        console.print(f"Note: {warning}", markup=False)
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "No rows")
    if not report["applied"]:
        console.print("Nothing was stored. Add --apply to let the list in.")
    elif report["import"] is None:
        console.print("Nothing to import: no row changes anything.")
    else:
        done = f"{report['created']} drivers created, {report['updated']} updated."
        console.print(
            f"{done} To take it back: drivercrm import-drivers --undo {report['import']}", markup=False
        )


def _bar(title: str, total: int | None, as_json: bool) -> "AbstractContextManager[Callable[..., None]]":
    """A progress bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        return nullcontext(lambda count, total=None: None)
    return _Bar(title, total)


class _Bar(AbstractContextManager[Callable[..., None]]):
    def __init__(self, title: str, total: int | None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Callable[..., None]:
        self._progress.__enter__()
        return self._advance

    def _advance(self, count: int, total: int | None = None) -> None:
        if total is not None:
            self._progress.update(self._task, total=total)
        self._progress.advance(self._task, count)

    def __exit__(self, *error: object) -> None:
        self._progress.__exit__(*error)  # type: ignore[arg-type]
