"""What a server says about a mail of ours: in its refusal, in a delivery report, in a complaint."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from uuid import UUID

from flufl.bounce import all_failures

from drivercrm.channels.email.reading import address_in, addressees, header, ids_in, readable
from drivercrm.channels.email.settings import Settings
from drivercrm.channels.provider import Failure

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")
_NO_RELAY = re.compile(
    r"relay access denied|relaying denied|unable to relay|relay not permitted|not permitted to relay", re.I
)
_RETURNED = {
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
}
_COMPLAINTS = {"abuse", "fraud", "other", "opt-out", "opt-out-list", "unsubscribe", "complaint"}
_RETURNED_ID = re.compile(rb"^[> \t]*Message-ID:\s*<([^<>\s]{1,250})>", re.MULTILINE | re.IGNORECASE)
LONGEST_OLD_BOUNCE = 200_000  # bytes of a bounce without a report that are looked at


@dataclass(frozen=True)
class Outcome:
    """What became of a mail of ours. `action` is the report's word: failed, delayed, delivered, relayed, expanded."""

    our_id: UUID
    action: str
    status: str  # 5.1.1
    words: str
    recipient: str

    @property
    def is_final(self) -> bool:
        """Whether it did not arrive, and the server says that it never will (channels.md §3: 4.x.x changes nothing)."""
        return self.action == "failed" and not self.status.startswith("4")


@dataclass(frozen=True)
class Complaint:
    """Somebody has marked a mail of ours as spam."""

    our_id: UUID
    kind: str
    recipient: str

    @property
    def is_one(self) -> bool:
        """Reports of this form also tell of forged signatures, and of mail that is no spam after all."""
        return self.kind in _COMPLAINTS


def status_in(text: str) -> str:
    """The first enhanced status in a server's words (RFC 3463), or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def code_in(text: str) -> int:
    """The first reply code in a server's words; none: 0."""
    found = _CODE.search(text)
    return int(found[1]) if found else 0


def why(status: str, code: int, words: str, *, to_recipient: bool = True) -> Failure:
    """What a refusal means. `to_recipient`: the recipient was refused, not the sender or the mail itself."""
    _, subject, detail = (status or "5.0.0").split(".")
    if status.startswith("4") or (not status and 400 <= code < 500):
        return Failure.TEMPORARY
    if (
        _NO_RELAY.search(words)
        or code in {530, 535}
        or (subject, detail) in {("1", "7"), ("1", "8"), ("7", "8")}
    ):
        return Failure.ACCOUNT
    if (subject, detail) == ("2", "2"):
        return Failure.NOT_NOW  # a full mailbox empties
    if subject in {"1", "4"} or (subject == "2" and detail != "3"):
        return Failure.UNREACHABLE
    if subject in {"2", "3", "5", "6", "7"}:
        return Failure.CONTENT  # too large, not allowed, taken for spam: says nothing about the address
    if to_recipient and code in {550, 551, 553}:
        return Failure.UNREACHABLE
    if to_recipient and code == 552:
        return Failure.NOT_NOW
    return Failure.CONTENT if 500 <= code < 600 else Failure.UNKNOWN_CODE


def outcome(mail: Message, raw: bytes, settings: Settings) -> Outcome | None:
    """What a bounce says about a mail of ours; None when it names none of ours, or is no bounce."""
    blocks = [block for part in _parts(mail, {"message/delivery-status", "message/global-delivery-status"})
              for block in _blocks(part)]  # fmt: skip
    told = [block for block in blocks if header(block, "Action")]
    if told:
        our_id = _ours(mail, raw, settings)
        worst = next((block for block in told if header(block, "Action").lower() == "failed"), told[0])
        return _told(worst, our_id) if our_id else None
    if not _from_a_machine(mail):
        return None
    our_id = _ours(mail, raw, settings)
    return _guessed(raw, our_id) if our_id else None


def _told(block: Message, our_id: UUID) -> Outcome:
    diagnosis = header(block, "Diagnostic-Code").partition(";")
    words = (diagnosis[2] or diagnosis[0]).strip()
    recipient = header(block, "Original-Recipient") or header(block, "Final-Recipient")
    return Outcome(
        our_id=our_id,
        action=header(block, "Action").split()[0].strip(" ;").lower(),
        status=status_in(header(block, "Status")) or status_in(words),
        words=" ".join(words.split())[:500],
        recipient=address_in(recipient.rpartition(";")[2]),
    )


