"""Judging the rows of a list in their order, with what people said about some of them (spec §10).

The same for a dry run, for rows as they are staged, for a second look and for the run itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from drivercrm.consent import queries as consents
from drivercrm.consent.enums import ConsentChannel, ConsentState, Purpose
from drivercrm.core import clock
from drivercrm.core.bulk import read_rows
from drivercrm.core.names import LIST_NUMBER, names_agree
from drivercrm.core.phone import COUNTRY_CODE, LETTER_O, LOST_ZERO, TRUNK_ZERO
from drivercrm.imports import queries
from drivercrm.imports.columns import ColumnMap
from drivercrm.imports.enums import Decision, Heap
from drivercrm.imports.headings import Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.queries import Neighbours
from drivercrm.imports.reading import Row
from drivercrm.imports.repair import Candidate, Repairer
from drivercrm.imports.verdicts import (
    ABOUT_TWO,
    GOES_IN,
    NEW,
    OPTED_OUT,
    Judge,
    Judgement,
    Known,
    Verdict,
    changes_to,
    keys_of,
)
from drivercrm.imports.workflow.basis import NOTHING, Basis

if TYPE_CHECKING:
    from django.db.models import QuerySet

CHUNK = 2000
BOUND = "This address asked not to be contacted, and stays so"
# Repairs lose nothing, so they need nobody's eye; every other note does.
REPAIRS = frozenset({LETTER_O, LOST_ZERO, COUNTRY_CODE, TRUNK_ZERO, LIST_NUMBER})


@dataclass(frozen=True, slots=True)
class Said:
    """What a person decided about a row, and the values they picked for a merge: field → "file" or "kept".

    `saw` is the driver and the earlier row that stood beside it: the decision is about these two and nobody else.
    """

    decision: str = Decision.NONE
    picks: Mapping[str, str] | None = None
    saw: tuple[UUID | None, int | None] = (None, None)

    def is_about(self, judgement: Judgement) -> bool:
        """Whether the row still resembles whom it resembled when a person decided."""
        about_two = {Decision.SAME, Decision.ANOTHER}
        return self.decision not in about_two or self.saw == (judgement.driver, judgement.earlier_row)


SAID_NOTHING = Said()


@dataclass(slots=True)
class Judged:
    """A row with its verdict; `consents` are the (channel, purpose) pairs that the basis still gives."""

    candidate: Candidate
    judgement: Judgement
    said: Said
    heap: str
    is_bound: bool = False
    consents: tuple[tuple[str, str], ...] = ()

    @property
    def number(self) -> int:
        """The row as the spreadsheet counts it."""
        return self.candidate.row

    @property
    def is_merge(self) -> bool:
        """A person said: the same person as the driver or the row that it resembles."""
        return self.said.decision == Decision.SAME and self.judgement.code in ABOUT_TWO

    @property
    def is_another(self) -> bool:
        """A person said: another person, in spite of the address in common."""
        return self.said.decision == Decision.ANOTHER and self.judgement.code in ABOUT_TWO

    @property
    def goes_in(self) -> bool:
        if self.said.decision == Decision.LEAVE_OUT:
            return False
        return self.judgement.verdict in GOES_IN or self.is_merge or self.is_another


class Staged(NamedTuple):
    """What judging needs of a staged row. Lists are long: JSON stays text until it is asked for."""

    pk: int
    number: int
    cells: str
    fixes: str
    is_blank: bool
    decision: str
    picks: str
    verdict: str
    code: str
    match_id: UUID | None
    earlier_row: int | None
    values: str
    notes: str


def read_staged(rows: "QuerySet[ImportRow]") -> list[Staged]:
    """The rows of a query as judging needs them."""
    return [Staged(*row) for row in read_rows(rows, Staged._fields)]


def row_of(row: Staged | ImportRow) -> Row:
    """A staged row as the file's reader gives rows, with the corrected cells."""
    if isinstance(row, Staged):
        cells, fixes = from_json(row.cells), {} if row.fixes == "{}" else from_json(row.fixes)
    else:
        cells, fixes = list(row.cells), row.fixes
    for index, text in fixes.items():
        place = int(index)
        cells += [""] * (place + 1 - len(cells))
        cells[place] = text
    return Row(row.number, tuple(cells), row.is_blank and not any(cells))


