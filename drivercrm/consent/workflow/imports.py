"""What a list says about consent: its stated basis, and taking it back (spec §4, §10)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentEventKind, ConsentState
from drivercrm.consent.events import ConsentGranted
from drivercrm.consent.models import Consent, ConsentEvent
from drivercrm.consent.workflow.addresses import bound_drivers, free_imported
from drivercrm.consent.workflow.answers import check
from drivercrm.consent.workflow.ledger import project, write
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.bulk import insert_rows
from drivercrm.core.ids import uuid7
from drivercrm.drivers.models import Driver
from drivercrm.journal import workflow as journal


def grant_by_import(
    new_drivers: Sequence[Driver],
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: str,
    evidence: str,
    by: Actor,
    at: datetime,
    act: UUID,
    wording: str = "",
) -> list[UUID]:
    """What an import's stated basis covers, for drivers who never said no. Returns the drivers it covered.

    It never turns withdrawn consent on, neither the driver's own nor that of an address (spec §4, §10).
    """
    check(channels, purposes)
    ids = [driver.pk for driver in new_drivers]
    states = queries.states(ids)
    bound = bound_drivers(new_drivers)
    covered = [
        driver
        for driver in new_drivers
        if driver.pk not in bound and ConsentState.WITHDRAWN not in states[driver.pk].values()
    ]
    with transaction.atomic():
        missing: dict[tuple[tuple[str, str], ...], list[Driver]] = {}
        for driver in covered:
            wanted = tuple(
                (channel, purpose)
                for channel in channels
                for purpose in purposes
                if states[driver.pk].get((channel, purpose)) != ConsentState.GRANTED
            )
            missing.setdefault(wanted, []).append(driver)
        for pairs, group in missing.items():
            write(group, ConsentEventKind.GRANTED, pairs, source, evidence, wording, by, at, act)
    return [driver.pk for driver in covered]


def grant_to_new(
    driver_ids: Sequence[UUID],
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: str,
    evidence: str,
    wording: str,
    by: Actor,
    at: datetime,
    act: UUID,
) -> None:
    """What an import's basis covers, for drivers whom it has just made: their ledger is empty, so this is quick.

    Their records were made with the `communication_opt_in` that follows from it: no row is written twice.
    """
    check(channels, purposes)
    pairs = [(channel, purpose) for channel in channels for purpose in purposes]
    proof = (
        ConsentEventKind.GRANTED,
        at,
        clock.now(),
        source[:40],
        wording[:500],
        evidence[:500],
        str(by),
        act,
    )
    with transaction.atomic():
        insert_rows(
            ConsentEvent,
            (
                *("id", "driver_id", "channel", "purpose", "kind", "at", "recorded_at"),
                *("source", "wording", "evidence", "actor", "act"),
            ),
            ((uuid7(), pk, *pair, *proof) for pk in driver_ids for pair in pairs),
        )
        insert_rows(
            Consent,
            ("driver_id", "channel", "purpose", "state", "since"),
            ((pk, *pair, ConsentState.GRANTED, at) for pk in driver_ids for pair in pairs),
        )
        if driver_ids:
            journal.announce(
                ConsentGranted(list(driver_ids), list(channels), list(purposes)),
                by=by,
                driver_id=driver_ids[0] if len(driver_ids) == 1 else None,
            )


def take_back_import(act: UUID, driver_ids: Sequence[UUID], *, moments: Iterable[datetime]) -> set[UUID]:
    """Takes what an import wrote out of the ledger, as if the list had never come (undo of spec §10).

    A driver who has said or been asked something since keeps it all; those are returned. `moments` are the times
    of the import's chunks: addresses that it bound then are free again.
    """
    with transaction.atomic():
        events = ConsentEvent.objects.filter(driver_id__in=list(driver_ids))
        ours = events.filter(act=act)
        first = dict(ours.values_list("driver_id").annotate(Min("recorded_at")).order_by())
        later = events.exclude(act=act).filter(driver_id__in=list(first))
        kept = {pk for pk, at in later.values_list("driver_id", "recorded_at") if at > first[pk]}
        back = [pk for pk in first if pk not in kept]
        if back:
            withdrawn = ours.filter(driver_id__in=back, kind=ConsentEventKind.WITHDRAWN)
            free_imported(list(withdrawn.values_list("driver_id", flat=True).distinct()), moments, act)
            ours.filter(driver_id__in=back).delete()
            project(back)
    return kept
