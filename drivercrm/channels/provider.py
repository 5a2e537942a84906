"""What every provider of a channel can do, in the house's own words (spec §5.1).

An adapter turns these words into its vendor's calls and the vendor's webhooks into these words. It holds no state
between calls, reads no setting, and never decides anything about a driver: it says what happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class AddressKind(StrEnum):
    """What an address is; the values are those of a driver's identities."""

    PHONE = "phone"
    WHATSAPP_ID = "whatsapp_id"
    BUSINESS_SCOPED_ID = "business_scoped_id"
    TELEGRAM_CHAT = "telegram_chat"
    EMAIL = "email"


@dataclass(frozen=True)
class Address:
    """One address of a person on a channel. A WhatsApp id is opaque text, a phone number E.164, a mail as written."""

    kind: AddressKind
    value: str


@dataclass(frozen=True)
class Capabilities:
    """What a provider can and cannot do; the composer and the reports ask."""

    has_delivery: bool  # says when a message arrived
    has_read: bool  # may say when it was read
    window: timedelta | None  # outside it only approved templates may be sent; None: no such rule
    has_templates: bool  # keeps templates of its own, which it approves
    longest_text: int  # characters
    attachments: Mapping[str, int] = field(default_factory=dict)  # media type, `image/*`, `*/*` → most bytes
    longest_caption: int | None = None  # characters beside a file; None: as many as without one
    most_files: int = 1  # in one message
    has_subject: bool = False
    per_second: float = 1.0  # messages of one account
    recipient_pause: timedelta = timedelta(0)  # between two messages to one person

    def most_bytes(self, media_type: str) -> int:
        """How large a file of a media type may be that goes out; 0: none may."""
        exact = media_type.partition(";")[0].strip().lower()
        family = f"{exact.partition('/')[0]}/*"
        return next((self.attachments[one] for one in (exact, family, "*/*") if one in self.attachments), 0)


# Going out


@dataclass(frozen=True)
class Attachment:
    """A file that goes out or has come in, whole."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class TemplateCall:
    """A template that the provider keeps, with a value for each of its variables, in the template's own order."""

    name: str
    language: str
    values: Mapping[str, str] = field(default_factory=dict)
    are_named: bool = True  # else the provider counts them: {{1}}, {{2}}
    button_payloads: Sequence[str] = ()  # of its quick-reply buttons, in order


@dataclass(frozen=True)
class Outgoing:
    """A message to one person. `id` comes back in receipts where the vendor can carry it.

    `text` is always filled, also beside a template: it is what the person will read.
    """

    id: UUID
    to: Address
    text: str
    subject: str = ""
    template: TemplateCall | None = None
    attachments: tuple[Attachment, ...] = ()
    quotes: str = ""  # the provider's id of the message that this one answers
    thread: tuple[str, ...] = ()  # mail: the ids of earlier messages, oldest first
    to_name: str = ""
    reply_token: str = ""  # mail: comes back in the address that an answer goes to
    unsubscribe_url: str = ""  # mail: one click without sign-in withdraws (RFC 8058)
    is_automatic: bool = False  # no person wrote it


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the message over. `addresses` are those of the recipient that its answer names."""

    provider_id: str
    at: datetime
    is_held: bool = False  # taken, but kept back for its quality check
    addresses: tuple[Address, ...] = ()


class Failure(StrEnum):
    """Why a message was not taken, or did not arrive: what to do follows from it (channels.md §1.6)."""

    TEMPORARY = "temporary"  # the same message again, after a pause
    RATE = "rate"  # the whole account is too fast: slow down, then again
    RECIPIENT_RATE = "recipient_rate"  # too many to this person: only they wait
    NOT_NOW = "not_now"  # this person gets too much of it: not again for a day, and nobody's fault
    NEEDS_TEMPLATE = "needs_template"  # the window is shut
    UNREACHABLE = "unreachable"  # this address cannot be reached; says nothing about consent
    BLOCKED = "blocked"  # the person has blocked the account: consent on this channel ends
    MARKETING_STOPPED = "marketing_stopped"  # the person has stopped marketing with the vendor itself
    CONTENT = "content"  # what was sent is wrong: never again as it is
    TEMPLATE = "template"  # the template is paused, unknown or not approved
    CAMPAIGN = "campaign"  # the account may send single messages but no bulk now
    ACCOUNT = "account"  # token, permission or payment: everything stops until a person acts
    UNKNOWN_CODE = "unknown_code"  # refused for a reason that we have no name for
    IN_DOUBT = "in_doubt"  # it may have been taken: nobody knows until a receipt comes


class SendFailed(Exception):
    """The message was not taken, or (IN_DOUBT) nobody knows. Words are the vendor's, for people to read."""

    def __init__(
        self, failure: Failure, words: str, *, code: str = "", wait: timedelta | None = None
    ) -> None:
        super().__init__(f"{failure} {code}".strip())  # no words: they may name the person
        self.failure = failure
        self.words = words
        self.code = code
        self.wait = wait


