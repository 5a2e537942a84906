"""What became of a message that left: taken over, refused, tried again, or in doubt (spec §5.2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from drivercrm.channels.provider import Accepted, Address, AddressKind, Failure, SendFailed
from drivercrm.communications.enums import CommunicationStatus, Direction, EventKind, MessageType, OutboxState
from drivercrm.communications.events import MessageFailed, MessageInDoubt, MessageSent
from drivercrm.communications.models import ChannelAccount, Communication, DeliveryEvent, OutboxMessage
from drivercrm.communications.workflow.accounts import halt
from drivercrm.communications.workflow.derived import keep_derived
from drivercrm.communications.workflow.queueing import again, look, settle_unsent
from drivercrm.communications.workflow.receipts import attach_waiting, note_unreached
from drivercrm.communications.workflow.replies import answer_theirs, attribute
from drivercrm.communications.workflow.threads import keep_thread
from drivercrm.consent import workflow as consent
from drivercrm.consent.formula import Ground
from drivercrm.core import clock
from drivercrm.core.actors import Actor, automation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked_one
from drivercrm.journal import workflow as journal

SENDER = automation("outbox")
# A provider's answer is waited for less long than this; who is silent for longer has died.
SENDING_LEASE = timedelta(minutes=3)
ATTEMPTS = 5
# What is tried again after a pause; anything else is final.
AGAIN = {Failure.TEMPORARY, Failure.RATE, Failure.RECIPIENT_RATE}


@dataclass(frozen=True)
class Claimed:
    """A message that is leaving, and the number of this attempt: only its holder may settle it."""

    message: OutboxMessage
    account: ChannelAccount
    driver: Driver
    to: Address
    fence: int


def hold(message: OutboxMessage, reason: str, words: str, until: datetime) -> None:
    """Keeps a locked message back until a moment, and says why."""
    message.state = OutboxState.QUEUED if reason == "pace" else OutboxState.HELD
    message.reason, message.reason_words, message.due_at = reason[:40], words[:500], until
    message.save(update_fields=["state", "reason", "reason_words", "due_at"])


def accept(claimed: Claimed, accepted: Accepted) -> bool:
    """The provider has it: a row of the history appears under the outbox's id (spec §2). False when settled before."""
    with transaction.atomic():
        held = _still(claimed)
        if held is None:
            return False
        write_accepted(held, accepted.provider_id, accepted.at)
        for address in accepted.addresses:
            drivers.note_address(
                held.driver_id, kind=str(address.kind), value=address.value, source="provider"
            )
        return True


def _still(claimed: Claimed) -> OutboxMessage | None:
    """The message, locked with its driver, as long as this attempt holds it or nobody knows what became of it."""
    locked_one(claimed.message.driver_id)
    held = OutboxMessage.objects.select_for_update().get(pk=claimed.message.pk)
    is_ours = held.state == OutboxState.SENDING and held.fence == claimed.fence
    return held if is_ours or held.state == OutboxState.IN_DOUBT else None


