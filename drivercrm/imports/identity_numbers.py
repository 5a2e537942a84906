"""Identity numbers in the cells of a list: found however they are written, and left out (spec §4, §10)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

from drivercrm.core.phone import IDENTITY_LEFT_OUT, read_phone

IDENTITY_DIGITS = 13
SHORTEST_IDENTITY = 12  # born after 1999, and a spreadsheet has dropped the leading zero
_LAYOUT = re.compile(r"\d{6}[ -]?\d{4}[ -]?\d{2}[ -]?\d")
_LETTERS_FOR_ZEROS = re.compile(r"[\doO]{13}")
_AS_NUMBER = re.compile(r"(\d+)\.0*")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?1[12]")
_DIGITS = re.compile(r"\d+")
_FIGURES = "0123456789oO"
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
    if text.isascii():  # every long cell of a list comes by here
        return sum(map(text.count, _FIGURES))
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


def is_mostly_identity(values: Sequence[str]) -> bool:
    filled = [value for value in values if value.strip()]
    hits = sum(1 for value in filled if is_identity_number(value))
    return hits >= min(_ENOUGH, len(filled)) and hits > 0 and hits >= _MANY * len(filled)
