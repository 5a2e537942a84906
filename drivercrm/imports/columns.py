"""Which column of a list holds what: by its heading, else by what stands in it (spec §10)."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from drivercrm.core.addresses import read_mail
from drivercrm.core.errors import Refused
from drivercrm.core.phone import IDENTITY_LEFT_OUT, read_phone

if TYPE_CHECKING:
    from drivercrm.imports.reading import Sheet

SAMPLES = 3
IDENTITY_DIGITS = 13
SHORTEST_IDENTITY = 12  # born after 1999, and a spreadsheet has dropped the leading zero


class Target(StrEnum):
    """What a column can be read as: the seed's column names, and what only lists have."""

    NAME = "name"
    GIVEN_NAME = "given_name"
    SURNAME = "surname"
    PHONE = "phone"
    WHATSAPP = "whatsapp_number"
    EMAIL = "email"
    TELEGRAM = "telegram_username"
    AREA = "area"
    LANGUAGE = "language"
    TIMO_ID = "timo_driver_id"
    PATHPULSE_ID = "pathpulse_account_id"
    STATUS = "onboarding_status"
    FIRST_CONTACT = "first_contact_date"
    NOTES = "notes"
    OPT_IN = "communication_opt_in"
    IDENTITY = "identity_number"
    IGNORE = "ignore"


LABELS: dict[Target, str] = {
    Target.NAME: "Name",
    Target.GIVEN_NAME: "First name",
    Target.SURNAME: "Surname",
    Target.PHONE: "Phone",
    Target.WHATSAPP: "WhatsApp number",
    Target.EMAIL: "Email",
    Target.TELEGRAM: "Telegram username",
    Target.AREA: "Area",
    Target.LANGUAGE: "Language",
    Target.TIMO_ID: "TimoRides driver id",
    Target.PATHPULSE_ID: "PathPulse account id",
    Target.STATUS: "Onboarding status",
    Target.FIRST_CONTACT: "First contact date",
    Target.NOTES: "Notes",
    Target.OPT_IN: "Opt-in",
    Target.IDENTITY: "Identity number",
    Target.IGNORE: "Leave out",
}


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    NONE = "none"


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


_ALIASES: dict[Target, str] = {
    Target.NAME: "name|names|full name|full names|fullname|driver|driver name|drivers name|name of driver"
    "|driver full name|drivers|driver names|partner name|contact name|display name|naam|igama",
    Target.GIVEN_NAME: "first name|first names|firstname|given name|given names|forename|fore name"
    "|christian name|known as|called name|voornaam",
    Target.SURNAME: "surname|last name|lastname|family name|van|isibongo",
    Target.PHONE: "phone|phone no|phone nr|phone number|phone numbers|phonenumber|telephone|telephone no"
    "|telephone number|tel|tel no|tel number|mobile|mobile no|mobile nr|mobile number|mobile phone|cell"
    "|cell no|cell nr|cell number|cell phone|cellphone|cellphone no|cellphone number|cell phone number"
    "|contact|contact no|contact nr|contact number|contact numbers|contact details|driver phone|driver cell"
    "|msisdn|selfoon|selfoon nommer|inombolo",
    Target.WHATSAPP: "whatsapp|whats app|whatsapp no|whatsapp number|whats app number|wa number|wa",
    Target.EMAIL: "email|e mail|mail|email address|e mail address|email id|mail address|emailaddress|epos"
    "|driver email",
    Target.TELEGRAM: "telegram|telegram username|telegram user|telegram handle|telegram name",
    Target.AREA: "area|city|town|suburb|location|region|township|place|residence|residential area"
    "|operating area|zone|province|city town|town city|gebied|indawo|home area|base",
    Target.LANGUAGE: "language|preferred language|home language|lang|taal|ulimi",
    Target.TIMO_ID: "timo driver id|timo id|timorides id|timorides driver id|timo rides id|driver id"
    "|driver code|fleet id",
    Target.PATHPULSE_ID: "pathpulse account id|pathpulse id|path pulse id|pathpulse account|pathpulse",
    Target.STATUS: "onboarding status|status|driver status|stage|onboarding stage|progress",
    Target.FIRST_CONTACT: "first contact date|first contact|first contacted|date contacted|contacted on"
    "|date of first contact|contact date",
    Target.NOTES: "notes|note|comment|comments|remark|remarks|feedback",
    Target.OPT_IN: "communication opt in|opt in|opted in|consent|consent given",
    Target.IDENTITY: "id no|id nr|id number|id num|idno|id|identity|identity no|identity number|id document"
    "|identity document|identity document number|sa id|sa id no|sa id number|rsa id|rsa id no|rsa id number"
    "|national id|national id number|passport|passport no|passport number|id passport|id or passport"
    "|id passport no|id passport number|id no passport no|id nommer"
    "|ids|id nos|id numbers|idnumber|idnumbers|idnr|id doc|id copy|ident|ident no|identification|identification no"
    "|identification number|said|said no|said number|document no|document nr|document number|passports"
    "|drivers id|drivers id no|asylum|asylum no",
    Target.IGNORE: "no|nr|row|s n|sn|serial|serial no|item|count|line",
}
_ALIAS_TARGETS = {alias: target for target, aliases in _ALIASES.items() for alias in aliases.split("|")}
_SURNAME_FIRST = frozenset(
    {
        "surname and name",
        "surname name",
        "surname and names",
        "surname and first name",
        "surname and first names",
        "surname and full name",
        "surname and full names",
        "surname first name",
        "surname names",
        "last name first name",
        "last name and first name",
        "surname and initials",
        "driver surname and name",
        "drivers surname and name",
        "van en naam",
    }
)
_GIVEN_FIRST = frozenset(
    {
        "name and surname",
        "name surname",
        "names and surname",
        "first name and surname",
        "first names and surname",
        "full name and surname",
        "full names and surname",
        "first name and last name",
        "first name last name",
        "driver name and surname",
        "drivers name and surname",
        "initials and surname",
        "naam en van",
    }
)

