"""Mail addresses and user names: usable or not, and why (spec §10)."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_MAIL = 254
_LONGEST_LOCAL = 64
_LONGEST_LABEL = 63

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]")
_GOOD = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_IN_BRACKETS = re.compile(r"[^<>]*<([^<>\s]+)>")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_ENDING = re.compile(r"[A-Za-z]{2,63}|[xX][nN]--[A-Za-z0-9-]{1,59}")
_TELEGRAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_TELEGRAM_LINK = re.compile(r"(?:https?://)?(?:www\.)?(?:t|telegram)\.me/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MailReading:
    """A usable `address`, else the `problem` in a few words; both are None for an empty cell."""

    address: str | None = None
    problem: str | None = None


_EMPTY = MailReading()


def read_mail(text: str | None) -> MailReading:
    """Trim a mail address, lower its domain, and say what is wrong with one that cannot work (spec §10)."""
    text = _trimmed(text)
    if not text:
        return _EMPTY
    if not (_GOOD.fullmatch(text) and len(text) <= LONGEST_MAIL):
        problem = _problem(text)
        if problem:
            return MailReading(problem=problem)
    local, _, domain = text.rpartition("@")
    if len(local) > _LONGEST_LOCAL:
        return MailReading(problem="Too long for a mail address")
    return MailReading(address=f"{local}@{domain.lower()}")


def mail_key(address: str) -> str:
    """The same for addresses that reach the same mailbox in practice: case is ignored."""
    return address.casefold()


def read_telegram_username(text: str | None) -> str | None:
    """A Telegram user name without @ or t.me link, or None when it cannot be one."""
    text = _TELEGRAM_LINK.sub("", _trimmed(text)).removeprefix("@").rstrip("/")
    return text if _TELEGRAM.fullmatch(text) else None


def _trimmed(text: str | None) -> str:
    if not text:
        return ""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    text = text.strip()
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0].strip()
    if bracketed := _IN_BRACKETS.fullmatch(text):
        text = bracketed[1]
    return text.strip("<>").rstrip(".,;").strip()


def _problem(text: str) -> str | None:
    if "@" not in text:
        return "No @ sign"
    if text.count("@") > 1:
        return "Two @ signs"
    if any(character.isspace() for character in text):
        return "A space inside"
    local, _, domain = text.partition("@")
    if not local:
        return "Nothing before the @ sign"
    if not domain:
        return "Nothing after the @ sign"
    if len(text) > LONGEST_MAIL:
        return "Too long for a mail address"
    if ".." in text or local.startswith(".") or local.endswith(".") or domain.startswith("."):
        return "A dot too many"
    if "," in text or ";" in text:
        return "A comma inside"
    if "." not in domain:
        return "No ending, such as .co.za"
    if not _LOCAL.fullmatch(local) or not _is_domain(domain):
        return "Letters that a mail address cannot have"
    return None


def _is_domain(domain: str) -> bool:
    *labels, ending = domain.split(".")
    return bool(
        all(_LABEL.fullmatch(label) and len(label) <= _LONGEST_LABEL for label in labels)
        and _ENDING.fullmatch(ending)
    )
