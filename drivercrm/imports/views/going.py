"""Step 5: what the opt-in rests on, the run with its progress, the result, and the way back."""

from datetime import timedelta
from math import ceil
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers.models import Driver
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Heap, ImportState
from drivercrm.imports.forms import BasisForm
from drivercrm.imports.models import Import
from drivercrm.imports.views.steps import elsewhere, found, show
from drivercrm.ui import toasts
from drivercrm.ui.answers import is_swap

STARTED = (ImportState.RUNNING, ImportState.STOPPED, ImportState.DONE, ImportState.UNDONE)
LISTED = 50


@needs(Can.IMPORT)
def import_run(request: PageRequest, pk: UUID) -> HttpResponse:
    """Before: the opt-in and the sum. During: the progress. After: the result."""
    of = found(pk)
    if request.method == "POST":
        return _start(request, of)
    if of.state == ImportState.CHECKED:
        return _before(request, of, BasisForm(initial=_stated(of)))
    if away := elsewhere(of, *STARTED):
        return away
    return show(request, "imports/run.html", of, 5, _progress(of))


def _stated(of: Import) -> dict[str, Any]:
    return {
        "wording": of.basis,
        "evidence": of.evidence,
        "channels": of.channels,
        "purposes": of.purposes,
    }


def _before(request: PageRequest, of: Import, form: BasisForm) -> HttpResponse:
    counts = queries.heaps(of)
    context = {
        "form": form,
        "verdicts": of.verdicts,
        "going_in": imports.work_left(of),
        "errors": counts[Heap.ERROR],
        "doubtful": counts[Heap.DUPLICATE],
        "out": counts[Heap.OUT],
        "new": of.verdicts.get("create", 0),
        "updates": of.verdicts.get("update", 0),
        "unchanged": of.verdicts.get("unchanged", 0),
    }
    return show(request, "imports/before.html", of, 5, context, status=422 if form.errors else 200)


def _start(request: PageRequest, of: Import) -> HttpResponse:
    """States the basis and lets the list in; a basis that is not whole comes back at its field."""
    by = request.access.actor
    if of.state == ImportState.STOPPED:
        imports.start(of, by=by)
        return redirect("import_run", of.pk)
    form = BasisForm(request.POST)
    try:
        if not form.is_valid():
            return _before(request, of, form)
        stated = form.cleaned_data
        basis = imports.NOTHING
        if not form.is_empty:
            basis = imports.make_basis(
                stated["wording"],
                evidence=stated["evidence"],
                channels=stated["channels"],
                purposes=stated["purposes"],
            )
        of = imports.set_basis(of, basis, by=by)
        if of.state == ImportState.CHECKING:
            toasts.toast(request, "The rows are being checked against the opt-in. Import when that is done.")
            return redirect("import_page", of.pk)
        imports.start(of, by=by)
    except Refused as refusal:
        if refusal.code == "wrong_state":
            raise
        form.refuse(refusal)
        return _before(request, of, form)
    return redirect("import_run", of.pk)


def _progress(of: Import) -> dict[str, Any]:
    left = None
    if of.state == ImportState.RUNNING and of.started_at and of.done_count:
        per_row = (of.progress_at - of.started_at).total_seconds() / of.done_count
        left = int(per_row * (of.row_count - of.done_count)) + 1
    is_over = of.state in {ImportState.DONE, ImportState.UNDONE}
    return {
        "seconds_left": left,
        "is_over": is_over,
        "is_running": of.state == ImportState.RUNNING,
        "is_stopped": of.state == ImportState.STOPPED,
        "is_undone": of.state == ImportState.UNDONE,
        "kept": queries.kept_drivers(of)[:LISTED] if of.state == ImportState.UNDONE else [],
        "to_review": queries.to_review(of).count() if of.state == ImportState.DONE else 0,
        "days_left": _days_left(of),
    }


def _days_left(of: Import) -> int:
    until = of.undo_until
    return max(0, ceil((until - clock.now()) / timedelta(days=1))) if until else 0


@require_POST
@needs(Can.IMPORT)
def import_stop(request: PageRequest, pk: UUID) -> HttpResponse:
    """Stops a running import behind its present chunk."""
    of = imports.stop(found(pk), by=request.access.actor)
    toasts.toast(request, f"Stopped after {of.done_count} rows. What went in stays.", level="info")
    response = redirect("import_run", of.pk)
    response.status_code = 303
    return response


@needs(Can.IMPORT)
def import_undo(request: PageRequest, pk: UUID) -> HttpResponse:
    """Says what would go and what would be kept; does it when confirmed."""
    of = found(pk)
    if request.method == "POST":
        return _undo(request, of)
    if not of.may_be_undone:
        return redirect("import_page", of.pk)
    outlook = imports.outlook(of)
    names = dict(
        Driver.objects.filter(pk__in=[driver for driver, _ in outlook.kept[:LISTED]]).values_list(
            "pk", "name"
        )
    )
    context = {
        "outlook": outlook,
        "kept": [(names.get(driver, ""), driver, reason) for driver, reason in outlook.kept[:LISTED]],
        "more": max(0, len(outlook.kept) - LISTED),
        "is_dialog": is_swap(request),
    }
    template = "imports/_undo.html" if is_swap(request) else "imports/undo.html"
    return show(request, template, of, 5, context)


def _undo(request: PageRequest, of: Import) -> HttpResponse:
    left = imports.undo(of, by=request.access.actor)
    if left is None:
        toasts.toast(request, f"{of.file_name} was taken back. Everything is as before.")
        return redirect(reverse("imports"))
    if left.state == ImportState.UNDONE:
        toasts.toast(request, f"{left.deleted_count} drivers deleted, {left.kept_count} kept.", level="info")
    return redirect("import_page", of.pk)