# Words inside longer headings, strongest first: “Driver's WhatsApp cell number” is the WhatsApp number.
_WORDS: tuple[tuple[re.Pattern[str], Target], ...] = (
    (
        re.compile(
            r"^(?!.*\b(?:timo|timorides|path ?pulse|whats ?app|telegram|e ?mail)\b).*"
            r"\b(?:identity|identification|ident|passports?|asylum|id ?(?:nos?|nrs?|num|numbers?|doc|documents?"
            r"|copy|copies|card|digits|\d+ digits))\b"
        ),
        Target.IDENTITY,
    ),
    (re.compile(r"\b(?:consent\w*|agree[ds]?|permission|opt(?:ed|s)? ?(?:in|out))\b"), Target.OPT_IN),
    (re.compile(r"\bwhats ?app\b"), Target.WHATSAPP),
    (re.compile(r"\btelegram\b"), Target.TELEGRAM),
    (re.compile(r"\be ?mail\b"), Target.EMAIL),
    (re.compile(r"\b(?:cell|cellphone|mobile|phone|telephone|tel|msisdn)\b"), Target.PHONE),
    (re.compile(r"\bpath ?pulse\b"), Target.PATHPULSE_ID),
    (re.compile(r"\btimo ?(?:rides)?\b.*\bid\b"), Target.TIMO_ID),
    (re.compile(r"\bsurname\b.*\bname"), Target.NAME),
    (re.compile(r"\bname.*\bsurname\b"), Target.NAME),
    (re.compile(r"\b(?:surname|last name|family name)\b"), Target.SURNAME),
    (re.compile(r"\b(?:first|given) names?\b"), Target.GIVEN_NAME),
    (re.compile(r"\b(?:driver|full|driver s)\b.*\bnames?\b"), Target.NAME),
    (re.compile(r"\b(?:suburb|town|city|area|township)\b"), Target.AREA),
    (re.compile(r"\bstatus\b"), Target.STATUS),
    (re.compile(r"\blanguage\b"), Target.LANGUAGE),
    (re.compile(r"\b(?:notes?|comments?|remarks?)\b"), Target.NOTES),
    (re.compile(r"\bids?\b"), Target.IDENTITY),
)
# A number that belongs to somebody else, or to a car, is not the driver's.
_NOT_THE_DRIVERS = re.compile(
    r"\b(?:next of kin|kin|emergency|owner|spouse|guardian|manager|bank|account|vehicle|car|registration|plate"
    r"|model|make|fax|alternative|alternate|other|second|referee|referred)\b"
)

_SPELLED = re.compile(r"\b(\w) (?=\w\b)")  # I.D. is ID

_SAYS_REACHED = {Target.PHONE, Target.WHATSAPP, Target.EMAIL}


def heading_key(heading: str) -> str:
    """A heading without case, accents and punctuation: `CELL NO ` and `Cell-No.` are the same."""
    text = unicodedata.normalize("NFKD", heading).casefold().replace("&", " and ").replace("'", "")
    text = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return _SPELLED.sub(r"\1", " ".join(text.split()))


def is_surname_first(heading: str) -> bool:
    """Whether the heading says that the last word of each name is the given one."""
    key = heading_key(heading)
    return key in _SURNAME_FIRST or bool(re.search(r"\bsurname\b.*\bname", key))


