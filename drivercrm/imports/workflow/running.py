"""A checked list goes in, chunk by chunk (ADR 0011).

Each chunk is one transaction under the import's row lock: it judges its rows against the drivers of that moment,
writes every fact of them, and moves `done_through` forward. So a process that dies leaves whole chunks; whoever
runs the import next goes on behind them; and two who run it at once take turns.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Q

from drivercrm.consent import workflow as consent
from drivercrm.consent.enums import Purpose
from drivercrm.consent.models import ConsentEvent
from drivercrm.core import clock
from drivercrm.core.actors import Actor, automation
from drivercrm.core.addresses import mail_key
from drivercrm.core.bulk import bulk_work, learn, update_rows
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus, Trigger
from drivercrm.drivers.models import Driver
from drivercrm.imports import queries
from drivercrm.imports.enums import Decision, Did, ImportState, RowVerdict
from drivercrm.imports.events import ImportFinished, ImportStarted, ImportStopped
from drivercrm.imports.headings import Target
from drivercrm.imports.models import Import, ImportRow
from drivercrm.imports.repair import Candidate
from drivercrm.imports.verdicts import OPTED_OUT, keys_of
from drivercrm.imports.workflow.judging import (
    Judged,
    Judging,
    Staged,
    basis_of,
    merged_values,
    read_staged,
)
from drivercrm.imports.workflow.staging import judge_all, keep_verdicts, locked_import
from drivercrm.imports.workflow.states import move
from drivercrm.imports.workflow.undoing import undo_rest
from drivercrm.journal import workflow as journal

log = logging.getLogger(__name__)

SOURCE = "import"
# SQLite has one writer: others wait for a whole chunk, a quarter of a second. PostgreSQL's wait for their rows only.
CHUNK = 2000 if connection.vendor == "sqlite" else 4000
PAUSE = 0.02  # seconds between chunks on SQLite at least, so that other writers get their turn
ATTEMPTS = 6
IMPORT_LOCK = 0x6472_6976_6572  # one chunk of any import at a time on PostgreSQL
CHANNELS_OF = {
    "phone": ("phone", "whatsapp"),
    "whatsapp_number": ("whatsapp",),
    "email": ("email",),
    "telegram_username": ("telegram",),
}
_ADDRESSES = set(CHANNELS_OF)
# Columns that are kept by their own rooms' rules, never written as they stand in a list.
_NOT_WRITTEN = {Target.STATUS, Target.FIRST_CONTACT, Target.OPT_IN}

Progress = Callable[[Import], None]


def work_left(of: Import) -> int:
    """How many rows would change something."""
    todo = Q(verdict__in=[RowVerdict.CREATE, RowVerdict.UPDATE]) | Q(
        decision__in=[Decision.ANOTHER, Decision.SAME]
    )
    rows = ImportRow.objects.filter(of=of, number__gt=of.done_through).exclude(decision=Decision.LEAVE_OUT)
    return rows.filter(todo).count()


def start(of: Import, *, by: Actor, in_background: bool = True) -> Import:
    """Lets a checked list in, or goes on with a stopped one; refuses when no row would change anything."""
    with transaction.atomic():
        held = locked_import(of)
        move(held, ImportState.RUNNING)
        if not work_left(held):
            raise Refused("nothing_to_do", "Nothing to import: no row of this list changes anything.")
        held.started_at = held.started_at or clock.now()
        held.save()
        if in_background:
            journal.announce(ImportStarted(held.pk, held.row_count), by=by)
    return held


def stop(of: Import, *, by: Actor) -> Import:
    """Stops a running import behind its present chunk; what went in stays, and can be undone."""
    with transaction.atomic():
        held = locked_import(of)
        move(held, ImportState.STOPPED)
        held.finished_at = clock.now()
        held.save()
        journal.announce(ImportStopped(held.pk), by=by)
    return held


def run(import_id: UUID, *, on_progress: Progress | None = None) -> None:
    """Does what is left of a started import. Safe to call again at any time, also beside another caller."""
    runner = _Runner(import_id)
    with bulk_work():
        learn(ImportRow)
        while of := runner.next_chunk():
            if on_progress:
                on_progress(of)
            if of.state != ImportState.RUNNING:
                return


class Ahead(NamedTuple):
    """The rows behind a row number, and what they were read as."""

    after: int
    staged: list[Staged]
    candidates: list[Candidate]


class _Runner:
    """One caller's memory of a list: what went in so far, whoever let it in."""

    def __init__(self, import_id: UUID) -> None:
        self.import_id = import_id
        self._judging: Judging | None = None
        self._seen_through = 0

    def next_chunk(self) -> Import | None:
        """The import after one more chunk; None when there is nothing to do for this caller."""
        began = time.monotonic()
        ahead = self._read_ahead()
        if connection.vendor == "sqlite" and self._seen_through:
            time.sleep(max(0.0, began + PAUSE - time.monotonic()))
        for attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return self._chunk(ahead)
            except (IntegrityError, OperationalError):
                # somebody gave one of these values to a driver in this very moment: look again
                self._judging = None
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * 2**attempt)
        return None

    def _read_ahead(self) -> Ahead | None:
        """The next rows, read before anything is locked: while an import runs, nobody changes its rows."""
        if self._judging is None:
            return None
        staged = self._rows_after(self._seen_through)
        return Ahead(self._seen_through, staged, self._judging.read_again(staged))

    def _rows_after(self, number: int) -> list[Staged]:
        rows = ImportRow.objects.filter(of_id=self.import_id, number__gt=number)
        return read_staged(rows.order_by("number")[:CHUNK])

    def _chunk(self, ahead: Ahead | None) -> Import | None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
                # a power cut takes the last chunks back whole, with the place that the import goes on from
                cursor.execute("SET LOCAL synchronous_commit = off")
        of = Import.objects.select_for_update().filter(pk=self.import_id).first()
        if of is None or of.state != ImportState.RUNNING:
            return None
        with clock.pretend(clock.now()):
            judging = self._caught_up(of)
            if ahead is None or ahead.after != of.done_through:  # the first chunk, or somebody else was here
                staged = self._rows_after(of.done_through)
                ahead = Ahead(of.done_through, staged, judging.read_again(staged))
            staged = ahead.staged
            if staged:
                judged = judging.going_in(staged, ahead.candidates, _was_about(staged))
                keep_verdicts(staged, judged)
                _Writing(of, staged, judged).write()
                of.done_through = self._seen_through = staged[-1].number
                of.done_count += len(staged)
            of.progress_at = clock.now()
            if len(staged) < CHUNK or of.done_through >= of.last_row:
                _finish(of)
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("SET LOCAL synchronous_commit = on")  # and of every chunk before
            of.save()
        return of

    def _caught_up(self, of: Import) -> Judging:
        """The judge, with every row remembered that went in before, by this caller or another."""
        if self._judging is None:
            self._judging, self._seen_through = Judging(of.column_map, basis_of(of)), 0
        if self._seen_through < of.done_through:
            before = ImportRow.objects.filter(
                of=of, number__gt=self._seen_through, number__lte=of.done_through
            )
            went_in = before.filter(
                Q(verdict__in=[RowVerdict.CREATE, RowVerdict.UPDATE, RowVerdict.UNCHANGED])
                | Q(decision__in=[Decision.ANOTHER, Decision.SAME])
            ).exclude(decision=Decision.LEAVE_OUT)
            self._judging.replay(read_staged(went_in.order_by("number")))
            self._seen_through = of.done_through
        return self._judging