def said_of(row: Staged) -> Said:
    """What a person has decided about a staged row."""
    if not row.decision:
        return SAID_NOTHING
    return Said(row.decision, from_json(row.picks), (row.match_id, row.earlier_row))


class Judging:
    """Judges one list, chunk by chunk in order, and remembers what has gone in."""

    def __init__(self, columns: ColumnMap, basis: Basis = NOTHING) -> None:
        self._repairer = Repairer(columns, clock.today())
        self._judge = Judge()
        self._covers = basis.covers

    def chunk(self, rows: Sequence[Row]) -> list[Judged]:
        """The next rows of the list, judged against the drivers there are at this moment."""
        return self._judged([self._repairer.row(row) for row in rows], {}, {})

    def again(self, staged: Sequence[Staged]) -> list[Judged]:
        """The next rows of a staged list, read from their cells, with what people said about them."""
        return self._judged([self._read(row) for row in staged], _said(staged), {})

    def read_again(self, staged: Sequence[Staged]) -> list[Candidate]:
        """What rows were read as when they were checked."""
        return [self._read_before(row) for row in staged]

    def going_in(
        self, staged: Sequence[Staged], candidates: Sequence[Candidate], was: Mapping[int, UUID]
    ) -> list[Judged]:
        """The next rows of a running list; `was` are the drivers that rows were about: they go in for no others."""
        return self._judged(candidates, _said(staged), was, for_update=True)

    def _read(self, row: Staged) -> Candidate:
        return self._repairer.row(row_of(row))

    def _read_before(self, row: Staged) -> Candidate:
        """What was shown as a new driver's row goes in as it was shown; any other is read from its cells."""
        if row.code != NEW or row.decision:
            return self._read(row)
        notes = [] if row.notes == "[]" else [note for note in from_json(row.notes) if note != BOUND]
        return self._repairer.read_before(row.number, from_json(row.values), notes, lambda: row_of(row).cells)

    def _judged(
        self,
        candidates: Sequence[Candidate],
        said: Mapping[int, Said],
        was: Mapping[int, UUID],
        *,
        for_update: bool = False,
    ) -> list[Judged]:
        around = queries.neighbours(keys_of(candidates), for_update=for_update)
        bound = queries.bound_addresses(candidates)
        judged = [
            self._one(one, around, bound, said.get(one.row, SAID_NOTHING), was.get(one.row))
            for one in candidates
        ]
        return self._with_consent(judged, around) if self._covers else judged

    def replay(self, staged: Iterable[Staged]) -> None:
        """Rows that went in before: later ones are judged against them."""
        for row in staged:
            self._judge.remember(self._read_before(row), row.match_id)

    def _one(
        self,
        candidate: Candidate,
        around: Neighbours,
        bound: set[tuple[str, str]],
        said: Said,
        was: UUID | None,
    ) -> Judged:
        is_out = said.decision == Decision.LEAVE_OUT
        judgement = self._judge.judge(candidate, around.around(candidate), remember=not is_out, was=was)
        if not said.is_about(judgement):
            said = SAID_NOTHING
        # a contested number is in the row's own values only, and may be the one that said stop
        creates = judgement.verdict == Verdict.CREATE or (
            said.decision == Decision.ANOTHER and judgement.code in ABOUT_TWO
        )
        is_bound = bool(bound and creates and bound.intersection(queries.addresses_of(candidate.values)))
        if is_bound:
            judgement = replace(judgement, notes=(*judgement.notes, BOUND))
        judged = Judged(candidate, judgement, said, _heap(judgement, said), is_bound)
        if judged.is_merge or judged.is_another:
            self._judge.remember(candidate, judgement.driver if judged.is_merge else None)
            judged.heap = Heap.READY
        return judged

    def _with_consent(self, judged: list[Judged], around: Neighbours) -> list[Judged]:
        """The basis covers every driver on the list who has never said no, those who were there before too.

        Nor does it cover whoever has, or is given, an address whose holder said no: such a grant writes nothing.
        """
        known = [one.judgement.driver for one in judged if isinstance(one.judgement.driver, UUID)]
        if known:
            _mark_bound(judged, around)
        states = consents.states(known) if known else {}
        for one in judged:
            self._cover(one, states)
        return judged

    def _cover(self, judged: Judged, states: Mapping[UUID, consents.State]) -> None:
        judgement = judged.judgement
        driver = judgement.driver
        if judged.is_bound or not judged.goes_in or judged.candidate.values.get(Target.STATUS) == OPTED_OUT:
            return
        if not isinstance(driver, UUID) or judged.is_another:
            judged.consents = self._covers
            return
        state = states.get(driver, {})
        if ConsentState.WITHDRAWN in state.values():
            return
        judged.consents = missing = tuple(
            pair for pair in self._covers if state.get(pair) != ConsentState.GRANTED
        )
        if not missing or judgement.verdict not in GOES_IN:
            return
        reason = f"Grants consent for {_said_pairs(missing)}"
        if judgement.verdict == Verdict.UPDATE:
            reason = f"{judgement.reason}, and g{reason[1:]}"
        judged.judgement = replace(judgement, verdict=Verdict.UPDATE, code="consent", reason=reason)


