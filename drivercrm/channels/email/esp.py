"""Email by a sending service instead of SMTP and IMAP, through django-anymail (the extra `esp`).

The service reports deliveries, bounces and complaints, and hands answers in, by webhooks; one address takes both.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from importlib import import_module
from io import BytesIO
from typing import Any
from uuid import UUID

from anymail.exceptions import (  # type: ignore[import-untyped]
    AnymailConfigurationError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
)
from anymail.signals import AnymailInboundEvent, AnymailTrackingEvent  # type: ignore[import-untyped]
from django.core.handlers.wsgi import WSGIRequest
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import NewConnectionError

from drivercrm.channels.email import inbound
from drivercrm.channels.email.bounces import code_in, status_in, why
from drivercrm.channels.email.capabilities import capabilities_of
from drivercrm.channels.email.outbound import build
from drivercrm.channels.email.reading import header, ids_in, readable
from drivercrm.channels.email.settings import Settings as Mailbox
from drivercrm.channels.provider import (
    Accepted,
    Address,
    AddressKind,
    Attachment,
    Choice,
    Event,
    Failure,
    Inbound,
    Knock,
    NotReached,
    Outgoing,
    Preference,
    Receipt,
    ReceiptKind,
    RemoteFile,
    Sender,
    SendFailed,
    Standing,
    Unknown,
)

# whose messages carry our id and bring it back; Amazon SES needs a library of its own
SERVICES = (
    "brevo", "mailersend", "mailgun", "mailjet", "mailtrap", "mandrill", "postal", "postmark", "resend", "sendgrid",
    "sparkpost", "unisender_go",
)  # fmt: skip
OUR_ID = "our_id"  # in the message's metadata

_RECEIPTS = {"sent": ReceiptKind.SENT, "delivered": ReceiptKind.DELIVERED}
_FAILED = {"bounced", "rejected", "failed"}
_REASONS = {
    "invalid": Failure.UNREACHABLE,
    "bounced": Failure.UNREACHABLE,
    "timed_out": Failure.UNKNOWN_CODE,
    "blocked": Failure.CONTENT,
    "spam": Failure.BLOCKED,  # the service keeps who has complained, and who has unsubscribed
    "unsubscribed": Failure.BLOCKED,
}
_CHOICES = {"complained": Choice.COMPLAINED, "unsubscribed": Choice.BLOCKED}


@dataclass(frozen=True)
class Settings:
    """One account with a service. `mail` says who we are; its servers stay empty.

    `options` and `webhook_options` are anymail's names in small letters without the service's: `server_token`,
    `api_key`, `webhook_signing_key` …
    """

    service: str
    mail: Mailbox
    webhook_secret: str = field(repr=False)  # name:password, as the webhook's address carries it
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Settings that were kept as JSON hold `mail` as an object."""
        if isinstance(self.mail, Mapping):
            object.__setattr__(self, "mail", Mailbox(**self.mail))


