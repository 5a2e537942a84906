"""The seed's values, unchanged, and the outcomes of a call (spec §5.1)."""

from django.db.models import TextChoices


class Channel(TextChoices):
    WHATSAPP = "whatsapp", "WhatsApp"
    TELEGRAM = "telegram", "Telegram"
    EMAIL = "email", "Email"
    PHONE = "phone", "Phone"


class Direction(TextChoices):
    INBOUND = "inbound", "Inbound"
    OUTBOUND = "outbound", "Outbound"


class MessageType(TextChoices):
    WELCOME = "welcome", "Welcome"
    ONBOARDING = "onboarding", "Onboarding"
    REMINDER = "reminder", "Reminder"
    SUPPORT = "support", "Support"
    UPDATE = "update", "Update"


class CommunicationStatus(TextChoices):
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"
    REPLIED = "replied", "Replied"
    FAILED = "failed", "Failed"


class CallOutcome(TextChoices):
    ANSWERED = "answered", "Answered"
    VOICEMAIL = "voicemail", "Voicemail"
    NO_ANSWER = "no_answer", "No answer"
    BUSY = "busy", "Busy"
    WRONG_NUMBER = "wrong_number", "Wrong number"
    MISSED = "missed", "Missed"


def _calls(direction: Direction, *outcomes: CallOutcome) -> list[tuple[str, str]]:
    return [(f"{direction}:{outcome}", str(outcome.label)) for outcome in outcomes]


# Which outcomes a call in each direction can have, as the form to log one offers them.
CALLS_OUT = _calls(
    Direction.OUTBOUND,
    CallOutcome.ANSWERED,
    CallOutcome.VOICEMAIL,
    CallOutcome.NO_ANSWER,
    CallOutcome.BUSY,
    CallOutcome.WRONG_NUMBER,
)
CALLS_IN = _calls(Direction.INBOUND, CallOutcome.ANSWERED, CallOutcome.MISSED)


class ProviderKind(TextChoices):
    """Whose service an account is with."""

    SANDBOX = "sandbox", "Sandbox"
    CLOUD = "cloud", "WhatsApp Cloud API"
    WATI = "wati", "WATI"
    BOT = "bot", "Telegram bot"
    MAIL = "mail", "Mailbox"
    ESP = "esp", "Mail service"


class AccountState(TextChoices):
    CONNECTED = "connected", "Connected"
    HALTED = "halted", "Halted"  # the provider refuses us, or a person has paused it: nothing leaves
    DISCONNECTED = "disconnected", "Disconnected"


class OutboxState(TextChoices):
    """What is still to be sent, and for how long it was (spec §2)."""

    QUEUED = "queued", "Queued"
    HELD = "held", "Held"  # waits for a moment or for a person
    SENDING = "sending", "Sending"
    IN_DOUBT = "in_doubt", "In doubt"
    CANCELLED = "cancelled", "Cancelled"
    ACCEPTED = "accepted", "Accepted"
    REFUSED = "refused", "Refused"


# Nothing more happens to these by itself.
SETTLED = (OutboxState.CANCELLED, OutboxState.ACCEPTED, OutboxState.REFUSED)


class EventKind(TextChoices):
    """What a provider says of one of our messages."""

    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"
    FAILED = "failed", "Failed"


class MessageKind(TextChoices):
    """What kind of thing came in. Reactions, notices and automatic answers are never replies (spec §5.3)."""

    TEXT = "text", "Text"
    FILE = "file", "File"
    BUTTON = "button", "Button"
    LOCATION = "location", "Location"
    CONTACT = "contact", "Contact"
    REACTION = "reaction", "Reaction"
    EDIT = "edit", "Edited message"
    REVOKED = "revoked", "Deleted message"
    AUTOMATIC = "automatic", "Automatic answer"
    OTHER = "other", "Other"


class RawState(TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class UnmatchedState(TextChoices):
    WAITING = "waiting", "Waiting"
    LINKED = "linked", "Linked"
    DISMISSED = "dismissed", "Dismissed"


class FileState(TextChoices):
    PENDING = "pending", "Pending"
    STORED = "stored", "Stored"
    FAILED = "failed", "Failed"


class Approval(TextChoices):
    """A provider's word about a template; `none` where no provider has to approve it."""

    NONE = "none", "Not needed"
    DRAFT = "draft", "Not submitted"
    PENDING = "pending", "Waiting for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    PAUSED = "paused", "Paused"
    DISABLED = "disabled", "Disabled"
