"""Rows per second of an import of 100 000 rows, every fact written (spec §10, §11).

    DRIVERCRM_DATA_DIR=/somewhere/empty .venv/bin/python -m benchmarks.importing --rows 100000

A CSV of invented people goes through the imports room as a file from the browser does: staged and judged, then let
in with consent by a stated basis. On an empty database, or beside what `load` has put there (`--after 1000000`).
"""

import argparse
import csv
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

from django.core.management import call_command
from django.db import connection

from benchmarks.meter import pace
from benchmarks.people import name_of, phone_of
from drivercrm.consent.models import Consent, ConsentEvent
from drivercrm.core.actors import Actor
from drivercrm.drivers.models import ChannelIdentity, Driver, StatusChange
from drivercrm.imports import workflow as imports
from drivercrm.imports.models import Import, ImportRow
from drivercrm.journal.models import Entry

TARGET = 5_000
FACTS = (Driver, ChannelIdentity, ConsentEvent, Consent, StatusChange, ImportRow, Entry)
R = TypeVar("R")


def write_list(path: Path, rows: int, *, after: int) -> None:
    """A list as an office keeps it: names, numbers as people write them, mails for two thirds, areas."""
    chance = random.Random(11)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["Full Name", "Phone Number", "Email", "City", "Driver ID"])
        for number in range(after, after + rows):
            given, family, name = name_of(chance)
            digits = phone_of(number)[3:]
            phone = chance.choice(
                (f"0{digits[:2]} {digits[2:5]} {digits[5:]}", f"+27{digits}", digits, f"0{digits}")
            )
            mail = f"{given}.{family}{number}@mail.example.org".lower() if chance.random() < 0.66 else ""
            out.writerow(
                [name, phone, mail, chance.choice(("Umlazi", "Durban", "Phoenix")), f"TD-{number:07d}"]
            )


def timed(what: str, rows: int, act: Callable[[], R]) -> R:
    """Runs one step and prints its rows per second, on the clock and by CPU of this process."""
    began, cpu = time.perf_counter(), time.process_time()
    found = act()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{what:24}{wall:7.1f} s{rows / wall:10,.0f} rows/s   ({cpu:.1f} s of CPU in this process)",
        flush=True,
    )
    return found


def main() -> None:
    """Writes the list, stages it, lets it in, counts the facts."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--rows", type=int, default=100_000)
    words.add_argument("--after", type=int, default=0, help="numbers start after so many loaded drivers")
    chosen = words.parse_args()
    call_command("migrate", verbosity=0)
    by = Actor("user", "00000000-0000-7000-8000-000000000001", "cli")
    basis = imports.make_basis(
        "Driver agreement, 2025-11", channels=["whatsapp"], purposes=["service"], evidence="Signed agreement"
    )
    before = {model: model.objects.count() for model in FACTS}
    print(
        f"{connection.vendor}, {before[Driver]:,} drivers before; pace {median(pace() for _ in range(99)):.2f} ms"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drivers.csv"
        write_list(path, chosen.rows, after=chosen.after)
        began = time.perf_counter()
        staged: Import = timed(
            "read, staged and judged",
            chosen.rows,
            lambda: imports.stage(path, file_name="drivers.csv", by=by, basis=basis),
        )
        imports.start(staged, by=by, in_background=False)
        timed("let in", chosen.rows, lambda: imports.run(staged.pk))
        wall = time.perf_counter() - began
    rate = chosen.rows / wall
    verdict = "ok" if rate >= TARGET else "MISSED"
    print(f"{'all of it':24}{wall:7.1f} s{rate:10,.0f} rows/s   (target {TARGET:,})  {verdict}")
    for model in FACTS:
        print(f"  {model.objects.count() - before[model]:>9,} {model._meta.db_table}")
    print(f"pace {median(pace() for _ in range(99)):.2f} ms")
    made = Driver.objects.count() - before[Driver]
    sys.exit(0 if made == chosen.rows and rate >= TARGET else 1)


if __name__ == "__main__":
    main()
