"""Step 4: rows that resemble another row or a driver, side by side, for a person to settle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.imports import queries
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import Decision, ImportState
from drivercrm.imports.forms import picks_of
from drivercrm.imports.headings import LABELS, Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.views.cells import lines
from drivercrm.imports.views.steps import elsewhere, found, show
from drivercrm.ui import toasts

LISTED = 100
FIELDS = (
    Target.NAME,
    Target.GIVEN_NAME,
    Target.PHONE,
    Target.WHATSAPP,
    Target.EMAIL,
    Target.TIMO_ID,
    Target.PATHPULSE_ID,
    Target.TELEGRAM,
    Target.AREA,
    Target.LANGUAGE,
    Target.STATUS,
    Target.FIRST_CONTACT,
    Target.NOTES,
)
# Kept by rules of their own: a status only moves forward, the first contact is only filled.
BY_RULE = frozenset({Target.STATUS, Target.FIRST_CONTACT})
NUMBERS = frozenset({Target.PHONE, Target.WHATSAPP})


@dataclass(frozen=True)
class Pair:
    """One field of the two records, and what a merge keeps unless somebody picks otherwise."""

    target: str
    label: str
    there: str
    here: str
    kind: str  # same, kept (the file is empty), filled (only the file has it), rule, or pick
    picked: str = "kept"
    is_number: bool = False


@needs(Can.IMPORT)
def import_duplicates(request: PageRequest, pk: UUID) -> HttpResponse:
    """The doubtful rows on the left, one of them beside what it resembles on the right."""
    of = found(pk)
    if away := elsewhere(of, ImportState.CHECKED):
        return away
    after = int(text) if (text := request.GET.get("after", "")).isdecimal() and len(text) < 10 else 0
    waiting = queries.doubtful(of)
    listed = list(waiting.filter(number__gt=after)[: LISTED + 1])
    chosen = _chosen(listed[:LISTED], request.GET.get("row", ""))
    total = waiting.count()
    decided = waiting.exclude(decision="").count()
    context: dict[str, Any] = {
        "listed": [(row, _name(row)) for row in listed[:LISTED]],
        "chosen": chosen,
        "after": after,
        "next_url": _url(of, listed[LISTED - 1].number) if len(listed) > LISTED else "",
        "first_url": _url(of, 0) if after else "",
        "total": total,
        "decided": decided,
        "undecided": total - decided,
        "going_in": imports.work_left(of),
    }
    return show(
        request,
        "imports/duplicates.html",
        of,
        4,
        context | (_side_by_side(of, chosen, listed) if chosen else {}),
    )


def _url(of: Import, after: int, row: int = 0) -> str:
    query = ({"after": after} if after else {}) | ({"row": row} if row else {})
    address = reverse("import_duplicates", args=[of.pk])
    return f"{address}?{urlencode(query)}" if query else address


def _chosen(listed: list[ImportRow], wanted: str) -> ImportRow | None:
    if wanted.isdecimal() and len(wanted) < 10:
        named = next((row for row in listed if row.number == int(wanted)), None)
        if named:
            return named
    return next((row for row in listed if not row.decision), listed[0] if listed else None)


def _name(row: ImportRow) -> str:
    return row.values.get(Target.NAME) or f"Row {row.number}"


def _side_by_side(of: Import, row: ImportRow, listed: list[ImportRow]) -> dict[str, Any]:
    there, title = _other(of, row)
    here = dict(row.values)
    if row.contested_number:  # it is left out of the values until somebody settles it
        for cell in lines(of, [row])[0].cells:
            if cell.text == row.contested_number:
                here[cell.target] = row.contested_number
    numbers = [one.number for one in listed[:LISTED]]
    at = numbers.index(row.number)
    return {
        "pairs": _pairs(there, here, row.picks, fills_only=row.match_id is None),
        "other_title": title,
        "can_merge": bool(there),
        "position": at + 1,
        "previous": numbers[at - 1] if at else None,
        "next": numbers[at + 1] if at + 1 < len(numbers) else None,
    }


def _other(of: Import, row: ImportRow) -> tuple[Mapping[str, Any], str]:
    """What the row resembles: a driver who is there, or an earlier row of the list."""
    if row.match_id:
        known = queries.known_driver(row.match_id)
        return (known.values if known else {}), "Already in Driver CRM"
    earlier = ImportRow.objects.filter(of=of, number=row.earlier_row).first() if row.earlier_row else None
    return (earlier.values if earlier else {}), f"Row {row.earlier_row} in the list"


def _pairs(
    there: Mapping[str, Any], here: Mapping[str, Any], picks: Mapping[str, str], *, fills_only: bool
) -> list[Pair]:
    pairs = []
    for target in FIELDS:
        one, other = str(there.get(target) or ""), str(here.get(target) or "")
        if not one and not other:
            continue
        kind = "pick"
        if one.casefold() == other.casefold():
            kind = "same"
        elif not other:
            kind = "kept"
        elif target in BY_RULE:
            kind = "rule"
        elif not one:
            kind = "filled"
        # two rows are one person's: the first is kept and only filled; a driver gets the list's newer values
        usual = "kept" if fills_only or target in {Target.NAME, Target.GIVEN_NAME} else "file"
        pairs.append(
            Pair(
                target.value,
                LABELS[target],
                one,
                other,
                kind,
                picks.get(target.value, usual),
                is_number=target in NUMBERS,
            )
        )
    return pairs


@require_POST
@needs(Can.IMPORT)
def import_duplicate(request: PageRequest, pk: UUID, number: int) -> HttpResponse:
    """Settles one row and goes on to the next."""
    of = found(pk)
    decision = request.POST.get("decision", "")
    picks = picks_of(request.POST) if decision == Decision.SAME else {}
    imports.settle(of, number, decision, by=request.access.actor, picks=picks)
    after = int(text) if (text := request.POST.get("after", "")).isdecimal() and len(text) < 10 else 0
    following = request.POST.get("next", "")
    is_known = decision and following.isdecimal() and len(following) < 10
    return _seen(_url(of, after, int(following) if is_known else number))


@require_POST
@needs(Can.IMPORT)
def import_duplicates_rest(request: PageRequest, pk: UUID) -> HttpResponse:
    """One decision for every row that nobody has settled."""
    of = found(pk)
    count = imports.settle_the_rest(of, request.POST.get("decision", ""), by=request.access.actor)
    toasts.toast(request, f"{count} rows settled.")
    return _seen(reverse("import_run", args=[of.pk]) if count else _url(of, 0))


def _seen(url: str) -> HttpResponse:
    response = redirect(url)
    response.status_code = 303
    return response
