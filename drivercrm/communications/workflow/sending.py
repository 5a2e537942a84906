"""A message leaves (spec §5.2): claimed in one commit, handed over outside any, settled in a second.

The commit that marks it *sending* is the moment it leaves: the decision of consent, the limits and the order are
looked at there, under the driver's lock. Whoever dies between the two commits leaves a message that is *in doubt*:
nobody sends it again by itself.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max

from drivercrm.accounts.queries import is_held
from drivercrm.channels.provider import Address, Failure, Outgoing, Provider, SendFailed, TemplateCall
from drivercrm.communications.enums import AccountState, Approval, Channel, OutboxState, RawState
from drivercrm.communications.models import ChannelAccount, OutboxMessage, RawBody
from drivercrm.communications.queries import (
    address_on,
    approved,
    goes_first,
    reply_token,
    window_of,
    written_first,
)
from drivercrm.communications.workflow.accounts import sandbox
from drivercrm.communications.workflow.files import read_file
from drivercrm.communications.workflow.providers import provider_of
from drivercrm.communications.workflow.queueing import look, may_leave, settle_unsent
from drivercrm.communications.workflow.settling import SENDER, Claimed, accept, doubt_the_silent, fail, hold
from drivercrm.consent import workflow as consent
from drivercrm.consent.formula import Ground
from drivercrm.core import clock
from drivercrm.core.hours import is_quiet, next_open
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked_one
from drivercrm.jobs import workflow as jobs

SHORT_PAUSE = 2.0  # seconds that a worker waits itself
LOOK_AGAIN = timedelta(minutes=15)
log = structlog.get_logger("drivercrm.outbox")

DAY = timedelta(hours=24)
CANDIDATES = 50


@dataclass(frozen=True)
class Pace:
    """How fast an account may send: messages a second, and the pause between two to one person."""

    per_second: float
    recipient_pause: timedelta


@dataclass(frozen=True)
class Later:
    """Nothing may leave by this account before a moment."""

    until: datetime


def claim(sender: ChannelAccount, pace: Pace) -> Claimed | Later | None:
    """Marks the next message of the account's channel as *sending*; None when nothing is due.

    Messages that may not leave are settled or held on the way, each with its reason.
    """
    for _ in range(CANDIDATES):
        with transaction.atomic():
            account = _open(sender)
            if account is None:
                return None
            if account.next_slot_at and account.next_slot_at > clock.now():
                return Later(account.next_slot_at)
            pk = _next_due(account.channel)
            if pk is None:
                return None
            claimed = _claim(pk, account, pace)
        if claimed is not None:
            return claimed
    return Later(clock.now())


def _open(sender: ChannelAccount) -> ChannelAccount | None:
    """The account, locked so that its pace holds over all processes; None while nothing may leave by it."""
    if is_held():
        return None
    held = ChannelAccount.objects.select_for_update().get(pk=sender.pk)
    return held if held.state == AccountState.CONNECTED else None


def _next_due(channel: str) -> UUID | None:
    """The first message that is due and that no earlier one to the same driver holds up."""
    due = OutboxMessage.objects.filter(
        channel=channel, state__in=[OutboxState.QUEUED, OutboxState.HELD], due_at__lte=clock.now()
    ).order_by("id")
    for message in due.only("id", "driver_id", "channel")[:CANDIDATES]:
        if not goes_first(message):
            return message.pk
    return None


def _claim(pk: UUID, account: ChannelAccount, pace: Pace) -> Claimed | None:
    """Looks at everything once more under the driver's lock. None: it may not leave now, and says why."""
    driver_id = OutboxMessage.objects.values_list("driver_id", flat=True).get(pk=pk)
    driver = locked_one(driver_id)
    message = OutboxMessage.objects.select_for_update().get(pk=pk)
    if message.state not in {OutboxState.QUEUED, OutboxState.HELD} or message.due_at > clock.now():
        return None
    to = address_on(driver, message.channel)
    if to is None:
        settle_unsent(message, OutboxState.CANCELLED, "no_address", "There is no address any more", by=SENDER)
        return None
    waits = _waits(message, account, to, pace)
    if waits is not None:
        hold(message, *waits)
        return None
    decision = may_leave(
        driver,
        channel=message.channel,
        purpose=message.purpose,
        ground=Ground(message.ground),
        is_automatic=not message.is_by_person,
    )
    if not decision.may_leave:
        if decision.may_come:
            hold(message, decision.code, decision.sentence, clock.now() + LOOK_AGAIN)
        else:
            settle_unsent(message, OutboxState.CANCELLED, decision.code, decision.sentence, by=SENDER)
        return None
    now = clock.now()
    if message.ground == Ground.WELCOME and not consent.let_welcome_leave(
        driver, message_id=message.pk, channel=message.channel, at=now
    ):
        words = "This driver has had the one welcome already."
        settle_unsent(message, OutboxState.CANCELLED, "welcomed", words, by=SENDER)
        return None
    return _mark(message, account, driver, to, pace, now)


