"""Building a mail: what is in its headers, and that nobody can put a header in."""

import re
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.utils import formataddr
from html import escape

from django.core.mail import EmailMultiAlternatives

from drivercrm.channels.email.settings import Settings
from drivercrm.channels.provider import AddressKind, Attachment, Failure, Outgoing, SendFailed

LONGEST_REFERENCES = 20  # ids; the first stays, it names the conversation
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,250}")
_LINK = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?()]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9.-]+\.[A-Za-z0-9-]{{2,}}")


def one_line(text: str, most: int = 200) -> str:
    """A text as a header may hold it: one line, no control characters."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())[:most].strip()


def recipient(message: Outgoing) -> str:
    """The address as a server takes it. Raises SendFailed: UNREACHABLE when it is none."""
    local, _, domain = message.to.value.strip().rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        domain = ""
    address = f"{local}@{domain}"
    if message.to.kind is not AddressKind.EMAIL or len(local) > 64 or not _ADDRESS.fullmatch(address):
        raise SendFailed(
            Failure.UNREACHABLE, "This is no mail address that can be written to.", code="address"
        )
    return address


def build(message: Outgoing, settings: Settings) -> EmailMultiAlternatives:
    """The mail with its envelope: `from_email` is the envelope's sender, where a bounce names the message.

    Raises SendFailed: UNREACHABLE without a usable address, CONTENT when it cannot go out as it is.
    """
    own = settings.message_id(message.id)
    mail = EmailMultiAlternatives(
        subject=one_line(message.subject),
        body=_printable(message.text),
        from_email=settings.tagged(settings.bounce_tag(message.id)),
        to=[formataddr((one_line(message.to_name, 100), recipient(message)))],
        headers=_headers(message, settings, own),
    )
    if message.reply_token:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", message.reply_token):
            raise SendFailed(Failure.CONTENT, "The reply token has characters that no address may have.")
        mail.reply_to = [settings.tagged(f"r-{message.reply_token}")]
    elif settings.mailbox != settings.from_address:
        mail.reply_to = [settings.mailbox]
    mail.attach_alternative(html_of(message.text), "text/html")
    for file in message.attachments:
        _attach(mail, file, settings)
    return mail


def _headers(message: Outgoing, settings: Settings, own: str) -> dict[str, str]:
    headers = {
        "From": formataddr((one_line(settings.from_name, 100), settings.from_address)),
        "Message-ID": f"<{own}>",
        # some relays put an id of their own in Message-ID; an answer then still carries ours. It stands last:
        # mail programs take the last id for the parent, and one that names itself is left out by all of them
        "References": " ".join(f"<{id}>" for id in [*_ancestors(message), own]),
    }
    if quoted := _ID.fullmatch(message.quotes.strip("<> ")):
        headers["In-Reply-To"] = f"<{quoted[0]}>"
    if message.is_automatic:
        headers["Auto-Submitted"] = "auto-generated"
        headers["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    if message.unsubscribe_url:
        if not re.fullmatch(r"https?://[\x21-\x3b\x3d\x3f-\x7e]{1,900}", message.unsubscribe_url):
            raise SendFailed(Failure.CONTENT, "The unsubscribe link is no address of a page.")
        headers["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        if message.unsubscribe_url.startswith("https:"):  # RFC 8058 allows one click over https only
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _ancestors(message: Outgoing) -> list[str]:
    ids = [id.strip("<> ") for id in (*message.thread, message.quotes)]
    last_of_each = dict.fromkeys(reversed([id for id in ids if _ID.fullmatch(id)]))
    oldest_first = list(reversed(last_of_each))
    return [*oldest_first[:1], *oldest_first[1:][-LONGEST_REFERENCES:]]


def _printable(text: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", "", plain)


def html_of(text: str) -> str:
    """The same text as HTML: paragraphs, line breaks and links, and nothing that a text could bring in."""
    paragraphs = [part for part in re.split(r"\n[ \t]*\n+", _printable(text).strip("\n")) if part.strip()]
    body = "".join(f"<p>{_linked(part).replace(chr(10), '<br>')}</p>" for part in paragraphs)
    return f'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>{body}</body></html>'


def _linked(text: str) -> str:
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        address = escape(found[0])
        pieces += [escape(text[end : found.start()]), f'<a href="{address}">{address}</a>']
        end = found.end()
    return "".join([*pieces, escape(text[end:])])


def _attach(mail: EmailMultiAlternatives, file: Attachment, settings: Settings) -> None:
    if len(file.content) > settings.most_attachment:
        raise SendFailed(Failure.CONTENT, "A file is larger than this account sends.", code="attachment")
    typed = re.fullmatch(
        r"(application|audio|font|image|text|video)/([a-z0-9.+-]{1,80})", file.media_type.lower()
    )
    # made by hand: a text would be decoded and encoded anew, and the file must arrive as it is
    part = MIMEBase(*(typed.groups() if typed else ("application", "octet-stream")))
    part.set_payload(file.content)
    encode_base64(part)
    name = one_line(file.name.replace("/", "_").replace("\\", "_"), 120) or "file"
    part.add_header(
        "Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name)
    )
    mail.attach(part)
