"""WATI as a provider (channels.md §1.9). Its webhooks carry no signature: a long random word in the address is all."""

import hmac
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from drivercrm.channels.provider import (
    Accepted,
    AddressKind,
    Attachment,
    Draft,
    Event,
    Failure,
    KeptTemplate,
    Knock,
    NotReached,
    Outgoing,
    RemoteFile,
    SendFailed,
    Standing,
    TemplateCall,
)
from drivercrm.channels.wati.capabilities import CAPABILITIES
from drivercrm.channels.wati.inbound import failure_in, parse
from drivercrm.channels.whatsapp.errors import code_of, failure_of
from drivercrm.channels.whatsapp.reading import as_list, as_map, as_text, short

if TYPE_CHECKING:
    from drivercrm.channels.wati.calls import Calls

V3 = "/api/ext/v3"
PAGE = 100
MOST_PAGES = 100
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


@dataclass(frozen=True)
class Settings:
    """One number at WATI. `tenant` is the number in the API's address; only files need it.

    `path_token` stands at the end of the webhook's address. `channel_number` is needed where an account has several.
    """

    host: str
    token: str = field(repr=False)
    path_token: str = field(repr=False)
    tenant: str = ""
    channel_number: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence."""
        if not re.fullmatch(r"https://[a-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+", self.host):
            raise ValueError("host looks like https://live-mt-server.wati.io")
        if not re.fullmatch(r"[0-9]{0,20}", self.tenant):
            raise ValueError("tenant is the row of digits in WATI's API address")
        if not re.fullmatch(r"[0-9]{0,20}", self.channel_number):
            raise ValueError("channel_number has digits only, with the country's code")
        if len(self.path_token) < 20:
            raise ValueError("path_token has at least 20 signs: it is the only lock of the webhook")


class Wati:
    """A provider whose templates are made at WATI."""

    capabilities = CAPABILITIES

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _calls(self) -> "Calls":
        from drivercrm.channels.wati.calls import Calls  # noqa: PLC0415  # slow import

        token = "".join(letter for letter in self.settings.token if "!" <= letter <= "~")
        return Calls(self.settings.host, token)

    def close(self) -> None:
        """Gives connections back."""
        if "_calls" in self.__dict__:
            self._calls.close()
            del self.__dict__["_calls"]

    # Going out

    def send(self, message: Outgoing) -> Accepted:
        """Hands one message over. Raises SendFailed; which failures are in doubt is said in `calls.py`.

        A template carries our id and comes back with it. Anything else gets an id of WATI's: a lost answer to it can
        be settled by a person only.
        """
        to = _recipient(message)
        if len(message.attachments) > 1:
            raise SendFailed(Failure.CONTENT, "WhatsApp takes one file with a message")
        if message.template is not None:
            if message.attachments:
                raise SendFailed(Failure.CONTENT, "WATI takes no file beside a template")
            return self._send_template(message, message.template, to)
        text = _clean(message.text)
        if message.attachments:
            if len(text) > (CAPABILITIES.longest_caption or 0):
                raise SendFailed(Failure.CONTENT, "The text beside a file is too long")
            return self._send_file(to, message.attachments[0], text)
        if not text.strip() or len(text) > CAPABILITIES.longest_text:
            raise SendFailed(Failure.CONTENT, "The text is empty or too long")
        return self._say("text", json={"target": self._target(to), "text": text})

    def _send_template(self, message: Outgoing, call: TemplateCall, to: str) -> Accepted:
        values = [{"name": name, "value": _one_line(value)} for name, value in call.values.items()]
        empty = next((one["name"] for one in values if not one["value"]), None)
        if empty is not None:
            raise SendFailed(Failure.CONTENT, f"The variable {empty} is empty")
        channel = self.settings.channel_number
        answer = self._calls.hand_over(
            f"{V3}/messageTemplates/send",
            json={
                "template_name": call.name,
                "broadcast_name": f"{call.name}-{message.id}",
                **({"channel": channel, "channel_number": channel} if channel else {}),
                "recipients": [
                    {
                        "target" if message.to.kind == AddressKind.BUSINESS_SCOPED_ID else "phone_number": to,
                        "local_message_id": str(message.id),
                        "custom_params": values,
                    }
                ],
            },
        )
        return _broadcast(answer, str(message.id))

    def _send_file(self, to: str, file: Attachment, caption: str) -> Accepted:
        return self._say(
            "file",
            data={"target": self._target(to), **({"caption": caption} if caption else {})},
            files={"file": (_clean(file.name)[:240] or "file", file.content, file.media_type)},
        )

    def _say(self, what: str, **content: Any) -> Accepted:
        """Into an open conversation; where WATI finds none, the window is shut."""
        try:
            return _taken(self._calls.hand_over(f"{V3}/conversations/messages/{what}", **content))
        except SendFailed as failed:
            if failed.code == "HTTP 404" and failed.failure == Failure.UNKNOWN_CODE:
                raise SendFailed(Failure.NEEDS_TEMPLATE, failed.words, code=failed.code) from None
            raise

    def _target(self, to: str) -> str:
        """Where an account has several numbers, a bare address would leave from the first of them."""
        channel = self.settings.channel_number
        return f"{channel}:{to}" if channel else to

    # Coming in

    def is_genuine(self, knock: Knock) -> bool:
        """Whether the address ended in our word; whoever takes the knock puts it into the query as `token`."""
        given = knock.query.get("token", "")
        return hmac.compare_digest(self.settings.path_token.encode(), given.encode("utf-8", "replace"))

    def greeting(self, knock: Knock) -> str | None:
        """WATI does not ask first."""
        return None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """Every event of a raw body. Never raises."""
        return parse(body, received_at, channel_number=self.settings.channel_number)

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file of a message, by its path at WATI: no address of a webhook is followed. Raises NotReached."""
        from drivercrm.channels.wati.calls import refusal  # noqa: PLC0415  # slow import

        if not re.fullmatch(r"data/[A-Za-z0-9._/-]{1,300}", file.id) or ".." in file.id:
            raise NotReached(Failure.CONTENT, "The file has no proper path")
        tenant = f"/{self.settings.tenant}" if self.settings.tenant else ""
        content = bytearray()
        kind = file.media_type
        try:
            with self._calls.client.stream(
                "GET",
                f"{tenant}/api/v1/getMedia",
                params={"fileName": file.id},
                headers={"Accept-Encoding": "identity"},
            ) as response:
                if response.status_code != 200:
                    raise refusal(response.status_code)
                kind = kind or response.headers.get("Content-Type", "")
                for piece in response.iter_bytes(64 * 1024):
                    content += piece
                    if len(content) > most:
                        raise NotReached(Failure.CONTENT, f"The file has more than {most} bytes")
        except NotReached:
            raise
        except Exception as error:
            raise NotReached(
                Failure.TEMPORARY, "WATI could not be reached", code=type(error).__name__
            ) from None
        guessed = mimetypes.guess_type(file.id)[0] or "application/octet-stream"
        return Attachment(_clean(file.name) or file.id.rpartition("/")[2], kind or guessed, bytes(content))

    # The account

    def check(self) -> Standing:
        """The number that messages leave by. Raises NotReached."""
        answer = self._calls.ask(f"{V3}/channels", page_number=1, page_size=PAGE)
        channels = [as_map(one) for one in as_list(answer.get("channels"))]
        wanted = self.settings.channel_number
        numbers = {"".join(filter(str.isdigit, as_text(one.get("channel")))): one for one in channels}
        if wanted and wanted not in numbers:
            raise NotReached(Failure.ACCOUNT, "WATI knows no channel with this number")
        chosen = numbers[wanted] if wanted else next(iter(channels), {})
        words = "WATI has several channels, so the number must be named." if len(channels) > 1 else ""
        return Standing(
            name=as_text(chosen.get("name")) or "WATI",
            address=as_text(chosen.get("channel")),
            words="" if wanted else words,
        )

    def templates(self) -> list[KeptTemplate]:
        """All templates, every page. Raises NotReached."""
        kept: list[KeptTemplate] = []
        channel = self.settings.channel_number
        for page in range(1, MOST_PAGES + 1):
            answer = self._calls.ask(
                f"{V3}/messageTemplates",
                page_number=page,
                page_size=PAGE,
                **({"channel": channel} if channel else {}),
            )
            rows = as_list(answer.get("templates"))
            kept += [_kept(as_map(row)) for row in rows]
            if len(rows) < PAGE:
                return kept
        return kept

    def submit(self, draft: Draft) -> KeptTemplate:
        """Templates are made at WATI, and known here after the next synchronisation. Raises NotReached, always."""
        raise NotReached(Failure.CONTENT, "Make this template at WATI, then synchronise")