def write_accepted(held: OutboxMessage, provider_id: str, at: datetime) -> None:
    """What follows when a provider has taken a locked message over, whoever told us so."""
    held.state = OutboxState.ACCEPTED
    held.provider_id = provider_id
    held.reason = held.reason_words = ""
    held.settled_at = clock.now()
    held.save()
    driver = Driver.objects.get(pk=held.driver_id)
    if held.is_sandbox and not driver.is_demo:
        keep_thread(driver.pk)  # shown there, marked, and nowhere else (spec §5.1)
        return
    row = Communication.objects.create(
        id=held.pk,
        driver_id=held.driver_id,
        channel=held.channel,
        direction=Direction.OUTBOUND,
        message_type=held.message_type,
        subject=held.subject,
        message_body=held.body,
        attachments=held.files,
        status=CommunicationStatus.SENT,
        sent_at=at,
        created_by=held.created_by,
        account_id=held.account_id,
        provider_id=provider_id,
        quotes_id=held.quotes_id,
        is_by_person=held.is_by_person,
        template_id=held.template_id,
    )
    if row.is_by_person:
        answer_theirs(row.driver_id)
    if held.address_kind == AddressKind.PHONE:
        drivers.note_whatsapp(held.driver_id, held.address)
    if held.ground == Ground.WELCOME:
        consent.note_asked(
            driver, channel=held.channel, wording=held.body, by=_actor_of(held.created_by), at=at
        )
    is_invitation = held.message_type == MessageType.ONBOARDING
    what = Trigger.INVITATION_ACCEPTED if is_invitation else Trigger.MESSAGE_ACCEPTED
    drivers.trigger([held.driver_id], what, by=SENDER, at=at)
    attach_waiting(row)
    attribute(row.driver_id, row.channel, row.sent_at)  # an answer may have been learned of first
    keep_derived([held.driver_id])
    keep_thread(held.driver_id)
    journal.announce(
        MessageSent(held.driver_id, held.pk, held.channel, held.message_type),
        by=_actor_of(held.created_by),
        driver_id=held.driver_id,
    )


def fail(claimed: Claimed, failed: SendFailed) -> bool:
    """The provider has refused it, or nobody knows. False when it was settled before."""
    with transaction.atomic():
        held = _still(claimed)
        if held is None:
            return False
        if failed.failure == Failure.IN_DOUBT:
            doubt(held, failed.words)
        elif failed.failure == Failure.ACCOUNT:
            # nothing is wrong with the message: it waits with all the others until a person has looked
            halt(claimed.account, failed.words)
            hold(held, "halted", failed.words, clock.now())
            _free_welcome(held)
        elif failed.failure in AGAIN and held.attempts < ATTEMPTS:
            _try_again(held, claimed.account, failed)
        else:
            refuse(held, failed.failure, failed.code, failed.words)
        return True


def _try_again(held: OutboxMessage, account: ChannelAccount, failed: SendFailed) -> None:
    """Back into the queue after a pause that grows: 2, 8, 32, 128 seconds, or what the provider asked for."""
    pause = failed.wait or timedelta(seconds=2 * 4 ** (held.attempts - 1))
    held.state = OutboxState.QUEUED
    held.reason, held.reason_words = str(failed.failure), failed.words[:500]
    held.due_at = clock.now() + pause
    held.save()
    _free_welcome(held)
    if failed.failure == Failure.RATE:
        ChannelAccount.objects.filter(pk=account.pk).update(next_slot_at=clock.now() + pause)
    look(held.channel, held.due_at)


def _free_welcome(held: OutboxMessage) -> None:
    """The provider said no for certain: the place for the one welcome is free again."""
    if held.ground == Ground.WELCOME:
        consent.take_welcome_back(Driver.objects.get(pk=held.driver_id), message_id=held.pk)


def refuse(held: OutboxMessage, failure: Failure, code: str, words: str) -> None:
    """A locked message is refused for good: a failed row of the history, at the moment of the attempt."""
    held.state = OutboxState.REFUSED
    held.reason, held.reason_words = str(failure), words[:500]
    held.settled_at = clock.now()
    held.save()
    _free_welcome(held)
    driver = Driver.objects.get(pk=held.driver_id)
    if not held.is_sandbox or driver.is_demo:
        Communication.objects.create(
            id=held.pk,
            driver_id=held.driver_id,
            channel=held.channel,
            direction=Direction.OUTBOUND,
            message_type=held.message_type,
            subject=held.subject,
            message_body=held.body,
            attachments=held.files,
            status=CommunicationStatus.FAILED,
            sent_at=held.sending_at or clock.now(),
            created_by=held.created_by,
            account_id=held.account_id,
            quotes_id=held.quotes_id,
            is_by_person=held.is_by_person,
            template_id=held.template_id,
            failure=str(failure),
            failure_code=code[:20],
            failure_words=words[:500],
        )
        _what_it_says(held, failure)
        keep_derived([held.driver_id])
        note_unreached(held.driver_id, by=SENDER)
        journal.announce(
            MessageFailed(held.driver_id, held.pk, held.channel, str(failure)),
            by=SENDER,
            driver_id=held.driver_id,
        )
    keep_thread(held.driver_id)