def target_of(heading: str) -> tuple[Target, Confidence] | None:
    """What a heading alone says, or None when it is unknown."""
    key = heading_key(heading)
    if not key:
        return None
    if key in _SURNAME_FIRST or key in _GIVEN_FIRST:
        return Target.NAME, Confidence.CERTAIN
    if key in _ALIAS_TARGETS:
        return _ALIAS_TARGETS[key], Confidence.CERTAIN
    for words, target in _WORDS:
        if words.search(key):
            others = target is not Target.IDENTITY and _NOT_THE_DRIVERS.search(key)
            return None if others else (target, Confidence.LIKELY)
    return None


def header_score(headings: Iterable[str]) -> int:
    """How much a row looks like headings: one per different target it names, more for a name and an address."""
    found = {named[0] for heading in headings if len(heading) < 80 and (named := target_of(heading))}
    found.discard(Target.IGNORE)
    names = found & {Target.NAME, Target.GIVEN_NAME, Target.SURNAME}
    return len(found) + (10 if names and found & _SAYS_REACHED else 0)


_LAYOUT = re.compile(r"\d{6}[ -]?\d{4}[ -]?\d{2}[ -]?\d")
_LETTERS_FOR_ZEROS = re.compile(r"[\doO]{13}")
_AS_NUMBER = re.compile(r"(\d+)\.0*")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?1[12]")
_DIGITS = re.compile(r"\d+")
_SEPARATORS = re.compile(r"[\W_]*")
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_WHOLE_NUMBER = 10  # a group of ten digits is a phone number, not the beginning of an identity number
_MANY = 0.5
_ENOUGH = 2


def is_identity_number(text: str) -> bool:
    """Whether a value is laid out as a South African identity number: 13 digits that begin with a birth date.

    Other separators, or 12 digits where a leading zero was lost, need the check digit as well.
    """
    text = _plain(text).strip(" '")
    if _SCIENTIFIC.fullmatch(text):
        text = str(int(Decimal(text)))
    if whole := _AS_NUMBER.fullmatch(text):
        text = whole[1]
    if _LETTERS_FOR_ZEROS.fullmatch(text):
        text = text.replace("o", "0").replace("O", "0")
    digits = "".join(_DIGITS.findall(text))
    if _LAYOUT.fullmatch(text):
        return _is_date(digits)
    return _is_valid(digits) and (len(digits) == IDENTITY_DIGITS or text == digits) and not _letters(text)


def without_identity_numbers(text: str) -> str:
    """The text without identity numbers: all of it when it is one, valid ones inside a longer text."""
    if _count(text) < SHORTEST_IDENTITY:
        return text
    if is_identity_number(text):
        return ""
    plain = _plain(text)
    kept, at = [], 0
    for start, end in _valid_spans(plain):
        if start >= at:
            kept.append(plain[at:start])
            at = end
    return "".join((*kept, plain[at:])) if kept else text


def without_any_identity(text: str) -> str:
    """A cell of a column that is left out: also without 12 or 13 digits that only begin with a birth date."""
    cleaned = without_identity_numbers(text)
    if _count(cleaned) < SHORTEST_IDENTITY:
        return cleaned
    return "" if _looks_like_identity(cleaned) else cleaned


def number_without_identity(text: str) -> str:
    """A cell of phone numbers; what holds too many digits for one may be an identity number and is marked so."""
    if _count(text) < SHORTEST_IDENTITY:
        return text
    reading = read_phone(text)
    if reading.e164:
        return text
    if without_any_identity(text) != text or not _is_several(text):
        return IDENTITY_LEFT_OUT
    return text


def id_without_identity(text: str) -> str:
    """A cell of other ids, marked where it holds an identity number, with or without its check digit right."""
    return text if without_any_identity(text) == text else IDENTITY_LEFT_OUT


def _is_several(text: str) -> bool:
    """Whether every run of digits can be (part of) a phone number of its own."""
    return _count(text) >= 2 * (_WHOLE_NUMBER - 1) and all(
        _count(part) < SHORTEST_IDENTITY for part in re.split(r"[/,;&|\n\\ ]|\bor\b|\band\b", _plain(text))
    )


def _looks_like_identity(text: str) -> bool:
    return any(
        _is_date(group.zfill(IDENTITY_DIGITS))
        for group in (*_DIGITS.findall(_plain(text)), _joined(text))
        if len(group) in {SHORTEST_IDENTITY, IDENTITY_DIGITS}
    )


def _joined(text: str) -> str:
    return "" if _letters(text) else "".join(_DIGITS.findall(_plain(text)))


