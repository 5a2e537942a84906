"""The imports there have been, and a new one."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.errors import Refused
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.forms import UploadForm
from drivercrm.imports.models import Import
from drivercrm.imports.reading.files import MAX_BYTES
from drivercrm.imports.reading.sheet import MAX_ROWS
from drivercrm.imports.views.steps import BUSY, found, place, show
from drivercrm.ui import toasts
from drivercrm.ui.answers import is_swap

NEWEST = 20


@needs(Can.IMPORT)
def import_list(request: PageRequest) -> HttpResponse:
    """The upload, and the newest imports; a file that is no list comes back with the reason at the field."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            of = imports.stage(
                upload.file,
                file_name=upload.name,
                by=request.access.actor,
                sheet=form.cleaned_data["sheet"] or None,
                mapping=form.mapping,
            )
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return redirect("import_columns", of.pk)
    return _shown(request, form, 422 if form.errors else 200)


def _shown(request: PageRequest, form: UploadForm, status: int) -> HttpResponse:
    newest = list(queries.newest()[: NEWEST + 1])
    undone = queries.undone(NEWEST)
    names = queries.by_names([*(of.created_by for of in newest), *(one.by for one in undone)])
    context = {
        "form": form,
        "newest": [(of, names.get(of.created_by, "A program")) for of in newest[:NEWEST]],
        "has_more": len(newest) > NEWEST,
        "undone": [(one, names.get(one.by, "A program")) for one in undone],
        "most_megabytes": MAX_BYTES // 1024**2,
        "most_rows": MAX_ROWS,
    }
    return render(request, "imports/list.html", context, status=status)


@needs(Can.IMPORT)
def import_page(request: PageRequest, pk: UUID) -> HttpResponse:
    """Where the import stands; while the worker is at it, a page that asks again until it is done."""
    of = found(pk)
    if of.state in BUSY:
        return show(request, "imports/waiting.html", of, 3, {})
    if is_swap(request):
        return HttpResponse(headers={"HX-Redirect": place(of)})
    return redirect(place(of))


@require_POST
@needs(Can.IMPORT)
def import_deletion(request: PageRequest, pk: UUID) -> HttpResponse:
    """Puts a list away before anything of it went in."""
    of: Import = found(pk)
    imports.drop(of, by=request.access.actor)
    toasts.toast(request, f"{of.file_name} was put away. Nothing was imported.")
    return redirect(reverse("imports"))
