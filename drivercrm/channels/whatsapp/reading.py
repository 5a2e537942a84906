"""Reading what may be anything: values of webhooks, whose types nobody guarantees."""

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from drivercrm.channels.provider import Address, AddressKind

# two letters of a country, then letters and digits; a parent's has ENT between
SCOPED_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
LONGEST_KEY = 200  # longer ones are digested: keys and ids stand in indexes
EARLIEST, LATEST = 1_000_000_000, 4_102_444_800  # 2001 and 2100: what is outside is no moment of a message


def as_map(value: Any) -> Mapping[str, Any]:
    """An object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A list; a single object counts as a list of one."""
    return value if isinstance(value, list) else [value] if isinstance(value, dict) and value else []


def as_text(value: Any) -> str:
    """A string or a number as text that every database takes: without zero characters and half surrogate pairs."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if -(10**30) < value < 10**30 else ""
    if not isinstance(value, str):
        return ""
    if "\x00" in value:
        value = value.replace("\x00", "")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def short(key: str) -> str:
    """A key or an id that fits into an index; one that does not is the same digest every time."""
    return key if len(key) <= LONGEST_KEY else f"long:{hashlib.sha256(key.encode()).hexdigest()}"


def plainly(word: str) -> str:
    """FLAGGED_FOR_REVIEW → flagged for review."""
    return word.replace("_", " ").strip().lower()[:200]


def is_scoped(value: str) -> bool:
    """Whether an id is business-scoped, wherever it stood."""
    return SCOPED_ID.fullmatch(value) is not None


def as_address(value: str) -> Address:
    """An id as an address, by its look: ids have been seen in each other's places."""
    return Address(
        AddressKind.BUSINESS_SCOPED_ID if is_scoped(value) else AddressKind.WHATSAPP_ID, value[:LONGEST_KEY]
    )


def as_uuid(value: Any) -> UUID | None:
    """One of our own ids, where it is one."""
    try:
        return UUID(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        return None


def as_moment(value: Any, otherwise: datetime) -> datetime:
    """Unix seconds, as text or number; milliseconds have been seen too. What is no moment is `otherwise`."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return otherwise
    try:
        seconds = float(value)
        while math.isfinite(seconds) and seconds >= 10**12:
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC) if EARLIEST < seconds < LATEST else otherwise
    except (ValueError, OverflowError, OSError):
        return otherwise


def hexadecimal(digest: Any) -> str:
    """A SHA-256 as hexadecimal: webhooks write it in base64, the media endpoint in hexadecimal."""
    text = as_text(digest)
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 32 else ""
