"""Phone numbers as people type them, repaired to E.164 and never guessed (spec §10, §2)."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import phonenumbers

SOUTH_AFRICA = 27
NATIONAL_DIGITS = 9
_LONGEST_CELL = 200
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)

LETTER_O = "Letter O read as zero"
LOST_ZERO = "Leading zero restored"
COUNTRY_CODE = "27 read as the country code"
TRUNK_ZERO = "Zero after the country code left out"
UNASSIGNED = "Right length, but no network uses this range"
FOREIGN = "Number from outside South Africa"

IDENTITY_LEFT_OUT = "(identity number left out)"  # stands in a cell where an identity number stood

_IDENTITY = "An identity number stood here and was left out"
_NOT_A_NUMBER = "This is not a phone number"
_TWO_NUMBERS = "Two numbers in one cell"
_SHORTENED = "The spreadsheet shortened this number and digits are lost"

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]")
_FLOAT = re.compile(r"(\d+)\.0+")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,2}")
_SPLITTER = re.compile(r"[/,;&|\n\\]|\bor\b|\band\b", re.IGNORECASE)
_TRAILING = " \t\n,;|/\\&"  # a separator with nothing after it separates nothing
_SEPARATORS = re.compile("[ \t.()\\[\\]\u2010-\u2015\u2212-]")
_ALLOWED = re.compile(r"\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What a cell says: `e164` when it can be used, else `problem`; both are None for an empty cell."""

    e164: str | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def is_empty(self) -> bool:
        return self.e164 is None and self.problem is None


_EMPTY = PhoneReading()


def read_phone(value: object) -> PhoneReading:
    """Repair one cell to E.164 with a note per repair, or say in a sentence why it cannot be used (spec §10).

    Reads text and the whole numbers that spreadsheets make of phone numbers; never raises.
    """
    text = _as_text(value)
    if not text:
        return _EMPTY
    if len(text) > _LONGEST_CELL:
        return PhoneReading(problem=_NOT_A_NUMBER)
    if text == IDENTITY_LEFT_OUT:
        return PhoneReading(problem=_IDENTITY)
    if text.isdigit() and text.isascii():
        return _from_digits(text, plus=False, notes=())
    return _from_text(text)


def is_mobile(e164: str) -> bool:
    """Whether the number can be a mobile phone, and so a WhatsApp address (spec §2)."""
    if e164.startswith("+27"):
        return bool(_mobile().fullmatch(e164[3:]))
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(parsed) in {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }


@cache
def _mobile() -> re.Pattern[str]:
    """South Africa's mobile ranges, read once: lists ask for every row."""
    region = phonenumbers.PhoneMetadata.metadata_for_region("ZA")
    mobile = region.mobile if region else None
    return re.compile(mobile.national_number_pattern or "(?!)" if mobile else "(?!)")


@cache
def _assigned() -> re.Pattern[str]:
    """Every range of South African numbers in use, as one pattern: asking the library range by range is slow."""
    region = phonenumbers.PhoneMetadata.metadata_for_region("ZA")
    ranges = (getattr(region, kind) for kind in _KINDS) if region else ()
    return re.compile("|".join(d.national_number_pattern for d in ranges if d and d.national_number_pattern))


def _as_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    text = str(value)
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return text.strip().removeprefix("'").strip()


def _from_text(text: str) -> PhoneReading:
    if whole := _FLOAT.fullmatch(text):
        return _from_digits(whole[1], plus=False, notes=())
    if _SCIENTIFIC.fullmatch(text):
        return _from_scientific(text)
    text = text.removeprefix("tel:").removeprefix("TEL:").strip().rstrip(_TRAILING)
    if not any(character.isdigit() for character in text):
        return PhoneReading(problem=_NOT_A_NUMBER)
    if _SPLITTER.search(text):
        several = sum(1 for part in _SPLITTER.split(text) if sum(map(str.isdigit, part)) > 5) > 1
        return PhoneReading(problem=_TWO_NUMBERS if several else _NOT_A_NUMBER)

    notes: tuple[str, ...] = ()
    if "o" in text or "O" in text:
        text = text.replace("o", "0").replace("O", "0")
        notes = (LETTER_O,)
    text = _SEPARATORS.sub("", text)
    if not _ALLOWED.fullmatch(text):
        plus_inside = text.count("+") > 1
        return PhoneReading(problem=_TWO_NUMBERS if plus_inside else _NOT_A_NUMBER)
    return _from_digits(text.lstrip("+"), plus=text.startswith("+"), notes=notes)


def _from_scientific(text: str) -> PhoneReading:
    """Excel writes 7.10584845E8; fewer figures than digits means that some are gone for good."""
    mantissa, exponent = re.split("[eE]", text)
    if len(mantissa.replace(".", "")) != int(exponent) + 1:
        return PhoneReading(problem=_SHORTENED)
    return _from_digits(str(int(Decimal(text))), plus=False, notes=())


def _from_digits(digits: str, *, plus: bool, notes: tuple[str, ...]) -> PhoneReading:
    if plus and not digits.startswith("27"):
        return _foreign("+" + digits, notes)
    if plus:
        national = digits[2:]
    elif digits.startswith("0027"):
        national, notes = digits[4:], (*notes, COUNTRY_CODE)
    elif digits.startswith("00"):
        return PhoneReading(problem="A number from abroad needs + and its country code")
    elif digits.startswith("0"):
        return _south_african(digits[1:], digits, notes)
    elif len(digits) == NATIONAL_DIGITS:
        return _south_african(digits, digits, (*notes, LOST_ZERO))
    elif digits.startswith("27") and len(digits) in {NATIONAL_DIGITS + 2, NATIONAL_DIGITS + 3}:
        national, notes = digits[2:], (*notes, COUNTRY_CODE)
    else:
        return _wrong_length(digits)
    if national.startswith("0"):
        national, notes = national[1:], (*notes, TRUNK_ZERO)
    return _south_african(national, digits, notes)


def _south_african(national: str, digits: str, notes: tuple[str, ...]) -> PhoneReading:
    if len(national) != NATIONAL_DIGITS or national.startswith("0"):
        return _wrong_length(digits)
    if not _assigned().fullmatch(national):
        notes = (*notes, UNASSIGNED)
    return PhoneReading(e164=f"+{SOUTH_AFRICA}{national}", notes=notes)


def _foreign(number: str, notes: tuple[str, ...]) -> PhoneReading:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return PhoneReading(problem="The country code after + does not exist")
    if not phonenumbers.is_valid_number(parsed):
        return PhoneReading(problem="No such number in the country of its code")
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return PhoneReading(e164=e164, notes=(*notes, FOREIGN))


def _wrong_length(digits: str) -> PhoneReading:
    """South African numbers have nine national digits whatever a library says (spec §10)."""
    if len(digits) >= 2 * NATIONAL_DIGITS:
        return PhoneReading(problem=_TWO_NUMBERS)
    return PhoneReading(
        problem=f"{len(digits)} {'digit' if len(digits) == 1 else 'digits'}: a South African number has ten,"
        " starting with 0"
    )
