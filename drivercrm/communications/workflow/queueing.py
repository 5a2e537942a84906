"""Wanting a message to leave, and no longer wanting it (spec §5.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from drivercrm.communications.enums import Channel, MessageType, OutboxState
from drivercrm.communications.events import MessageCancelled, MessageQueued, OutboxCleared
from drivercrm.communications.models import Communication, MessageTemplate, OutboxMessage
from drivercrm.communications.queries import MESSAGING, address_on, last_wrote_at
from drivercrm.consent import queries as consent
from drivercrm.consent.enums import Purpose
from drivercrm.consent.formula import Decision, Facts, Ground, decide
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked_one
from drivercrm.jobs import workflow as jobs
from drivercrm.journal import workflow as journal

# What a text is for decides which consent it needs (spec §4).
PURPOSES: dict[str, Purpose] = {
    MessageType.WELCOME: Purpose.MARKETING,
    MessageType.UPDATE: Purpose.MARKETING,
    MessageType.ONBOARDING: Purpose.SERVICE,
    MessageType.REMINDER: Purpose.SERVICE,
    MessageType.SUPPORT: Purpose.SERVICE,
}
LONGEST_SUBJECT = 300
STOP_CAUSE = "stop:"


@dataclass(frozen=True)
class Route:
    """The channel a message takes, and why that one."""

    channel: str
    because: str


def route(driver: Driver, *, purpose: str, ground: Ground, is_automatic: bool) -> Route:
    """The preferred channel, else the next on which the driver can be reached and may be written to (spec §5.2).

    Refuses with the reason of the first when there is none.
    """
    first = ""
    wanted = [driver.preferred_channel, *(one for one in MESSAGING if one != driver.preferred_channel)]
    for channel in wanted:
        trouble = _trouble(driver, channel, purpose, ground, is_automatic=is_automatic)
        if not trouble:
            label = Channel(channel).label
            return Route(channel, f"{label} because {first}" if first else "")
        first = first or f"{Channel(channel).label}: {trouble}"
    raise Refused("no_way", f"No channel can take this message. {first}")


def _trouble(driver: Driver, channel: str, purpose: str, ground: Ground, *, is_automatic: bool) -> str:
    if address_on(driver, channel) is None:
        return "there is no address"
    decision = may_leave(driver, channel=channel, purpose=purpose, ground=ground, is_automatic=is_automatic)
    return "" if decision.may_leave or decision.may_come else decision.sentence


def may_leave(
    driver: Driver,
    *,
    channel: str,
    purpose: str,
    ground: Ground,
    is_automatic: bool,
    is_confirmed: bool = False,
) -> Decision:
    """The one decision of consent, with what this room knows (spec §4)."""
    return decide(
        ground,
        facts_of(
            driver, channel=channel, purpose=purpose, is_automatic=is_automatic, is_confirmed=is_confirmed
        ),
        clock.now(),
    )


def facts_of(
    driver: Driver, *, channel: str, purpose: str, is_automatic: bool, is_confirmed: bool = False
) -> Facts:
    """What stands about one driver on one channel."""
    thread = getattr(driver, "thread", None)
    return consent.facts(
        driver,
        channel=channel,
        purpose=purpose,
        is_automatic=is_automatic,
        last_wrote_at=last_wrote_at(driver.pk, channel),
        holds_automation=bool(thread and thread.holds_automation),
        is_confirmed=is_confirmed,
    )


def queue(
    driver: Driver,
    *,
    message_type: str,
    by: Actor,
    body: str = "",
    subject: str = "",
    channel: str = "",
    ground: Ground | None = None,
    template: MessageTemplate | None = None,
    values: Mapping[str, str] | None = None,
    files: Sequence[UUID] = (),
    quotes: Communication | None = None,
    due_at: datetime | None = None,
    is_unasked: bool = False,
    cause: str | None = None,
    message_id: UUID | None = None,
) -> OutboxMessage:
    """Wants one message to leave, on the given channel or the best one; returns it, or what the same cause asked for.

    Refuses an empty text, a channel without an address, and whatever consent does not let leave now: the answer is
    asked for again at the moment that it leaves. `message_id` makes a form that was sent twice one message.
    """
    if message_type not in MessageType.values:
        raise Refused("unknown_type", f"“{message_type}” is not a message type.", field="message_type")
    text = body.strip()
    if not text and not files:
        raise Refused("empty", "Write something first.", field="body")
    if len(subject) > LONGEST_SUBJECT:
        raise Refused("subject_too_long", "Keep the subject under 300 letters.", field="subject")
    purpose = PURPOSES[message_type]
    with transaction.atomic():
        one = locked_one(driver.pk)
        known = _known(cause, message_id)
        if known is not None:
            return known
        reason = ground or _ground(one, channel, message_type, by)
        way = _way(one, channel, purpose, reason, by)
        message = OutboxMessage(
            driver=one,
            channel=way.channel,
            channel_because=way.because[:200],
            message_type=message_type,
            purpose=purpose,
            ground=reason,
            is_by_person=by.is_person and cause is None,
            is_unasked=is_unasked,
            subject=subject.strip(),
            body=text,
            template=template,
            values=dict(values or {}),
            files=[str(pk) for pk in files],
            quotes=quotes,
            due_at=due_at or clock.now(),
            created_by=str(by),
            cause=cause,
        )
        if message_id is not None:
            message.pk = message_id
        message.save(force_insert=True)
        journal.announce(
            MessageQueued(one.pk, message.pk, message.channel, message_type), by=by, driver_id=one.pk
        )
        look(message.channel, message.due_at)
    return message


def look(channel: str, due_at: datetime | None = None) -> None:
    """Asks a worker to look at a channel's outbox. The rows are the truth: a sweep finds what a lost job left."""
    key = f"outbox:{channel}"
    if due_at is not None and due_at > clock.now():
        jobs.enqueue("communications.send_due", {"channel": channel}, run_at=due_at)
        return
    jobs.enqueue("communications.send_due", {"channel": channel}, unique_key=key)


