"""Step 2: what each column of the list is."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.imports import workflow as imports
from drivercrm.imports.columns import status_of
from drivercrm.imports.enums import ImportState
from drivercrm.imports.forms import status_values_of, targets_of
from drivercrm.imports.headings import LABELS, Target
from drivercrm.imports.models import Import
from drivercrm.imports.views.steps import elsewhere, found, show
from drivercrm.ui import toasts

REQUIRED = {Target.NAME: "Name (required)", Target.PHONE: "Phone (this or an email is required)"}
CHOICES = [
    (target.value, REQUIRED.get(target, LABELS[target]))
    for target in Target
    if target not in {Target.OPT_IN, Target.IDENTITY, Target.IGNORE}
] + [(Target.IGNORE.value, "Leave out"), (Target.IDENTITY.value, "Identity number: left out, never stored")]
NOTES_OF: dict[Target, tuple[str, ...]] = {
    Target.NAME: ("List number",),
    Target.PHONE: ("Letter O", "Leading zero", "27 read", "Zero after", "Right length", "Number from"),
    Target.EMAIL: ("Mail left out",),
    Target.TELEGRAM: ("Telegram",),
    Target.FIRST_CONTACT: ("First contact",),
    Target.AREA: ("Area left out",),
    Target.LANGUAGE: ("Language left out",),
    Target.NOTES: ("Notes cut",),
}
LEFT_OUT = frozenset({Target.EMAIL, Target.TELEGRAM, Target.FIRST_CONTACT, Target.AREA, Target.LANGUAGE})


@dataclass(frozen=True)
class Word:
    """A word of the status column, how often it stands there, and what it means so far."""

    index: int
    text: str
    count: int
    status: str
    is_open: bool


@dataclass(frozen=True)
class Line:
    """One column as the page shows it."""

    index: int
    heading: str
    samples: str
    target: str
    kind: str  # ok, choose, or skip
    says: str
    is_identity: bool = False
    is_hidden: bool = False
    words: tuple[Word, ...] = ()


@needs(Can.IMPORT)
def import_columns(request: PageRequest, pk: UUID) -> HttpResponse:
    """Shows what each column seems to be; takes what it is."""
    of = found(pk)
    if away := elsewhere(of, ImportState.STAGED, ImportState.CHECKED):
        return away
    refusal = None
    if request.method == "POST":
        words = [word for word, _ in of.tally.get("status_words", [])]
        chosen = of.status_values | status_values_of(request.POST, words)
        try:
            of = imports.remap(
                of,
                targets_of(request.POST, len(of.headings)),
                by=request.access.actor,
                status_values=chosen,
            )
        except Refused as refused:
            refusal = refused
        else:
            return _next(request, of)
    lines = _lines(of)
    if refusal:
        chosen_now = targets_of(request.POST, len(of.headings))
        lines = [_chosen(line, chosen_now[line.index]) for line in lines]
    context = {"lines": lines, "choices": CHOICES, "statuses": OnboardingStatus.choices, "refusal": refusal}
    return show(
        request, "imports/columns.html", of, 2, context | _counted(lines), status=422 if refusal else 200
    )


def _chosen(line: Line, target: str) -> Line:
    return Line(line.index, line.heading, line.samples, target, line.kind, line.says, line.is_identity)


def _next(request: PageRequest, of: Import) -> HttpResponse:
    if of.state == ImportState.CHECKED and imports.unplaced_words(of):
        toasts.toast(request, "Match the words of the status column, or leave them out.", level="warn")
        return redirect("import_columns", of.pk)
    return redirect("import_page", of.pk)


def _counted(lines: list[Line]) -> dict[str, Any]:
    return {
        "matched": sum(1 for line in lines if line.kind == "ok"),
        "open": sum(1 for line in lines if line.kind == "choose"),
        "skipped": sum(1 for line in lines if line.kind == "skip"),
    }


def _lines(of: Import) -> list[Line]:
    return [
        _line(of, index, heading, column)
        for index, (heading, column) in enumerate(zip(of.headings, of.columns, strict=True))
        if heading.strip() or column["samples"] or column["is_identity"] or _filled(of, index)
    ]


def _filled(of: Import, index: int) -> int:
    filled: list[int] = of.tally.get("filled", [])
    return filled[index] if index < len(filled) else 0


def _line(of: Import, index: int, heading: str, column: dict[str, Any]) -> Line:
    target = Target(column["target"])
    samples = ", ".join(sample or "(empty)" for sample in column["samples"]) or "(empty)"
    if column["is_identity"]:
        samples = "Not shown"
    words = _words(of) if target is Target.STATUS else ()
    kind, says = _says(of, index, target, words, column)
    return Line(
        index,
        heading.strip() or f"Column {index + 1} (no heading)",
        samples,
        target.value,
        kind,
        says,
        column["is_identity"],
        column["is_hidden"],
        words,
    )


def _words(of: Import) -> tuple[Word, ...]:
    found_words = []
    for index, (text, count) in enumerate(of.tally.get("status_words", [])):
        is_chosen = text in of.status_values
        status = of.status_values[text] if is_chosen else status_of(text)
        is_open = not is_chosen and status is None
        found_words.append(Word(index, text, count, status or (Target.IGNORE if is_chosen else ""), is_open))
    return tuple(found_words)


def _says(
    of: Import, index: int, target: Target, words: tuple[Word, ...], column: dict[str, Any]
) -> tuple[str, str]:
    if target is Target.IDENTITY or column["is_identity"]:
        return "skip", "Left out, never stored"
    if target is Target.IGNORE:
        return "skip", column["reason"] if column["confidence"] == "none" else "Left out"
    filled = _filled(of, index)
    if target is Target.STATUS:
        waiting = sum(1 for word in words if word.is_open)
        if waiting:
            return "choose", f"{waiting} {'word' if waiting == 1 else 'words'} to match below"
        return "ok", f"{filled} filled, moves drivers forward, never back"
    if target in {Target.TIMO_ID, Target.PATHPULSE_ID}:
        return "ok", "Used to find drivers you already have"
    starts = NOTES_OF.get(target, ())
    noted = sum(count for note, count in of.tally.get("notes", {}).items() if note.startswith(starts))
    if not starts or not noted:
        return "ok", f"{filled} filled"
    return "ok", f"{filled} filled, {noted} {'left out' if target in LEFT_OUT else 'repaired or noted'}"
