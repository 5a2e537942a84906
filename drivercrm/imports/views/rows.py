"""Step 3: every row with its verdict, and cells to be corrected in place."""

import io
from urllib.parse import urlencode
from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.spreadsheets import write_xlsx
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Decision, Heap, ImportState
from drivercrm.imports.forms import fixes_of
from drivercrm.imports.headings import LABELS, Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.views.cells import lines, review_table, targets_shown
from drivercrm.imports.views.steps import elsewhere, found, show
from drivercrm.ui import toasts

LIMIT = 50
TABS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("look", "To look at", (Heap.ERROR, Heap.WARNING)),
    ("error", "Errors", (Heap.ERROR,)),
    ("warning", "Warnings", (Heap.WARNING,)),
    ("duplicate", "Duplicates", (Heap.DUPLICATE,)),
    ("ready", "Ready", (Heap.READY,)),
    ("out", "Left out", (Heap.OUT, Heap.BLANK)),
)
HEADS = {
    Target.TIMO_ID: "Timo ID",
    Target.WHATSAPP: "WhatsApp",
    Target.STATUS: "Status",
    Target.FIRST_CONTACT: "First contact",
}
HEAPS = {key: tuple(str(heap) for heap in heaps) for key, _, heaps in TABS}


@needs(Can.IMPORT)
def import_rows(request: PageRequest, pk: UUID) -> HttpResponse:
    """One heap of rows, page by page."""
    of = found(pk)
    if away := elsewhere(of, ImportState.CHECKED):
        return away
    counts = queries.heaps(of)
    tab = request.GET.get("heap", "")
    if tab not in HEAPS:
        tab = next((key for key, _, heaps in TABS if any(counts[heap] for heap in heaps)), "ready")
    after = _number(request.GET.get("after"))
    rows = queries.rows_after(of, HEAPS[tab], after, LIMIT)
    next_after = rows[LIMIT - 1].number if len(rows) > LIMIT else None
    rows = _with_fixed(of, rows[:LIMIT], _number(request.GET.get("row")))
    before = queries.page_before(of, HEAPS[tab], rows[0].number, LIMIT) if rows and after else None
    context = {
        "tabs": [(key, label, sum(counts[heap] for heap in heaps)) for key, label, heaps in TABS],
        "tab": tab,
        "after": after,
        "labels": [(target.value, HEADS.get(target, LABELS[target])) for target in targets_shown(of)],
        "lines": lines(of, rows),
        "next_url": _url(of, tab, next_after) if next_after else "",
        "before_url": _url(of, tab, before) if before is not None else "",
        "errors": counts[Heap.ERROR],
        "doubtful": counts[Heap.DUPLICATE],
        "going_in": imports.work_left(of),
        "to_review": counts[Heap.ERROR] + counts[Heap.DUPLICATE],
    }
    return show(request, "imports/rows.html", of, 3, context)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _url(of: Import, tab: str, after: int, row: int = 0) -> str:
    query = {"heap": tab} | ({"after": after} if after else {}) | ({"row": row} if row else {})
    return f"{reverse('import_rows', args=[of.pk])}?{urlencode(query)}"


def _with_fixed(of: Import, rows: list[ImportRow], number: int) -> list[ImportRow]:
    """The row that was just corrected stays in sight, wherever its new verdict puts it."""
    if not number or any(row.number == number for row in rows):
        return rows
    fixed = list(ImportRow.objects.filter(of=of, number=number))
    return sorted([*rows, *fixed], key=lambda row: row.number)


@require_POST
@needs(Can.IMPORT)
def import_row(request: PageRequest, pk: UUID, number: int) -> HttpResponse:
    """Corrects cells of a row; it is judged again at once."""
    of = found(pk)
    imports.fix_cell(of, number, fixes_of(request.POST), by=request.access.actor)
    return _back(request, of, number)


@require_POST
@needs(Can.IMPORT)
def import_row_decision(request: PageRequest, pk: UUID, number: int) -> HttpResponse:
    """Leaves a row out, or takes it in again."""
    of = found(pk)
    decision = Decision.LEAVE_OUT if request.POST.get("decision") == Decision.LEAVE_OUT else Decision.NONE
    imports.settle(of, number, decision, by=request.access.actor)
    return _back(request, of, number)


def _back(request: PageRequest, of: Import, number: int) -> HttpResponse:
    tab = request.POST.get("heap", "")
    url = _url(of, tab if tab in HEAPS else "look", _number(request.POST.get("after")), number)
    response = redirect(url)
    response.status_code = 303
    return response


@needs(Can.IMPORT)
def import_review(request: PageRequest, pk: UUID) -> HttpResponse | FileResponse:
    """The rows that need a person as a workbook: correct it and upload it as a list of its own."""
    # No export in the sense of spec §1: these are cells that the person's own list has brought, none of them is a
    # driver's record, and whoever may import has to be able to correct them.
    of = found(pk)
    rows = queries.to_review(of)
    if not rows.exists():
        toasts.toast(request, "No row needs a person.")
        return redirect("import_page", of.pk)
    headings, table = review_table(of, rows.iterator(chunk_size=2000))
    file = io.BytesIO()
    write_xlsx(file, headings, table, sheet="To review")
    file.seek(0)
    stem = of.file_name.rsplit(".", 1)[0] or "list"
    return FileResponse(file, as_attachment=True, filename=f"{stem} to review.xlsx")
