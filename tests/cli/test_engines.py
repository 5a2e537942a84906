"""The engine of background work is chosen by one variable, and changed by two commands."""

import json
from collections.abc import Callable

import pytest
from django.db import connection

from tests.cli.conftest import Place

CHOSEN = {"DRIVERCRM_JOBS": "procrastinate"}


@pytest.mark.one_database
def test_procrastinate_on_sqlite_stops_the_start_with_a_sentence(make_place: Callable[[], Place]) -> None:
    result = make_place().run("doctor", DATABASE_URL="", **CHOSEN)

    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "DRIVERCRM_JOBS is “procrastinate”, which needs PostgreSQL. Set DATABASE_URL, or use embedded.\n"
    )


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="procrastinate runs on PostgreSQL only")
def test_engine_is_chosen_by_the_environment_alone(make_place: Callable[[], Place]) -> None:
    place = make_place()
    assert place.run("migrate").code == 0
    refused = place.run("worker", **CHOSEN)
    assert (refused.code, refused.err) == (
        1,
        "The database is not of this version yet. Run “drivercrm migrate” first.\n",
    )

    assert place.run("migrate", **CHOSEN).code == 0

    assert place.run("migrate", "--check", **CHOSEN).code == 0
    assert place.run("carry-jobs", **CHOSEN).out == "Carried 0 jobs into the engine procrastinate.\n"
    checks = {
        one["check"]: one["says"] for one in json.loads(place.run("doctor", "--json", **CHOSEN).out)["checks"]
    }
    assert checks["Background work"] == "0 jobs wait, 0 run, none is overdue (procrastinate)"
    assert checks["Other engine"] == "all jobs are in the engine procrastinate"
    # and back: its tables may stay
    assert place.run("migrate", "--check").code == 0
    assert place.run("carry-jobs").out == "Carried 0 jobs into the engine embedded.\n"
