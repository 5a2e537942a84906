"""Which column of a list holds what: by its heading, else by what stands in it (spec §10)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drivercrm.core.addresses import read_mail
from drivercrm.core.errors import Refused
from drivercrm.core.phone import read_phone
from drivercrm.imports.headings import (
    LABELS,
    REACHES,
    Confidence,
    Target,
    heading_key,
    is_surname_first,
    target_of,
)
from drivercrm.imports.identity_numbers import (
    id_without_identity,
    is_mostly_identity,
    number_without_identity,
    without_any_identity,
    without_identity_numbers,
)

if TYPE_CHECKING:
    from drivercrm.imports.reading import Sheet

SAMPLES = 3
_MANY = 0.5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one column seems to be, how sure that is and why; samples of identity numbers are never shown."""

    index: int
    heading: str
    target: Target
    confidence: Confidence
    reason: str
    surname_first: bool = False
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The columns as somebody has confirmed them: a target per column, and what the list's own words mean."""

    targets: tuple[Target, ...]
    surname_first: bool = False
    status_values: Mapping[str, str | None] = field(default_factory=dict)

    def index_of(self, target: Target) -> int | None:
        """The position of the column read as `target`, or None."""
        return self.targets.index(target) if target in self.targets else None

    @property
    def fields(self) -> frozenset[Target]:
        return frozenset(self.targets) - {Target.IGNORE}


def suggest(headings: Sequence[str], columns: Sequence[Sequence[str]]) -> list[Suggestion]:
    """A suggestion for every column, from its heading, else from `columns`, the first values of each (spec §10)."""
    found = [
        _suggestion(index, heading, columns[index] if index < len(columns) else ())
        for index, heading in enumerate(headings)
    ]
    found = _split_names(found)
    return _once_each(found, columns)


def _suggestion(index: int, heading: str, values: Sequence[str]) -> Suggestion:
    heading = without_identity_numbers(heading)
    named = target_of(heading)
    target, confidence = named or (Target.IGNORE, Confidence.NONE)
    reason = f"The heading “{heading.strip()}” says so" if named else "Nothing recognised"
    if target is Target.IDENTITY:
        reason = "Identity numbers are left out and never stored"
    elif target is not Target.PHONE and target is not Target.WHATSAPP and is_mostly_identity(values):
        target, confidence = Target.IDENTITY, Confidence.CERTAIN
        reason = "The values are identity numbers: left out and never stored"
    elif named is None:
        target, confidence, reason = _from_values(values)
    if target is Target.OPT_IN:
        reason = "Consent comes from the basis you state, so this column is left out"
        target = Target.IGNORE
    if target in _NUMBERS:
        values = [number_without_identity(value) for value in values]
    samples = () if target is Target.IDENTITY else _samples(values)
    return Suggestion(index, heading, target, confidence, reason, is_surname_first(heading), samples)