def _guessed(raw: bytes, our_id: UUID) -> Outcome | None:
    """A bounce of the old kind, in words only."""
    try:
        temporary, permanent = all_failures(message_from_bytes(raw[:LONGEST_OLD_BOUNCE]))
    except Exception:  # its many readers were written for mails that are at least half right
        return None
    if not temporary and not permanent:
        return None
    text = raw[:LONGEST_OLD_BOUNCE].decode("utf-8", "replace")
    below = text.partition("\n\n")[2] or text.partition("\r\n\r\n")[2]
    status = status_in(below)
    line = next(
        (line for line in below.splitlines() if (status and status in line) or _CODE.search(line)), ""
    )
    first = sorted(permanent or temporary)[0]
    return Outcome(
        our_id=our_id,
        action="failed" if permanent else "delayed",
        status=status if permanent and status.startswith("5") else ("" if permanent else "4.0.0"),
        words=readable(line.strip())[:500],
        recipient=address_in(first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)),
    )


def complaint(mail: Message, raw: bytes, settings: Settings) -> Complaint | None:
    """A feedback report (RFC 5965) about a mail of ours; None when it names none of ours, or is none."""
    for part in _parts(mail, {"message/feedback-report"}):
        for block in _blocks(part):
            if not header(block, "Feedback-Type"):
                continue
            our_id = _ours_in_tags([header(block, "Original-Mail-From")], settings) or _ours(
                mail, raw, settings
            )
            if our_id is None:
                return None
            returned = [header(one, "To") for one in _returned(mail)]
            named = header(block, "Original-Rcpt-To").rpartition(";")[2] or next(iter(returned), "")
            return Complaint(our_id, header(block, "Feedback-Type").strip().lower(), address_in(named))
    return None


def is_report(mail: Message) -> bool:
    """Whether a machine reports about a mail."""
    return mail.get_content_type() == "multipart/report"


def _from_a_machine(mail: Message) -> bool:
    local = address_in(header(mail, "From")).partition("@")[0].lower()
    return (
        header(mail, "Return-Path").replace(" ", "") == "<>"
        or local in {"mailer-daemon", "postmaster"}
        or bool(header(mail, "X-Failed-Recipients"))
        or is_report(mail)
    )


def _parts(part: Message, kinds: set[str]) -> Iterator[Message]:
    """Parts of these kinds, but not inside a mail that is attached: a person may send a bounce on."""
    if part.get_content_type() in kinds:
        yield part
    elif part.get_content_maintype() == "multipart" and part.is_multipart():
        for kid in part.get_payload():
            if isinstance(kid, Message):
                yield from _parts(kid, kinds)


def _blocks(part: Message) -> Iterator[Message]:
    """The groups of fields of a report, however deep the parser has put them."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        payload = [message_from_bytes(_bytes(part), policy=part.policy)]
    for block in payload:
        while isinstance(block, Message) and block.keys():
            yield block
            rest = block.get_payload()
            block = message_from_bytes(_bytes(block), policy=block.policy) if isinstance(rest, str) else None  # noqa: PLW2901


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload.lstrip(b"\r\n") if isinstance(payload, bytes) else b""


def _returned(mail: Message) -> Iterator[Message]:
    """The headers of the mail that a report is about."""
    for part in _parts(mail, _RETURNED):
        payload = part.get_payload()
        if isinstance(payload, list) and payload and isinstance(payload[0], Message):
            yield payload[0]
        else:
            yield message_from_bytes(_bytes(part), policy=part.policy)


def _ours(mail: Message, raw: bytes, settings: Settings) -> UUID | None:
    """Which mail of ours a report is about: by where it was sent to, else by the id that it gives back."""
    if found := _ours_in_tags(addressees(mail), settings):
        return found
    for returned in _returned(mail):
        # a relay may have put an id of its own; ours is then the last of the references
        ids = [*ids_in(header(returned, "Message-ID")), *reversed(ids_in(header(returned, "References")))]
        if found := next((ours for id in ids if (ours := settings.our_id(id))), None):
            return found
    named = [id.decode("ascii", "replace") for id in _RETURNED_ID.findall(raw[:LONGEST_OLD_BOUNCE])]
    answered = ids_in(header(mail, "In-Reply-To")) + ids_in(header(mail, "References"))[::-1]
    return next((ours for id in [*named, *answered] if (ours := settings.our_id(id))), None)


def _ours_in_tags(addresses: list[str], settings: Settings) -> UUID | None:
    tags = [settings.tag_in(address_in(address)) for address in addresses]
    return next((ours for tag in tags if (ours := settings.our_id_in_tag(tag))), None)
