"""Imports for programs: the same verbs as the pages (spec §9, §10)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.consent.enums import ConsentChannel, Purpose
from drivercrm.core.errors import Refused
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Input, Limit, Rows, answer, page
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Decision, Did, ImportState, RowVerdict
from drivercrm.imports.headings import heading_key
from drivercrm.imports.models import Import, ImportRow

router = Router(tags=["imports"])

Verdict = Literal["create", "update", "unchanged", "duplicate", "review", "blank", ""]
TargetName = Annotated[
    str, Field(max_length=40, description="A field of a driver, `ignore` or `identity_number`.")
]


class ColumnOut(Schema):
    """One column of the list and what it is read as."""

    heading: str
    target: str
    reason: str
    is_identity: bool = Field(description="Held identity numbers: emptied, never stored.")


class BasisOut(Schema):
    """What the opt-in rests on."""

    wording: str
    evidence: str
    channels: list[ConsentChannel]
    purposes: list[Purpose]


class ImportOut(Schema):
    """One list and where it stands."""

    id: UUID
    state: ImportState
    file_name: str
    file_size: int
    sheet: str
    columns: list[ColumnOut]
    status_values: dict[str, str | None]
    unplaced_words: list[str] = Field(description="Words of the status column that only a person can place.")
    warnings: list[str]
    basis: BasisOut
    row_count: int
    summary: dict[str, int] = Field(description="Rows by verdict.")
    done_count: int = Field(description="Rows dealt with so far.")
    created_count: int
    updated_count: int
    left_out_count: int
    deleted_count: int = Field(description="Drivers that an undo has deleted.")
    kept_count: int = Field(description="Drivers that an undo has left, because something had touched them.")
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    undo_until: datetime | None


class RowOut(Schema):
    """One row with its verdict."""

    row: int = Field(description="As the spreadsheet shows it.")
    verdict: RowVerdict
    code: str = Field(description="The reason for programs.")
    reason: str
    notes: list[str]
    name: str | None
    phone: str | None
    email: str | None
    values: dict[str, str]
    changes: dict[str, Any] = Field(description="Field → [before, after] of an update.")
    decision: Decision
    match_id: UUID | None = Field(description="The driver that the row is, or may be, about.")
    earlier_row: int | None
    driver_id: UUID | None = Field(description="The driver that the import wrote to.")
    did: Did


class UploadIn(Input):
    """How to read the list."""

    sheet: str = Field("", max_length=200, description="One sheet of a workbook, by its name.")
    basis: str = Field(
        "",
        max_length=500,
        description="Such as “TimoRides driver agreement, 2025-11: service, WhatsApp”; without it: never asked.",
    )
    evidence: str = Field("", max_length=500, description="What proves the basis.")
    map: list[Annotated[str, Field(max_length=300)]] = Field(
        [], max_length=60, description="HEADING=field, for headings that are read otherwise than they look."
    )


class ColumnsIn(Input):
    """What columns are, by heading; those left out stay as they are."""

    targets: dict[Annotated[str, Field(max_length=200)], TargetName] = Field({}, max_length=256)
    status_values: dict[Annotated[str, Field(max_length=60)], OnboardingStatus | None] = Field(
        {}, max_length=60, description="Word of the status column → status; null leaves it out."
    )


class BasisIn(Input):
    """What the opt-in rests on; empty: nobody has been asked."""

    wording: str = Field("", max_length=500)
    evidence: str = Field("", max_length=500)
    channels: list[ConsentChannel] = Field([], max_length=8)
    purposes: list[Purpose] = Field([], max_length=4)


class CellsIn(Input):
    """Corrected cells of one row, by heading."""

    cells: dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=2000)]] = Field(
        min_length=1, max_length=60
    )


class DecisionIn(Input):
    """What a person says about a doubtful row."""

    decision: Decision
    picks: dict[Annotated[str, Field(max_length=40)], Literal["file", "kept"]] = Field(
        {}, max_length=40, description="For a merge: field → the list's value or the present one."
    )


class KeptOut(Schema):
    """A driver that an undo has left in place."""

    id: UUID
    name: str
    reason: str


class UndoOut(Schema):
    """What an undo did, or, for a long import, will have done when its state is `undone` or it is gone."""

    is_finished: bool
    deleted: int
    restored: int
    kept: list[KeptOut]


class RowFilters(Schema):
    verdict: list[Verdict] = Field([], description="Any of these; may be given again.")
    after: int = Field(0, ge=0, lt=2**31, description="Rows behind this row number.")


def _out(of: Import) -> dict[str, Any]:
    return {
        "id": of.pk,
        "state": of.state,
        "file_name": of.file_name,
        "file_size": of.file_size,
        "sheet": of.sheet,
        "columns": [
            {
                "heading": heading,
                "target": column["target"],
                "reason": column["reason"],
                "is_identity": column["is_identity"],
            }
            for heading, column in zip(of.headings, of.columns, strict=True)
        ],
        "status_values": of.status_values,
        "unplaced_words": imports.unplaced_words(of),
        "warnings": of.warnings,
        "basis": {
            "wording": of.basis,
            "evidence": of.evidence,
            "channels": of.channels,
            "purposes": of.purposes,
        },
        "row_count": of.row_count,
        "summary": of.verdicts,
        "done_count": of.done_count,
        "created_count": of.created_count,
        "updated_count": of.updated_count,
        "left_out_count": of.left_out_count,
        "deleted_count": of.deleted_count,
        "kept_count": of.kept_count,
        "created_by": of.created_by,
        "created_at": of.created_at,
        "started_at": of.started_at,
        "finished_at": of.finished_at,
        "undo_until": of.undo_until,
    }


def _row_out(row: ImportRow) -> dict[str, Any]:
    return {
        "row": row.number,
        "verdict": row.verdict,
        "code": row.code,
        "reason": row.reason,
        "notes": row.notes,
        "name": row.values.get("name"),
        "phone": row.values.get("phone"),
        "email": row.values.get("email"),
        "values": row.values,
        "changes": row.changes,
        "decision": row.decision,
        "match_id": row.match_id,
        "earlier_row": row.earlier_row,
        "driver_id": row.driver_id,
        "did": row.did,
    }


def _found(import_id: UUID) -> Import:
    return get_object_or_404(Import, pk=import_id)


@router.post("/imports", response={202: ImportOut}, summary="Upload a list", operation_id="create_import")
@needs(Can.IMPORT)
def create_import(request: Request, file: File[UploadedFile], data: Form[UploadIn]) -> HttpResponse:
    """Reads a list (XLSX or CSV) and judges its rows. Nothing goes into the drivers before it is applied.

    Columns with identity numbers are left out and never stored; the file is not kept.
    """
    mapping = {}
    for pair in data.map:
        heading, equals, target = pair.rpartition("=")
        if not equals:
            raise Refused("bad_map", "Use HEADING=field.", field="map")
        mapping[heading] = target.strip()
    of = imports.stage(
        file.file,  # type: ignore[arg-type]
        file_name=file.name or "list",
        by=request.access.actor,
        sheet=data.sheet or None,
        mapping=mapping,
        basis=imports.read_basis(data.basis, evidence=data.evidence),
    )
    return answer(_out(of), status=202, headers={"Location": f"{request.path}/{of.pk}"})


@router.get("/imports", response=Rows[ImportOut], summary="List imports", operation_id="list_imports")
@needs(Can.IMPORT)
def list_imports(request: Request, limit: Limit = 50, cursor: Cursor = None) -> HttpResponse:
    """Every import that is kept, the newest first."""
    rows = page_of(Import.objects.all(), Order("id", descending=True), cursor=cursor, limit=limit)
    return answer(page([_out(of) for of in rows.items], rows.next_cursor))


@router.get("/imports/{uuid:import_id}", response=ImportOut, summary="One import", operation_id="get_import")
@needs(Can.IMPORT)
def get_import(request: Request, import_id: UUID) -> HttpResponse:
    """Where an import stands. It is gone once it was undone and nothing had to stay."""
    return answer(_out(_found(import_id)))


@router.delete(
    "/imports/{uuid:import_id}",
    response={204: None},
    summary="Put a list away",
    operation_id="delete_import",
)
@needs(Can.IMPORT)
def delete_import(request: Request, import_id: UUID) -> HttpResponse:
    """Removes a list before anything of it went in."""
    imports.drop(_found(import_id), by=request.access.actor)
    return HttpResponse(status=204)


@router.get(
    "/imports/{uuid:import_id}/rows",
    response=Rows[RowOut],
    summary="Rows of a list",
    operation_id="list_import_rows",
)
@needs(Can.IMPORT)
def list_import_rows(
    request: Request,
    import_id: UUID,
    query: Query[RowFilters],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HttpResponse:
    """Rows in the order of the list, each with its verdict and reason."""
    of = _found(import_id)
    rows = ImportRow.objects.filter(of=of, number__gt=max(query.after, _after(cursor))).order_by("number")
    if query.verdict:
        rows = rows.filter(verdict__in=query.verdict)
    found = list(rows[: limit + 1])
    following = str(found[limit - 1].number) if len(found) > limit else None
    return answer(page([_row_out(row) for row in found[:limit]], following))


def _after(cursor: str | None) -> int:
    """Rows have numbers already, so a cursor is the number of the last row."""
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 9:
        raise Refused("bad_cursor", "This page marker does not belong to this list. Start again.")
    return int(cursor)


@router.post(
    "/imports/{uuid:import_id}/columns",
    response={200: ImportOut},
    summary="Match columns",
    operation_id="match_import_columns",
)
@needs(Can.IMPORT)
def match_import_columns(request: Request, import_id: UUID, data: ColumnsIn) -> HttpResponse:
    """Says what columns are, and what the words of a status column mean; the rows are judged again."""
    of = _found(import_id)
    targets = [column["target"] for column in of.columns]
    for heading, target in data.targets.items():
        targets[_column(of, heading, "targets")] = target
    values = of.status_values | {
        word: str(status) if status else None for word, status in data.status_values.items()
    }
    return answer(_out(imports.remap(of, targets, by=request.access.actor, status_values=values)))


def _column(of: Import, heading: str, field: str) -> int:
    wanted = heading_key(heading)
    index = next(
        (i for i, one in enumerate(of.headings) if one == heading or heading_key(one) == wanted), None
    )
    if index is None:
        raise Refused("unknown_heading", f"The list has no column “{heading}”.", field=field)
    return index


@router.post(
    "/imports/{uuid:import_id}/basis",
    response={200: ImportOut},
    summary="State the basis of the opt-in",
    operation_id="set_import_basis",
)
@needs(Can.IMPORT)
def set_import_basis(request: Request, import_id: UUID, data: BasisIn) -> HttpResponse:
    """Says what the drivers on the list have agreed to; only that is granted (spec §4)."""
    basis = imports.make_basis(
        data.wording,
        evidence=data.evidence,
        channels=[str(channel) for channel in data.channels],
        purposes=[str(purpose) for purpose in data.purposes],
    )
    return answer(_out(imports.set_basis(_found(import_id), basis, by=request.access.actor)))


@router.post(
    "/imports/{uuid:import_id}/rows/{number}/cells",
    response={200: RowOut},
    summary="Correct cells of a row",
    operation_id="fix_import_row",
)
@needs(Can.IMPORT)
def fix_import_row(request: Request, import_id: UUID, number: int, data: CellsIn) -> HttpResponse:
    """Corrects cells of a row; it is judged again at once, with the rows that share an address with it."""
    of = _found(import_id)
    fixes = {_column(of, heading, "cells"): text for heading, text in data.cells.items()}
    return answer(_row_out(imports.fix_cell(of, _number(number), fixes, by=request.access.actor)))


@router.post(
    "/imports/{uuid:import_id}/rows/{number}/decision",
    response={200: RowOut},
    summary="Settle a doubtful row",
    operation_id="settle_import_row",
)
@needs(Can.IMPORT)
def settle_import_row(request: Request, import_id: UUID, number: int, data: DecisionIn) -> HttpResponse:
    """Leaves a row out, takes it as another person, merges it, or takes the decision back."""
    row = imports.settle(
        _found(import_id), _number(number), str(data.decision), by=request.access.actor, picks=data.picks
    )
    return answer(_row_out(row))


def _number(number: int) -> int:
    if not 0 < number < 2**31:
        raise Refused("no_such_row", f"This list has no row {number}.")
    return number


@router.post(
    "/imports/{uuid:import_id}/apply",
    response={202: ImportOut},
    summary="Let a list in",
    operation_id="apply_import",
)
@needs(Can.IMPORT)
def apply_import(request: Request, import_id: UUID) -> HttpResponse:
    """Starts a checked list, or goes on with a stopped one, in the background; ask for it to see the progress."""
    return answer(_out(imports.start(_found(import_id), by=request.access.actor)), status=202)


@router.post(
    "/imports/{uuid:import_id}/stop",
    response={200: ImportOut},
    summary="Stop a running import",
    operation_id="stop_import",
)
@needs(Can.IMPORT)
def stop_import(request: Request, import_id: UUID) -> HttpResponse:
    """Stops behind the present chunk of rows; what went in stays, and can be undone."""
    return answer(_out(imports.stop(_found(import_id), by=request.access.actor)))


@router.post(
    "/imports/{uuid:import_id}/undo",
    response={200: UndoOut},
    summary="Take an import back",
    operation_id="undo_import",
)
@needs(Can.IMPORT)
def undo_import(request: Request, import_id: UUID) -> HttpResponse:
    """Deletes the drivers that it made and that nothing has touched since, and puts updated values back.

    For seven days. A long import is taken back in the background.
    """
    of = _found(import_id)
    expected = imports.outlook(of)
    left = imports.undo(of, by=request.access.actor)
    is_finished = left is None or left.state == ImportState.UNDONE
    kept = queries.kept_drivers(left) if left else []
    return answer(
        {
            "is_finished": is_finished,
            "deleted": left.deleted_count if left and is_finished else expected.deleted,
            "restored": left.restored_count if left and is_finished else expected.restored,
            "kept": kept,
        }
    )
