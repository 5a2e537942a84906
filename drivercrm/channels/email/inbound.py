"""From a raw mail to the house's words: an answer, an automatic answer, a bounce, a complaint."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser

from drivercrm.channels.email import bounces
from drivercrm.channels.email.html import safe_html
from drivercrm.channels.email.quoted import trim
from drivercrm.channels.email.reading import (
    LENIENT,
    Content,
    address_in,
    addressees,
    addresses_in,
    content,
    decoded,
    header,
    headers,
    ids_in,
    message,
    worded,
)
from drivercrm.channels.email.settings import Settings
from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Choice,
    Event,
    Failure,
    Inbound,
    Preference,
    Receipt,
    ReceiptKind,
    Said,
    Sender,
    Unknown,
)

_MARK = b'{"imap":'
CUT = "This mail was too large to be read whole."


@dataclass(frozen=True)
class Kept:
    """A mail as the mailbox gave it: `at` is when the server took it (INTERNALDATE), `place` is uidvalidity:uid."""

    raw: bytes
    at: datetime | None = None
    place: str = ""
    is_cut: bool = False


def wrap(kept: Kept) -> bytes:
    """One body for `parse`: a line of JSON, then the raw mail."""
    about = {"at": kept.at.isoformat() if kept.at else None, "place": kept.place, "is_cut": kept.is_cut}
    return _MARK + json.dumps(about).encode() + b"}\n" + kept.raw


def unwrap(body: bytes) -> Kept:
    """The mail and what is known about it; a body without our line is a bare mail."""
    line, found, raw = body.partition(b"\n")
    if not found or not line.startswith(_MARK):
        return Kept(body)
    try:
        about = json.loads(line)["imap"]
        at = datetime.fromisoformat(about["at"]) if about["at"] else None
        is_known = at is None or at.tzinfo is not None
        return Kept(raw, at if is_known else None, str(about["place"]), about["is_cut"] is True)
    except (ValueError, LookupError, TypeError, RecursionError):
        return Kept(body)


def parse(body: bytes, received_at: datetime, settings: Settings) -> list[Event]:
    """Every event of a body. Never raises: a mail that cannot be taken apart is given as it is."""
    kept = unwrap(body)
    at = (kept.at or received_at).astimezone(UTC)
    try:
        return [_event(kept, at, settings)]
    except Exception:  # a stranger wrote it; it must not stop the mails behind it, nor be lost
        return [_as_it_is(kept, at)]


def html_of(body: bytes, settings: Settings, *, images: Mapping[str, str] | None = None) -> str:
    """The mail's HTML, safe to show, with the addresses of its own pictures by content id; empty where it has none."""
    try:
        return safe_html(content(message(unwrap(body).raw), settings.most_attachment).html, images=images)
    except Exception:  # as above
        return ""


def _event(kept: Kept, at: datetime, settings: Settings) -> Event:
    mail = message(kept.raw)
    key = _key(mail, kept.raw)
    if not mail.keys():
        return _as_it_is(kept, at) if kept.raw.strip() else Unknown(key, "An empty mail.")
    if report := bounces.complaint(mail, kept.raw, settings):
        return _complaint(report, key, at, settings)
    if outcome := bounces.outcome(mail, kept.raw, settings):
        return _outcome(outcome, key, at, settings)
    own = settings.our_id("".join(ids_in(header(mail, "Message-ID"))[:1]))
    if own and address_in(header(mail, "From")).lower() == settings.from_address.lower():
        return Unknown(key, "A mail of ours has come back to us.")
    found = content(mail, settings.most_attachment)
    return _inbound(mail, found, kept, key, at, settings)


def _inbound(
    mail: Message, found: Content, kept: Kept, key: str, at: datetime, settings: Settings
) -> Inbound:
    subject = worded(header(mail, "Subject"))[:500]
    whole = found.text
    text = trim(whole)
    if not whole and not found.files:
        text = whole = subject
    if kept.is_cut:
        text, whole = f"{text}\n\n{CUT}".strip(), f"{whole}\n\n{CUT}".strip()
    tags = [settings.tag_in(address) for address in addressees(mail)]
    bounced = [settings.message_id(id) for tag in tags if (id := settings.our_id_in_tag(tag))]
    quotes = [
        *bounced,
        *(id for value in headers(mail, "In-Reply-To") for id in ids_in(value)),
        *(id for value in headers(mail, "References") for id in reversed(ids_in(value))),
    ]
    own = "".join(ids_in(header(mail, "Message-ID"))[:1])
    return Inbound(
        key=key,
        provider_id=own or key,
        sender=_sender(mail),
        at=at,
        said=_said(mail, text, found),
        text=text,
        full_text=whole,
        subject=subject,
        files=tuple(found.files),
        quotes=tuple(id for id in dict.fromkeys(quotes) if id != own)[:50],
        reply_token=next((token for tag in tags if (token := settings.reply_token(tag))), ""),
    )