class Provider:
    """One account with a sending service."""

    def __init__(self, settings: Settings) -> None:
        if settings.service not in SERVICES:
            raise ValueError(f"There is no mail service {settings.service}.")
        self._settings = settings
        self._backend: Any = None
        self.capabilities = replace(capabilities_of(settings.mail), has_delivery=True)

    def send(self, message: Outgoing) -> Accepted:
        """Hands a mail over. Its id is our Message-ID, however the service calls it. Raises SendFailed."""
        mail: Any = build(message, self._settings.mail)
        # the service makes the envelope, and its bounces come by webhook
        mail.from_email = mail.extra_headers.pop("From")
        mail.metadata = {OUR_ID: str(message.id)}
        try:
            backend = self._opened()
            backend.send_messages([mail])
        except Exception as error:
            self.close()
            raise _failed(error) from None
        said = mail.anymail_status.status or set()
        if said & {"sent", "queued"}:
            return Accepted(self._settings.mail.message_id(message.id), datetime.now(UTC))
        if "failed" in said:
            raise SendFailed(Failure.UNKNOWN_CODE, "The service could not send this mail.", code="failed")
        raise SendFailed(Failure.IN_DOUBT, "The service did not say whether it has taken the mail.")

    def _opened(self) -> Any:
        if self._backend is None:
            module = import_module(f"anymail.backends.{self._settings.service}")
            backend = module.EmailBackend(ignore_unsupported_features=True, **self._settings.options)
            backend.open()
            self._backend = backend
        return self._backend

    def is_genuine(self, knock: Knock) -> bool:
        """Whether the webhook carries our secret and, where the service signs, its signature."""
        request = _request(knock.body, knock.headers, knock.query)
        return bool(self._settings.webhook_secret) and any(_accepts(view, request) for view in self._views())

    def greeting(self, knock: Knock) -> str | None:
        """Services look whether the address is there, with HEAD or GET."""
        return "" if knock.method in {"HEAD", "GET"} else None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """Every event of a webhook; opens and clicks are kept as unknown, they prove nothing. Never raises."""
        refused: list[Event] = []
        for view in self._views():
            try:
                events = view.parse_events(_request(body, {}, {}))
                found = [
                    self._event(event, received_at, f"{number}:".encode() + body)
                    for number, event in enumerate(events)
                ]
            except Exception:  # noqa: S112  # made for the other kind of webhook, or for none
                continue
            if any(not isinstance(event, Unknown) for event in found):
                return found
            refused = refused or found
        return refused or [Unknown(_digest(body), "An event that cannot be read.")]

    def _event(self, event: Any, received_at: datetime, body: bytes) -> Event:
        if isinstance(event, AnymailInboundEvent):
            return self._answer(event, received_at, body)
        if isinstance(event, AnymailTrackingEvent):
            return self._news(event, received_at, body)
        return Unknown(_digest(body), "An event of a kind that we do not know.")

    def _answer(self, event: AnymailInboundEvent, received_at: datetime, body: bytes) -> Event:
        mail = event.message
        noted = b""
        if mail.envelope_recipient:
            noted += f"Delivered-To: {' '.join(str(mail.envelope_recipient).split())}\r\n".encode()
        if mail.envelope_sender is not None:
            noted += f"Return-Path: <{' '.join(str(mail.envelope_sender).strip('<>').split())}>\r\n".encode()
        [read] = inbound.parse(noted + mail.as_bytes(), received_at, self._settings.mail)
        # anymail puts the mail together anew, each time with other boundaries: the key comes from what it says
        key = _digest(_told(mail, read) or body)
        if not isinstance(read, Inbound):
            return replace(read, key=key)
        if not (read.sender.addresses or read.text or read.files):
            return Unknown(key, "A mail without a sender and a text.")
        at = event.timestamp if event.timestamp and event.timestamp.tzinfo else received_at
        own = read.provider_id if read.provider_id != read.key else key
        return replace(read, key=key, provider_id=own, at=min(at.astimezone(UTC), received_at))

    def _news(self, event: AnymailTrackingEvent, received_at: datetime, body: bytes) -> Event:
        kind, named = str(event.event_type), event.event_id
        key = f"esp:{kind}:{readable(str(named))[:150]}" if named else f"esp:{kind}:{_digest(body)}"
        at = event.timestamp if event.timestamp and event.timestamp.tzinfo else received_at
        our_id = _uuid((event.metadata or {}).get(OUR_ID))
        message_id = (
            self._settings.mail.message_id(our_id) if our_id else readable(str(event.message_id or ""))
        )
        person = (Address(AddressKind.EMAIL, readable(str(event.recipient))),) if event.recipient else ()
        if kind in _CHOICES:
            return Preference(key, Sender(person), _CHOICES[kind], at, provider_id=message_id)
        if kind not in _RECEIPTS and kind not in _FAILED:
            return Unknown(key, f"News about a mail: {kind}")
        words = readable(str(event.mta_response or event.description or ""))[:500]
        failed = kind in _FAILED
        return Receipt(
            key=key,
            kind=ReceiptKind.FAILED if failed else _RECEIPTS[kind],
            at=at,
            provider_id=message_id,
            our_id=our_id,
            failure=_reason(event.reject_reason, words) if failed else None,
            code=status_in(words) or str(event.reject_reason or "") if failed else "",
            words=words if failed else "",
            addresses=person,
        )

    def _views(self) -> list[Any]:
        """The readers of the service's two kinds of webhooks, that of reports first."""
        module = import_module(f"anymail.webhooks.{self._settings.service}")
        views = []
        for ending in ("TrackingWebhookView", "CombinedWebhookView", "InboundWebhookView"):
            kinds: list[Any] = [kind for name, kind in vars(module).items() if name.endswith(ending)]
            for kind in kinds:
                if kind.__module__ == module.__name__:
                    views += self._made(kind)
        return views

    def _made(self, kind: Any) -> list[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without a secret `is_genuine` says no
            try:
                return [kind(webhook_secret=self._settings.webhook_secret, **self._settings.webhook_options)]
            except AnymailConfigurationError:  # this service asks for more, and this kind is not used
                return []

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file of a mail; it came with the mail. Raises NotReached: CONTENT when it is too large."""
        if file.content is None or len(file.content) > most:
            raise NotReached(Failure.CONTENT, "The file is too large to be kept.")
        return Attachment(file.name, file.media_type, file.content)

    def check(self) -> Standing:
        """Whether the settings are complete; services have no common question for more. Raises NotReached."""
        try:
            self._opened()
            self._views()
        except (AnymailConfigurationError, TypeError):
            raise NotReached(Failure.ACCOUNT, "A setting of this service is missing or unknown.") from None
        mail = self._settings.mail
        return Standing(mail.from_name, mail.from_address, words="The key is tried with the first mail.")

    def close(self) -> None:
        """Gives the connection back."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None


def _accepts(view: Any, request: WSGIRequest) -> bool:
    """The secret is asked for by every reader, a signature only by that of the right kind of webhook."""
    try:
        view.run_validators(request)
    except Exception:  # not signed, not even readable: a stranger's
        return False
    return True


def _digest(body: bytes) -> str:
    return "esp:" + hashlib.sha256(body).hexdigest()


def _told(mail: Message, read: Event) -> bytes:
    """What makes a mail this one, when it has an id; nothing without."""
    id = " ".join(ids_in(header(mail, "Message-ID")))
    if not id:
        return b""
    if not isinstance(read, Inbound):
        return f"{id}\n{type(read).__name__}".encode()
    files = " ".join(file.sha256 for file in read.files)
    return "\n".join([id, read.sender.name, read.subject, read.full_text, files]).encode()


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _request(body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> WSGIRequest:
    """The webhook as Django's own request: what a service's reader expects. Its kind is seen from the body."""
    kind = "application/x-www-form-urlencoded"
    if body.lstrip()[:1] in {b"{", b"["}:
        kind = "application/json"
    elif body.startswith(b"--"):
        boundary = body[2:200].split(b"\r\n", 1)[0].decode("ascii", "replace")
        kind = f'multipart/form-data; boundary="{boundary}"'
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(body),
        "CONTENT_TYPE": headers.get("content-type", kind),
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": "&".join(f"{name}={value}" for name, value in query.items()),
    }
    environ |= {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in headers.items()
        if name not in {"content-type", "content-length"}
    }
    request = WSGIRequest(environ)
    request._body = body  # it is here already, whatever Django's limit
    return request


def _reason(reason: str | None, words: str) -> Failure:
    status = status_in(words)
    if status or code_in(words + " "):
        failure = why(status, code_in(words + " "), words)
        if failure is not Failure.TEMPORARY:
            return failure
    return _REASONS.get(str(reason), Failure.UNKNOWN_CODE)


def _failed(error: Exception) -> SendFailed:
    if isinstance(error, SendFailed):
        return error
    if isinstance(error, AnymailRecipientsRefused | AnymailInvalidAddress):
        return SendFailed(Failure.UNREACHABLE, "The service sends nothing to this address.", code="refused")
    if isinstance(error, AnymailConfigurationError):
        return SendFailed(Failure.ACCOUNT, "A setting of this service is missing.")
    status = getattr(error, "status_code", None)
    if status is None:
        return _no_answer(error)
    words = _words_of(getattr(error, "response", None))
    code = str(status)
    if status in {401, 402, 403}:
        return SendFailed(Failure.ACCOUNT, words, code=code)
    if status == 429:
        return SendFailed(Failure.RATE, words, code=code, wait=timedelta(minutes=1))
    if status == 503:
        return SendFailed(Failure.TEMPORARY, words, code=code)
    # another 5xx may stand in front of a service that has taken it, and an answer that makes no sense is none
    in_doubt = status >= 500 or status < 400
    return SendFailed(Failure.IN_DOUBT if in_doubt else Failure.CONTENT, words, code=code)


def _no_answer(error: Exception) -> SendFailed:
    cause = error.__cause__
    inner = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    if isinstance(cause, ConnectTimeout) or isinstance(inner, NewConnectionError):
        return SendFailed(Failure.TEMPORARY, "The service cannot be reached.")
    if isinstance(error, AnymailError) and cause is None:
        return SendFailed(Failure.CONTENT, f"The service cannot send this mail: {type(error).__name__}")
    if isinstance(error, TypeError):
        return SendFailed(Failure.ACCOUNT, "A setting of this service is missing or unknown.")
    return SendFailed(Failure.IN_DOUBT, "The service did not say whether it has taken the mail.")


def _words_of(response: Any) -> str:
    text = getattr(response, "text", "") or ""
    try:
        told = json.loads(text)
        found = told.get("Message") or told.get("message") if isinstance(told, dict) else None
        return readable(str(found or text))[:500]
    except ValueError:
        return readable(text)[:500]
