"""The Cloud API as a provider (spec §5.1, channels.md §1).

Reading webhooks needs no vendor's library; the way out (`graph.py`, with pywa) is loaded by the first message or
question, so that a process which only receives stays small.
"""

import hashlib
import hmac
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from drivercrm.channels.provider import (
    Accepted,
    Address,
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
from drivercrm.channels.whatsapp.capabilities import CAPABILITIES, LONGEST_CAPTION, LONGEST_TEXT
from drivercrm.channels.whatsapp.inbound import limit_of, parse
from drivercrm.channels.whatsapp.reading import hexadecimal, short

if TYPE_CHECKING:
    from drivercrm.channels.whatsapp.graph import Graph

# a limit of 100 pages of 100: an account may keep 6 000 templates
MOST_PAGES = 100
AS_IT_IS = {"Accept-Encoding": "identity"}  # a packed file could be larger than its bytes on the way
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
TEMPLATE_FIELDS = (
    *("id", "name", "language", "status", "category", "parameter_format", "components"),
    *("rejected_reason", "quality_score"),
)
NUMBER_FIELDS = (
    *("id", "display_phone_number", "verified_name", "quality_rating", "status"),
    "whatsapp_business_manager_messaging_limit",
)


@dataclass(frozen=True)
class Settings:
    """One number. `graph_version` from 24.0 on, since older ones do not tell the messaging limit.

    `graph_url` is another place for the Graph API, for tests and emulators; it gets the token.
    """

    phone_number_id: str
    waba_id: str
    token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    graph_version: str = "25.0"
    graph_url: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence: these stand in the path of every request."""
        for name in ("phone_number_id", "waba_id"):
            if not re.fullmatch(r"[0-9]{1,32}", getattr(self, name)):
                raise ValueError(f"{name} is a row of digits, as WhatsApp Manager shows it")
        if not re.fullmatch(r"v?[0-9]{2}\.[0-9]", self.graph_version):
            raise ValueError("graph_version looks like 25.0")


class WhatsApp:
    """A provider that also keeps templates, can be told where to knock, and can be told what was read."""

    capabilities = CAPABILITIES

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _graph(self) -> "Graph":
        from drivercrm.channels.whatsapp.graph import Graph  # noqa: PLC0415  # slow import

        # a token that was pasted with a line break would make every request unwritable
        token = "".join(letter for letter in self.settings.token if "!" <= letter <= "~")
        return Graph(
            token=token or "missing",
            version=self.settings.graph_version.removeprefix("v"),
            elsewhere=self.settings.graph_url,
        )

    def close(self) -> None:
        """Gives connections back."""
        if "_graph" in self.__dict__:
            self._graph.close()
            del self.__dict__["_graph"]

    # Going out

    def send(self, message: Outgoing) -> Accepted:
        """Hands one message over. Raises SendFailed; which failures are in doubt is said in `graph.py`."""
        kind, content = self._content(message)
        is_scoped = message.to.kind == AddressKind.BUSINESS_SCOPED_ID
        to = _recipient(message.to)
        answer = self._graph.hand_over(
            lambda: self._graph.api.send_message(
                sender=self.settings.phone_number_id,
                to=None if is_scoped else to,
                recipient=to if is_scoped else None,
                recipient_type="individual",
                typ=kind,
                msg=content,
                reply_to_message_id=message.quotes or None,
                # comes back in every status: the only way to find out about a send whose answer was lost
                biz_opaque_callback_data=str(message.id),
            )
        )
        return _accepted(answer)

    def _content(self, message: Outgoing) -> tuple[str, dict[str, Any]]:
        """The kind of a message and what it says. Files are uploaded first: until then nothing is in doubt."""
        text = _clean(message.text)
        if len(message.attachments) > 1:
            raise SendFailed(Failure.CONTENT, "WhatsApp takes one file with a message")
        file = message.attachments[0] if message.attachments else None
        if message.template is not None:
            return "template", self._template(message.template, file)
        if file is not None:
            return self._file(file, text)
        if not text.strip():
            raise SendFailed(Failure.CONTENT, "The message is empty")
        if len(text) > LONGEST_TEXT:
            raise SendFailed(Failure.CONTENT, f"The text is longer than {LONGEST_TEXT} characters")
        return "text", {"body": text, "preview_url": "https://" in text or "http://" in text}

    def _file(self, file: Attachment, caption: str) -> tuple[str, dict[str, Any]]:
        """A file with its caption. A sound has none on WhatsApp, so one with words goes as a document."""
        if len(caption) > LONGEST_CAPTION:
            raise SendFailed(
                Failure.CONTENT, f"The text beside a file is longer than {LONGEST_CAPTION} characters"
            )
        kind = _kind_of(file.media_type)
        if kind == "audio" and caption:
            kind = "document"
        content: dict[str, Any] = {"id": self._upload(file)}
        if caption:
            content["caption"] = caption
        if kind == "document":
            content["filename"] = _clean(file.name)[:240] or "file"
        return kind, content

    def _template(self, call: TemplateCall, file: Attachment | None) -> dict[str, Any]:
        """An approved template with its values, as plain parts; a file is its header."""
        components: list[dict[str, Any]] = []
        if file is not None:
            kind = _kind_of(file.media_type)
            if kind == "audio":
                raise SendFailed(Failure.CONTENT, "A template cannot carry a sound")
            media = {"id": self._upload(file)}
            if kind == "document":
                media["filename"] = _clean(file.name)[:240] or "file"
            components.append({"type": "header", "parameters": [{"type": kind, kind: media}]})
        values = [_parameter(name, value, is_named=call.are_named) for name, value in call.values.items()]
        if values:
            components.append({"type": "body", "parameters": values})
        components += [
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": str(index),
                "parameters": [{"type": "payload", "payload": _clean(payload)[:128]}],
            }
            for index, payload in enumerate(call.button_payloads)
        ]
        return {"name": call.name, "language": {"code": call.language}, "components": components}

    def _upload(self, file: Attachment) -> str:
        """A file's id at Meta. Raises SendFailed, never in doubt: no message is written yet."""
        try:
            answer = self._graph.ask(
                lambda: self._graph.api.upload_media(
                    phone_id=self.settings.phone_number_id,
                    media=file.content,
                    mime_type=file.media_type,
                    filename=_clean(file.name)[:240] or "file",
                )
            )
        except NotReached as error:
            raise SendFailed(error.failure, error.words, code=error.code) from None
        found = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(found, str) or not found:
            raise SendFailed(Failure.TEMPORARY, "WhatsApp did not take the file over")
        return found

    def mark_read(self, provider_id: str) -> None:
        """Shows the sender two blue ticks. Raises NotReached."""
        self._graph.ask(
            lambda: self._graph.api.mark_message_as_read(
                phone_id=self.settings.phone_number_id, message_id=provider_id
            )
        )

    # Coming in

    def is_genuine(self, knock: Knock) -> bool:
        """Whether the body was signed with our app secret. There is no time in it: a replay is genuine too."""
        given = knock.headers.get("x-hub-signature-256", "")
        secret = self.settings.app_secret.strip()
        if not secret:
            return False
        digest = hmac.new(secret.encode(), knock.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(f"sha256={digest}".encode(), given.encode("utf-8", "replace"))

    def greeting(self, knock: Knock) -> str | None:
        """Meta's challenge, when it comes with our verify token."""
        given = knock.query.get("hub.verify_token", "")
        challenge = knock.query.get("hub.challenge", "")
        expected = self.settings.verify_token
        is_ours = bool(expected) and hmac.compare_digest(
            expected.encode("utf-8", "replace"), given.encode("utf-8", "replace")
        )
        if knock.method != "GET" or knock.query.get("hub.mode") != "subscribe" or not is_ours:
            return None
        return challenge if re.fullmatch(r"[\w.-]{1,200}", challenge, re.ASCII) else None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """Every event of a raw body that is about this number. Never raises."""
        return parse(
            body,
            received_at,
            phone_number_id=self.settings.phone_number_id,
            waba_id=self.settings.waba_id,
        )

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file of a message, checked against its digest. Raises NotReached; CONTENT when it is too large.

        The address that Meta names is good for five minutes and wants the token, which goes to Meta's hosts only.
        """
        return self._graph.ask(lambda: self._fetch(file, most))

    def _fetch(self, file: RemoteFile, most: int) -> Attachment:
        url, media_type, digests = file.url, file.media_type, {file.sha256}
        if file.id:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", file.id):  # it stands in a path
                raise NotReached(Failure.CONTENT, "The file has no proper id")
            about = self._graph.api.get_media_url(file.id)
            url = str(about.get("url") or "")
            media_type = media_type or str(about.get("mime_type") or "")
            digests.add(hexadecimal(about.get("sha256")))
            size = about.get("file_size")
            if isinstance(size, int) and size > most:
                raise NotReached(Failure.CONTENT, f"The file has {size} bytes, more than {most}")
        if not self._graph.is_trusted(url):
            raise NotReached(Failure.CONTENT, "The file lies at an address that is not WhatsApp's")
        content = self._download(url, most)
        digests -= {""}
        if digests and digests != {hashlib.sha256(content).hexdigest()}:
            raise NotReached(Failure.TEMPORARY, "The file did not arrive as it was sent")
        kind = media_type.partition(";")[0].strip().lower()
        name = _clean(file.name) or f"{file.id or 'file'}{mimetypes.guess_extension(kind) or ''}"
        return Attachment(name=name, media_type=media_type, content=content)

    def _download(self, url: str, most: int) -> bytes:
        """The bytes at an address, given up as soon as there are too many."""
        content = bytearray()
        with self._graph.client.stream("GET", url, headers=AS_IT_IS) as response:
            if response.status_code >= 400:
                response.read()
            response.raise_for_status()  # a redirect too: it might lead the token elsewhere
            for piece in response.iter_bytes(64 * 1024):
                content += piece
                if len(content) > most:
                    raise NotReached(Failure.CONTENT, f"The file has more than {most} bytes")
        return bytes(content)

    # The account

    def check(self) -> Standing:
        """Who we are, how many people we may write to, and whether Meta knocks at all. Raises NotReached."""
        api, settings = self._graph.api, self.settings
        about = self._ask_map(
            lambda: api.get_business_phone_number(settings.phone_number_id, fields=NUMBER_FIELDS)
        )
        apps = self._ask_map(lambda: api.get_waba_subscribed_apps(settings.waba_id))
        told = about.get("whatsapp_business_manager_messaging_limit")
        limit, is_unlimited = limit_of(told)
        status = str(about.get("status") or "")
        words = []
        if not apps.get("data"):
            words.append("No app is subscribed to the WhatsApp business account, so nothing can come in.")
        if status and status != "CONNECTED":
            words.append(f"WhatsApp says of the number: {status.lower().replace('_', ' ')}.")
        if limit is None and not is_unlimited:
            words.append("WhatsApp did not tell the messaging limit.")
        return Standing(
            name=str(about.get("verified_name") or ""),
            address=str(about.get("display_phone_number") or ""),
            limit=limit,
            quality=str(about.get("quality_rating") or "").lower(),
            words=" ".join(words),
        )

    def set_webhook(self, url: str) -> None:
        """Has Meta knock at this address for our business account; it knocks at once. Raises NotReached."""
        self._ask_map(
            lambda: self._graph.api.set_waba_alternate_callback_url(
                waba_id=self.settings.waba_id,
                override_callback_uri=url,
                verify_token=self.settings.verify_token,
            )
        )

    def drop_webhook(self) -> None:
        """Meta knocks at the app's own address again. Raises NotReached."""
        self._ask_map(lambda: self._graph.api.delete_waba_alternate_callback_url(self.settings.waba_id))

    def templates(self) -> list[KeptTemplate]:
        """All templates of the business account, every page. Raises NotReached."""
        kept: list[KeptTemplate] = []
        after = ""
        for _ in range(MOST_PAGES):
            page = self._ask_map(
                partial(
                    self._graph.api.get_templates,
                    waba_id=self.settings.waba_id,
                    fields=TEMPLATE_FIELDS,
                    summary_fields=("total_count",),
                    pagination={"limit": "100", **({"after": after} if after else {})},
                )
            )
            rows = page.get("data")
            kept += [_kept(row) for row in rows or () if isinstance(row, dict)]
            paging = page.get("paging")
            paging = paging if isinstance(paging, dict) else {}
            cursors = paging.get("cursors")
            following = str(cursors.get("after") or "") if isinstance(cursors, dict) else ""
            if not paging.get("next") or following in ("", after):
                return kept
            after = following
        return kept

    def submit(self, draft: Draft) -> KeptTemplate:
        """Hands a template in for approval. Raises NotReached with Meta's words."""
        variables = tuple(dict.fromkeys(VARIABLE.findall(draft.body)))
        body: dict[str, Any] = {"type": "BODY", "text": draft.body}
        if variables:
            examples = [
                {"param_name": name, "example": _one_line(draft.examples.get(name, "")) or name}
                for name in variables
            ]
            body["example"] = {"body_text_named_params": examples}
        components = [body]
        if draft.buttons:
            buttons = [{"type": "QUICK_REPLY", "text": text} for text in draft.buttons]
            components.append({"type": "BUTTONS", "buttons": buttons})
        template: dict[str, Any] = {
            "name": draft.name,
            "language": draft.language,
            "category": draft.category.upper(),
            "parameter_format": "NAMED",
            "components": components,
        }
        if draft.lives_for is not None:
            template["message_send_ttl_seconds"] = int(draft.lives_for.total_seconds())
        answer = self._ask_map(lambda: self._graph.api.create_template(self.settings.waba_id, template))
        return KeptTemplate(
            name=draft.name,
            language=draft.language,
            state=str(answer.get("status") or "pending").lower(),
            category=str(answer.get("category") or draft.category).lower(),  # Meta may choose another
            body=draft.body,
            variables=variables,
            buttons=draft.buttons,
            id=str(answer.get("id") or ""),
        )

    def _ask_map(self, call: Callable[[], Any]) -> Mapping[str, Any]:
        answer = self._graph.ask(call)
        if not isinstance(answer, dict):
            raise NotReached(Failure.TEMPORARY, "WhatsApp did not answer in a way that can be read")
        return answer


def _recipient(to: Address) -> str:
    """An address as the endpoint wants it. A WhatsApp id is opaque and goes as it is."""
    if to.kind == AddressKind.PHONE:
        return to.value.lstrip("+")
    if to.kind in (AddressKind.WHATSAPP_ID, AddressKind.BUSINESS_SCOPED_ID):
        return to.value
    raise SendFailed(Failure.CONTENT, "This is not an address on WhatsApp")


def _accepted(answer: Mapping[str, Any]) -> Accepted:
    """What an answer says. Without an id nobody knows which message was taken, if any: that is in doubt."""
    messages, contacts = answer.get("messages"), answer.get("contacts")
    first = messages[0] if isinstance(messages, list) and messages else None
    wamid = first.get("id") if isinstance(first, dict) else None
    if not isinstance(wamid, str) or not wamid:
        raise SendFailed(Failure.IN_DOUBT, "WhatsApp's answer names no message")
    contact = contacts[0] if isinstance(contacts, list) and contacts and isinstance(contacts[0], dict) else {}
    found = (
        (AddressKind.BUSINESS_SCOPED_ID, contact.get("user_id")),
        (AddressKind.WHATSAPP_ID, contact.get("wa_id")),
    )
    return Accepted(
        provider_id=short(wamid),  # as webhooks are read
        at=datetime.now(UTC),
        is_held=isinstance(first, dict) and first.get("message_status") == "held_for_quality_assessment",
        addresses=tuple(Address(kind, value) for kind, value in found if isinstance(value, str) and value),
    )


def _parameter(name: str, value: str, *, is_named: bool) -> dict[str, str]:
    """A variable's value. Meta refuses line breaks, tabs and long gaps in it, and an empty one."""
    text = _one_line(value)
    if not text:
        raise SendFailed(Failure.CONTENT, f"The variable {name} is empty")
    return {"type": "text", **({"parameter_name": name} if is_named else {}), "text": text}


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Without what JSON or Meta cannot carry: zero characters and half surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _kind_of(media_type: str) -> str:
    """What WhatsApp shows in the chat itself; everything else travels as a document."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind in ("image/jpeg", "image/png"):
        return "image"
    if kind in ("video/mp4", "video/3gpp"):
        return "video"
    if kind in ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"):
        return "audio"
    return "document"


def _kept(row: Mapping[str, Any]) -> KeptTemplate:
    """A template of the list. What we could not fill is said in `reason`, so that nobody chooses it blindly."""
    parts = [part for part in row.get("components") or () if isinstance(part, dict)]
    by_kind = {str(part.get("type") or "").upper(): part for part in parts}
    body = str(by_kind.get("BODY", {}).get("text") or "")
    header = by_kind.get("HEADER", {})
    listed = by_kind.get("BUTTONS", {}).get("buttons")
    buttons = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    rejected = str(row.get("rejected_reason") or "")
    notes = ["" if rejected.upper() == "NONE" else rejected]
    if VARIABLE.search(str(header.get("text") or "")):
        notes.append("Its heading has a variable, which cannot be filled from here")
    if any(VARIABLE.search(str(one.get("url") or "")) for one in buttons):
        notes.append("A button's link has a variable, which cannot be filled from here")
    score = row.get("quality_score")
    return KeptTemplate(
        name=str(row.get("name") or ""),
        language=str(row.get("language") or ""),
        state=str(row.get("status") or "").lower(),
        category=str(row.get("category") or "").lower(),
        body=body,
        variables=tuple(dict.fromkeys(VARIABLE.findall(body))),
        are_named=str(row.get("parameter_format") or "").upper() == "NAMED",
        buttons=tuple(str(one.get("text") or "") for one in buttons if one.get("type") == "QUICK_REPLY"),
        reason=". ".join(note for note in notes if note),
        quality=str(score.get("score") or "").lower() if isinstance(score, dict) else "",
        id=str(row.get("id") or ""),
    )
