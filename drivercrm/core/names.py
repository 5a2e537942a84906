"""People's names as lists hold them, made fit to greet somebody with (spec §10)."""

import re
import unicodedata
from dataclasses import dataclass

LIST_NUMBER = "List number left out"

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad\x00-\x08\x0e-\x1f\x7f]")
_LIST_NUMBER = re.compile(r"(?:no\.?\s*)?[\W\d_]*\d[^\w'’‘]*|[-•*·–—]+\s+", re.IGNORECASE)
_ONLY_NUMBER = re.compile(r"[\W\d_]+")
_WORD_PARTS = re.compile(r"([-'’‘`.])")
_PARTICLES = frozenset(
    {
        "van",
        "der",
        "den",
        "de",
        "du",
        "von",
        "la",
        "le",
        "da",
        "dos",
        "ten",
        "ter",
        "'t",
        "bin",
        "binti",
        "ka",
    }
)
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "rev", "pastor", "adv", "sir"})
_TITLE = "|".join(sorted(title.capitalize() for title in _TITLES))
_TIDY = re.compile(rf"(?!(?:{_TITLE}) )(?:[A-Z][a-z]+ )*(?!(?:{_TITLE})\Z)[A-Z][a-z]+")
_NUMERALS = frozenset({"ii", "iii"})
_SHORT_WORDS = frozenset({"mr", "mrs", "ms", "dr", "jr", "sr", "st", "ng"})
_VOWELS = frozenset("aeiouyàáâäãåèéêëìíîïòóôöõùúûüý")
_SHOUTED_WORD = 4
_INITIALS = 3


@dataclass(frozen=True, slots=True)
class Name:
    """A tidy name, the name to greet with, and what was repaired; both are empty when nothing is left."""

    full: str
    given: str
    notes: tuple[str, ...] = ()


_EMPTY = Name("", "")


def tidy_name(text: str, *, surname_first: bool = False) -> Name:
    """Strip list numbers, fold spaces, and give shouted or whispered names title case; word order is kept.

    The given name is the last word under a heading like “Surname & Name”, else the first (spec §10).
    """
    if not text:
        return _EMPTY
    if _TIDY.fullmatch(text):  # most names: nothing to mend
        words = text.split(" ")
        return Name(text, words[-1] if surname_first else words[0])
    folded = _fold(text)
    bare = _without_list_number(folded)
    notes = (LIST_NUMBER,) if bare != folded and bare else ()
    full = _in_title_case(bare)
    return Name(full, given_name(full, surname_first=surname_first), notes)


def given_name(full: str, *, surname_first: bool = False) -> str:
    """The word to greet with; after a comma (“Nkosi, Thabo”) the given name comes first."""
    surname, comma, rest = full.partition(",")
    if comma and rest.strip() and surname.strip():
        full, surname_first = rest, False
    words = [word.strip(",;") for word in full.split()]
    untitled = [word for word in words if word.casefold().strip(".") not in _TITLES]
    words = untitled or words
    if not words:
        return ""
    return words[-1] if surname_first else words[0]


def name_key(name: str) -> str:
    """The same for the same words in any order, case and accent: to compare names, never to show them."""
    plain = name if name.isascii() else _unaccented(name)
    return " ".join(sorted(re.sub(r"[^\w\s]", "", plain.casefold()).split()))


def names_agree(one: str, other: str) -> bool:
    """Whether two names are of one person: the same words, or at least two of them and no others on one side.

    A shared surname alone is not agreement: families share phones.
    """
    first, second = name_key(one), name_key(other)
    if not first or not second:
        return False
    if first == second:
        return True
    fewer, more = sorted((set(first.split()), set(second.split())), key=len)
    return len(fewer) > 1 and fewer <= more


def _fold(text: str) -> str:
    text = unicodedata.normalize("NFC", text) if not text.isascii() else text
    return " ".join(_INVISIBLE.sub("", text).split())


def _without_list_number(text: str) -> str:
    while match := _LIST_NUMBER.match(text):
        text = text[match.end() :].strip()
    return "" if _ONLY_NUMBER.fullmatch(text) else text


def _in_title_case(text: str) -> str:
    words = text.split(" ")
    whole = text.isupper() or text.islower()
    if not whole and not any(_is_shouted(word) for word in words):
        return text
    last = len(words) - 1
    return " ".join(
        _titled(word, inside=0 < position < last) if whole or _is_shouted(word) else word
        for position, word in enumerate(words)
    )


def _is_shouted(word: str) -> bool:
    return len(word) >= _SHOUTED_WORD and word.isupper() and word.isalpha()


def _titled(word: str, *, inside: bool) -> str:
    lower = word.lower()
    if inside and lower in _PARTICLES:
        return lower
    if lower in _NUMERALS:
        return word.upper()
    if _is_initials(word, lower):
        return word
    parts = _WORD_PARTS.split(lower)
    return "".join(_capital(part, position, parts) for position, part in enumerate(parts))


def _is_initials(word: str, lower: str) -> bool:
    """JP, MJ: no vowel, so nothing to pronounce."""
    return (
        len(word) <= _INITIALS
        and word.isupper()
        and word.isalpha()
        and lower not in _SHORT_WORDS
        and not _VOWELS & set(lower)
    )


def _capital(part: str, position: int, parts: list[str]) -> str:
    if position and parts[position - 1] in "'’‘`" and len(part) == 1:
        return part
    if len(part) > _INITIALS and part.startswith("mc") and part.isalpha():
        return "Mc" + part[2:3].upper() + part[3:]
    first = part[:1].upper()
    return (first if len(first) == 1 else part[:1]) + part[1:]


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
