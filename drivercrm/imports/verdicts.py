"""What becomes of every row of a list, and why (spec §10). No database: existing drivers are handed in.

Rows must be judged in the order of the list, because an earlier row decides about a later one. Existing
drivers may be looked up in chunks: `keys_of` says which, `Existing` carries what was found.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, NamedTuple

from drivercrm.core.addresses import mail_key
from drivercrm.core.names import name_key, names_agree
from drivercrm.imports.headings import LABELS, Target
from drivercrm.imports.repair import Candidate

RANK = {
    "not_contacted": 0,
    "contacted": 1,
    "invited": 2,
    "onboarding_started": 3,
    "onboarding_completed": 4,
    "active": 5,
    "inactive": 5,
}
OPTED_OUT = "opted_out"
NEW = "new"  # the code of a row that nothing speaks against
_CASELESS = {Target.EMAIL, Target.TELEGRAM, Target.AREA, Target.LANGUAGE}
_ALIKE = 0.8


class Verdict(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    REVIEW = "review"
    BLANK = "blank"


GOES_IN = frozenset({Verdict.CREATE, Verdict.UPDATE, Verdict.UNCHANGED})
# Reasons that are about two people or two rows: a person can say whether they are one.
ABOUT_TWO = frozenset(
    {
        "duplicate",
        "shared_number",
        "shared_mail",
        "shared_id",
        "shared_driver",
        "two_drivers",
        "mail_held",
        "id_held",
        "two_ids",
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """An existing driver: its values by the seed's column names, and the fields that a person has edited."""

    id: Hashable
    values: Mapping[str, str | None]
    edited: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.values.get(Target.NAME) or ""


@dataclass(frozen=True, slots=True)
class Existing:
    """Existing drivers by what identifies them; numbers are E.164, phone and WhatsApp alike, mails by `mail_key`."""

    by_timo_id: Mapping[str, Known] = field(default_factory=dict)
    by_number: Mapping[str, Known] = field(default_factory=dict)
    by_mail: Mapping[str, Known] = field(default_factory=dict)
    by_pathpulse_id: Mapping[str, Known] = field(default_factory=dict)
    by_telegram: Mapping[str, Known] = field(default_factory=dict)
    # addresses that were theirs and that nobody holds now: a list may not know of the change
    by_left_number: Mapping[str, Known] = field(default_factory=dict)
    by_left_mail: Mapping[str, Known] = field(default_factory=dict)


class Keys(NamedTuple):
    """What to look up before some rows can be judged."""

    timo_ids: set[str]
    numbers: set[str]
    mails: set[str]
    pathpulse_ids: set[str]
    telegrams: set[str]