def _was_about(staged: Sequence[Staged]) -> dict[int, UUID]:
    """The driver that each row was about when it was checked, unless a person said: somebody else."""
    return {row.number: row.match_id for row in staged if row.match_id and row.decision != Decision.ANOTHER}


def _finish(of: Import) -> None:
    move(of, ImportState.DONE)
    of.finished_at = clock.now()
    of.verdicts = _counted(of)
    journal.announce(
        ImportFinished(of.pk, of.created_count, of.updated_count, of.left_out_count), by=actor_of(of)
    )


def _counted(of: Import) -> dict[str, int]:
    """The verdicts as they were in the end: somebody may have made one of these drivers in the meantime."""
    counts = dict.fromkeys(of.verdicts, 0)
    for verdict in (
        ImportRow.objects.filter(of=of).values_list("verdict", flat=True).iterator(chunk_size=5000)
    ):
        counts[verdict] = counts.get(verdict, 0) + 1
    return {verdict: count for verdict, count in counts.items() if count}


def actor_of(of: Import) -> Actor:
    """Whoever brought the list; what it writes is theirs."""
    kind, _, pk = of.created_by.partition(":")
    return Actor(kind, pk, of.origin)  # type: ignore[arg-type]


@dataclass
class _Writing:
    """Writes one chunk: drivers, addresses, consent, statuses, and what was done beside each row."""

    of: Import
    staged: Sequence[Staged]
    judged: Sequence[Judged]
    made: dict[int, UUID] = field(default_factory=dict)
    new: list[tuple[Judged, UUID]] = field(default_factory=list)
    did: dict[int, tuple[UUID, Did, dict[str, Any]]] = field(default_factory=dict)
    others: dict[UUID, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by = actor_of(self.of)
        self.now: datetime = clock.now()
        self.basis = basis_of(self.of)

    def write(self) -> None:
        new = [one for one in self.judged if one.goes_in and self._is_new(one)]
        old = [one for one in self.judged if one.goes_in and not self._is_new(one)]
        plain = [one for one in new if not one.is_another]
        # an address that a row of this chunk replaces is free for a later row, but until then it is held
        are_free = not any(one.is_merge or _ADDRESSES & one.judgement.changes.keys() for one in old)
        self._create(plain, [self._opted_in(one, _plain_values(one)) for one in plain], are_free=are_free)
        for one in new:
            if one.is_another:
                self._create([one], [self._opted_in(one, _free_values(one))])
        self._settle_new()
        self._update(old)
        self._keep_rows()

    @staticmethod
    def _is_new(one: Judged) -> bool:
        return one.is_another or (one.judgement.verdict == RowVerdict.CREATE and not one.is_merge)

    def _create(
        self, rows: Sequence[Judged], values: Sequence[Mapping[str, Any]], *, are_free: bool = False
    ) -> None:
        """Makes the drivers; rows that were judged as new have addresses that nobody has."""
        ids = drivers.create_many(values, source=SOURCE, by=self.by, are_free=are_free)
        for one, pk in zip(rows, ids, strict=True):
            self.made[one.number] = pk
            self.did[one.number] = (pk, Did.CREATED, {})
        self.of.created_count += len(ids)
        self.new += zip(rows, ids, strict=True)

    def _settle_new(self) -> None:
        """Statuses, then every no of this chunk, then the yes of those whom no such no binds."""
        self._move([(one.candidate.values, pk) for one, pk in self.new])
        out = self._opt_out_new(self.new)
        agreed = [pk for one, pk in self.new if one.consents and pk not in out]
        if agreed:
            consent.grant_to_new(agreed, **self._grant(), wording=self.basis.wording)

    def _opted_in(self, one: Judged, values: dict[str, Any]) -> dict[str, Any]:
        """What consent will derive from the grant that follows: written at once, no row is written twice."""
        if one.consents and Purpose.SERVICE in self.basis.purposes:
            values["communication_opt_in"] = True
        return values

    def _grant(self) -> dict[str, Any]:
        return {
            "channels": self.basis.channels,
            "purposes": self.basis.purposes,
            "source": SOURCE,
            "evidence": self.basis.evidence or f"The list {self.of.file_name}",
            "by": self.by,
            "at": self.now,
            "act": self.of.act,
        }

    def _opt_out_new(self, together: Sequence[tuple[Judged, UUID]]) -> set[UUID]:
        """New drivers whom the list itself calls opted out, and those whose address said stop, by now at the latest."""
        said = {pk for one, pk in together if one.candidate.values.get(Target.STATUS) == OPTED_OUT}
        self._carry_over({pk for one, pk in together if one.is_bound and pk in said})
        for driver in Driver.objects.filter(pk__in=said).exclude(onboarding_status=OPTED_OUT):
            self._withdraw(driver)
        # a row above may have said stop with the address of a row that was judged before it was written
        suppressed = queries.bound_addresses(one.candidate for one, _ in together)
        bound = {
            pk
            for one, pk in together
            if suppressed and suppressed.intersection(queries.addresses_of(one.candidate.values))
        }
        self._carry_over(bound - said)
        return bound | said

    def _carry_over(self, ids: set[UUID]) -> None:
        if ids:
            fresh = list(Driver.objects.filter(pk__in=ids))
            consent.carry_over_suppression(fresh, by=self.by, at=self.now, act=self.of.act)

    def _withdraw(self, driver: Driver) -> None:
        """Consent reaches whoever shares the address; when they were last touched is kept for the undo."""
        sharing = consent.sharers_of(driver)
        stood = dict(Driver.objects.filter(pk__in=sharing).values_list("pk", "updated_at"))
        consent.withdraw(
            driver,
            source=SOURCE,
            by=self.by,
            evidence=f"The list {self.of.file_name}",
            at=self.now,
            act=self.of.act,
        )
        # the act is compared here: asked for it, a database may read all that the import has written so far
        said = ConsentEvent.objects.filter(driver_id__in=sharing).values_list("driver_id", "act")
        touched = {pk for pk, act in said if act == self.of.act}
        self.others |= {pk: stood[pk] for pk in touched if stood[pk] != self.now and pk not in self.others}

    def _move(self, rows: Sequence[tuple[Mapping[str, str], UUID]]) -> None:
        """Dates the first contact, then moves each driver to the status of the list, never back."""
        contacted: dict[date, list[UUID]] = {}
        reached: dict[str, list[UUID]] = {}
        for values, pk in rows:
            if Target.FIRST_CONTACT in values:
                contacted.setdefault(date.fromisoformat(values[Target.FIRST_CONTACT]), []).append(pk)
            status = values.get(Target.STATUS)
            if status and status not in {OPTED_OUT, OnboardingStatus.NOT_CONTACTED}:
                reached.setdefault(status, []).append(pk)
        for day, ids in contacted.items():
            self._trigger(ids, OnboardingStatus.CONTACTED, min(clock.day_start(day), self.now))
        for status, ids in reached.items():
            self._trigger(ids, status, self.now)

    def _trigger(self, ids: Sequence[UUID], to: str, at: datetime) -> None:
        drivers.trigger(
            ids, Trigger.IMPORTED, by=self.by, at=at, to=to, act=self.of.act, reason=self._reason()
        )

    def _reason(self) -> str:
        return f"The list {self.of.file_name}"

    def _update(self, rows: Sequence[Judged]) -> None:
        """Writes to drivers that are there already, each at most once per pass: two rows may be about one."""
        waiting = [(one, target) for one in rows if (target := self._target(one)) is not None]
        while waiting:
            passed: dict[UUID, Judged] = {}
            again = []
            for one, pk in waiting:
                if pk in passed:
                    again.append((one, pk))
                else:
                    passed[pk] = one
            self._update_once(passed)
            waiting = again

    def _target(self, one: Judged) -> UUID | None:
        """The driver that a row writes to: an existing one, or the one that an earlier row has made."""
        if one.judgement.verdict == RowVerdict.UNCHANGED and not one.is_merge:
            return None
        if isinstance(one.judgement.driver, UUID):
            return one.judgement.driver
        number = one.judgement.earlier_row
        if number is None:
            return None
        if number in self.made:
            return self.made[number]
        earlier = ImportRow.objects.filter(of=self.of, number=number).values_list("driver_id", "match_id")
        return next((driver or match for driver, match in earlier), None)

    def _update_once(self, rows: Mapping[UUID, Judged]) -> None:
        changes = {pk: changed for pk, one in rows.items() if (changed := self._changes(pk, one))}
        fields = {
            pk: {name: value for name, value in changed.items() if name not in _NOT_WRITTEN}
            for pk, changed in changes.items()
        }
        agreeing = [pk for pk, one in rows.items() if one.consents]
        written = drivers.update_many(
            fields | {pk: {} for pk in agreeing if pk not in fields}, source=SOURCE, by=self.by
        )
        self._move([(changed, pk) for pk, changed in changes.items() if pk in written])
        out = [pk for pk, changed in changes.items() if changed.get(Target.STATUS) == OPTED_OUT]
        for driver in Driver.objects.filter(pk__in=[pk for pk in out if pk in written]):
            self._withdraw(driver)
        self._bind(written)
        agreed = list(
            Driver.objects.filter(pk__in=[pk for pk in agreeing if pk in written and pk not in out])
        )
        if agreed:
            consent.grant_by_import(agreed, **self._grant(), wording=self.basis.wording)
        for pk, one in written.items():
            self.did[rows[pk].number] = (pk, Did.UPDATED, as_json(one))
            self.of.updated_count += 1

    def _bind(self, written: Mapping[UUID, "drivers.Written"]) -> None:
        """A driver who is given an address whose holder said no is bound on its channel."""
        for column, channels in CHANNELS_OF.items():
            given = [pk for pk, one in written.items() if column in one.fields]
            if given:
                consent.carry_over_suppression(
                    list(Driver.objects.filter(pk__in=given)),
                    by=self.by,
                    at=self.now,
                    act=self.of.act,
                    only=channels,
                    are_new=False,
                )

    def _changes(self, pk: UUID, one: Judged) -> dict[str, str]:
        if not one.is_merge:
            return {str(name): after for name, (_, after) in one.judgement.changes.items()}
        known = queries.known_driver(pk)
        if known is None:
            return {}
        values = merged_values(one, known, fill_only=one.judgement.driver is None)
        held = _held_by_others(one.candidate, pk)
        return {name: value for name, value in values.items() if name not in held}

    def _keep_rows(self) -> None:
        numbers = {row.number: row.pk for row in self.staged}
        if self.others:  # beside any row of the chunk: they are put back together
            number, (pk, did, wrote) = next(iter(self.did.items()))
            others = {str(other): moment.isoformat() for other, moment in self.others.items()}
            self.did[number] = (pk, did, wrote | {"others": others, "at": self.now.isoformat()})
        done = [(pk, did.value, wrote, numbers[number]) for number, (pk, did, wrote) in self.did.items()]
        plain = ((pk, did, row) for pk, did, wrote, row in done if not wrote)
        update_rows(ImportRow, ("driver_id", "did"), plain)
        update_rows(ImportRow, ("driver_id", "did", "wrote"), (one for one in done if one[2]))


def _plain_values(one: Judged) -> dict[str, Any]:
    return {str(name): value for name, value in one.judgement.values.items() if name not in _NOT_WRITTEN}


def _free_values(one: Judged) -> dict[str, Any]:
    """A row that a person let in beside another: shared addresses stay on the record, unique ids of others do not."""
    values = {str(name): value for name, value in one.candidate.values.items() if name not in _NOT_WRITTEN}
    for name in (Target.TIMO_ID, Target.PATHPULSE_ID):
        if name in values and Driver.objects.filter(**{str(name): values[name]}).exists():
            del values[name]
    return values


def _held_by_others(candidate: Candidate, pk: UUID) -> set[str]:
    """The addresses and ids of a row that belong to other drivers: a merge with this one takes nothing from them."""
    around = queries.neighbours(keys_of([candidate]))
    held = set()
    for name, value in candidate.values.items():
        if name in {Target.PHONE, Target.WHATSAPP}:
            holders = around.numbers.get(value, [])
        elif name == Target.EMAIL:
            holders = around.mails.get(mail_key(value), [])
        else:
            ids = {
                Target.TIMO_ID: around.timo_ids.get(value),
                Target.PATHPULSE_ID: around.pathpulse_ids.get(value),
                Target.TELEGRAM: around.telegrams.get(value.casefold()),
            }
            holder = ids.get(Target(name))
            holders = [holder] if holder else []
        if holders and pk not in holders:
            held.add(str(name))
    return held


def as_json(written: "drivers.Written") -> dict[str, Any]:
    """What was written, as the row keeps it for the undo."""
    return {
        "fields": {name: list(pair) for name, pair in written.fields.items()},
        "updated_at": [moment.isoformat() for moment in written.updated_at],
        "opened": [str(pk) for pk in written.opened],
        "ended": [str(pk) for pk in written.ended],
    }


def resume_silent() -> int:
    """Goes on with checks, runs and undos whose worker has gone quiet; returns how many there were.

    One that fails is logged, by the class of its failure alone, and holds up no other.
    """
    silent = [of for of in queries.running() if of.is_silent]
    for of in silent:
        try:
            if of.state == ImportState.CHECKING:
                judge_all(of)
            elif of.state == ImportState.UNDOING:
                undo_rest(of.pk, by=automation("imports"))
            else:
                run(of.pk)
        except Exception as failure:
            log.error("Import %s could not go on: %s", of.pk, type(failure).__name__)
    return len(silent)
