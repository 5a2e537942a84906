"""Bringing a database to this version, safely and by one process at a time (spec §9)."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from drivercrm.config import backup
from drivercrm.core import clock
from drivercrm.core.errors import Refused

Say = Callable[[str], None]
Ask = Callable[[str], bool]

LOCK = 7_031_995  # the advisory lock of PostgreSQL that says “somebody is migrating”


def pending() -> list[str]:
    """The migrations that this version has and the database has not, as `room.name`."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def refuse_unless_migrated() -> None:
    """Refuses to work on a database of another version."""
    if pending():
        raise Refused(
            "not_migrated", "The database is not of this version yet. Run “drivercrm migrate” first."
        )


def before_serving(*, ask: Ask | None, say: Say) -> None:
    """SQLite: backs the file up and migrates. PostgreSQL: asks on a terminal, refuses without one."""
    if not pending():
        return
    if connection.vendor != "sqlite":
        if ask is None:
            refuse_unless_migrated()
        elif not ask(f"The database needs {len(pending())} changes for this version. Make them now?"):
            raise Refused("not_migrated", "Nothing was changed. Run “drivercrm migrate” when you are ready.")
    migrate(say=say)


def migrate(*, say: Say) -> None:
    """Applies what is pending, one process at a time, after a backup where the database is a file."""
    with _alone():
        waiting = pending()
        if waiting and connection.vendor == "sqlite" and connection.introspection.table_names():
            file = settings.DATA_DIR / "backups" / f"before-upgrade-{clock.now():%Y%m%d-%H%M%S}.tar.gz"
            backup.write(file)
            say(f"Backed up to {file}")
        call_command("migrate", interactive=False, verbosity=0)
        if waiting:
            _renew_statistics()
        say(f"Applied {len(waiting)} changes to the database." if waiting else "The database is up to date.")


def _renew_statistics() -> None:
    """SQLite takes a new index for a good one where its statistics are older than the index."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
            if cursor.fetchone():
                cursor.execute("ANALYZE")


@contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other process migrates the same database."""
    if connection.vendor == "sqlite":
        with (settings.DATA_DIR / "migrating.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