class NotReached(Exception):
    """The provider did not answer a question (check, templates, a file), or refused it. Nothing was sent."""

    def __init__(self, failure: Failure, words: str, *, code: str = "") -> None:
        super().__init__(f"{failure} {code}".strip())
        self.failure = failure
        self.words = words
        self.code = code


# Coming in


@dataclass(frozen=True)
class Sender:
    """Who wrote: every address that the event names, the surest first, and the name they give themselves."""

    addresses: tuple[Address, ...]
    name: str = ""
    username: str = ""


@dataclass(frozen=True)
class RemoteFile:
    """A file at the provider, or inside the event itself (`content`, mail)."""

    id: str
    name: str = ""
    media_type: str = ""
    size: int | None = None
    sha256: str = ""  # hexadecimal
    url: str = ""
    content: bytes | None = None


class Said(StrEnum):
    """What kind of thing came in. Reactions, notices and automatic answers are never replies."""

    TEXT = "text"
    FILE = "file"
    BUTTON = "button"  # `payload` holds the button's own word
    LOCATION = "location"  # coordinates are never kept
    CONTACT = "contact"
    REACTION = "reaction"
    EDIT = "edit"  # `quotes` names the message
    REVOKED = "revoked"
    AUTOMATIC = "automatic"  # out of office, bounce without our id, a list
    OTHER = "other"  # a kind that we do not know: shown, with `text` saying so


@dataclass(frozen=True)
class Inbound:
    """A message from a person. `key` is unique for the account, however often it is delivered."""

    key: str
    provider_id: str
    sender: Sender
    at: datetime
    said: Said
    text: str = ""  # what people read; of a mail without the quoted original
    full_text: str = ""  # of a mail: with it
    subject: str = ""
    payload: str = ""
    files: tuple[RemoteFile, ...] = ()
    quotes: tuple[str, ...] = ()  # provider ids of messages that it answers, the surest first
    reply_token: str = ""  # mail: ours, from the address that it was sent to
    start_token: str = ""  # Telegram: from our link
    shared_number: str = ""  # their own number, given on purpose
    context: str = ""  # where they came from: an advertisement, a link


