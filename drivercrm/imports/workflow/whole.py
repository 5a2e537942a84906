"""A list let in from beginning to end by one caller, as the command line does it."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import Import
from drivercrm.imports.workflow.basis import NOTHING, Basis
from drivercrm.imports.workflow.judging import basis_of
from drivercrm.imports.workflow.running import Progress, run, start
from drivercrm.imports.workflow.staging import fingerprint, prepare, stage


def apply_file(
    path: Path,
    *,
    by: Actor,
    sheet: str | None = None,
    mapping: Mapping[str, str] | None = None,
    basis: Basis = NOTHING,
    on_progress: Progress | None = None,
) -> Import:
    """Stages, checks and runs a file here and now. A run of the same file that was interrupted goes on instead.

    Refuses unmatched columns. An import that had nothing to do is returned in the state *checked*, for the caller
    to report and then discard.
    """
    of = _interrupted(path, sheet, mapping, basis) or stage(
        path, file_name=path.name, by=by, sheet=sheet, mapping=mapping, basis=basis
    )
    if of.state == ImportState.CHECKED:
        try:
            start(of, by=by, in_background=False)
        except Refused as refusal:
            if refusal.code == "nothing_to_do":
                return of
            raise
    run(of.pk, on_progress=on_progress)
    return _again(of.pk)


def _interrupted(
    path: Path, sheet: str | None, mapping: Mapping[str, str] | None, basis: Basis
) -> Import | None:
    """A started import of this very file, read in the same way, that has not come to its end."""
    candidates = Import.objects.filter(file_hash=fingerprint(path)[0], state=ImportState.RUNNING)
    for of in candidates.order_by("created_at"):
        columns = prepare(path, sheet=sheet, mapping=mapping).columns
        if of.column_map.targets == columns.targets and basis_of(of) == basis:
            return of
    return None


def _again(pk: UUID) -> Import:
    return Import.objects.get(pk=pk)