def _known(cause: str | None, message_id: UUID | None) -> OutboxMessage | None:
    if cause is not None:
        return OutboxMessage.objects.filter(cause=cause).first()
    return OutboxMessage.objects.filter(pk=message_id).first() if message_id else None


def _ground(driver: Driver, channel: str, message_type: str, by: Actor) -> Ground:
    """Why a message may leave, where its sender does not say: a person answers who wrote today; a welcome asks."""
    if message_type == MessageType.WELCOME:
        return Ground.WELCOME
    if not by.is_person:
        return Ground.CONSENT
    where = channel or driver.preferred_channel
    answer = may_leave(
        driver, channel=where, purpose=PURPOSES[message_type], ground=Ground.ANSWER, is_automatic=False
    )
    return Ground.ANSWER if answer.may_leave else Ground.CONSENT


def _way(driver: Driver, channel: str, purpose: str, ground: Ground, by: Actor) -> Route:
    if not channel:
        return route(driver, purpose=purpose, ground=ground, is_automatic=not by.is_person)
    if channel not in MESSAGING:
        raise Refused("unknown_channel", f"Nothing can be sent on “{channel}”.", field="channel")
    if address_on(driver, channel) is None:
        label = Channel(channel).label
        raise Refused("no_address", f"{driver.greeting} has no address on {label}.", field="channel")
    decision = may_leave(
        driver, channel=channel, purpose=purpose, ground=ground, is_automatic=not by.is_person
    )
    if not (decision.may_leave or decision.may_come):
        raise Refused(decision.code, decision.sentence, field="channel")
    return Route(channel, "")


def cancel(message: OutboxMessage, *, by: Actor) -> OutboxMessage:
    """Takes a message back that has not left. Refuses one that is leaving or has left."""
    with transaction.atomic():
        locked_one(message.driver_id)
        held = OutboxMessage.objects.select_for_update().get(pk=message.pk)
        if held.state not in {OutboxState.QUEUED, OutboxState.HELD}:
            raise Refused("too_late", "This message is leaving or has left already.")
        settle_unsent(held, OutboxState.CANCELLED, "taken_back", "Taken back", by=by)
    return held


def settle_unsent(held: OutboxMessage, state: OutboxState, reason: str, words: str, *, by: Actor) -> None:
    """Writes that a locked message does not leave, and why."""
    held.state = state
    held.reason, held.reason_words = reason[:40], words[:500]
    held.settled_at = clock.now()
    held.save()
    journal.announce(MessageCancelled(held.driver_id, held.pk, reason), by=by, driver_id=held.driver_id)


def clear(driver_id: UUID, *, reason: str, words: str, by: Actor) -> int:
    """Takes back all that a driver was still to get: they have opted out. Returns how many (spec §4).

    The confirmation of a STOP stays: a second STOP takes nothing away from the first.
    """
    with transaction.atomic():
        locked_one(driver_id)
        waiting = OutboxMessage.objects.filter(
            driver_id=driver_id, state__in=[OutboxState.QUEUED, OutboxState.HELD]
        ).exclude(cause__startswith=STOP_CAUSE)
        changed = waiting.update(
            state=OutboxState.CANCELLED, reason=reason, reason_words=words, settled_at=clock.now()
        )
        if changed:
            journal.announce(OutboxCleared(driver_id, changed, reason), by=by, driver_id=driver_id)
    return changed


def again(message: OutboxMessage, *, by: Actor) -> OutboxMessage:
    """A new attempt at a message that was refused or not sent: another row, so that the first keeps its story."""
    with transaction.atomic():
        locked_one(message.driver_id)
        fresh = OutboxMessage.objects.create(
            **{
                field: getattr(message, field)
                for field in (
                    "driver_id",
                    "channel",
                    "channel_because",
                    "message_type",
                    "purpose",
                    "ground",
                    "is_by_person",
                    "is_unasked",
                    "subject",
                    "body",
                    "template_id",
                    "values",
                    "files",
                    "quotes_id",
                )
            },
            created_by=str(by),
            again_of=message,
        )
        journal.announce(
            MessageQueued(fresh.driver_id, fresh.pk, fresh.channel, fresh.message_type),
            by=by,
            driver_id=fresh.driver_id,
        )
        look(fresh.channel)
    return fresh
