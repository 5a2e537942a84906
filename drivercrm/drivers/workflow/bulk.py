"""Many drivers at once, as lists bring them, and the way back (spec §10).

One chunk of an import happens at one moment: `clock.now()` is the same for all that it writes. That moment tells
afterwards whether anything has touched a driver since.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Field

from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.bulk import insert_rows, update_rows
from drivercrm.core.ids import uuid7
from drivercrm.drivers import queries
from drivercrm.drivers.enums import IdentityKind, Outcome
from drivercrm.drivers.events import DriverCreated, DriverEdited, DriverStatusChanged, FollowUpReopened
from drivercrm.drivers.models import ChannelIdentity, Driver, FollowUp, StatusChange
from drivercrm.drivers.queries import locked
from drivercrm.drivers.workflow.details import (
    CHANNEL_OF,
    IDENTITY_OF,
    UNIQUE_LABELS,
    default_channel,
    hand_on,
    holders,
    identity_value,
)
from drivercrm.drivers.workflow.follow_ups import keep_next_follow_up
from drivercrm.drivers.workflow.status import project
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange

IDENTITY_COLUMNS = ("id", "driver_id", "channel", "kind", "value", "source", "since", "recorded_at")


@dataclass(frozen=True)
class Written:
    """What an update wrote to one driver: (before, after) by field, and the identities it opened and ended."""

    fields: dict[str, tuple[Any, Any]]
    updated_at: tuple[datetime, datetime]
    opened: list[UUID] = field(default_factory=list)
    ended: list[UUID] = field(default_factory=list)


def create_many(
    rows: Sequence[Mapping[str, Any]], *, source: str, by: Actor, are_free: bool = False
) -> list[UUID]:
    """New drivers from values that are clean already, and their ids in the same order.

    An address that another driver holds stays on the record, but the identity stays theirs (spec §2). `are_free`:
    the caller has just looked, and nobody has these addresses; IntegrityError if somebody got one since.
    """
    if not rows:
        return []
    now = clock.now()
    names, defaults = _columns()
    defaults |= {"source": source, "created_at": now, "updated_at": now}
    plain, places = [defaults[name] for name in names], {name: index for index, name in enumerate(names)}
    ids = [uuid7() for _ in rows]
    lines = []
    for pk, values in zip(ids, rows, strict=True):
        line = plain.copy()
        line[places["id"]] = pk
        line[places["preferred_channel"]] = default_channel(
            values.get("phone") or values.get("whatsapp_number")
        )
        for name, value in values.items():
            line[places[name]] = value
        lines.append(line)
    with transaction.atomic():
        insert_rows(Driver, names, lines)
        insert_rows(ChannelIdentity, IDENTITY_COLUMNS, _identities(ids, rows, source, now, are_free))
        journal.announce(DriverCreated(ids, source), by=by, driver_id=ids[0] if len(ids) == 1 else None)
    return ids


def _columns() -> tuple[list[str], dict[str, Any]]:
    """The columns that a new row fills, and what stands there unless it says otherwise."""
    fields: list[Field[Any, Any]] = [one for one in Driver._meta.concrete_fields if not one.generated]
    return [one.attname for one in fields], {one.attname: one.get_default() for one in fields}


def _identities(
    ids: Sequence[UUID], rows: Sequence[Mapping[str, Any]], source: str, now: datetime, are_free: bool
) -> list[tuple[Any, ...]]:
    wanted: dict[tuple[str, str], UUID] = {}
    for pk, values in zip(ids, rows, strict=True):
        for name, kind in IDENTITY_OF.items():
            value = identity_value(kind, values.get(name))
            if value:
                wanted.setdefault((kind, value), pk)
    held = set() if are_free else set(holders(wanted))
    return [
        (uuid7(), pk, CHANNEL_OF[kind], kind, value, source, now, now)  # type: ignore[index]
        for (kind, value), pk in wanted.items()
        if (str(kind), value) not in held
    ]


def update_many(changes: Mapping[UUID, Mapping[str, Any]], *, source: str, by: Actor) -> dict[UUID, Written]:
    """Sets clean values on existing drivers, one journal entry for all; a driver that is gone is passed over."""
    now = clock.now()
    with transaction.atomic():
        drivers = locked(changes)
        if not drivers:
            return {}
        written: dict[UUID, Written] = {}
        kept: list[FieldChange] = []
        for driver in drivers:
            pairs: dict[str, tuple[Any, Any]] = {}
            for name, value in changes[driver.pk].items():
                before = getattr(driver, name)
                if before != value:
                    pairs[name] = (before, value)
                    setattr(driver, name, value)
                    kept.append(FieldChange(driver.pk, name, before, value))
            written[driver.pk] = Written(pairs, (driver.updated_at, now))
            driver.updated_at = now
        _save(drivers, sorted({name for one in written.values() for name in one.fields}))
        _keep_identities(drivers, written, source)
        journal.announce(
            DriverEdited([driver.pk for driver in drivers], sorted({change.field for change in kept})),
            by=by,
            driver_id=drivers[0].pk if len(drivers) == 1 else None,
            changes=kept,
        )
    return written


def _save(drivers: Sequence[Driver], names: Sequence[str]) -> None:
    columns = [*names, "updated_at"]
    update_rows(
        Driver, columns, ([*(getattr(driver, name) for name in columns), driver.pk] for driver in drivers)
    )


def _keep_identities(drivers: Sequence[Driver], written: Mapping[UUID, Written], source: str) -> None:
    """Ends the identities of replaced addresses and opens those of new ones that nobody holds."""
    moved = [driver for driver in drivers if set(IDENTITY_OF) & set(written[driver.pk].fields)]
    if not moved:
        return
    now = clock.now()
    old = {
        (row.driver_id, row.kind): row
        for row in ChannelIdentity.objects.filter(driver__in=moved, until__isnull=True)
    }
    ended: list[UUID] = []
    left: dict[str, list[str]] = {}
    left_by: dict[tuple[str, str], UUID] = {}
    wanted: dict[tuple[str, str], UUID] = {}
    for driver in moved:
        for name, kind in IDENTITY_OF.items():
            if name not in written[driver.pk].fields:
                continue
            value = identity_value(kind, getattr(driver, name))
            row = old.get((driver.pk, kind))
            if row and row.value == value:
                continue
            if row:
                ended.append(row.pk)
                written[driver.pk].ended.append(row.pk)
                left.setdefault(name, []).append(written[driver.pk].fields[name][0] or row.value)
                left_by[row.kind, row.value] = driver.pk
            if value:
                wanted.setdefault((kind, value), driver.pk)
    ChannelIdentity.objects.filter(pk__in=ended).update(until=now)
    held = holders(wanted)
    lines = []
    for (held_kind, value), pk in wanted.items():
        if (str(held_kind), value) not in held:
            row_id = uuid7()
            written[pk].opened.append(row_id)
            channel = CHANNEL_OF[IdentityKind(held_kind)]
            lines.append((row_id, pk, channel, held_kind, value, source, now, now))
    insert_rows(ChannelIdentity, IDENTITY_COLUMNS, lines)
    for address, row_id in (hand_on(left) if left else {}).items():
        written[left_by[address]].opened.append(row_id)


def put_back_many(
    written: Mapping[UUID, Written], *, by: Actor, stood: Mapping[UUID, datetime] | None = None
) -> dict[UUID, list[str]]:
    """Restores the values before an update wherever they are still what it wrote.

    Returns the fields that somebody has changed since, by driver. A driver whom nothing else has touched gets its
    `updated_at` back too; `stood` has that column as it was before other rooms began to take their part back.
    """
    stayed: dict[UUID, list[str]] = {}
    with transaction.atomic():
        drivers = locked(written)
        undone: list[FieldChange] = []
        for driver in drivers:
            one = written[driver.pk]
            left = []
            for name, (before, after) in one.fields.items():
                if getattr(driver, name) != after or _is_taken(driver, name, before):
                    left.append(name)
                    continue
                setattr(driver, name, before)
                undone.append(FieldChange(driver.pk, name, after, before))
            if left:
                stayed[driver.pk] = left
            last = (stood or {}).get(driver.pk, driver.updated_at)
            is_untouched = last == one.updated_at[1] and not left
            driver.updated_at = one.updated_at[0] if is_untouched else clock.now()
        _save(drivers, sorted({change.field for change in undone}))
        _put_identities_back(drivers, written)
        if undone:
            journal.announce(
                DriverEdited([driver.pk for driver in drivers], sorted({change.field for change in undone})),
                by=by,
                driver_id=drivers[0].pk if len(drivers) == 1 else None,
                changes=undone,
            )
    return stayed


def _is_taken(driver: Driver, name: str, value: Any) -> bool:
    """Whether another driver has the unique id by now that an undo would give back."""
    if name not in UNIQUE_LABELS or not value:
        return False
    return Driver.objects.filter(**{name: value}).exclude(pk=driver.pk).exists()


def _put_identities_back(drivers: Sequence[Driver], written: Mapping[UUID, Written]) -> None:
    records = {driver.pk: driver for driver in drivers}
    ids = [pk for driver_id in records for pk in (*written[driver_id].opened, *written[driver_id].ended)]
    rows = {row.pk: row for row in ChannelIdentity.objects.filter(pk__in=ids)}
    for driver_id, driver in records.items():
        present = {
            (str(kind), identity_value(kind, getattr(driver, name))) for name, kind in IDENTITY_OF.items()
        }
        for pk in written[driver_id].opened:
            row = rows.get(pk)
            # its own new address has left the record again, or one that was handed on has come back to it
            if row and ((row.kind, row.value) in present) != (row.driver_id == driver_id):
                row.delete()
        for pk in written[driver_id].ended:
            row = rows.get(pk)
            free = row and not ChannelIdentity.objects.filter(
                kind=row.kind, value=row.value, until__isnull=True
            )
            if row and free and (row.kind, row.value) in present:
                ChannelIdentity.objects.filter(pk=pk).update(until=None)


def forget_moves(act: UUID, driver_ids: Collection[UUID], *, by: Actor) -> set[UUID]:
    """Takes an import's moves out of these histories, as if the list had never come (undo of spec §10).

    Returns the drivers that have moved on since: theirs stay. `updated_at` is left to `put_back_many`.
    """
    with transaction.atomic():
        drivers = locked(driver_ids)
        histories = queries.histories(driver.pk for driver in drivers)
        moved_on: set[UUID] = set()
        back: list[Driver] = []
        gone: list[UUID] = []
        for driver in drivers:
            changes = histories[driver.pk]
            ours = [change for change in changes if change.act == act]
            if not ours:
                continue
            if changes[-len(ours) :] != ours:
                moved_on.add(driver.pk)
                continue
            gone += [change.pk for change in ours]
            histories[driver.pk] = changes[: -len(ours)]
            back.append(driver)
        if not back:
            return moved_on
        StatusChange.objects.filter(pk__in=gone).delete()
        kept = {driver.pk: driver.updated_at for driver in back}
        project(back, histories)
        for driver in back:
            driver.updated_at = kept[driver.pk]
        _save(back, [])
        ids = [driver.pk for driver in back]
        journal.announce(
            DriverStatusChanged(act, ids, "undo"), by=by, driver_id=ids[0] if len(ids) == 1 else None
        )
    return moved_on


def reopen_closed(driver_ids: Collection[UUID], moment: datetime, *, by: Actor) -> None:
    """Opens the follow-ups again that an import's opt-out closed at this moment (undo of spec §10)."""
    closed = FollowUp.objects.filter(driver_id__in=driver_ids, done_at=moment, outcome=Outcome.CLOSED)
    rows = list(closed.values_list("pk", "driver_id"))
    if rows:
        closed.update(done_at=None, done_by="", outcome="")
        ids = [driver_id for _, driver_id in rows]
        keep_next_follow_up(ids)
        journal.announce(FollowUpReopened(ids, [pk for pk, _ in rows]), by=by)
