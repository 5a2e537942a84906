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
