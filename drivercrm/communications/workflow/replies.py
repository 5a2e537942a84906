"""Which message answers which, in both directions (spec §5.3): worked out anew whenever a message is learned of."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Min

from drivercrm.communications.enums import CommunicationStatus, Direction, EventKind, MessageType
from drivercrm.communications.events import MessageReplied
from drivercrm.communications.formula import REPLY_WINDOW, Line, Told, answers, outcome
from drivercrm.communications.models import Communication
from drivercrm.communications.queries import WRITTEN
from drivercrm.communications.workflow.receipts import work_out
from drivercrm.core.actors import automation
from drivercrm.journal import workflow as journal

DRIVER = automation("driver")


def attribute(driver_id: UUID, channel: str, since: datetime) -> None:
    """Works out what the driver's messages from a moment on answer. Call it under the driver's lock.

    The result does not depend on the order in which messages were learned of.
    """
    known = Communication.objects.filter(driver_id=driver_id, channel=channel, call_outcome="")
    rows = list(
        known.filter(sent_at__gte=since - 2 * REPLY_WINDOW).prefetch_related("events").order_by("sent_at")
    )
    targets = answers(_line(row) for row in rows)
    touched: set[UUID] = set()
    for row in rows:
        if row.direction == Direction.OUTBOUND or row.sent_at < since:
            continue
        target = targets.get(row.pk)
        if row.answers_id != target:
            touched |= {pk for pk in (row.answers_id, target) if pk is not None}
            row.answers_id = target
            row.save(update_fields=["answers"])
    answered = {row.answers_id for row in rows if row.answers_id and row.sent_at >= since}
    _note_replies(touched | answered)
    _take_types(row for row in rows if row.direction == Direction.INBOUND and row.sent_at >= since)


def _line(row: Communication) -> Line:
    is_outbound = row.direction == Direction.OUTBOUND
    if is_outbound:
        told = (Told(event.kind, event.at) for event in row.events.all())
        status = outcome(told, replied_at=None, was_refused=bool(row.failure) and not row.provider_id).status
        counts = status != EventKind.FAILED
    else:
        counts = row.kind in WRITTEN
    return Line(row.pk, row.sent_at, is_outbound, counts, row.quotes_id if not is_outbound else None)


def _note_replies(ids: Iterable[UUID]) -> None:
    """Makes our messages' reply what the driver's messages say: the first one counts."""
    rows = Communication.objects.filter(pk__in=list(ids)).annotate(first=Min("answered_by__sent_at"))
    for row in rows:
        if row.direction != Direction.OUTBOUND or row.replied_at == row.first:
            continue
        was = row.replied_at
        row.replied_at = row.first
        row.response_received = row.first is not None
        row.response_time = _seconds(row.sent_at, row.first)
        row.save(update_fields=["replied_at", "response_received", "response_time"])
        work_out([row])
        first = row.answered_by.order_by("sent_at", "id").first()
        if was is None and first is not None:
            journal.announce(
                MessageReplied(row.driver_id, row.pk, first.pk), by=DRIVER, driver_id=row.driver_id
            )


def _take_types(rows: Iterable[Communication]) -> None:
    """An inbound has the message_type of what it answers, else support."""
    inbound = list(rows)
    kinds = dict(
        Communication.objects.filter(
            pk__in=[row.answers_id for row in inbound if row.answers_id]
        ).values_list("pk", "message_type")
    )
    for row in inbound:
        kind = kinds.get(row.answers_id) if row.answers_id else None
        wanted = kind or MessageType.SUPPORT
        if row.message_type != wanted:
            row.message_type = MessageType(wanted)
            row.save(update_fields=["message_type"])


def answer_theirs(driver_id: UUID) -> None:
    """What a person's accepted message answers: everything that the driver wrote before it and nobody has answered.

    On any channel; each inbound is answered by the first such message after it, whichever was learned of first.
    """
    waiting = list(
        Communication.objects.filter(
            driver_id=driver_id, direction=Direction.INBOUND, replied_at__isnull=True, call_outcome=""
        ).order_by("sent_at", "id")
    )
    if not waiting:
        return
    ours = list(
        Communication.objects.filter(
            driver_id=driver_id,
            direction=Direction.OUTBOUND,
            is_by_person=True,
            sent_at__gte=waiting[0].sent_at,
        )
        .exclude(failure__gt="", provider_id="")
        .order_by("sent_at", "id")
    )
    for theirs in waiting:
        answer = next((one for one in ours if one.sent_at >= theirs.sent_at), None)
        if answer is None:
            continue
        theirs.replied_at = answer.sent_at
        theirs.response_received = True
        theirs.response_time = _seconds(theirs.sent_at, answer.sent_at)
        theirs.read_at = theirs.read_at or answer.sent_at
        theirs.status = CommunicationStatus.REPLIED
        theirs.save(update_fields=["replied_at", "response_received", "response_time", "read_at", "status"])


def _seconds(asked: datetime, answered: datetime | None) -> int | None:
    """Whole seconds by the providers' clocks; one that runs behind makes no time negative."""
    if answered is None:
        return None
    return max(0, int((answered - asked) / timedelta(seconds=1)))