def _samples(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(without_identity_numbers(value) for value in values if value.strip())[:SAMPLES]


def _from_values(values: Sequence[str]) -> tuple[Target, Confidence, str]:
    filled = [value for value in values if value.strip()]
    if filled:
        if sum(1 for value in filled if read_mail(value).address) > _MANY * len(filled):
            return Target.EMAIL, Confidence.LIKELY, "The values look like mail addresses"
        if sum(1 for value in filled if read_phone(value).e164) > _MANY * len(filled):
            return Target.PHONE, Confidence.LIKELY, "The values look like phone numbers"
    return Target.IGNORE, Confidence.NONE, "Nothing recognised"


def _split_names(found: list[Suggestion]) -> list[Suggestion]:
    """Beside a surname column, a column called “Name” holds first names."""
    targets = [suggestion.target for suggestion in found]
    if Target.SURNAME not in targets or Target.GIVEN_NAME in targets:
        return found
    return [
        _changed(s, Target.GIVEN_NAME, s.confidence, f"“{s.heading.strip()}” stands beside a surname column")
        if s.target is Target.NAME and not s.surname_first
        else s
        for s in found
    ]


def _once_each(found: list[Suggestion], columns: Sequence[Sequence[str]]) -> list[Suggestion]:
    """The best column of each target keeps it: the surer, then the fuller, then the first.

    A second column of phone numbers is read where the first is empty.
    """
    best: dict[Target, Suggestion] = {}
    rank = {Confidence.CERTAIN: 2, Confidence.LIKELY: 1, Confidence.NONE: 0}

    def merit(suggestion: Suggestion) -> tuple[int, int, int]:
        values = columns[suggestion.index] if suggestion.index < len(columns) else ()
        filled = sum(1 for value in values if value.strip())
        return min(filled, 1), rank[suggestion.confidence], filled

    for suggestion in found:
        held = best.get(suggestion.target)
        if held is None or merit(suggestion) > merit(held):
            best[suggestion.target] = suggestion
    second = max(
        (s for s in found if s.target is Target.PHONE and best[s.target] is not s and merit(s)[0]),
        key=merit,
        default=None,
    )

    def once(suggestion: Suggestion) -> Suggestion:
        held = best[suggestion.target]
        if held is suggestion or suggestion.target in {Target.IGNORE, Target.IDENTITY}:
            return suggestion
        heading = held.heading.strip()
        if suggestion is second:
            why = f"Used where {f'“{heading}”' if heading else 'the first column of numbers'} is empty"
            return _changed(suggestion, Target.SECOND_PHONE, suggestion.confidence, why)
        why = f"“{heading or 'Another column'}” already gives this"
        return _changed(suggestion, Target.IGNORE, Confidence.NONE, why)

    return [once(suggestion) for suggestion in found]


def _changed(suggestion: Suggestion, target: Target, confidence: Confidence, reason: str) -> Suggestion:
    return Suggestion(
        suggestion.index,
        suggestion.heading,
        target,
        confidence,
        reason,
        suggestion.surname_first,
        suggestion.samples,
    )


def as_map(
    suggestions: Sequence[Suggestion], status_values: Mapping[str, str | None] | None = None
) -> ColumnMap:
    """The suggestions taken as they are."""
    surname_first = any(s.surname_first and s.target is Target.NAME for s in suggestions)
    return ColumnMap(tuple(s.target for s in suggestions), surname_first, status_values or {})


def check(columns: ColumnMap) -> None:
    """Refuse a map that cannot give a name and a way to reach the driver, or that uses a target twice (spec §10)."""
    for target in columns.fields - {Target.IDENTITY}:
        if columns.targets.count(target) > 1:
            raise Refused(
                "column_twice", f"Two columns are read as {LABELS[target].lower()}. Choose one.", field=target
            )
    if not columns.fields & {Target.NAME, Target.GIVEN_NAME, Target.SURNAME}:
        raise Refused("no_name_column", "No column is read as the name. Choose one.", field=Target.NAME)
    if not columns.fields & REACHES:
        raise Refused(
            "no_address_column",
            "No column is read as a phone number or a mail address. Choose one.",
            field="phone",
        )


_STATUS_WORDS: dict[str, str] = {
    "not_contacted": "not contacted|not yet contacted|new|uncontacted|pending|to contact|to call|lead",
    "contacted": "contacted|called|reached|welcomed|messaged",
    "invited": "invited|invitation sent|invite sent",
    "onboarding_started": "onboarding started|started|in progress|onboarding|onboarding in progress|busy",
    "onboarding_completed": "onboarding completed|onboarding complete|completed|complete|onboarded|done|ready",
    "active": "active|driving|live",
    "inactive": "inactive|not active|dormant|stopped",
    "opted_out": "opted out|opt out|unsubscribed|declined|not interested|stop|do not contact",
}
_STATUS_OF = {word: status for status, words in _STATUS_WORDS.items() for word in words.split("|")}


def status_of(value: str) -> str | None:
    """The seed's status a word of a list means, or None when only a person can say."""
    return _STATUS_OF.get(heading_key(value))


_NUMBERS = {Target.PHONE, Target.SECOND_PHONE, Target.WHATSAPP}
_SCRUBS: dict[Target, Callable[[str], str]] = {
    Target.PHONE: number_without_identity,
    Target.SECOND_PHONE: number_without_identity,
    Target.WHATSAPP: number_without_identity,
    Target.TIMO_ID: id_without_identity,
    Target.PATHPULSE_ID: id_without_identity,
    Target.IGNORE: without_any_identity,
}


def scrubbed(text: str, target: Target) -> str:
    """What a person has typed into a cell of this column, without identity numbers."""
    return _SCRUBS.get(target, without_identity_numbers)(text)


def drop_identity(sheet: "Sheet", keep: Iterable[int] = ()) -> "Sheet":
    """The sheet without identity numbers, in their own columns, in headings, on tabs or anywhere else (spec §4, §10).

    Columns recognised by heading or by content read as empty from here on, and numbers written into other
    cells are taken out. `keep` names columns that somebody has mapped on purpose: they stay, but an identity
    number in them is only marked.
    """
    kept = frozenset(keep)
    suggestions = suggest(sheet.headings, sheet.sample_columns())
    dropped = {s.index for s in suggestions if s.target is Target.IDENTITY} - kept
    scrubs = {s.index: _SCRUBS[s.target] for s in suggestions if s.target in _SCRUBS}
    scrubs |= dict.fromkeys(
        kept - {s.index for s in suggestions if s.target in _NUMBERS}, id_without_identity
    )
    clean = sheet.without(dropped, scrub=without_identity_numbers, by_column=scrubs)
    return replace(
        clean,
        headings=tuple(map(without_identity_numbers, sheet.headings)),
        name=sheet.name and without_identity_numbers(sheet.name),
        other_sheets=tuple(map(without_identity_numbers, sheet.other_sheets)),
    )