def keys_of(candidates: Iterable[Candidate]) -> Keys:
    """Everything in these rows that may belong to an existing driver."""
    keys = Keys(set(), set(), set(), set(), set())
    for candidate in candidates:
        values = candidate.values
        keys.numbers.update(candidate.numbers)
        if Target.EMAIL in values:
            keys.mails.add(mail_key(values[Target.EMAIL]))
        if Target.TIMO_ID in values:
            keys.timo_ids.add(values[Target.TIMO_ID])
        if Target.PATHPULSE_ID in values:
            keys.pathpulse_ids.add(values[Target.PATHPULSE_ID])
        if Target.TELEGRAM in values:
            keys.telegrams.add(values[Target.TELEGRAM].casefold())
    return keys


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one row: `code` for programs, `reason` and `notes` for people.

    `values` is what goes in. A contested number is only in `contested_number`, until a person settles it.
    `changes` holds (before, after) by field; a status of opted_out among them is a withdrawal of consent.
    """

    row: int
    verdict: Verdict
    code: str
    reason: str
    values: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    driver: Hashable | None = None
    earlier_row: int | None = None
    changes: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    contested_number: str | None = None

    def as_row(self) -> dict[str, Any]:
        """The row as the command line and the API print it (spec §9)."""
        return {
            "row": self.row,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "name": self.values.get(Target.NAME),
            "phone": self.values.get(Target.PHONE),
            "email": self.values.get(Target.EMAIL),
            "notes": list(self.notes),
        }


class _Seen(NamedTuple):
    """An earlier row that goes in."""

    row: int
    name: str
    mail: str | None
    timo_id: str | None
    has_number: bool


class _Conflict(NamedTuple):
    code: str
    reason: str
    verdict: Verdict = Verdict.REVIEW
    earlier_row: int | None = None
    contested_number: str | None = None
    driver: Hashable | None = None


class Judge:
    """Judges the rows of one list in order and remembers those that go in."""

    def __init__(self) -> None:
        self._numbers: dict[str, _Seen] = {}
        self._mails: dict[str, _Seen] = {}
        self._ids: dict[tuple[Target, str], _Seen] = {}
        self._drivers: dict[Hashable, _Seen] = {}
        # what drivers had before this list gave them something else: a later chunk no longer finds it
        self._left_numbers: dict[str, Known] = {}
        self._left_mails: dict[str, Known] = {}

    def judge(
        self, candidate: Candidate, existing: Existing, *, remember: bool = True, was: Hashable | None = None
    ) -> Judgement:
        """The verdict on the next row of the list; one that a person left out is not remembered.

        `was` is the driver that the row was about when people looked at it: nobody else takes that place.
        """
        if candidate.blank:
            return Judgement(candidate.row, Verdict.BLANK, "blank", "Nothing in this row")
        conflict = _unusable(candidate) or self._against_earlier_rows(candidate)
        if conflict:
            return _refused(candidate, conflict)
        existing = self._with_left(candidate, existing)
        known, conflict = _match(candidate, existing)
        if known and not conflict:
            conflict = self._against_same_driver(candidate, known)
        if not conflict and was is not None and (known is None or known.id != was):
            conflict = _Conflict("driver_gone", "The driver whom this row was about is no longer there")
        if conflict:
            return _refused(candidate, conflict)
        judgement = _changed(candidate, known, existing) if known else _created(candidate)
        if remember and judgement.verdict in GOES_IN:
            self.remember(candidate, known.id if known else None)
            if known:
                self._remember_left(known, judgement)
        return judgement

    def _remember_left(self, known: Known, judgement: Judgement) -> None:
        for name in (Target.PHONE, Target.WHATSAPP):
            if name in judgement.changes and (number := known.values.get(name)):
                self._left_numbers.setdefault(number, known)
        if Target.EMAIL in judgement.changes and (mail := known.values.get(Target.EMAIL)):
            self._left_mails.setdefault(mail_key(mail), known)

    def _with_left(self, candidate: Candidate, existing: Existing) -> Existing:
        """The existing drivers, also by what an earlier row has replaced: chunks must not change a verdict."""
        if not self._left_numbers and not self._left_mails:
            return existing
        numbers = _left_by(self._left_numbers, candidate.numbers, existing.by_number)
        mails = _left_by(self._left_mails, [mail_key(candidate.email or "")], existing.by_mail)
        if not numbers and not mails:
            return existing
        return replace(
            existing,
            # in its own chunk the address is still found where it was
            by_number={one: known for one, known in existing.by_number.items() if one not in numbers},
            by_mail={one: known for one, known in existing.by_mail.items() if one not in mails},
            by_left_number={**existing.by_left_number, **numbers},
            by_left_mail={**existing.by_left_mail, **mails},
        )

    def remember(self, candidate: Candidate, driver: Hashable | None = None) -> None:
        """This row goes in, for `driver` where there is one: later rows are judged against it.

        For rows that a person has settled, and for those that went in before a run was interrupted.
        """
        values = candidate.values
        mail = mail_key(values[Target.EMAIL]) if Target.EMAIL in values else None
        numbers = candidate.numbers
        seen = _Seen(candidate.row, candidate.name, mail, values.get(Target.TIMO_ID), bool(numbers))
        for number in numbers:
            self._numbers.setdefault(number, seen)
        if mail:
            self._mails.setdefault(mail, seen)
        for key in _id_keys(values):
            self._ids.setdefault(key, seen)
        if driver is not None:
            self._drivers[driver] = seen

    def _against_earlier_rows(self, candidate: Candidate) -> _Conflict | None:
        values = candidate.values
        mail = mail_key(values[Target.EMAIL]) if Target.EMAIL in values else None
        for number in candidate.numbers:
            if seen := self._numbers.get(number):
                return _shared(candidate, seen, mail, "number", number)
        for target, value in _id_keys(values):
            if seen := self._ids.get((target, value)):
                return _shared(candidate, seen, mail, LABELS[target], None)
        if mail and (seen := self._mails.get(mail)):
            if not candidate.numbers and names_agree(candidate.name, seen.name):
                return _duplicate(seen, "name and mail")
            return _Conflict(
                "shared_mail", f"Shared mail: row {seen.row} has the same mail", earlier_row=seen.row
            )
        return None

    def _against_same_driver(self, candidate: Candidate, known: Known) -> _Conflict | None:
        """Two rows of one list may reach the same driver by different ways."""
        seen = self._drivers.get(known.id)
        if seen is None:
            return None
        if names_agree(candidate.name, seen.name):
            return _duplicate(seen, "driver and name")
        return _Conflict(
            "shared_driver",
            f"Row {seen.row} already belongs to {known.name}",
            earlier_row=seen.row,
            driver=known.id,
        )


def _left_by(left: Mapping[str, Known], wanted: Iterable[str], held: Mapping[str, Known]) -> dict[str, Known]:
    """Of these addresses, those that a driver has left and nobody else holds."""
    return {one: left[one] for one in wanted if one in left and held.get(one, left[one]).id == left[one].id}


def _unusable(candidate: Candidate) -> _Conflict | None:
    """What a person must mend before the row can go in; an unusable number comes before all else (spec §10)."""
    if candidate.problem:
        return _Conflict("unusable", candidate.problem)
    if not candidate.name:
        return _Conflict("no_name", "No name")
    if not candidate.numbers and not candidate.email:
        return _Conflict("no_address", "No number and no usable mail")
    return None


def _id_keys(values: Mapping[str, str]) -> list[tuple[Target, str]]:
    keys = []
    for target in (Target.TIMO_ID, Target.PATHPULSE_ID, Target.TELEGRAM):
        if target in values:
            value = values[target]
            keys.append((target, value.casefold() if target is Target.TELEGRAM else value))
    return keys


def _shared(candidate: Candidate, seen: _Seen, mail: str | None, what: str, number: str | None) -> _Conflict:
    """The same number or id as an earlier row: one person if the name or the mail agrees, else for a person."""
    timo_id = candidate.values.get(Target.TIMO_ID)
    two_ids = timo_id and seen.timo_id and timo_id != seen.timo_id
    if not two_ids:
        if names_agree(candidate.name, seen.name):
            return _duplicate(seen, f"{what} and name")
        if mail and mail == seen.mail:
            return _duplicate(seen, f"{what} and mail")
    return _Conflict(
        "shared_number" if number else "shared_id",
        f"Shared {what}: row {seen.row} has the same one under another name",
        earlier_row=seen.row,
        contested_number=number,
    )


def _duplicate(seen: _Seen, what: str) -> _Conflict:
    return _Conflict("duplicate", f"Same {what} as row {seen.row}", Verdict.DUPLICATE, seen.row)


def _refused(candidate: Candidate, conflict: _Conflict) -> Judgement:
    values = candidate.values
    if conflict.contested_number:
        taken = conflict.contested_number
        values = {key: value for key, value in values.items() if value != taken}
    return Judgement(
        candidate.row,
        conflict.verdict,
        conflict.code,
        conflict.reason,
        values,
        tuple(candidate.notes),
        driver=conflict.driver,
        earlier_row=conflict.earlier_row,
        contested_number=conflict.contested_number,
    )


def _match(candidate: Candidate, existing: Existing) -> tuple[Known | None, _Conflict | None]:
    """The driver this row is about: by TimoRides id, then number, then (no number) mail (spec §10)."""
    values = candidate.values
    by_id = existing.by_timo_id.get(values.get(Target.TIMO_ID, ""))
    by_number = [
        (number, existing.by_number[number]) for number in candidate.numbers if number in existing.by_number
    ]
    by_mail = existing.by_mail.get(mail_key(values[Target.EMAIL])) if Target.EMAIL in values else None

    known = by_id or (by_number[0][1] if by_number else None)
    left_by = [] if known else _who_left(candidate, existing)
    if left_by:
        known = left_by[0][1]
    for number, holder in (*by_number, *left_by):
        if known and holder.id != known.id:
            reason = f"The row points at two drivers: {known.name} and {holder.name}"
            return None, _Conflict("two_drivers", reason, contested_number=number, driver=holder.id)
    if known is None and not candidate.numbers:
        known = by_mail or existing.by_left_mail.get(mail_key(candidate.email or ""))
    if by_mail and (known is None or by_mail.id != known.id):
        return None, _Conflict("mail_held", f"This mail belongs to {by_mail.name}", driver=by_mail.id)
    held = _held_id(values, existing, known)
    if held:
        return None, held
    if known and not by_id and _is_somebody_else(candidate, known, by_mail):
        shared = next((number for number, _ in (*by_number, *left_by)), None)
        what = "number" if shared else "mail"
        belongs = "belongs" if by_number or by_mail else "belonged"
        reason = f"Shared {what}: it {belongs} to {known.name}"
        return None, _Conflict(f"shared_{what}", reason, contested_number=shared, driver=known.id)
    return known, None


def _who_left(candidate: Candidate, existing: Existing) -> list[tuple[str, Known]]:
    """The drivers who had a number of this row before they got another."""
    left = existing.by_left_number
    return [(number, left[number]) for number in candidate.numbers if number in left]


def _held_id(values: Mapping[str, str], existing: Existing, known: Known | None) -> _Conflict | None:
    """An id of another driver is never taken over."""
    telegram = values.get(Target.TELEGRAM, "").casefold()
    for target, other in (
        (Target.PATHPULSE_ID, existing.by_pathpulse_id.get(values.get(Target.PATHPULSE_ID, ""))),
        (Target.TELEGRAM, existing.by_telegram.get(telegram)),
    ):
        if other and (known is None or other.id != known.id):
            return _Conflict("id_held", f"This {LABELS[target]} belongs to {other.name}", driver=other.id)
    theirs = known.values.get(Target.TIMO_ID) if known else None
    if known and theirs and values.get(Target.TIMO_ID, theirs) != theirs:
        return _Conflict("two_ids", f"{known.name} has another Timo driver ID", driver=known.id)
    return None


def _is_somebody_else(candidate: Candidate, known: Known, by_mail: Known | None) -> bool:
    """Families and fleet owners share phones, and the second list may bring the second of them.

    The same number alone would overwrite one driver with another, so a wholly different name needs a person,
    unless the mail agrees.
    """
    if not known.name or names_alike(candidate.name, known.name):
        return False
    agrees_by_mail = by_mail is not None and by_mail.id == known.id and bool(candidate.numbers)
    return not agrees_by_mail


def names_alike(one: str, other: str) -> bool:
    """Whether one name can be the other with a typing error, an initial or a name more."""
    if names_agree(one, other):
        return True
    fewer, more = sorted((name_key(one).split(), name_key(other).split()), key=len)
    return bool(fewer) and all(any(_words_alike(word, candidate) for candidate in more) for word in fewer)


def _words_alike(one: str, other: str) -> bool:
    if len(one) == 1 or len(other) == 1:
        return one[0] == other[0]
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() > _ALIKE


def _created(candidate: Candidate) -> Judgement:
    return Judgement(
        candidate.row, Verdict.CREATE, NEW, "New driver", candidate.values, tuple(candidate.notes)
    )


def _changed(candidate: Candidate, known: Known, existing: Existing) -> Judgement:
    changes = changes_to(known, candidate)
    for name in _left_fields(candidate, known, existing):
        changes.pop(name, None)
    if changes:
        filled = [_label(name) for name, (before, _) in changes.items() if not before]
        replaced = [_label(name) for name, (before, _) in changes.items() if before]
        parts = [f"fills {_listed(filled)}"] if filled else []
        parts += [f"replaces {_listed(replaced)}"] if replaced else []
        reason = " and ".join(parts)
        verdict, code, reason = Verdict.UPDATE, "changes", reason[0].upper() + reason[1:]
    else:
        verdict, code, reason = Verdict.UNCHANGED, "same", "Nothing to change"
    return Judgement(
        candidate.row,
        verdict,
        code,
        reason,
        candidate.values,
        tuple(candidate.notes),
        driver=known.id,
        changes=changes,
    )


def _left_fields(candidate: Candidate, known: Known, existing: Existing) -> list[Target]:
    """The addresses that this very driver has left: whoever is known by them alone does not get them back."""
    values = candidate.values
    numbers = [name for name in (Target.PHONE, Target.WHATSAPP) if name in values]
    if any(values[name] in existing.by_number for name in numbers) or _has_id_of(known, values):
        return []
    found = [name for name in numbers if _is(known, existing.by_left_number.get(values[name]))]
    if not numbers and _is(known, existing.by_left_mail.get(mail_key(candidate.email or ""))):
        found.append(Target.EMAIL)
    return found


def _has_id_of(known: Known, values: Mapping[str, str]) -> bool:
    return Target.TIMO_ID in values and known.values.get(Target.TIMO_ID) == values[Target.TIMO_ID]


def _is(known: Known, other: Known | None) -> bool:
    return other is not None and other.id == known.id


def changes_to(known: Known, candidate: Candidate) -> dict[str, tuple[str | None, str]]:
    """What the row fills or replaces: nothing that a person has edited, and never a status backwards (spec §10)."""
    changes: dict[str, tuple[str | None, str]] = {}
    for name, value in candidate.values.items():
        before = known.values.get(name) or None
        if name == Target.STATUS:
            if _moves_on(before, value, edited=name in known.edited):
                changes[name] = (before, value)
        elif name in known.edited or _is_same(name, before, value):
            continue
        elif name == Target.FIRST_CONTACT:
            if before is None and known.values.get(Target.STATUS) != OPTED_OUT:
                changes[name] = (before, value)
        elif name == Target.GIVEN_NAME:
            if Target.NAME in known.edited and name_key(known.name) != name_key(candidate.name):
                continue  # the greeting belongs to a name that stays
            is_told = before is None and not candidate.given_name_guessed
            if is_told or candidate.given_name_mapped or Target.NAME in changes:
                changes[name] = (before, value)
        else:
            changes[name] = (before, value)
    return changes


def _moves_on(before: str | None, after: str, *, edited: bool) -> bool:
    if before == OPTED_OUT:
        return False
    if after == OPTED_OUT:
        return True
    return not edited and RANK[after] > RANK.get(before or "not_contacted", 0)


def _is_same(name: str, before: str | None, value: str) -> bool:
    if before is None:
        return False
    if name == Target.NAME:
        return name_key(before) == name_key(value)
    if name in _CASELESS:
        return before.casefold() == value.casefold()
    return before == value


_PROPER = re.compile(r"[A-Z][a-z]*[A-Z]|Timo\b")  # names of products begin with a capital anywhere


def _label(name: str) -> str:
    label = LABELS[Target(name)]
    return label if _PROPER.match(label) else label[0].lower() + label[1:]


def _listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