class ReceiptKind(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class Receipt:
    """What became of one of our messages; by the provider's id, by ours, or both."""

    key: str
    kind: ReceiptKind
    at: datetime
    provider_id: str = ""
    our_id: UUID | None = None
    other_id: str = ""  # another id of the same message, by which answers quote it (WATI)
    failure: Failure | None = None
    code: str = ""
    words: str = ""
    addresses: tuple[Address, ...] = ()


class Choice(StrEnum):
    """What a person chose with the vendor's own switch."""

    BLOCKED = "blocked"  # nothing more on this channel
    UNBLOCKED = "unblocked"  # they can be reached again; that is no consent
    MARKETING_STOPPED = "marketing_stopped"
    MARKETING_RESUMED = "marketing_resumed"
    COMPLAINED = "complained"  # marked as spam: as good as a stop


@dataclass(frozen=True)
class Preference:
    """A switch that a person has turned at the provider."""

    key: str
    sender: Sender
    choice: Choice
    at: datetime
    provider_id: str = ""  # the message that made them do it, where the event names one


@dataclass(frozen=True)
class AddressChanged:
    """The same person under another address: a new number, a new business-scoped id, a moved chat."""

    key: str
    before: Address
    after: Address
    at: datetime


@dataclass(frozen=True)
class TemplateChanged:
    """The provider has decided about a template. Empty fields say nothing."""

    key: str
    name: str
    language: str
    at: datetime
    state: str = ""  # the vendor's word in small letters: approved, rejected, paused …
    reason: str = ""
    category: str = ""
    quality: str = ""


@dataclass(frozen=True)
class AccountNotice:
    """Something about the account that a person must know. `limit` is the new messaging limit, where it is one."""

    key: str
    words: str
    at: datetime
    is_trouble: bool = True
    limit: int | None = None
    is_unlimited: bool = False  # there is no messaging limit any more
    quality: str = ""
    code: str = ""


@dataclass(frozen=True)
class Unknown:
    """An event of a shape that we do not know. The raw body is kept; nothing else happens."""

    key: str
    words: str


Event = Inbound | Receipt | Preference | AddressChanged | TemplateChanged | AccountNotice | Unknown


@dataclass(frozen=True)
class Knock:
    """A webhook as it arrived: everything that its check needs. Header names are in small letters."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Standing:
    """What the provider says of the account. `limit`: how many people may be written to first in 24 hours."""

    name: str
    address: str  # the number, the bot's username, the mail address
    limit: int | None = None  # None: no such limit
    quality: str = ""
    words: str = ""  # anything that a person should know


@dataclass(frozen=True)
class KeptTemplate:
    """A template as the provider keeps it."""

    name: str
    language: str
    state: str
    category: str
    body: str
    variables: tuple[str, ...] = ()
    are_named: bool = True
    buttons: tuple[str, ...] = ()
    reason: str = ""
    quality: str = ""
    id: str = ""


@dataclass(frozen=True)
class Draft:
    """A template to be submitted, with an example for each variable."""

    name: str
    language: str
    category: str  # marketing or utility
    body: str  # variables as {{name}}
    examples: Mapping[str, str] = field(default_factory=dict)
    buttons: tuple[str, ...] = ()
    lives_for: timedelta | None = None  # the vendor stops trying after it; None: the vendor's default


@dataclass(frozen=True)
class Fetched:
    """What polling brought: raw events for `parse`, each to be kept before the cursor is, and the next cursor."""

    bodies: tuple[bytes, ...]
    cursor: str


class Provider(Protocol):
    """One account with one vendor. Made from its settings for a piece of work; `close` gives connections back."""

    capabilities: Capabilities

    def send(self, message: Outgoing) -> Accepted:
        """Hands one message over. Raises SendFailed; IN_DOUBT whenever the request may have been taken."""
        ...

    def is_genuine(self, knock: Knock) -> bool:
        """Whether a webhook comes from the vendor; compared in constant time."""
        ...

    def greeting(self, knock: Knock) -> str | None:
        """The answer to the vendor's first knock, when it asks whether we are here; None for any other."""
        ...

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """Every event of a raw body, in its order. Never raises: what it cannot read is an Unknown."""
        ...

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file of an inbound message, `most` bytes at most. Raises NotReached."""
        ...

    def check(self) -> Standing:
        """Asks the vendor who we are. Raises NotReached: the settings are wrong, or the vendor is away."""
        ...

    def close(self) -> None:
        """Gives connections back."""
        ...


class KeepsTemplates(Protocol):
    """A provider that approves templates."""

    def templates(self) -> list[KeptTemplate]:
        """All of them, every page."""
        ...

    def submit(self, draft: Draft) -> KeptTemplate:
        """Hands a template in for approval. Raises NotReached with the vendor's words."""
        ...


class Polls(Protocol):
    """A provider that is asked for news instead of knocking."""

    def poll(self, cursor: str, wait: timedelta) -> Fetched:
        """What is new since the cursor, waiting at most so long for something. Raises NotReached."""
        ...


class MarksRead(Protocol):
    """A provider that can be told that a person has seen a message."""

    def mark_read(self, provider_id: str) -> None:
        """Shows the sender that it was read. Raises NotReached."""
        ...


class Hooks(Protocol):
    """A provider that must be told where to knock."""

    def set_webhook(self, url: str) -> None:
        """Tells the vendor the address. Raises NotReached."""
        ...

    def drop_webhook(self) -> None:
        """The vendor knocks no more."""
        ...
