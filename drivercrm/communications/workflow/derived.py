"""What the drivers' own columns say of their messages and calls (spec §2)."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from drivercrm.communications.enums import Channel, CommunicationStatus, Direction, MessageType
from drivercrm.communications.formula import Said, response_rate
from drivercrm.communications.models import Communication
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked


def keep_derived(driver_ids: Iterable[UUID]) -> int:
    """Makes the drivers' three derived columns what the rows say. Returns how many values were wrong (spec §2)."""
    ids = list(driver_ids)
    rows: dict[UUID, list[Communication]] = {pk: [] for pk in ids}
    for row in Communication.objects.filter(driver_id__in=ids).order_by("sent_at"):
        rows[row.driver_id].append(row)
    wrong = 0
    for driver in Driver.objects.filter(pk__in=ids):
        said = rows[driver.pk]
        reached = [row.sent_at for row in said if row.status != CommunicationStatus.FAILED]
        derived = (len(said), max(reached, default=None), response_rate(_as_said(row) for row in said))
        kept = (driver.total_communications, driver.last_contact_date, driver.response_rate)
        if kept != derived:
            wrong += sum(a != b for a, b in zip(kept, derived, strict=True))
            total, last, rate = derived
            drivers.note_communications(driver.pk, total=total, last_contact_date=last, response_rate=rate)
    return wrong


def _as_said(row: Communication) -> Said:
    is_failed_message = row.status == CommunicationStatus.FAILED and row.channel != Channel.PHONE
    return Said(
        at=row.sent_at,
        is_outbound=row.direction == Direction.OUTBOUND,
        counts=row.message_type != MessageType.UPDATE and not is_failed_message,
        is_answered=row.status == CommunicationStatus.REPLIED,
    )


def rebuild() -> dict[str, int]:
    """Works the drivers' communication columns out again. Returns how many values were wrong."""
    wrong = 0
    ids = list(Driver.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), 500):
        with transaction.atomic():
            locked(ids[start : start + 500])  # a call that is logged meanwhile waits
            wrong += keep_derived(ids[start : start + 500])
    return {"communications": wrong}
