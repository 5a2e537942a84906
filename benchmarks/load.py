"""Fills an empty database with invented drivers as fast as it takes them, for `benchmarks.measure`.

    DRIVERCRM_DATA_DIR=/somewhere/empty .venv/bin/python -m benchmarks.load --drivers 1000000

The database is the one of DATABASE_URL, else an SQLite file in DRIVERCRM_DATA_DIR. Indexes and triggers that only
speed up reading are made after the rows, as a restore would; what they hold afterwards is the same.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from benchmarks.people import COLUMNS, Plan, Row, chunks
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation, User
from drivercrm.communications import workflow as communications
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.drivers import queries
from drivercrm.drivers.models import Driver, SavedView
from drivercrm.drivers.moves import History

STAFF = ("Nandi Pillay", "Kabelo Maseko", "Zaid Hoosen", "Fikile Ntuli", "Marianne Steyn")
ADMIN = "benchmark@example.org"
PASSWORD = "only for benchmarks"
SEARCH_TRIGGERS = ("driver_search_insert", "driver_search_fts_insert")

Say = Callable[[str], None]


def fill(count: int, *, seed: int = 7, say: Say = print) -> dict[str, int]:
    """Loads `count` drivers with their histories and returns the rows of each table. Ends when there is anybody."""
    if Driver.objects.exists() or User.objects.exists():
        sys.exit("This database is not empty. Benchmarks fill an empty one only.")
    plan = Plan(count, _staff(), clock.now().replace(microsecond=0), seed)
    put, finish = _sqlite() if connection.vendor == "sqlite" else _postgresql()
    began = time.perf_counter()
    rows = dict.fromkeys(COLUMNS, 0)
    for tables in chunks(plan):
        for table in COLUMNS:
            put(table, tables[table])
            rows[table] += len(tables[table])
        if rows["drivers"] % 200_000 == 0:
            say(f"  {rows['drivers']:>9,} drivers after {time.perf_counter() - began:5.0f} s")
    loaded = time.perf_counter() - began
    total = sum(rows.values())
    say(f"{total:,} rows in {loaded:.0f} s: {total / loaded:,.0f} rows/s, {count / loaded:,.0f} drivers/s")
    finish(say)
    return rows


def _staff() -> list[str]:
    organisation = Organisation.current()
    organisation.name = "Benchmark Rides"
    organisation.save()
    admin = User.objects.create_user(ADMIN, PASSWORD, name="Thabo Benchmark", role=Role.ADMIN)
    SavedView.objects.create(
        owner=admin, name="Invited, mine", query="status=invited&owner=me", is_pinned=True
    )
    staff = [admin] + [
        User.objects.create_user(f"staff{n}@example.org", PASSWORD, name=name, role=Role.OPERATIONS)
        for n, name in enumerate(STAFF)
    ]
    return [user.pk.hex for user in staff]


Put = Callable[[str, list[Row]], None]
Finish = Callable[[Say], None]


def _timed(say: Say, what: str, statements: Iterable[str]) -> None:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    say(f"{what}: {time.perf_counter() - began:.0f} s")


def _complete(table: str) -> tuple[list[str], Row]:
    """The columns that the rows fill and those that may not be empty beside them, and the values of the latter."""
    columns = COLUMNS[table].split()
    model = next(one for one in apps.get_models() if one._meta.db_table == table)
    rest = {
        field.column: field.get_default()
        for field in model._meta.concrete_fields
        if field.column not in columns
        and not (field.null or field.primary_key or field.generated or field.db_returning)
    }
    return [*columns, *rest], tuple(rest.values())


def _sqlite() -> tuple[Put, Finish]:
    """Rows by executemany without a journal; the search table in one go at the end."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=OFF")
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA foreign_keys=OFF")
        names = ", ".join(f"'{table}'" for table in COLUMNS)
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            f" AND tbl_name IN ({names})"
        )
        indexes = cursor.fetchall()
        triggers = ", ".join(f"'{name}'" for name in SEARCH_TRIGGERS)
        cursor.execute(f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name IN ({triggers})")
        found = cursor.fetchall()
        assert len(found) == len(SEARCH_TRIGGERS)
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        for name, _ in found:
            cursor.execute(f"DROP TRIGGER {name}")

    def put(table: str, rows: list[Row]) -> None:
        columns, rest = _complete(table)
        marks = ", ".join("?" * len(columns))
        raw: Any = connection.connection
        raw.execute("BEGIN")
        whole = ((*row, *rest) for row in rows)
        raw.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", whole)
        raw.execute("COMMIT")

    def finish(say: Say) -> None:
        _timed(say, f"{len(indexes)} indexes", [sql for _, sql in indexes])
        _timed(
            say,
            "trigram search",
            [
                "INSERT INTO driver_search (driver_id, text) SELECT id, search_text FROM drivers ORDER BY id",
                "INSERT INTO driver_search_fts (driver_search_fts) VALUES ('rebuild')",
                *(sql for _, sql in found),
            ],
        )
        # no ANALYZE: the product keeps no statistics on SQLite, and its plans must be right without
        _timed(say, "journal", ["PRAGMA journal_mode=WAL", "PRAGMA foreign_keys=ON"])

    return put, finish


def _postgresql() -> tuple[Put, Finish]:
    """Rows by COPY; foreign keys are not looked up where the account may say so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
            " AND tablename = ANY(%s) AND NOT EXISTS (SELECT 1 FROM pg_constraint"
            " WHERE conindid = (quote_ident(indexname))::regclass)",
            [list(COLUMNS)],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        if cursor.fetchone()[0]:
            cursor.execute("SET session_replication_role = replica")

    def put(table: str, rows: list[Row]) -> None:
        columns, rest = _complete(table)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row((*row, *rest))

    def finish(say: Say) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")
        trigrams = [sql for name, sql in indexes if "trigrams" in name]
        _timed(
            say, f"{len(indexes) - len(trigrams)} indexes", [sql for _, sql in indexes if sql not in trigrams]
        )
        _timed(say, "trigram search", trigrams)
        _timed(say, "analyze", ["VACUUM ANALYZE"])

    return put, finish


def wrong_values(sample: int, *, seed: int = 7) -> int:
    """How many derived values of a sample differ from what the product works out again."""
    keys = list(Driver.objects.order_by("pk").values_list("pk", flat=True).iterator())
    chosen = random.Random(seed).sample(keys, min(sample, len(keys)))
    wrong = 0
    for start in range(0, len(chosen), 500):
        ids = chosen[start : start + 500]
        histories = queries.histories(ids)
        due = queries.earliest_open_follow_ups(ids)
        for driver in Driver.objects.filter(pk__in=ids):
            projection = History(histories[driver.pk]).projection()
            wrong += sum(getattr(driver, column) != value for column, value in projection.items())
            wrong += driver.next_follow_up_date != due.get(driver.pk)
        wrong += consent.project(ids) + communications.keep_derived(ids)
    return wrong


def main() -> None:
    """Migrates, fills, checks a sample."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--drivers", type=int, default=1_000_000)
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--sample", type=int, default=5_000, help="drivers to work out again at the end")
    chosen = words.parse_args()
    call_command("migrate", verbosity=0)
    for table, rows in fill(chosen.drivers, seed=chosen.seed).items():
        print(f"  {rows:>10,} {table}")
    wrong = wrong_values(chosen.sample)
    print(f"{wrong} derived values of {min(chosen.sample, chosen.drivers):,} drivers were wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