def _letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _count(text: str) -> int:
    if len(text) < SHORTEST_IDENTITY:
        return 0
    if _SCIENTIFIC.fullmatch(text.strip()):
        return IDENTITY_DIGITS
    return sum(1 for character in text if character.isdigit() or character in "oO")


def _plain(text: str) -> str:
    """Compatible characters made plain, dashes and spaces alike, and what cannot be seen left out."""
    if text.isascii():
        return " ".join(text.split()) if "  " in text or "\t" in text else text
    text = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Mn", "Me"})
    return re.sub(r"[^\S\n]+", " ", text)


def _valid_spans(text: str) -> Iterable[tuple[int, int]]:
    """Where valid identity numbers stand, their digits together or apart, or glued to other digits."""
    groups = list(_DIGITS.finditer(text))
    for first, match in enumerate(groups):
        digits, end = match[0], match.end()
        if len(digits) > IDENTITY_DIGITS:
            if _is_valid(digits[:IDENTITY_DIGITS]) or _is_valid(digits[-IDENTITY_DIGITS:]):
                yield match.span()
        elif len(digits) >= SHORTEST_IDENTITY:
            if _is_valid(digits):
                yield match.span()
        elif len(digits) < _WHOLE_NUMBER:
            for after in groups[first + 1 : first + IDENTITY_DIGITS]:
                if not _SEPARATORS.fullmatch(text, end, after.start()):
                    break
                digits, end = digits + after[0], after.end()
                if len(digits) >= IDENTITY_DIGITS:
                    break
            if len(digits) == IDENTITY_DIGITS and _is_valid(digits):
                yield match.start(), end


def _is_date(digits: str) -> bool:
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and 1 <= day <= 31


def _is_valid(digits: str) -> bool:
    """A birth date and Luhn's check digit: both by chance is one in three hundred."""
    if len(digits) not in {SHORTEST_IDENTITY, IDENTITY_DIGITS}:
        return False
    digits = digits.zfill(IDENTITY_DIGITS)
    figures = [int(digit) for digit in digits]
    doubled = [figure * 2 - 9 if figure > 4 else figure * 2 for figure in figures[-2::-2]]
    return _is_date(digits) and (sum(doubled) + sum(figures[-1::-2])) % 10 == 0


def _is_mostly_identity(values: Sequence[str]) -> bool:
    filled = [value for value in values if value.strip()]
    hits = sum(1 for value in filled if is_identity_number(value))
    return hits >= min(_ENOUGH, len(filled)) and hits > 0 and hits >= _MANY * len(filled)


def suggest(headings: Sequence[str], columns: Sequence[Sequence[str]]) -> list[Suggestion]:
    """A suggestion for every column, from its heading, else from `columns`, the first values of each (spec §10)."""
    found = [
        _suggestion(index, heading, columns[index] if index < len(columns) else ())
        for index, heading in enumerate(headings)
    ]
    found = _split_names(found)
    return _once_each(found, columns)


def _suggestion(index: int, heading: str, values: Sequence[str]) -> Suggestion:
    named = target_of(heading)
    target, confidence = named or (Target.IGNORE, Confidence.NONE)
    reason = f"The heading “{heading.strip()}” says so" if named else "Nothing recognised"
    if target is Target.IDENTITY:
        reason = "Identity numbers are left out and never stored"
    elif target is not Target.PHONE and target is not Target.WHATSAPP and _is_mostly_identity(values):
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
    heading = without_identity_numbers(heading)
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
    """The best column of each target keeps it: the surer, then the fuller, then the first."""
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
    many = {Target.IGNORE, Target.IDENTITY}
    return [
        s
        if s.target in many or best[s.target] is s
        else _changed(
            s,
            Target.IGNORE,
            Confidence.NONE,
            f"“{best[s.target].heading.strip() or 'Another column'}” already gives this",
        )
        for s in found
    ]


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
    if not columns.fields & _SAYS_REACHED:
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


_NUMBERS = {Target.PHONE, Target.WHATSAPP}
_SCRUBS: dict[Target, Callable[[str], str]] = {
    Target.PHONE: number_without_identity,
    Target.WHATSAPP: number_without_identity,
    Target.TIMO_ID: id_without_identity,
    Target.PATHPULSE_ID: id_without_identity,
    Target.IGNORE: without_any_identity,
}


def drop_identity(sheet: "Sheet", keep: Iterable[int] = ()) -> "Sheet":
    """The sheet without identity numbers, in their own columns, in headings or anywhere else (spec §4, §10).

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
    return replace(clean, headings=tuple(map(without_identity_numbers, sheet.headings)))
