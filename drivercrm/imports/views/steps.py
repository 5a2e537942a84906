"""What every page of one import shows: its name, the five steps, and where it stands."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import Import

BUSY = frozenset({ImportState.STAGING, ImportState.CHECKING, ImportState.UNDOING})
OPEN = frozenset({ImportState.STAGED, ImportState.CHECKED})
STEPS = ("Upload", "Match columns", "Check rows", "Duplicates", "Import")
PAGES = ("", "import_columns", "import_rows", "import_duplicates", "import_run")


@dataclass(frozen=True)
class Step:
    """One of the five steps, with its address where it can be gone back to."""

    number: int
    label: str
    state: str  # done, now, or nothing
    url: str = ""


def found(pk: UUID) -> Import:
    """The import, or a 404."""
    return get_object_or_404(Import, pk=pk)


def place(of: Import) -> str:
    """The address of the step at which an import stands."""
    if of.state == ImportState.STAGED:
        return reverse("import_columns", args=[of.pk])
    if of.state == ImportState.CHECKED:
        return reverse("import_rows", args=[of.pk])
    return reverse("import_run", args=[of.pk])


def elsewhere(of: Import, *states: ImportState) -> HttpResponse | None:
    """The way to where the import stands, unless it is in one of these states."""
    return None if of.state in states else redirect("import_page", of.pk)


def show(
    request: HttpRequest, template: str, of: Import, step: int, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """One step's page."""
    steps = []
    for number, label in enumerate(STEPS, 1):
        state = "done" if number < step else "now" if number == step else ""
        open_now = of.state == ImportState.CHECKED or (of.state == ImportState.STAGED and number == 2)
        url = reverse(PAGES[number - 1], args=[of.pk]) if number > 1 and number != step and open_now else ""
        steps.append(Step(number, label, state, url))
    context |= {"of": of, "steps": steps, "is_open": of.state in OPEN}
    return render(request, template, context, status=status)
