"""News: written with the change, delivered at least once, never lost (house §3.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from drivercrm.core import clock
from drivercrm.jobs import workflow as jobs
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import Event, FieldChange
from drivercrm.journal.models import Change, Delivery, Entry
from tests.factories import NANDI

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class KettleBoiled(Event):
    """For these tests alone."""

    name: ClassVar[str] = "test.kettle_boiled"
    kettle_id: UUID


@pytest.fixture
def heard() -> Iterator[list[UUID]]:
    """Two people listen: one always hears, one fails the first time."""
    calls: list[UUID] = []
    failures = iter([True])

    @journal.on(KettleBoiled)
    def makes_tea(entry: Entry) -> None:
        calls.append(UUID(entry.data["kettle_id"]))

    @journal.on(KettleBoiled)
    def makes_coffee(entry: Entry) -> None:
        if next(failures, False):
            raise ValueError("no beans")
        calls.append(UUID(entry.data["kettle_id"]))

    yield calls
    del journal.SUBSCRIBERS[KettleBoiled.name]


def test_news_reaches_every_subscriber_once(heard: list[UUID]) -> None:
    kettle = uuid4()

    entry = journal.announce(KettleBoiled(kettle), by=NANDI)
    jobs.worker(clockwork=False).drain()

    assert (entry.name, entry.actor, entry.origin) == ("test.kettle_boiled", str(NANDI), "web")
    assert heard == [kettle]
    failed = Delivery.objects.get(done_at__isnull=True)
    assert (failed.attempts, failed.error) == (1, "ValueError")


def test_a_failed_reaction_is_tried_again_by_the_sweep(heard: list[UUID]) -> None:
    kettle = uuid4()
    journal.announce(KettleBoiled(kettle), by=NANDI)
    jobs.worker(clockwork=False).drain()
    assert journal.sweep() == 0  # its pause is not over

    Delivery.objects.update(next_try_at=clock.now() - timedelta(seconds=1))
    assert journal.sweep() == 1
    jobs.worker(clockwork=False).drain()

    assert heard == [kettle, kettle]
    assert Delivery.objects.filter(done_at__isnull=True).count() == 0


def test_a_delivery_that_was_made_is_not_made_again(heard: list[UUID]) -> None:
    journal.announce(KettleBoiled(uuid4()), by=NANDI)
    jobs.worker(clockwork=False).drain()
    done = Delivery.objects.filter(done_at__isnull=False).get()

    assert journal.deliver(done.pk) is False

    assert len(heard) == 1


def test_what_is_rolled_back_is_no_news(heard: list[UUID]) -> None:
    class Oops(Exception):
        pass

    def change_and_fail() -> None:
        with transaction.atomic():
            journal.announce(KettleBoiled(uuid4()), by=NANDI)
            raise Oops

    with pytest.raises(Oops):
        change_and_fail()
    jobs.worker(clockwork=False).drain()

    assert (Entry.objects.count(), Delivery.objects.count(), heard) == (0, 0, [])


def test_a_failed_reaction_leaves_nothing_of_what_it_began() -> None:
    @journal.on(KettleBoiled)
    def writes_then_fails(entry: Entry) -> None:
        Entry.objects.create(name="half", actor="x", origin="job")
        raise ValueError("no water")

    try:
        journal.announce(KettleBoiled(uuid4()), by=NANDI)
        jobs.worker(clockwork=False).drain()
    finally:
        del journal.SUBSCRIBERS[KettleBoiled.name]

    assert not Entry.objects.filter(name="half").exists()


def test_personal_values_stand_apart_from_the_entry() -> None:
    driver = uuid4()
    changes = journal.changed_fields(driver, {"name": "Sipho", "area": "x"}, {"name": "Sipho D", "area": "x"})

    entry = journal.announce(KettleBoiled(driver), by=NANDI, changes=changes)

    assert changes == [FieldChange(driver, "name", "Sipho", "Sipho D")]
    kept = Change.objects.get(entry=entry)
    assert (kept.object_id, kept.field, kept.before, kept.after) == (driver, "name", "Sipho", "Sipho D")
    assert "Sipho" not in str(entry.data)
