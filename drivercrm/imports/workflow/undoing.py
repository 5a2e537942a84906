"""An import taken back, driver by driver (spec §10).

A driver that the import made and that nothing has touched since is deleted with everything that hangs on it. A
driver that it changed gets back each value that is still what the import wrote. What something else has touched
since is listed and kept. When nothing was kept, every table but the journal is as it was before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from drivercrm.consent import workflow as consent
from drivercrm.consent.models import Consent, ConsentEvent
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import ChannelIdentity, Driver, StatusChange
from drivercrm.drivers.queries import locked
from drivercrm.imports.enums import Did, ImportState
from drivercrm.imports.events import ImportUndoAsked, ImportUndone
from drivercrm.imports.models import UNDO_DAYS, Import, ImportRow
from drivercrm.imports.workflow.staging import IN_BACKGROUND, discard, locked_import
from drivercrm.imports.workflow.states import move
from drivercrm.journal import workflow as journal

CHUNK = 500
MOVED_ON = "status changed since"
SAID_SINCE = "consent recorded since"
EDITED = "details changed since"


@dataclass
class Outlook:
    """What an undo would do: how many drivers go and how many get values back, and who stays, with the reason."""

    deleted: int = 0
    restored: int = 0
    kept: list[tuple[UUID, str]] = field(default_factory=list)


def outlook(of: Import) -> Outlook:
    """What an undo would do now, for the page that asks first."""
    found = Outlook()
    rows = ImportRow.objects.filter(of=of, driver_id__isnull=False, kept="").exclude(did=Did.NOTHING)
    last = 0
    while chunk := list(rows.filter(number__gt=last).order_by("number")[:CHUNK]):
        last = chunk[-1].number
        made = [row.driver_id for row in chunk if row.did == Did.CREATED and row.driver_id]
        reasons = touched(made, of.act)
        found.kept += reasons.items()
        found.deleted += Driver.objects.filter(pk__in=set(made) - set(reasons)).count()
        found.restored += sum(1 for row in chunk if row.did == Did.UPDATED)
    return found


def undo(of: Import, *, by: Actor, in_background: bool = True) -> Import | None:
    """Takes an import back; a long one in the background. Returns it, or None when nothing was kept.

    Refuses after seven days, and for an import that is not done.
    """
    with transaction.atomic():
        held = locked_import(of)
        if held.state != ImportState.UNDOING:
            if held.undo_until and clock.now() > held.undo_until:
                raise Refused("too_late", f"An import can be undone for {UNDO_DAYS} days.")
            move(held, ImportState.UNDOING)
            held.save(update_fields=["state", "progress_at"])
            if in_background and held.created_count + held.updated_count > IN_BACKGROUND:
                journal.announce(ImportUndoAsked(held.pk), by=by)
                return held
    return undo_rest(of.pk, by=by)


def undo_rest(import_id: UUID, *, by: Actor) -> Import | None:
    """Does what is left of an undo, chunk by chunk, the last rows first. Safe to call again at any time."""
    while True:
        with transaction.atomic():
            of = Import.objects.select_for_update().filter(pk=import_id).first()
            if of is None or of.state != ImportState.UNDOING:
                return of
            rows = list(
                ImportRow.objects.filter(of=of, kept="").exclude(did=Did.NOTHING).order_by("-number")[:CHUNK]
            )
            if not rows:
                return _finish(of, by)
            _undo_chunk(of, rows, by)
            of.progress_at = clock.now()
            of.save()


def _finish(of: Import, by: Actor) -> Import | None:
    journal.announce(
        ImportUndone(of.pk, of.file_name, of.deleted_count, of.restored_count, of.kept_count), by=by
    )
    if of.kept_count == 0:
        discard(of)
        return None
    move(of, ImportState.UNDONE)
    of.save()
    ImportRow.objects.filter(of=of, kept="").delete()  # what is listed stays, until the list is tidied away
    return of


def _undo_chunk(of: Import, rows: Sequence[ImportRow], by: Actor) -> None:
    made = {row.driver_id: row for row in rows if row.did == Did.CREATED and row.driver_id}
    changed: dict[UUID, list[ImportRow]] = {}
    for row in rows:
        if row.did == Did.UPDATED and row.driver_id:
            changed.setdefault(row.driver_id, []).append(row)
    _restore_others(of, rows, by)
    kept = _restore(of, changed, by)
    # a driver of this import that a later row of it has changed is put back first, and then judged
    _lock(made)
    reasons = touched(list(made), of.act)
    gone = [pk for pk in made if pk not in reasons]
    _free_addresses(of, gone)
    drivers.delete_untouched(gone, by=by)
    of.deleted_count += len(gone)
    of.restored_count += len(set(changed) - set(kept))
    kept |= {pk: reason for pk, reason in reasons.items() if pk not in kept}
    of.kept_count += len(kept)
    for row in rows:
        row.kept = kept.get(row.driver_id, "")[:200] if row.driver_id else ""
        row.did = row.did if row.kept else Did.NOTHING
    ImportRow.objects.bulk_update(rows, ["kept", "did"], batch_size=CHUNK)


def _lock(ids: Mapping[UUID, Any]) -> None:
    locked(ids)


def _free_addresses(of: Import, driver_ids: Sequence[UUID]) -> None:
    moments = Driver.objects.filter(pk__in=driver_ids).values_list("created_at", flat=True).distinct()
    consent.take_back_import(of.act, driver_ids, moments=list(moments))


def touched(driver_ids: Sequence[UUID], act: UUID) -> dict[UUID, str]:
    """The drivers made by an import that something has touched since, each with what it was.

    Every table that hangs on a driver counts, also those of rooms that this one does not know.
    """
    reasons: dict[UUID, list[str]] = {}

    def add(ids: Sequence[UUID] | set[UUID], reason: str) -> None:
        for pk in ids:
            reasons.setdefault(pk, []).append(reason)

    about = Driver.objects.filter(pk__in=driver_ids)
    moments = about.values_list("pk", "created_at", "updated_at")
    add([pk for pk, created_at, updated_at in moments if created_at != updated_at], EDITED)
    for relation in Driver._meta.related_objects:
        model = relation.related_model
        if model in {Consent, ChannelIdentity}:  # projections of what is looked at elsewhere
            continue
        key = relation.field.name
        rows = model._default_manager.filter(**{f"{key}__in": driver_ids})
        if model in {StatusChange, ConsentEvent}:
            rows = rows.exclude(act=act)
        name = model._meta.verbose_name_plural
        add(set(rows.values_list(f"{key}_id", flat=True)), WORDS.get(model.__name__, f"has {name}"))
    return {pk: ", ".join(dict.fromkeys(found)) for pk, found in reasons.items()}


WORDS = {
    "StatusChange": MOVED_ON,
    "ConsentEvent": SAID_SINCE,
    "Communication": "messages or calls",
    "FollowUp": "follow-ups",
    "OnboardingStep": "checklist steps",
    "SupportTicket": "tickets",
    "EngagementMetric": "daily metrics",
}


def _restore_others(of: Import, rows: Sequence[ImportRow], by: Actor) -> None:
    """Drivers whom the list did not name: they share an address with somebody whom it called opted out."""
    for row in rows:
        if "others" not in row.wrote:
            continue
        moment = datetime.fromisoformat(row.wrote["at"])
        before = {UUID(pk): datetime.fromisoformat(text) for pk, text in row.wrote["others"].items()}
        stood = {driver.pk: driver.updated_at for driver in locked(before)}
        said = consent.take_back_import(of.act, list(stood), moments=[moment])
        moved_on = drivers.forget_moves(of.act, set(stood) - said, by=by)
        drivers.reopen_closed(list(set(stood) - said - moved_on), moment, by=by)
        # a no where nobody had said yes wrote to the ledger alone: the record stands as it stood before
        after = {pk: at if at == before[pk] else moment for pk, at in stood.items()}
        written = {pk: drivers.Written({}, (before[pk], after[pk])) for pk in set(stood) - said - moved_on}
        drivers.put_back_many(written, by=by, stood=stood)


def _restore(of: Import, changed: Mapping[UUID, Sequence[ImportRow]], by: Actor) -> dict[UUID, str]:
    """Puts the changed drivers back; returns those where something had to stay, and what it was."""
    if not changed:
        return {}
    stood = {driver.pk: driver.updated_at for driver in locked(changed)}
    present = set(stood)
    reasons: dict[UUID, list[str]] = {}
    moments = {
        datetime.fromisoformat(row.wrote["updated_at"][1]) for rows in changed.values() for row in rows
    }
    said = consent.take_back_import(of.act, list(present), moments=moments)
    moved_on = drivers.forget_moves(of.act, present - said, by=by)
    for moment in moments:
        drivers.reopen_closed(list(present - said - moved_on), moment, by=by)
    for pk in said:
        reasons.setdefault(pk, []).append(SAID_SINCE)
    for pk in moved_on:
        reasons.setdefault(pk, []).append(MOVED_ON)
    # several rows of one list may have changed one driver: the last one is put back first
    depth = max(len(rows) for rows in changed.values())
    for step in range(depth):
        written = {
            pk: _written(rows[step]) for pk, rows in changed.items() if step < len(rows) and pk in present
        }
        # before the first step the other rooms have taken their part back, which is no touch by anybody else
        back = drivers.put_back_many(written, by=by, stood=stood if step == 0 else None)
        for pk, names in back.items():
            reasons.setdefault(pk, []).append(f"changed since: {', '.join(names)}")
    return {pk: ", ".join(dict.fromkeys(found)) for pk, found in reasons.items()}


def _written(row: ImportRow) -> drivers.Written:
    wrote = row.wrote
    before, after = (datetime.fromisoformat(text) for text in wrote["updated_at"])
    return drivers.Written(
        {name: (pair[0], pair[1]) for name, pair in wrote["fields"].items()},
        (before, after),
        [UUID(pk) for pk in wrote["opened"]],
        [UUID(pk) for pk in wrote["ended"]],
    )
