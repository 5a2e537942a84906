"""Lists for tests, and the whole database as text."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

from django.db import connection

from drivercrm.core.actors import Actor
from drivercrm.imports import workflow as imports
from drivercrm.imports.models import Import
from tests.factories import NANDI

DATA = Path(__file__).parent / "data"
REAL = DATA / "driver-list.xlsx"
AGREEMENT = "TimoRides driver agreement, 2025-11: service, WhatsApp"
COMMAND = [sys.executable, "-c", "from drivercrm.cli import main; main()", "import-drivers"]
HEADINGS = ["Name", "Phone", "Email"]

JOURNAL = {"journal_entries", "journal_changes", "journal_deliveries"}
# the engine's own: counters of automatic keys, pages of the full-text index, jobs that deliver the journal
ENGINE = {"sqlite_sequence", "jobs", "clockwork"}


def as_csv(rows: list[list[str]], headings: list[str] | None = None) -> bytes:
    """A CSV in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([headings or HEADINGS, *rows])
    return text.getvalue().encode()


def many(count: int, start: int = 0) -> list[list[str]]:
    """Rows that all go in."""
    return [
        [f"Thandi Nkosi{n}", f"+2782{n:07d}", f"driver{n}@example.org"] for n in range(start, start + count)
    ]


def staged(rows: list[list[str]], headings: list[str] | None = None, by: Actor = NANDI, **how: Any) -> Import:
    """A checked import of these rows."""
    return imports.stage(as_csv(rows, headings), file_name="list.csv", by=by, **how)


def applied(of: Import, by: Actor = NANDI) -> Import:
    """The import after its run."""
    imports.start(of, by=by, in_background=False)
    imports.run(of.pk)
    return Import.objects.get(pk=of.pk)


def dump(leave_out: set[str] = JOURNAL | ENGINE) -> dict[str, list[str]]:
    """Every row of every table as text, in an order of its own."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table in leave_out or table.startswith("driver_search_fts"):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            found[table] = sorted(repr(row) for row in cursor.fetchall())
    return found


def differing(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """The tables whose rows are not the same."""
    return [table for table in before if before[table] != after.get(table)]
