"""Reading a mail of any quality: its headers, its text, its files. Nothing here fails on what a stranger wrote."""

import codecs
import hashlib
import re
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import EmailPolicy
from email.utils import getaddresses

from drivercrm.channels.email.html import text_of_html
from drivercrm.channels.provider import RemoteFile

LONGEST_TEXT = 200_000  # characters
LONGEST_HEADER = 20_000
MOST_FILES = 50
DEEPEST = 40  # parts within parts

# where a server notes whom a mail was really for, the surest first; then what its sender wrote
_ADDRESSEES = ("Delivered-To", "X-Original-To", "X-Delivered-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_FOR = re.compile(r"\bfor\s+<([^<>\s]{3,320})>")
_ADDRESS = re.compile(r"[^\s<>\"(),;:@]{1,128}@[^\s<>\"(),;:@]{1,190}")
_NO_TEXT = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_REPORTED = {
    "message/delivery-status",
    "message/global-delivery-status",
    "message/feedback-report",
    "text/rfc822-headers",
    "message/disposition-notification",
}


class _Lenient(EmailPolicy):
    """The standard library's policy, with headers as text: its parser of headers fails on some that are in use."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return repaired(re.sub(r"\r?\n", "", str(value)[:LONGEST_HEADER]))


LENIENT = _Lenient(refold_source="none")


def message(raw: bytes) -> Message:
    """A mail from its bytes. Raises RecursionError on parts within parts without end."""
    start = re.match(rb"(?:[^\n]{0,998}\n){0,5}?(?=[!-9;-~]{1,80}:[ \t\r\n])", raw)  # junk above the headers
    return BytesParser(_class=Message, policy=LENIENT).parsebytes(raw[start.end() if start else 0 :])


def readable(text: str) -> str:
    """Text that every database takes: no NUL, no half characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def decoded(content: bytes, charset: str) -> str:
    """Text from bytes, also when the charset is missing, unknown or wrong."""
    named = charset.strip(" '\"").lower()
    try:
        known = codecs.lookup(named).name if named else ""
    except (LookupError, ValueError):  # a name may hold a NUL
        known = ""
    known = {"iso8859-1": "cp1252", "ascii": "", "latin-1": "cp1252"}.get(
        known, known
    )  # as browsers read them
    for attempt in (known, "utf-8"):
        if not attempt or attempt in _NO_TEXT or attempt.replace("-", "_") in _NO_TEXT:
            continue
        try:
            return readable(content.decode(attempt))
        except (LookupError, ValueError):
            continue
    return readable(content.decode("cp1252", "replace"))


def repaired(value: str) -> str:
    """A header's text, when its sender put letters in it that belong encoded."""
    if value.isascii():
        return value
    try:
        return decoded(value.encode("ascii", "surrogateescape"), "")
    except UnicodeEncodeError:
        return readable(value)


def worded(value: str) -> str:
    """A header's text with its encoded words decoded, on one line."""
    try:
        pieces = [
            piece if isinstance(piece, str) else decoded(piece, charset or "")
            for piece, charset in decode_header(value)
        ]
        value = "".join(pieces)
    except (MessageError, ValueError, LookupError):
        pass  # better as it came than not at all
    return " ".join(readable(re.sub(r"[\x00-\x1f\x7f]", " ", value)).split())


def header(mail: Message, name: str) -> str:
    """The first header of this name as text, undecoded; nothing where there is none."""
    return readable(str(mail.get(name, "") or "")).strip()


def headers(mail: Message, name: str) -> list[str]:
    """All headers of this name."""
    return [readable(str(value)).strip() for value in mail.get_all(name, [])]


def addresses_in(value: str) -> list[tuple[str, str]]:
    """Names and addresses of a header; what is no address is left out."""
    try:
        found = getaddresses([value])
    except (ValueError, IndexError, RecursionError):
        found = []
    usable = [
        (worded(name), address.strip()) for name, address in found if _ADDRESS.fullmatch(address.strip())
    ]
    if usable:
        return usable
    bare = _ADDRESS.search(value)
    return [("", bare[0])] if bare else []


def address_in(value: str) -> str:
    """The first address of a header, or nothing."""
    return next((address for _, address in addresses_in(value)), "")


def addressees(mail: Message) -> list[str]:
    """Every address that the mail was sent to, the surest first."""
    named = [
        address for name in _ADDRESSEES for value in headers(mail, name) for _, address in addresses_in(value)
    ]
    noted = [found for value in headers(mail, "Received") for found in _FOR.findall(value)]
    return list(dict.fromkeys([*named, *noted]))


def ids_in(value: str) -> list[str]:
    """Message ids of a header, without brackets, in its order."""
    found = re.findall(r"<\s*([^<>\s]{1,500})\s*>", value) or [id for id in value.split() if "@" in id[1:-1]]
    return list(dict.fromkeys(id[:500] for id in found))


@dataclass
class Content:
    """What is in a mail. `text` is what a person reads, made from the HTML where there is nothing else."""

    text: str = ""
    html: str = ""
    files: list[RemoteFile] = field(default_factory=list)


def content(mail: Message, most: int) -> Content:
    """The text and the files of a mail. A file above `most` bytes is named, without its content."""
    found = _content(mail, most, 0)
    numbered = [
        file if file.id else RemoteFile(**{**vars(file), "id": f"part-{number}"})
        for number, file in enumerate(found.files[:MOST_FILES], start=1)
    ]
    return Content(found.text[:LONGEST_TEXT].strip(), found.html, numbered)


def _content(part: Message, most: int, depth: int) -> Content:
    if depth > DEEPEST:
        return Content()
    kind = part.get_content_type()
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        kids = [_content(kid, most, depth + 1) for kid in part.get_payload() if isinstance(kid, Message)]
        return _same_thing(kids) if kind == "multipart/alternative" else _one_after_another(kids)
    is_body = kind in {"text/plain", "text/html"} or (
        kind.startswith("multipart/") and not part.is_multipart()
    )
    if is_body and part.get_content_disposition() != "attachment" and not part.get_filename():
        text = decoded(_payload(part), str(part.get_content_charset() or ""))
        if kind == "text/html":
            return Content(text_of_html(text), text)
        return Content(text.replace("\r\n", "\n").replace("\r", "\n"))
    return Content() if kind in _REPORTED else Content(files=[_file(part, kind, most)])


def _same_thing(kids: list[Content]) -> Content:
    """The same text in several forms: the plain one is read, the richest is shown."""
    plain = [kid.text for kid in kids if kid.text.strip() and not kid.html]
    rich = [kid for kid in kids if kid.html]
    text = plain[0] if plain else next((kid.text for kid in rich if kid.text.strip()), "")
    return Content(text, rich[-1].html if rich else "", [file for kid in kids for file in kid.files])


def _one_after_another(kids: list[Content]) -> Content:
    return Content(
        "\n".join(kid.text for kid in kids if kid.text.strip()),
        "".join(kid.html for kid in kids),
        [file for kid in kids for file in kid.files],
    )


def _payload(part: Message) -> bytes:
    if part.is_multipart():  # a mail within the mail
        return b"\r\n".join(kid.as_bytes() for kid in part.get_payload() if isinstance(kid, Message))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file(part: Message, kind: str, most: int) -> RemoteFile:
    data = _payload(part)
    name = worded(str(part.get_filename() or ""))
    name = re.split(r"[/\\]", name)[-1].strip(" .")[:150]
    if not name and kind == "message/rfc822":
        name = "mail.eml"
    return RemoteFile(
        id=(ids_in(header(part, "Content-ID")) or [""])[0][:200],
        name=name,
        media_type=kind[:100]
        if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind, re.ASCII)
        else "application/octet-stream",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=data if len(data) <= most else None,
    )
