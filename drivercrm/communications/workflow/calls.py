"""Phone calls, which people log by hand (spec §5.1)."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from drivercrm.communications.enums import CallOutcome, Channel, CommunicationStatus, Direction, MessageType
from drivercrm.communications.events import CallLogged
from drivercrm.communications.models import Communication
from drivercrm.communications.workflow.derived import keep_derived
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.ids import uuid7
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import Trigger
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked_one
from drivercrm.journal import workflow as journal

STATUS_OF_CALL: dict[tuple[str, str], CommunicationStatus] = {
    (Direction.OUTBOUND, CallOutcome.ANSWERED): CommunicationStatus.REPLIED,
    (Direction.OUTBOUND, CallOutcome.VOICEMAIL): CommunicationStatus.DELIVERED,
    (Direction.OUTBOUND, CallOutcome.NO_ANSWER): CommunicationStatus.FAILED,
    (Direction.OUTBOUND, CallOutcome.BUSY): CommunicationStatus.FAILED,
    (Direction.OUTBOUND, CallOutcome.WRONG_NUMBER): CommunicationStatus.FAILED,
    (Direction.INBOUND, CallOutcome.ANSWERED): CommunicationStatus.REPLIED,
    (Direction.INBOUND, CallOutcome.MISSED): CommunicationStatus.DELIVERED,
}


def log_call(
    driver: Driver,
    *,
    direction: str,
    outcome: str,
    by: Actor,
    note: str = "",
    seconds: int | None = None,
    at: datetime | None = None,
    message_type: str = MessageType.ONBOARDING,
    call_id: UUID | None = None,
) -> Communication:
    """A call that a person made or took, with its outcome; one that reached the driver moves the status (spec §3).

    The same `call_id` again is the same call: a form that was sent twice logs it once. Refuses an outcome that
    does not fit the direction, a call in the future, and a length out of range.
    """
    status = STATUS_OF_CALL.get((direction, outcome))
    if status is None:
        raise Refused(
            "outcome_does_not_fit", "This outcome does not fit the direction of the call.", field="outcome"
        )
    if message_type not in MessageType.values:
        raise Refused("unknown_type", f"“{message_type}” is not a message type.", field="message_type")
    moment = at or clock.now()
    if moment > clock.now() + timedelta(minutes=1):
        raise Refused("in_future", "A call cannot be logged before it is made.", field="at")
    if seconds is not None and not 0 <= seconds <= 24 * 3600:
        raise Refused("length_out_of_range", "A call lasts between 0 and 24 hours.", field="seconds")
    is_answered = status == CommunicationStatus.REPLIED
    is_delivered = is_answered or status == CommunicationStatus.DELIVERED
    with transaction.atomic():
        locked_one(driver.pk)
        known = Communication.objects.filter(pk=call_id, driver=driver).first() if call_id else None
        if known:
            return known
        call = Communication.objects.create(
            id=call_id or uuid7(),
            driver=driver,
            channel=Channel.PHONE,
            direction=direction,
            message_type=message_type,
            message_body=note.strip(),
            status=status,
            response_received=is_answered,
            response_time=0 if is_answered else None,
            sent_at=moment,
            delivered_at=moment if is_delivered else None,
            read_at=moment if is_answered else None,
            replied_at=moment if is_answered else None,
            created_by=str(by),
            call_outcome=outcome,
            call_seconds=seconds,
        )
        keep_derived([driver.pk])
        if direction == Direction.OUTBOUND and is_delivered:
            drivers.trigger([driver.pk], Trigger.CALL_REACHED, by=by, at=moment)
        journal.announce(CallLogged(driver.pk, call.pk, outcome), by=by, driver_id=driver.pk)
    driver.refresh_from_db()
    return call
