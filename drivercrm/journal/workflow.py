"""Announcing news in the caller's transaction, and bringing it to those who asked for it (house §3.2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import transaction

from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.jobs import workflow as jobs
from drivercrm.journal.events import Event, FieldChange
from drivercrm.journal.models import Change, Delivery, Entry

log = structlog.get_logger("drivercrm.journal")

Reaction = Callable[[Entry], None]
R = TypeVar("R", bound=Reaction)

MAX_ATTEMPTS = 8


@dataclass(frozen=True)
class Subscriber:
    """A reaction, whether it keeps its own transactions, and which events of its kind it wants to hear."""

    react: Reaction
    is_long: bool
    wants: Callable[[Any], bool]


def _everything(event: Event) -> bool:
    return True


SUBSCRIBERS: dict[str, dict[str, Subscriber]] = {}


def on(
    event: type[Event], *, is_long: bool = False, wants: Callable[[Any], bool] = _everything
) -> Callable[[R], R]:
    """Registers a reaction to an event. It may run twice, so it must be safe to repeat.

    A long one (an import) runs outside a transaction and commits its own steps, so that it holds no lock.
    `wants` leaves events out at the moment they are announced: nothing is delivered for them.
    """

    def register(reaction: R) -> R:
        name = f"{reaction.__module__.split('.')[-2]}.{reaction.__name__}"
        SUBSCRIBERS.setdefault(event.name, {})[name] = Subscriber(reaction, is_long, wants)
        return reaction

    return register


def announce(
    event: Event, *, by: Actor, driver_id: UUID | None = None, changes: Iterable[FieldChange] = ()
) -> Entry:
    """Writes one entry, its personal values apart, and one delivery for each subscriber.

    Call it inside the transaction that makes the change, so that neither can exist without the other.
    """
    entry = Entry.objects.create(
        name=event.name, actor=str(by), origin=by.origin, driver_id=driver_id, data=event.as_data()
    )
    Change.objects.bulk_create(
        [
            Change(
                entry=entry,
                object_id=change.object_id,
                field=change.field,
                before=change.before,
                after=change.after,
            )
            for change in changes
        ],
        batch_size=500,
    )
    for name, subscriber in SUBSCRIBERS.get(event.name, {}).items():
        if not subscriber.wants(event):
            continue
        delivery = Delivery.objects.create(entry=entry, subscriber=name)
        _look_at(delivery.pk)
    return entry


def deliver(delivery_id: int) -> bool:
    """Runs one reaction and stamps it done; a failed one is counted and tried again later. False when not run."""
    delivery = Delivery.objects.select_related("entry").filter(pk=delivery_id, done_at__isnull=True).first()
    if delivery is None:
        return False
    subscriber = SUBSCRIBERS.get(delivery.entry.name, {}).get(delivery.subscriber)
    if subscriber is None:  # the room that asked is no longer part of this version
        _stamp(delivery_id, "nobody listens any more")
        return False
    try:
        if subscriber.is_long:
            subscriber.react(delivery.entry)
            return _stamp(delivery_id)
        with transaction.atomic():
            if not _stamp(
                delivery_id
            ):  # the stamp is the claim: of two workers, the second waits and finds it
                return False
            subscriber.react(delivery.entry)
    except Exception as error:
        _count_failure(delivery, error)
        return False
    return True


def _stamp(delivery_id: int, note: str = "") -> bool:
    waiting = Delivery.objects.filter(pk=delivery_id, done_at__isnull=True)
    return waiting.update(done_at=clock.now(), error=note) == 1


def _count_failure(delivery: Delivery, error: Exception) -> None:
    attempts = delivery.attempts + 1
    pause = timedelta(seconds=min(3600, 5 * 2**attempts))
    Delivery.objects.filter(pk=delivery.pk, done_at__isnull=True).update(
        attempts=attempts, error=type(error).__name__, next_try_at=clock.now() + pause
    )
    # the exception's own words may quote a person: its class is enough to find it
    log.error(
        "reaction failed", subscriber=delivery.subscriber, error=type(error).__name__, attempts=attempts
    )


def sweep() -> int:
    """Looks for deliveries that a lost job left behind, and enqueues them again. Returns how many."""
    waiting = Delivery.objects.filter(
        done_at__isnull=True, next_try_at__lte=clock.now(), attempts__lt=MAX_ATTEMPTS
    ).values_list("pk", flat=True)[:500]
    for pk in waiting:
        _look_at(pk)
    return len(waiting)


def _look_at(delivery_id: int) -> None:
    """One job per delivery at a time: the second finds a long reaction done instead of running beside it."""
    key = f"delivery:{delivery_id}"
    jobs.enqueue("journal.deliver", {"delivery_id": delivery_id}, unique_key=key, order_key=key)


def changed_fields(object_id: UUID, before: dict[str, Any], after: dict[str, Any]) -> list[FieldChange]:
    """The fields whose values differ, as the journal keeps them."""
    return [
        FieldChange(object_id, field, before.get(field), value)
        for field, value in after.items()
        if before.get(field) != value
    ]


def changes_of(entry_id: int, event: type[Event]) -> list[Change]:
    """The values that one entry of this kind changed; none for another kind."""
    return list(Change.objects.filter(entry_id=entry_id, entry__name=event.name).order_by("pk"))