def _what_it_says(held: OutboxMessage, failure: Failure) -> None:
    """Some refusals are the driver's own word (spec §4): a blocked bot, marketing stopped with the vendor."""
    driver = Driver.objects.get(pk=held.driver_id)
    if failure == Failure.BLOCKED:
        consent.withdraw(driver, channels=[held.channel], source="blocked", by=SENDER)
    elif failure == Failure.MARKETING_STOPPED:
        consent.withdraw(
            driver, channels=[held.channel], purposes=["marketing"], source="provider", by=SENDER
        )


def doubt(held: OutboxMessage, words: str) -> None:
    """A locked message may have left: it waits for a receipt or a person, and never leaves again by itself."""
    held.state = OutboxState.IN_DOUBT
    held.reason, held.reason_words = "in_doubt", words[:500]
    held.save()
    keep_thread(held.driver_id)
    journal.announce(
        MessageInDoubt(held.driver_id, held.pk, held.channel), by=SENDER, driver_id=held.driver_id
    )


def doubt_the_silent() -> int:
    """Messages whose sender has died are in doubt: they may have left. Returns how many."""
    silent = OutboxMessage.objects.filter(
        state=OutboxState.SENDING, sending_at__lt=clock.now() - SENDING_LEASE
    ).values_list("pk", "driver_id")[:500]
    found = 0
    for pk, driver_id in list(silent):
        with transaction.atomic():
            locked_one(driver_id)
            held = OutboxMessage.objects.select_for_update().get(pk=pk)
            if held.state == OutboxState.SENDING and (held.sending_at or clock.now()) < (
                clock.now() - SENDING_LEASE
            ):
                doubt(held, "The program stopped while it was sending")
                found += 1
    return found


def resolve(message: OutboxMessage, *, was_sent: bool, by: Actor) -> OutboxMessage | None:
    """A person settles a message in doubt: it was sent, or it was not, and a new attempt is made (spec §5.2).

    Refuses one that is not in doubt. Returns the new attempt.
    """
    with transaction.atomic():
        locked_one(message.driver_id)
        held = OutboxMessage.objects.select_for_update().get(pk=message.pk)
        if held.state != OutboxState.IN_DOUBT:
            raise Refused("not_in_doubt", "This message is not in doubt any more.")
        if was_sent:
            write_accepted(held, held.provider_id, held.sending_at or clock.now())
            return None
        settle_unsent(held, OutboxState.CANCELLED, "not_sent", "A person says that it was not sent", by=by)
        _free_welcome(held)
        return again(held, by=by)


def _actor_of(text: str) -> Actor:
    kind, _, pk = text.partition(":")
    return Actor(kind, pk, "job")  # type: ignore[arg-type]


def settle_by_receipt(event: DeliveryEvent) -> None:
    """A receipt tells about a message that is leaving or in doubt: it was taken over, or refused for certain."""
    known = OutboxMessage.objects.filter(state__in=[OutboxState.SENDING, OutboxState.IN_DOUBT])
    found = known.filter(pk=event.our_id).first() if event.our_id else None
    if found is None and event.provider_id:
        found = known.filter(account_id=event.account_id, provider_id=event.provider_id).first()
    if found is None:
        return
    locked_one(found.driver_id)
    held = OutboxMessage.objects.select_for_update().get(pk=found.pk)
    if held.state not in {OutboxState.SENDING, OutboxState.IN_DOUBT}:
        return
    if event.kind == EventKind.FAILED:
        refuse(held, Failure(event.failure or Failure.UNKNOWN_CODE), event.failure_code, event.failure_words)
    else:
        write_accepted(held, event.provider_id, event.at)
