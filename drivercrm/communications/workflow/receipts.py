"""What providers say of our messages: facts in any order, and the status that follows from them (spec §5.3)."""

from uuid import UUID

from drivercrm.channels.provider import Failure, Receipt
from drivercrm.communications.enums import CommunicationStatus, Direction, EventKind
from drivercrm.communications.events import MessageFailed
from drivercrm.communications.formula import Told, outcome
from drivercrm.communications.models import ChannelAccount, Communication, DeliveryEvent
from drivercrm.communications.workflow.derived import keep_derived
from drivercrm.communications.workflow.threads import keep_thread
from drivercrm.consent import workflow as consent
from drivercrm.core.actors import Actor, automation
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
from drivercrm.drivers.models import Driver
from drivercrm.journal import workflow as journal

PROVIDER = automation("provider")


def keep_receipt(account: ChannelAccount, receipt: Receipt) -> DeliveryEvent | None:
    """Writes one receipt down; None when it was written before. It need not know its message yet."""
    made, is_new = DeliveryEvent.objects.get_or_create(
        account=account,
        key=receipt.key[:320],
        defaults={
            "provider_id": receipt.provider_id,
            "other_id": receipt.other_id,
            "our_id": receipt.our_id,
            "kind": EventKind(receipt.kind),
            "at": receipt.at,
            "failure": str(receipt.failure or ""),
            "failure_code": receipt.code[:20],
            "failure_words": receipt.words[:500],
        },
    )
    return made if is_new else None


def message_of(event: DeliveryEvent) -> Communication | None:
    """The message that a receipt is about, by the provider's id or by ours; None while it is not there."""
    if event.provider_id:
        known = Communication.objects.filter(account_id=event.account_id, provider_id=event.provider_id)
        found = known.filter(direction=Direction.OUTBOUND).first()
        if found is not None:
            return found
    if event.our_id is not None:
        return Communication.objects.filter(pk=event.our_id, direction=Direction.OUTBOUND).first()
    return None


def attach(event: DeliveryEvent, row: Communication) -> None:
    """Links a receipt to its message and works the message out again."""
    event.communication = row
    event.save(update_fields=["communication"])
    work_out([row])


def attach_waiting(row: Communication) -> None:
    """Receipts that came before their message; call it when the row appears, in its transaction."""
    waiting = DeliveryEvent.objects.filter(communication__isnull=True, account_id=row.account_id)
    ours = list(waiting.filter(our_id=row.pk))
    if row.provider_id:
        ours += [event for event in waiting.filter(provider_id=row.provider_id) if event.our_id != row.pk]
    for event in ours:
        event.communication = row
        event.save(update_fields=["communication"])
    if ours:
        work_out([row])


def work_out(rows: list[Communication]) -> None:
    """Makes the status and the moments of messages what their receipts say, and what follows for their drivers.

    Call it in a transaction that holds the drivers' locks.
    """
    for row in rows:
        events = list(row.events.order_by("at", "id"))
        was = row.status
        now = outcome(
            (Told(event.kind, event.at) for event in events),
            replied_at=row.replied_at,
            was_refused=bool(row.failure) and not row.provider_id,
        )
        row.status = CommunicationStatus(now.status)
        row.delivered_at = now.delivered_at or (row.replied_at and row.delivered_at)
        row.read_at = now.read_at
        failed = next((event for event in events if event.kind == EventKind.FAILED), None)
        if failed is not None:
            row.failure, row.failure_code = failed.failure, failed.failure_code
            row.failure_words = failed.failure_words
        row.save(
            update_fields=[
                "status",
                "delivered_at",
                "read_at",
                "failure",
                "failure_code",
                "failure_words",
            ]
        )
        if was != row.status:
            _follow(row, was)


def _follow(row: Communication, was: str) -> None:
    """What a change of status means for the driver."""
    if row.status == CommunicationStatus.FAILED:
        _what_it_says(row)
        note_unreached(row.driver_id, by=PROVIDER)
        journal.announce(
            MessageFailed(row.driver_id, row.pk, row.channel, row.failure),
            by=PROVIDER,
            driver_id=row.driver_id,
        )
    elif was == CommunicationStatus.FAILED:
        drivers.trigger([row.driver_id], Trigger.MESSAGE_ACCEPTED, by=PROVIDER, at=row.sent_at)
    keep_derived([row.driver_id])
    keep_thread(row.driver_id)


def _what_it_says(row: Communication) -> None:
    """Some failures are the driver's own word: a blocked bot, marketing stopped with the vendor (spec §4)."""
    driver = Driver.objects.get(pk=row.driver_id)
    if row.failure == Failure.BLOCKED:
        consent.withdraw(driver, channels=[row.channel], source="blocked", by=PROVIDER)
    elif row.failure == Failure.MARKETING_STOPPED:
        consent.withdraw(
            driver, channels=[row.channel], purposes=["marketing"], source="provider", by=PROVIDER
        )


def note_unreached(driver_id: UUID, *, by: Actor) -> None:
    """Every message so far has finally failed: the move to contacted is taken back (spec §3)."""
    ours = Communication.objects.filter(driver_id=driver_id, direction=Direction.OUTBOUND)
    if ours.exists() and not ours.exclude(status=CommunicationStatus.FAILED).exists():
        drivers.trigger([driver_id], Trigger.UNREACHED, by=by)