def _said(mail: Message, text: str, found: Content) -> Said:
    if is_automatic(mail):
        return Said.AUTOMATIC
    return Said.FILE if found.files and not text else Said.TEXT


def is_automatic(mail: Message) -> bool:
    """Whether no person wrote it (channels.md §3). `X-Auto-Response-Suppress` says nothing: people's mails have it."""
    submitted = header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    marks = ("X-Autoreply", "X-Autorespond", "X-Auto-Response", "X-Failed-Recipients", "List-Id")
    local = address_in(header(mail, "From")).partition("@")[0].lower()
    return (
        submitted not in {"", "no"}
        or any(value.replace(" ", "") == "<>" for value in headers(mail, "Return-Path"))
        or bounces.is_report(mail)
        or any(header(mail, mark).lower() not in {"", "no", "false"} for mark in marks)
        or header(mail, "Precedence").lower() in {"bulk", "junk", "auto_reply", "list"}
        or local in {"mailer-daemon", "postmaster"}
    )


def _sender(mail: Message) -> Sender:
    for name in ("From", "Sender", "Reply-To", "Return-Path"):
        for display, address in addresses_in(header(mail, name)):
            return Sender((Address(AddressKind.EMAIL, address[:320]),), display[:200])
    return Sender((), worded(header(mail, "From"))[:200])


def _key(mail: Message, raw: bytes) -> str:
    """The same for the same mail, however often the mailbox gives it; ids alone are missing or used twice."""
    body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[-1]
    id = "".join(ids_in(header(mail, "Message-ID"))[:1])
    if not id:
        return "mail:" + hashlib.sha256(raw).hexdigest()
    told = "\n".join([id, header(mail, "From"), header(mail, "Date"), header(mail, "Subject")])
    # line ends and blank lines at the end differ between servers
    same = body.replace(b"\r\n", b"\n").rstrip()
    return "mail:" + hashlib.sha256(told.encode() + b"\n" + same).hexdigest()


def _outcome(outcome: bounces.Outcome, key: str, at: datetime, settings: Settings) -> Event:
    if not outcome.is_final:
        return Unknown(key, f"A report about a mail of ours: {outcome.action} {outcome.status}".strip())
    failure = bounces.why(outcome.status, bounces.code_in(outcome.words + " "), outcome.words)
    return Receipt(
        key=key,
        kind=ReceiptKind.FAILED,
        at=at,
        provider_id=settings.message_id(outcome.our_id),
        our_id=outcome.our_id,
        failure=Failure.UNKNOWN_CODE if failure is Failure.TEMPORARY else failure,
        code=outcome.status,
        words=outcome.words,
        addresses=_addresses(outcome.recipient),
    )


def _complaint(report: bounces.Complaint, key: str, at: datetime, settings: Settings) -> Event:
    if not report.is_one:
        return Unknown(key, f"A report about a mail of ours: {report.kind}"[:200])
    return Preference(
        key=key,
        sender=Sender(_addresses(report.recipient)),
        choice=Choice.COMPLAINED,
        at=at,
        provider_id=settings.message_id(report.our_id),
    )


def _addresses(recipient: str) -> tuple[Address, ...]:
    return (Address(AddressKind.EMAIL, recipient),) if recipient else ()


def _as_it_is(kept: Kept, at: datetime) -> Event:
    key = "mail:" + hashlib.sha256(kept.raw).hexdigest()
    try:
        mail = BytesHeaderParser(policy=LENIENT).parsebytes(kept.raw[:100_000])
        text = decoded(re.split(rb"\r?\n\r?\n", kept.raw, maxsplit=1)[-1][:100_000], "").strip()
        said = Said.AUTOMATIC if is_automatic(mail) else Said.OTHER
        return Inbound(key, key, _sender(mail), at, said, text=text, full_text=text)
    except Exception:  # whatever it is, its raw bytes are kept
        return Unknown(key, "A mail that cannot be read.")
