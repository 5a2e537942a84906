"""WATI's webhooks in the house's words (channels.md §1.9): one flat object for each event.

Of every event there is an older form without our id, and a newer one (`…_v2`, `…_bsuid`) with it; only the newer ones
are read, so that nothing is counted twice under two names. WATI's own tickets and conversations stay outside.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from drivercrm.channels.provider import (
    Address,
    Event,
    Failure,
    Inbound,
    Receipt,
    ReceiptKind,
    RemoteFile,
    Said,
    Sender,
    Unknown,
)
from drivercrm.channels.whatsapp.errors import code_of, failure_of
from drivercrm.channels.whatsapp.reading import (
    as_address,
    as_list,
    as_map,
    as_moment,
    as_text,
    as_uuid,
    is_scoped,
    short,
)

# `sentMessageREPLIED_v2` is left out: the message that came in says so itself, and says what
RECEIPTS = {
    "templateMessageSent_v2": ReceiptKind.SENT,
    "sessionMessageSent_v2": ReceiptKind.SENT,
    "sentMessageDELIVERED_v2": ReceiptKind.DELIVERED,
    "sentMessageREAD_v2": ReceiptKind.READ,
    "templateMessageFailed": ReceiptKind.FAILED,
    "sessionMessageFailed": ReceiptKind.FAILED,
}
FILES = ("image", "video", "audio", "voice", "document", "sticker")


def parse(body: bytes, received_at: datetime, *, channel_number: str = "") -> list[Event]:
    """Every event of a body; those of another number are Unknown. Never raises."""
    digest = f"unknown:{hashlib.sha256(body).hexdigest()}"
    try:
        top = json.loads(body)
        pieces = as_list(top)
        return [
            _event(as_map(piece), received_at, channel_number, f"{digest}:{index}")
            for index, piece in enumerate(pieces)
        ] or [Unknown(digest, "Nothing that WATI sends")]
    except (ValueError, RecursionError):
        return [Unknown(digest, "The body is not JSON")]


def _event(piece: Mapping[str, Any], received_at: datetime, channel_number: str, otherwise: str) -> Event:
    kind = as_text(piece.get("eventType")).removesuffix("_bsuid")
    number = "".join(sign for sign in as_text(piece.get("channelPhoneNumber")) if sign.isdigit())
    if channel_number and number and number != channel_number:
        return Unknown(otherwise, "For another number")
    at = _at(piece, received_at)
    if kind == "message" and piece.get("owner") is not True:
        return _message(piece, at) or Unknown(otherwise, "A message without an id")
    if kind in RECEIPTS:
        return _receipt(RECEIPTS[kind], piece, at) or Unknown(otherwise, "A receipt without an id")
    return Unknown(otherwise, f"Event {kind[:60]}")


def _message(piece: Mapping[str, Any], at: datetime) -> Inbound | None:
    wamid = short(as_text(piece.get("whatsappMessageId")) or as_text(piece.get("id")))
    if not wamid:
        return None
    kind, text = as_text(piece.get("type")), as_text(piece.get("text"))
    quoted = short(as_text(piece.get("replyContextId")))
    said, payload = Said.TEXT, ""
    files: tuple[RemoteFile, ...] = ()
    chosen = next(
        (
            found
            for name in ("buttonReply", "interactiveButtonReply", "listReply")
            if (found := as_map(piece.get(name)))
        ),
        {},
    )
    if chosen or kind in ("button", "interactive"):
        said = Said.BUTTON
        text = as_text(chosen.get("title")) or as_text(chosen.get("text")) or text
        payload = as_text(chosen.get("payload")) or as_text(chosen.get("id")) or text
    elif kind in FILES:
        said = Said.FILE
        file = _file(piece)
        files = (file,) if file else ()
        text = "" if "showFile" in text or text.startswith("data/") else text
    elif kind == "reaction":
        said = Said.REACTION
    elif kind == "location":
        said, text = Said.LOCATION, "A location"  # the text holds coordinates, which are never kept
    elif kind in ("contact", "contacts"):
        said, text = Said.CONTACT, "A contact card"
    elif kind not in ("text", ""):
        said, text = Said.OTHER, text or f"A message of a kind that cannot be shown here ({kind[:40]})"
    return Inbound(
        key=wamid,
        provider_id=wamid,
        sender=Sender(
            addresses=_addresses(piece),
            name=as_text(piece.get("senderName"))[:200],
            username=as_text(piece.get("username"))[:200],
        ),
        at=at,
        said=said,
        text=text,
        payload=payload,
        files=files,
        quotes=(quoted,) if quoted else (),
    )


def _receipt(kind: ReceiptKind, piece: Mapping[str, Any], at: datetime) -> Receipt | None:
    """By WATI's local id, which is ours for templates; the id that answers quote is `other_id`."""
    local = short(as_text(piece.get("localMessageId")))
    wamid = short(as_text(piece.get("whatsappMessageId")))
    if not (local or wamid):
        return None
    moment = as_text(piece.get("timestamp")) or as_text(piece.get("created"))
    has_failed = kind == ReceiptKind.FAILED
    code = code_of({"code": piece.get("failedCode")}) if has_failed else None
    return Receipt(
        key=short(f"{local or wamid}:{kind}:{moment}"),
        kind=kind,
        at=at,
        provider_id=local or wamid,
        our_id=as_uuid(local),
        other_id=wamid if local else "",
        failure=failure_of(code) if has_failed else None,
        code="" if code is None else str(code),
        words=as_text(piece.get("failedDetail"))[:1000] if has_failed else "",
        addresses=_addresses(piece),
    )


