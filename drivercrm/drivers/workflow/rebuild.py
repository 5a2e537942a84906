"""Works out again what this room derives, and says how much was wrong."""

from uuid import UUID

from django.db import transaction

from drivercrm.drivers import queries
from drivercrm.drivers.models import Driver
from drivercrm.drivers.moves import History
from drivercrm.drivers.queries import locked
from drivercrm.drivers.workflow.follow_ups import keep_next_follow_up
from drivercrm.drivers.workflow.status import CHUNK, PROJECTED, project


def rebuild() -> dict[str, int]:
    """Works the status, stage dates and next follow-up out again. Returns how many values were wrong, by column."""
    wrong = dict.fromkeys([*PROJECTED, "next_follow_up_date"], 0)
    ids = Driver.objects.order_by("pk").values_list("pk", flat=True)
    chunk: list[UUID] = []
    for pk in [*ids, None]:
        if pk is not None:
            chunk.append(pk)
        if chunk and (pk is None or len(chunk) == CHUNK):
            _rebuild_chunk(chunk, wrong)
            chunk = []
    return wrong


def _rebuild_chunk(ids: list[UUID], wrong: dict[str, int]) -> None:
    with transaction.atomic():
        drivers = locked(ids)
        histories = queries.histories(ids)
        stale = []
        for driver in drivers:
            projection = History(histories[driver.pk]).projection()
            off = [column for column, value in projection.items() if getattr(driver, column) != value]
            for column in off:
                wrong[column] += 1
            if off:
                stale.append(driver)
        if stale:
            project(stale, histories)
        wrong["next_follow_up_date"] += keep_next_follow_up(ids)
