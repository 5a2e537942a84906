"""What happens to a message after it was taken: which events come, and when. Pure: the same message, the same story."""

from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from drivercrm.channels.provider import (
    Accepted,
    Choice,
    Draft,
    Event,
    Failure,
    Outgoing,
    Preference,
    Receipt,
    ReceiptKind,
    Sender,
    TemplateChanged,
)
from drivercrm.channels.sandbox.endings import Channel, Outcome, channel_of, outcome_of

HELD_FOR = timedelta(minutes=1)
READ = 0.75  # of the messages that arrive
READ_ALONE = 0.05  # of those read: the chat was open, and WhatsApp says `read` alone
LATE = 0.1  # of the messages arrive minutes later: the phone was off

# failures that WhatsApp tells after it has taken a message, with its codes
TOLD_LATER = {
    Outcome.UNREACHABLE: (Failure.UNREACHABLE, "131026", "Message undeliverable"),
    Outcome.BLOCKED: (Failure.UNREACHABLE, "131026", "Message undeliverable"),  # it does not say which
    Outcome.NOT_NOW: (Failure.NOT_NOW, "131049", "Not delivered to keep the ecosystem healthy"),
    Outcome.MARKETING_STOPPED: (Failure.MARKETING_STOPPED, "131050", "The person has stopped marketing"),
}

Story = list[tuple[timedelta, Event]]


def provider_id(message: Outgoing) -> str:
    """The id that the sandbox gives a message."""
    return f"sandbox:{message.id}"


def script(message: Outgoing, accepted: Accepted | None, at: datetime | None = None) -> Story:
    """The events that follow a message, each with its delay after it was taken, in order.

    `accepted` is None for a message in doubt, with `at` as the moment of the attempt: on WhatsApp a receipt that
    names our id still comes, elsewhere nothing does.
    """
    began = accepted.at if accepted else at
    if began is None:
        return []
    match channel_of(message.to):
        case Channel.WHATSAPP:
            story = _whatsapp(message, accepted, began)
        case Channel.TELEGRAM:
            story = []  # bots get no receipts
        case Channel.EMAIL:
            story = _email(message, accepted, began)
    return sorted(story, key=lambda step: step[0])


def decision(draft: Draft, at: datetime) -> tuple[timedelta, TemplateChanged]:
    """What becomes of a template that was handed in: approved, unless its name ends in `_rejected`.

    One whose name ends in `_marketing` is moved to that category, as WhatsApp likes to do.
    """
    delay = timedelta(seconds=5)
    is_rejected = draft.name.endswith("_rejected")
    return delay, TemplateChanged(
        key=f"sandbox:{draft.name}:{draft.language}:{at.isoformat()}",
        name=draft.name,
        language=draft.language,
        at=at + delay,
        state="rejected" if is_rejected else "approved",
        reason="INVALID_FORMAT" if is_rejected else "",
        category="marketing" if draft.name.endswith("_marketing") else draft.category,
        quality="" if is_rejected else "unknown",
    )


def chance(of: UUID, what: str) -> float:
    """A number in [0, 1) that is always the same for an id and a word."""
    digest = blake2b(of.bytes + what.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def between(of: UUID, what: str, least: timedelta, most: timedelta) -> timedelta:
    """A time between two others; half of them lie below the geometric mean, as with people."""
    ratio = most / least
    return timedelta(seconds=round(least.total_seconds() * ratio ** chance(of, what), 3))


def _whatsapp(message: Outgoing, accepted: Accepted | None, began: datetime) -> Story:
    outcome = outcome_of(message.to)
    if outcome == Outcome.MARKETING_STOPPED and message.template is None:
        outcome = Outcome.USUAL
    held = HELD_FOR if outcome == Outcome.HELD else timedelta(0)
    sent = held + between(message.id, "sent", timedelta(seconds=0.5), timedelta(seconds=2))
    if outcome in TOLD_LATER:
        failure, code, words = TOLD_LATER[outcome]
        story: Story = [
            (sent, _receipt(message, accepted, began + sent, ReceiptKind.FAILED, failure, code, words))
        ]
        if outcome == Outcome.MARKETING_STOPPED:
            who = Sender((message.to,), message.to_name)
            key = f"{provider_id(message)}:marketing_stopped"
            story.append((sent, Preference(key, who, Choice.MARKETING_STOPPED, began + sent)))
        return story
    steps = {ReceiptKind.SENT: sent}
    if outcome != Outcome.NEVER_DELIVERED:
        steps |= _arrival(message.id, outcome, sent)
    return [(delay, _receipt(message, accepted, began + delay, kind)) for kind, delay in steps.items()]


def _arrival(of: UUID, outcome: Outcome, sent: timedelta) -> dict[ReceiptKind, timedelta]:
    is_late = chance(of, "late") < LATE
    least, most = (60, 1200) if is_late else (1, 15)
    delivered = sent + between(of, "delivered", timedelta(seconds=least), timedelta(seconds=most))
    read = delivered + between(of, "read", timedelta(seconds=5), timedelta(minutes=30))
    is_read = chance(of, "is read") < READ and outcome != Outcome.NEVER_READ
    if outcome == Outcome.READ_ALONE or (is_read and chance(of, "alone") < READ_ALONE):
        return {ReceiptKind.READ: read}
    if is_read:
        return {ReceiptKind.DELIVERED: delivered, ReceiptKind.READ: read}
    return {ReceiptKind.DELIVERED: delivered}


def _email(message: Outgoing, accepted: Accepted | None, began: datetime) -> Story:
    """Plain mail knows no receipts but what comes back: a bounce, or a complaint."""
    delay = between(message.id, "back", timedelta(seconds=3), timedelta(seconds=20))
    match outcome_of(message.to):
        case Outcome.UNREACHABLE if accepted:
            words = "550 5.1.1 No such mailbox"
            kind, failure = ReceiptKind.FAILED, Failure.UNREACHABLE
            return [(delay, _receipt(message, accepted, began + delay, kind, failure, "5.1.1", words))]
        case Outcome.BLOCKED if accepted:
            who = Sender((message.to,), message.to_name)
            key = f"{provider_id(message)}:complaint"
            return [(delay, Preference(key, who, Choice.COMPLAINED, began + delay))]
    return []


def _receipt(
    message: Outgoing,
    accepted: Accepted | None,
    at: datetime,
    kind: ReceiptKind,
    failure: Failure | None = None,
    code: str = "",
    words: str = "",
) -> Receipt:
    return Receipt(
        key=f"{provider_id(message)}:{kind}",
        kind=kind,
        at=at,
        provider_id=accepted.provider_id if accepted else provider_id(message),
        our_id=message.id,
        failure=failure,
        code=code,
        words=words,
    )