def _recipient(message: Outgoing) -> str:
    if message.to.kind == AddressKind.PHONE:
        return message.to.value.lstrip("+")
    if message.to.kind in (AddressKind.WHATSAPP_ID, AddressKind.BUSINESS_SCOPED_ID):
        return message.to.value
    raise SendFailed(Failure.CONTENT, "This is not an address on WhatsApp")


def _broadcast(answer: Mapping[str, Any], our_id: str) -> Accepted:
    """The answer to a template: 200 also where the request, or its only recipient, is refused."""
    recipients = [as_map(one) for one in as_list(answer.get("recipients")) + as_list(answer.get("receivers"))]
    words = [as_text(one) for recipient in recipients for one in as_list_of_texts(recipient.get("errors"))]
    error = as_text(answer.get("error")) or as_text(as_map(answer.get("error")).get("message"))
    if answer.get("success") is False or answer.get("result") is False or words:
        said = next((one for one in [*words, error] if one), "WATI did not take the message")
        raise SendFailed(failure_in(said), said)
    if any(recipient.get("isValidWhatsAppNumber") is False for recipient in recipients):
        raise SendFailed(Failure.UNREACHABLE, "This number is not on WhatsApp")
    if not recipients:
        raise SendFailed(Failure.IN_DOUBT, "WATI's answer names no recipient")
    local = as_text(recipients[0].get("local_message_id")) or as_text(recipients[0].get("localMessageId"))
    return Accepted(provider_id=short(local) or our_id, at=datetime.now(UTC))