def _addresses(piece: Mapping[str, Any]) -> tuple[Address, ...]:
    """The business-scoped id first; either may stand in the other's place."""
    ids = [found for name in ("bsuid", "waId") if (found := as_text(piece.get(name)))]
    ordered = [one for one in ids if is_scoped(one)] + [one for one in ids if not is_scoped(one)]
    return tuple(dict.fromkeys(as_address(one) for one in ordered))


def _file(piece: Mapping[str, Any]) -> RemoteFile | None:
    """A file by the path under which WATI keeps it: it stands in an address, or alone."""
    data = piece.get("data")
    told = as_text(data) or as_text(as_map(data).get("url")) or as_text(piece.get("text"))
    try:
        path = parse_qs(urlsplit(told).query).get("fileName", [""])[0]
    except ValueError:
        path = ""
    path = path[:320] or (told[:320] if told.startswith("data/") else "")
    return RemoteFile(id=path, name=path.rpartition("/")[2][-200:]) if path else None


def _at(piece: Mapping[str, Any], otherwise: datetime) -> datetime:
    """Unix seconds, else the time of creation as ISO 8601 with more digits than Python reads."""
    at = as_moment(piece.get("timestamp"), otherwise)
    if at is not otherwise:
        return at
    created = as_text(piece.get("created"))
    try:
        moment = datetime.fromisoformat(created[:19])
    except ValueError:
        return otherwise
    return moment.replace(tzinfo=UTC)


def failure_in(words: str) -> Failure:
    """What a refusal in words means; WATI has no codes in its answers."""
    lower = words.lower()
    if "expired" in lower or "session" in lower or "24 hour" in lower or "window" in lower:
        return Failure.NEEDS_TEMPLATE
    if ("invalid" in lower and ("number" in lower or "phone" in lower)) or "not a valid whatsapp" in lower:
        return Failure.UNREACHABLE
    if "template" in lower:
        return Failure.TEMPLATE
    if "param" in lower:
        return Failure.CONTENT
    if "credit" in lower or "balance" in lower or "payment" in lower or "quota" in lower:
        return Failure.ACCOUNT
    return Failure.UNKNOWN_CODE