def _said(staged: Sequence[Staged]) -> dict[int, Said]:
    return {row.number: said_of(row) for row in staged if row.decision}


def _mark_bound(judged: Sequence[Judged], around: Neighbours) -> None:
    """Marks the rows about an existing driver who will have a suppressed address."""
    addresses = []
    for one in judged:
        known = around.drivers.get(one.judgement.driver) if isinstance(one.judgement.driver, UUID) else None
        values = {name: value for name, value in known.values.items() if value} if known else {}
        changed = {name: after for name, (_, after) in one.judgement.changes.items()}
        addresses.append(set(queries.addresses_of({**values, **changed})) if known else set())
    bound = queries.bound_among(set().union(*addresses))
    for one, own in zip(judged, addresses, strict=True):
        one.is_bound = one.is_bound or not bound.isdisjoint(own)


def _said_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(
        f"{Purpose(purpose).label.lower()} on {ConsentChannel(channel).label}" for channel, purpose in pairs
    )


def _heap(judgement: Judgement, said: Said) -> str:
    if judgement.verdict == Verdict.BLANK:
        return Heap.BLANK
    if said.decision == Decision.LEAVE_OUT:
        return Heap.OUT
    if judgement.code in ABOUT_TWO:
        return Heap.DUPLICATE
    if judgement.verdict == Verdict.REVIEW:
        return Heap.ERROR
    if judgement.verdict != Verdict.UNCHANGED and any(note not in REPAIRS for note in judgement.notes):
        return Heap.WARNING
    return Heap.READY


def merged_values(judged: Judged, known: Known, *, fill_only: bool = False) -> dict[str, str]:
    """What a merge writes: the picked fields; without a pick, what an update would, or only empty fields.

    The name stays unless it is picked.
    """
    picks = judged.said.picks or {}
    usual = changes_to(known, judged.candidate)
    values: dict[str, str] = {}
    for name, value in judged.candidate.values.items():
        if name in {Target.STATUS, Target.FIRST_CONTACT}:
            chosen = name in usual
        elif name in picks:
            chosen = picks[name] == "file"
        elif value == judged.judgement.contested_number and known.values.get(name):
            chosen = False  # it is, or was, somebody's: only a pick takes it over
        elif name in {Target.NAME, Target.GIVEN_NAME} and picks.get(Target.NAME) != "file":
            # nobody is renamed, or greeted by another's name, unless a person picks the name
            is_theirs = not known.name or names_agree(judged.candidate.name, known.name)
            chosen = not known.values.get(name) and is_theirs
        else:
            chosen = name in usual and (not fill_only or not known.values.get(name))
        if chosen and (known.values.get(name) or "") != value:
            values[name] = value
    return values


def basis_of(of: Import) -> Basis:
    """What an import says the opt-in rests on."""
    return Basis(of.basis, of.evidence, tuple(of.channels), tuple(of.purposes))


# How a verdict is kept beside its row, in this order.
VERDICT_COLUMNS = (
    *("verdict", "code", "reason", "notes", "values", "changes", "heap"),
    *("match_id", "earlier_row", "contested_number"),
)


def verdict_values(judged: Judged) -> tuple[Any, ...]:
    """The columns of VERDICT_COLUMNS for one judged row."""
    judgement = judged.judgement
    return (
        judgement.verdict.value,
        judgement.code,
        judgement.reason[:500],
        list(judgement.notes),
        {str(name): value for name, value in judgement.values.items()},
        {str(name): list(pair) for name, pair in judgement.changes.items()},
        str(judged.heap),
        judgement.driver,
        judgement.earlier_row,
        judgement.contested_number or "",
    )
