"""What people settle before a list goes in: cells, doubtful rows, and what the opt-in rests on."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Lower

from drivercrm.core.actors import Actor
from drivercrm.core.bulk import listed
from drivercrm.core.errors import Refused
from drivercrm.imports.columns import scrubbed
from drivercrm.imports.enums import Decision, Heap, ImportState, RowVerdict
from drivercrm.imports.headings import Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.queries import neighbours
from drivercrm.imports.repair import Candidate, Repairer
from drivercrm.imports.verdicts import ABOUT_TWO, Keys, keys_of
from drivercrm.imports.workflow.basis import Basis
from drivercrm.imports.workflow.judging import Judging, basis_of, row_of
from drivercrm.imports.workflow.staging import keep_verdicts, locked_import, recheck, rows_by_number
from drivercrm.imports.workflow.states import check_in

LONGEST_CELL = 2000


def fix_cell(of: Import, number: int, fixes: Mapping[int, str], *, by: Actor) -> ImportRow:
    """Corrects cells of one row and judges it again, with the rows that share an address with it.

    Refuses a column that does not exist or was emptied; identity numbers in what is typed are taken out.
    """
    with transaction.atomic():
        held = _open(of)
        row = _row(held, number)
        before = row_of(row)
        for index, text in fixes.items():
            if not 0 <= index < len(held.headings) or held.columns[index]["is_identity"]:
                raise Refused("unknown_column", "This column cannot be corrected here.", field=str(index))
            if len(text) > LONGEST_CELL:
                raise Refused("too_long", f"Keep a cell under {LONGEST_CELL} letters.", field=str(index))
            clean = scrubbed(text.replace("\0", ""), Target(held.columns[index]["target"]))
            row.fixes[str(index)] = " ".join(clean.split())
        row.save(update_fields=["fixes"])
        _judge_again(held, [before, row_of(row)])
    row.refresh_from_db()
    return row


def settle(
    of: Import, number: int, decision: str, *, by: Actor, picks: Mapping[str, str] | None = None
) -> ImportRow:
    """Says what a row is: left out, another person, the same person with the picked fields, or nothing again."""
    with transaction.atomic():
        held = _open(of)
        row = _row(held, number)
        _check_decision(row, decision, picks or {})
        row.decision, row.picks = decision, dict(picks or {})
        row.save(update_fields=["decision", "picks"])
        _judge_again(held, [row_of(row)])
    row.refresh_from_db()
    return row


def settle_the_rest(of: Import, decision: str, *, by: Actor) -> int:
    """One decision for every doubtful row that nobody has settled yet; returns how many."""
    with transaction.atomic():
        held = _open(of)
        waiting = ImportRow.objects.filter(of=held, heap=Heap.DUPLICATE, decision="")
        if decision not in {Decision.LEAVE_OUT, Decision.SAME, Decision.ANOTHER}:
            raise Refused("unknown_decision", "Choose what to do with these rows.", field="decision")
        if decision == Decision.SAME:
            waiting = waiting.filter(Q(match_id__isnull=False) | Q(earlier_row__isnull=False))
        count = waiting.update(decision=decision)
    if count:
        recheck(of, by=by)
    return count


def set_basis(of: Import, basis: Basis, *, by: Actor) -> Import:
    """States what the opt-in of this list rests on, or that it has none; the rows are judged again if it differs."""
    with transaction.atomic():
        held = _open(of)
        if basis == basis_of(held):
            return held
        had = bool(held.channels) or bool(basis.channels)
        held.basis, held.evidence = basis.wording, basis.evidence
        held.channels, held.purposes = list(basis.channels), list(basis.purposes)
        held.save(update_fields=["basis", "evidence", "channels", "purposes"])
        known = had and ImportRow.objects.filter(of=held, match_id__isnull=False).exists()
    # consent changes a verdict only where a driver is there already
    return recheck(held, by=by) if known else held


def _open(of: Import) -> Import:
    held = locked_import(of)
    check_in(held, ImportState.CHECKED)
    return held


def _row(of: Import, number: int) -> ImportRow:
    row = ImportRow.objects.select_for_update().filter(of=of, number=number).first()
    if row is None:
        raise Refused("no_such_row", f"This list has no row {number}.")
    return row


def _check_decision(row: ImportRow, decision: str, picks: Mapping[str, str]) -> None:
    if decision not in Decision.values:
        raise Refused("unknown_decision", "Choose what to do with this row.", field="decision")
    if decision in {Decision.ANOTHER, Decision.SAME} and row.code not in ABOUT_TWO:
        raise Refused("not_in_doubt", "This row resembles no other. Correct its cells or leave it out.")
    if decision == Decision.SAME and not (row.match_id or row.earlier_row):
        raise Refused("no_match", "There is nobody to merge this row with.")
    for name, choice in picks.items():
        if name not in {target.value for target in Target} or choice not in {"file", "kept"}:
            raise Refused("unknown_pick", "Choose the file's value or the present one.", field=name)


def _judge_again(of: Import, rows: Sequence[Any]) -> None:
    """Judges these rows and every row that shares an address, an id or a driver with them, in their order."""
    repairer = Repairer(of.column_map)
    family = _family(of, [repairer.row(row) for row in rows], {row.number for row in rows})
    staged = rows_by_number(of, family)
    judging = Judging(of.column_map, basis_of(of))
    before = [row.verdict for row in staged]
    judged = judging.again(staged)
    keep_verdicts(staged, judged, always=True)
    for old, one in zip(before, judged, strict=True):
        new = one.judgement.verdict.value
        of.verdicts[old] = of.verdicts.get(old, 0) - 1
        of.verdicts[new] = of.verdicts.get(new, 0) + 1
    of.verdicts = {verdict: count for verdict, count in of.verdicts.items() if count > 0}
    of.save(update_fields=["verdicts"])


def _family(of: Import, candidates: Sequence[Candidate], numbers: set[int]) -> set[int]:
    """The numbers of all rows that are linked to these by a number, a mail, an id or a driver in common."""
    repairer = Repairer(of.column_map)
    searched: tuple[Any, ...] = ()
    while True:
        keys = keys_of(candidates)
        drivers = {*neighbours(keys).drivers}
        if (sought := (keys, drivers)) == searched:
            return numbers
        searched = sought
        found = _linked(of, keys, drivers)
        fresh = [row for row in found if row.number not in numbers]
        candidates = [*candidates, *(repairer.row(row_of(row)) for row in fresh)]
        numbers |= {row.number for row in fresh}


def _linked(of: Import, keys: Keys, drivers: set[UUID]) -> QuerySet[ImportRow]:
    """The rows that hold one of these keys; one list of values for each field, however many there are."""
    rows = ImportRow.objects.filter(of=of).exclude(verdict=RowVerdict.BLANK)
    linked = Q(contested_number__in=listed(keys.numbers))
    if drivers:  # an empty list has no type that a key could be compared with
        linked |= Q(match_id__in=listed(drivers))
    for name, values in (
        (Target.PHONE, keys.numbers),
        (Target.WHATSAPP, keys.numbers),
        (Target.TIMO_ID, keys.timo_ids),
        (Target.PATHPULSE_ID, keys.pathpulse_ids),
        (Target.EMAIL, keys.mails),
        (Target.TELEGRAM, keys.telegrams),
    ):
        if values:
            text = KT(f"values__{name}")
            is_caseless = name in {Target.EMAIL, Target.TELEGRAM}
            rows = rows.alias(**{f"held_{name}": Lower(text) if is_caseless else text})
            linked |= Q(**{f"held_{name}__in": listed(values)})
    return rows.filter(linked)
