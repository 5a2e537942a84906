"""Where each driver's conversation stands, worked out in the transaction that changes it (spec §5.6)."""

from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, Min, Q

from drivercrm.communications.enums import CommunicationStatus, Direction, OutboxState
from drivercrm.communications.models import Communication, Note, OutboxMessage, Thread
from drivercrm.communications.queries import WRITTEN

THEIRS = Q(direction=Direction.INBOUND, kind__in=WRITTEN, call_outcome="")
OURS = Q(direction=Direction.OUTBOUND)


def keep_thread(driver_id: UUID) -> None:
    """Makes a driver's thread what the messages, notes and the outbox say. The person and the snooze stay."""
    said = Communication.objects.filter(driver_id=driver_id).aggregate(
        last=Max("sent_at"),
        last_inbound=Max("sent_at", filter=THEIRS),
        unread=Count("id", filter=THEIRS & Q(read_at__isnull=True)),
        waiting=Min("sent_at", filter=THEIRS & Q(replied_at__isnull=True, is_handled=False)),
        failed=Max("sent_at", filter=OURS & Q(status=CommunicationStatus.FAILED, call_outcome="")),
        arrived=Max("sent_at", filter=OURS & ~Q(status=CommunicationStatus.FAILED)),
    )
    outbox = OutboxMessage.objects.filter(driver_id=driver_id).aggregate(
        last=Max("created_at"), doubt=Max("sending_at", filter=Q(state=OutboxState.IN_DOUBT))
    )
    noted = Note.objects.filter(driver_id=driver_id).aggregate(last=Max("created_at"))["last"]
    last = _latest(said["last"], outbox["last"], noted)
    if last is None:
        Thread.objects.filter(driver_id=driver_id).delete()
        return
    failed = said["failed"] if not said["arrived"] or (said["failed"] or last) > said["arrived"] else None
    Thread.objects.update_or_create(
        driver_id=driver_id,
        defaults={
            "last_at": last,
            "last_inbound_at": said["last_inbound"],
            "unread_count": said["unread"],
            "waiting_since": said["waiting"],
            "failed_at": _latest(failed, outbox["doubt"]),
        },
    )


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