def _taken(answer: Mapping[str, Any]) -> Accepted:
    """The answer to a message in an open conversation."""
    said = as_map(answer.get("message"))
    local = as_text(said.get("local_message_id")) or as_text(said.get("localMessageId"))
    if as_text(said.get("status")).lower() == "failed" or answer.get("result") is False:
        code = code_of({"code": said.get("failed_code")})
        words = (
            as_text(said.get("failed_detail"))
            or as_text(answer.get("info"))
            or "WATI did not take the message"
        )
        failure = failure_in(words) if code is None else failure_of(code)
        raise SendFailed(failure, words, code="" if code is None else str(code))
    if not local:
        raise SendFailed(Failure.IN_DOUBT, "WATI's answer names no message")
    return Accepted(provider_id=short(local), at=datetime.now(UTC))


def _kept(row: Mapping[str, Any]) -> KeptTemplate:
    body = as_text(row.get("body_original")) or as_text(row.get("body"))
    named = [as_text(as_map(one).get("name")) for one in as_list(row.get("custom_params"))]
    language = as_map(row.get("language_option")) or as_map(row.get("language"))
    return KeptTemplate(
        name=as_text(row.get("name")),
        language=as_text(language.get("value"))
        or as_text(language.get("key"))
        or as_text(row.get("language")),
        state=as_text(row.get("status")).lower(),
        category=as_text(row.get("category")).lower(),
        body=body,
        variables=tuple(dict.fromkeys(name for name in named if name)) or tuple(VARIABLE.findall(body)),
        quality=as_text(row.get("quality")).lower(),
        id=as_text(row.get("id")),
    )


def as_list_of_texts(value: Any) -> list[str]:
    """Errors come as texts, or as objects with a message."""
    found = value if isinstance(value, list) else [value]
    return [as_text(one) or as_text(as_map(one).get("message")) for one in found if one]


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
