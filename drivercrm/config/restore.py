"""Puts a backup back: verified first, whole or not at all (spec §9)."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, connections

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import ApiToken, Invitation, User
from drivercrm.config import backup, upgrade
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.ui import formats

RESTORER = Actor("automation", "restore", "cli")
RESTORED = "Restored from a backup"
# What a restored database must not bring back: who was signed in, and the password links that admins had made.
MARKS = ("session_mark", "link_mark")
# In the transaction that puts the tables back; a backup of a version without the columns has nothing to mark.
MARK_POSTGRESQL = f"""
DO $$
DECLARE mark text;
BEGIN
  IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 'public'
             AND table_name = 'organisation' AND column_name = 'held_since') THEN
    UPDATE public.organisation SET held_since = now(), held_because = '{RESTORED}';
  END IF;
  IF to_regclass('public.django_session') IS NOT NULL THEN
    DELETE FROM public.django_session;
  END IF;
  FOR mark IN SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'
              AND table_name = 'users' AND column_name IN {MARKS} LOOP
    EXECUTE format('UPDATE public.users SET %I = translate(gen_random_uuid()::text, ''-'', '''')', mark);
  END LOOP;
END $$
"""  # noqa: S608  made of our own words
# Rows that somebody would miss; a database in which all of these are empty may be overwritten.
MISSED = ("users", "drivers")


def read(file: Path, *, force: bool) -> tuple[backup.Manifest, list[str]]:
    """Replaces the database and the uploads by an archive's, and returns its list of contents and advice.

    Refuses a damaged archive, one of the other kind of database, a database with people or drivers in it
    (unless forced), and one that a running Driver CRM has open. Nothing is changed then.
    """
    folder = settings.DATA_DIR
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as place, alone():
        unpacked = Path(place)
        with backup.opened(file, unpacked) as manifest:
            if manifest.database != connection.vendor:
                raise Refused(
                    "other_database",
                    f"This backup is of {_called(manifest.database)}, and DATABASE_URL names"
                    f" {_called(connection.vendor)}.",
                )
            if not force and (held := _rows_missed()):
                raise Refused("not_empty", f"This database has {held} in it. Use --force to replace them.")
            _restore_database(unpacked / backup.DATABASE[manifest.database], unpacked, force=force)
            _restore_media(unpacked / "media")
            advice = _restore_key(unpacked / backup.ADDRESS_KEY, manifest)
            advice += _hold(manifest) + _ways_in()
    return manifest, advice


def _hold(manifest: backup.Manifest) -> list[str]:
    """Says when and why in the mark that came with the database, and in the journal (spec §11)."""
    if not _knows_holds():
        return [
            "This backup is from before databases could be held. Run “drivercrm migrate”, then “drivercrm hold”."
        ]
    if not upgrade.pending():  # what an older version writes, this one may not
        made = datetime.fromisoformat(manifest.made_at)
        when = f"{formats.day(made)}, {formats.clock_time(made)}"
        accounts.hold(because=f"Restored from the backup of {when}", by=RESTORER)
    return ["It is held: nothing is sent, polled or exported until an admin releases it."]


def _ways_in() -> list[str]:
    """Who and what gets in as on the day of the backup: somebody may have been shut out since (spec §11)."""
    ended = "Everybody signs in again: sessions and password links have ended."
    if upgrade.pending():
        return [
            ended,
            "API tokens, invitations and members that were ended since the backup work again. Look through them"
            " after “drivercrm migrate”.",
        ]
    tokens = sum(token.is_live for token in ApiToken.objects.filter(revoked_at=None))
    invitations = sum(one.is_open for one in Invitation.objects.filter(accepted_at=None, revoked_at=None))
    admins = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("name", "email")
    named = ", ".join(f"{admin.name} ({admin.email})" for admin in admins) or "nobody"
    return [
        ended,
        f"These work as on the day of the backup: API tokens {tokens}, open invitations {invitations}. Admins:"
        f" {named}. End again what was ended since.",
    ]


def _knows_holds() -> bool:
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, "organisation")
    return "held_since" in {column.name for column in table}


def _called(vendor: str) -> str:
    return "PostgreSQL" if vendor == "postgresql" else "SQLite"


def _rows_missed() -> str:
    """“3 users and 12 drivers”, or nothing when the database is empty."""
    there = set(connection.introspection.table_names())
    found = []
    for table in MISSED:
        if table in there:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
                count = cursor.fetchone()[0]
            if count:
                found.append(f"{count} {table}")
    return " and ".join(found)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuses while a server or worker uses this database; keeps them from starting meanwhile."""
    with open_lock() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("running", "Driver CRM is running on this data. Stop it first.") from None
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
                if cursor.fetchone()[0]:
                    raise Refused(
                        "running", "Other programs are connected to this database. Stop them first."
                    )
        yield


@contextlib.contextmanager
def in_use() -> Iterator[None]:
    """Says “running” to a restore for as long as this process serves or works."""
    with open_lock() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            raise Refused("restoring", "A backup is being restored. Start again when it is done.") from None
        yield


@contextlib.contextmanager
def open_lock() -> Iterator[int]:
    """The file that servers hold together and a restore holds alone."""
    number = os.open(settings.DATA_DIR / "running.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield number
    finally:
        os.close(number)


def _restore_database(copy: Path, scratch: Path, *, force: bool) -> None:
    if connection.vendor == "sqlite":
        backup.check_sqlite(copy)
        _mark_sqlite(copy)
        _swap_sqlite(copy, keep=force)
        return
    script = scratch / "database.sql"
    backup.run_tool(
        "pg_restore", ["--no-owner", "--no-privileges", f"--file={script}", str(copy)], names_database=False
    )
    connections.close_all()
    # one transaction: either all of the old is replaced by all of the backup, or nothing is
    backup.run_tool(
        "psql",
        [
            *(
                "--no-psqlrc",
                "--quiet",
                "--single-transaction",
                "--set=ON_ERROR_STOP=1",
                "--output=/dev/null",
            ),
            "--command=DROP SCHEMA public CASCADE",
            "--command=CREATE SCHEMA public",
            f"--file={script}",
            f"--command={MARK_POSTGRESQL}",
        ],
    )


def _mark_sqlite(copy: Path) -> None:
    """Holds the copy and ends its sessions before it takes its place: there is no moment at which it works unheld."""
    with contextlib.closing(sqlite3.connect(copy)) as database, database:
        if "held_since" in _columns(database, "organisation"):
            database.execute(
                "UPDATE organisation SET held_since = datetime('now'), held_because = ?", [RESTORED]
            )
        if _columns(database, "django_session"):
            database.execute("DELETE FROM django_session")
        for mark in _columns(database, "users").intersection(MARKS):
            database.execute(f"UPDATE users SET {mark} = lower(hex(randomblob(16)))")  # noqa: S608


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """None where there is no such table."""
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


def _swap_sqlite(copy: Path, *, keep: bool) -> None:
    """Puts the copy in the database's place in one step; what a force replaces is kept beside it."""
    target = Path(connection.settings_dict["NAME"])
    connections.close_all()
    if target.exists():
        with contextlib.closing(sqlite3.connect(target)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if keep:
            kept = target.with_name(f"{target.name}.before-restore-{clock.now():%Y%m%d-%H%M%S}")
            os.link(target, kept)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    copy.chmod(0o600)
    with copy.open("rb") as whole:
        os.fsync(whole.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(copy, target) if copy.stat().st_dev != target.parent.stat().st_dev else copy.replace(target)


def _restore_media(unpacked: Path) -> None:
    """The uploads of the backup take the place of what is there, which is kept beside it."""
    media = Path(settings.MEDIA_ROOT)
    if media.exists() and any(media.iterdir()):
        media.rename(media.with_name(f"{media.name}.before-restore-{clock.now():%Y%m%d-%H%M%S}"))
    if unpacked.exists():
        if media.exists():
            media.rmdir()
        unpacked.rename(media)


def _restore_key(unpacked: Path, manifest: backup.Manifest) -> list[str]:
    """The key of bound addresses comes along, where it was a file; else the operator must bring the same one."""
    if manifest.address_key == backup.key_print():
        return []
    if unpacked.exists() and not os.environ.get("DRIVERCRM_ADDRESS_KEY", "").strip():
        key = settings.DATA_DIR / backup.ADDRESS_KEY
        if key.exists():
            key.rename(key.with_name(f"{key.name}.before-restore-{clock.now():%Y%m%d-%H%M%S}"))
        unpacked.chmod(0o600)
        unpacked.rename(key)
        return []
    return [
        "DRIVERCRM_ADDRESS_KEY is not the one this backup was made with, so addresses that said stop would not be"
        " recognised. Set the old key before you serve."
    ]