def _mark(
    message: OutboxMessage, account: ChannelAccount, driver: Driver, to: Address, pace: Pace, now: datetime
) -> Claimed | None:
    message.state = OutboxState.SENDING
    message.reason = message.reason_words = ""
    message.account, message.address_kind, message.address = account, str(to.kind), to.value
    message.is_first = message.channel == Channel.WHATSAPP and not window_of(driver.pk).is_open
    message.is_sandbox = account.is_sandbox
    message.sending_at = now
    message.first_tried_at = message.first_tried_at or now
    message.attempts += 1
    message.fence += 1
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # another message to this driver is leaving in this very moment
        return None
    account.next_slot_at = now + timedelta(seconds=1 / pace.per_second)
    account.save(update_fields=["next_slot_at"])
    return Claimed(message, account, driver, to, message.fence)


def _waits(
    message: OutboxMessage, account: ChannelAccount, to: Address, pace: Pace
) -> tuple[str, str, datetime] | None:
    """Why a message does not leave now though it may: the reason, its words, and when to look again."""
    now = clock.now()
    if message.is_unasked and is_quiet(now):
        return (
            "quiet_hours",
            "Waits for the morning: nobody is written to unasked at this hour.",
            next_open(now),
        )
    if account.is_test_mode and to.value not in account.test_addresses:
        words = "Test mode: messages go to the listed test addresses only."
        return "test_mode", words, now + LOOK_AGAIN
    last = OutboxMessage.objects.filter(driver_id=message.driver_id, channel=message.channel).exclude(
        pk=message.pk
    )
    before = last.aggregate(at=Max("sending_at"))["at"]
    if before is not None and before + pace.recipient_pause > now:
        return "pace", "Follows the message before it after a short pause.", before + pace.recipient_pause
    if message.channel == Channel.WHATSAPP and not window_of(message.driver_id).is_open:
        if not approved(message.template) and not account.is_sandbox:
            words = "More than 24 hours since the driver wrote: only an approved template can leave."
            return "needs_template", words, now + LOOK_AGAIN
        if account.messaging_limit is not None:
            reached = written_first(account)
            if len(reached) >= account.messaging_limit and message.driver_id not in reached:
                words = f"The account may write to {account.messaging_limit} new people in 24 hours."
                return "limit", words, _place_free_at(account)
    return None


def _place_free_at(account: ChannelAccount) -> datetime:
    """When the first of those written to in the last 24 hours counts no longer."""
    first = (
        OutboxMessage.objects.filter(account=account, is_first=True, sending_at__gt=clock.now() - DAY)
        .order_by("sending_at")
        .values_list("sending_at", flat=True)
        .first()
    )
    return (first or clock.now()) + DAY


def send_due(channel: str, *, budget: timedelta = timedelta(seconds=20)) -> int:
    """Sends what is due on a channel, one after the other, for at most `budget`; returns how many left.

    Where more is waiting, a worker is asked to look again at the right moment.
    """
    sent = 0
    until = time.monotonic() + budget.total_seconds()
    account = sandbox(channel)
    if account.state != AccountState.CONNECTED or is_held():
        return 0
    with closing(provider_of(account)) as provider:
        can = provider.capabilities
        pace = Pace(can.per_second, can.recipient_pause)
        while time.monotonic() < until:
            found = claim(account, pace)
            if found is None:
                return sent
            if isinstance(found, Later):
                pause = (found.until - clock.now()).total_seconds()
                if pause > SHORT_PAUSE:
                    look(channel, found.until)
                    return sent
                time.sleep(max(0.0, pause))
                continue
            _hand_over(found, provider)
            sent += 1
    look(channel)
    return sent


def _hand_over(claimed: Claimed, provider: Provider) -> None:
    """Outside any transaction: whatever happens here, the claim is written down."""
    try:
        accepted = provider.send(outgoing(claimed))
    except SendFailed as failed:
        fail(claimed, failed)
    except Exception as error:  # an adapter's own fault: nobody knows whether the message had left
        log.error("sending broke", message=str(claimed.message.pk), error=type(error).__name__)
        words = f"The program failed while sending: {type(error).__name__}"
        fail(claimed, SendFailed(Failure.IN_DOUBT, words))
    else:
        accept(claimed, accepted)


def outgoing(claimed: Claimed) -> Outgoing:
    """A claimed message in the words that every provider understands."""
    message, driver = claimed.message, claimed.driver
    quoted = message.quotes
    template = message.template
    values = {str(name): str(value) for name, value in message.values.items()}
    needs_template = template is not None and template.approval == Approval.APPROVED
    return Outgoing(
        id=message.pk,
        to=claimed.to,
        text=message.body,
        subject=message.subject,
        template=TemplateCall(template.provider_name or template.name, template.language, values)
        if template is not None and needs_template
        else None,
        attachments=tuple(read_file(pk) for pk in message.files),
        quotes=quoted.provider_id if quoted else "",
        to_name=driver.name,
        reply_token=reply_token(message.pk) if message.channel == Channel.EMAIL else "",
        is_automatic=not message.is_by_person,
    )


def sweep() -> int:
    """Messages of dead senders are in doubt; channels with something due are looked at. Returns how many channels."""
    doubt_the_silent()
    if RawBody.objects.filter(state=RawState.WAITING).exists():
        jobs.enqueue("communications.understand", unique_key="inbox")
    due = OutboxMessage.objects.filter(
        state__in=[OutboxState.QUEUED, OutboxState.HELD], due_at__lte=clock.now()
    )
    channels = list(due.values_list("channel", flat=True).distinct().order_by("channel"))
    for channel in channels:
        look(channel)
    return len(channels)
