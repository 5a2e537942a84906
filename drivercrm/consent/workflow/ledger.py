"""The ledger of what drivers said, and what follows from it: the projection and `communication_opt_in` (spec §4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from drivercrm.consent import queries
from drivercrm.consent.enums import ConsentChannel, ConsentEventKind, ConsentState, Purpose
from drivercrm.consent.models import Consent, ConsentEvent
from drivercrm.core.actors import Actor
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.drivers.queries import locked

CHUNK = 500
ALL_CHANNELS = tuple(ConsentChannel.values)
ALL_PURPOSES = tuple(Purpose.values)


def write(
    group: Sequence[Driver],
    kind: ConsentEventKind,
    pairs: Sequence[tuple[str, str]],
    source: str,
    evidence: str,
    wording: str,
    by: Actor,
    at: datetime,
    act: UUID,
) -> None:
    """Facts first, then their projection, for one kind of event about many drivers."""
    ConsentEvent.objects.bulk_create(
        [
            ConsentEvent(
                driver=driver,
                channel=channel,
                purpose=purpose,
                kind=kind,
                at=at,
                source=source[:40],
                wording=wording[:500],
                evidence=evidence[:500],
                actor=str(by),
                act=act,
            )
            for driver in group
            for channel, purpose in pairs
        ],
        batch_size=CHUNK,
    )
    project(driver.pk for driver in group)


def project(driver_ids: Iterable[UUID]) -> int:
    """Makes the projection and `communication_opt_in` what the ledger says. Returns how many values were wrong."""
    ids = list(driver_ids)
    wrong = 0
    with transaction.atomic():
        ledger = queries.from_ledger(ids)
        rows = {
            (row.driver_id, row.channel, row.purpose): row
            for row in Consent.objects.filter(driver_id__in=ids)
        }
        fresh: list[Consent] = []
        stale: list[Consent] = []
        opted_in: dict[UUID, bool] = {}
        for pk, decided in ledger.items():
            for (channel, purpose), event in decided.items():
                row = rows.pop((pk, channel, purpose), None)
                if row is None:
                    fresh.append(
                        Consent(
                            driver_id=pk, channel=channel, purpose=purpose, state=event.kind, since=event.at
                        )
                    )
                elif (row.state, row.since) != (event.kind, event.at):
                    row.state, row.since = event.kind, event.at
                    stale.append(row)
            opted_in[pk] = any(
                purpose == Purpose.SERVICE and event.kind == ConsentEventKind.GRANTED
                for (_, purpose), event in decided.items()
            )
        Consent.objects.bulk_create(fresh, batch_size=CHUNK)
        Consent.objects.bulk_update(stale, ["state", "since"], batch_size=CHUNK)
        orphans = [row.pk for row in rows.values()]
        Consent.objects.filter(pk__in=orphans).delete()
        wrong += len(fresh) + len(stale) + len(orphans)
        drivers_off = Driver.objects.filter(
            Q(pk__in=[pk for pk, value in opted_in.items() if value], communication_opt_in=False)
            | Q(pk__in=[pk for pk, value in opted_in.items() if not value], communication_opt_in=True)
        ).count()
        wrong += drivers_off
        if drivers_off:
            drivers.set_opt_in(opted_in)
    return wrong


def rebuild() -> dict[str, int]:
    """Works consent out from the ledger again. Returns how many values were wrong."""
    wrong = 0
    ids = list(Driver.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            locked(ids[start : start + CHUNK])  # an answer that comes in meanwhile waits
            wrong += project(ids[start : start + CHUNK])
    return {"consent": wrong}


def is_no_to_everything(states: queries.State) -> bool:
    """Whether every channel and purpose is withdrawn."""
    return all(
        states.get((channel, purpose)) == ConsentState.WITHDRAWN
        for channel in ALL_CHANNELS
        for purpose in ALL_PURPOSES
    )
