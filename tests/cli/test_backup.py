"""A backup holds one moment, and comes back whole or not at all."""

import contextlib
import gzip
import io
import json
import sqlite3
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from drivercrm.config import backup
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from tests.cli.conftest import KEYS, PASSWORD, Place

# Makes drivers as fast as it can, each with a history, in one transaction each, until it is told to stop.
WRITER = """
import sys
import django
django.setup()
from drivercrm.core.actors import automation
from drivercrm.drivers import workflow as drivers
from drivercrm.communications import workflow as communications
from django.db import transaction
by = automation("writer")
print("ready", flush=True)
for number in range(100_000):
    with transaction.atomic():
        driver = drivers.create(
            {"name": f"Driver {number}", "phone": f"+2782{number:07d}"}, source="person", by=by
        )
        communications.log_call(driver, direction="outbound", outcome="answered", by=by)
        drivers.change_status(driver, "invited", reason="They said yes", by=by)
"""

COUNTS = """
SELECT (SELECT COUNT(*) FROM drivers WHERE name LIKE 'Driver %'),
       (SELECT COUNT(*) FROM communications),
       (SELECT COUNT(*) FROM driver_status_changes),
       (SELECT COUNT(*) FROM channel_identities),
       (SELECT COUNT(*) FROM drivers WHERE onboarding_status = 'invited' AND total_communications = 1)
"""


def ask(place: Place, sql: str = COUNTS) -> tuple[int, ...]:
    """One row of an installation's database."""
    if place.url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database:
            return tuple(database.execute(sql).fetchone())
    printed = subprocess.run(
        ["psql", place.url, "-tA", "-F,", "-c", sql], capture_output=True, text=True, check=True
    ).stdout
    return tuple(int(part) for part in printed.strip().split(","))


def forget(place: Place, sql: str) -> None:
    """Runs a statement in an installation's database."""
    if place.url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database, database:
            database.execute(sql)
    else:
        subprocess.run(["psql", place.url, "-q", "-c", sql], check=True)


def writing(place: Place) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        env=place.environment(DJANGO_SETTINGS_MODULE="drivercrm.config.settings"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_backup_taken_while_others_write_holds_whole_rows(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    writer = writing(place)
    try:
        deadline = time.monotonic() + 30
        while ask(place)[0] < 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        before = ask(place)[0]
        done = place.run("backup", str(archive))
        after = ask(place)[0]
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
    assert done.code == 0, done.err
    assert after > before  # nobody waited for the backup

    other = make_place()
    restored = other.run("restore", str(archive))

    assert (restored.code, restored.err) == (0, "")
    drivers, calls, changes, identities, whole = ask(other)
    assert before <= drivers <= after
    # contacted by the call, invited by staff: two changes for each driver
    assert (calls, changes, identities, whole) == (drivers, 2 * drivers, drivers, drivers)
    assert json.loads(other.run("rebuild", "--json").out)["wrong"] == 0
    assert other.run("migrate", "--check").code == 0


def filled(place: Place) -> Place:
    place.run("create-user", "ada@example.org", typed=PASSWORD)
    upload = place.folder / "media" / "imports" / "list.csv"
    upload.parent.mkdir(parents=True)
    upload.write_text("name,phone\n")
    return place


USERS = "SELECT COUNT(*), 0 FROM users"


def test_uploads_and_the_address_key_come_along(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    filled(place)
    archive = tmp_path / "backup.tar.gz"
    manifest = json.loads(place.run("backup", str(archive), "--json").out)
    is_sqlite = connection.vendor == "sqlite"

    assert manifest["database"] == connection.vendor
    assert set(manifest["files"]) == {
        "database.sqlite3" if is_sqlite else "database.dump",
        "media/imports/list.csv",
        *(["address-key"] if is_sqlite else []),
    }
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".backup-")]

    other = make_place()
    result = other.run("restore", str(archive))

    assert result.code == 0, result.err
    assert ask(other, USERS) == (1, 0)
    assert (other.folder / "media" / "imports" / "list.csv").read_text() == "name,phone\n"
    if is_sqlite:
        assert (other.folder / "address-key").read_text() == (place.folder / "address-key").read_text()
    assert json.loads(other.run("doctor", "--json").out)["checks"][1]["state"] == "right"


HELD = "SELECT COUNT(*), COUNT(held_since) FROM organisation"


def reason(place: Place) -> str:
    checks = json.loads(place.run("doctor", "--json").out)["checks"]
    return next(check["says"] for check in checks if check["check"] == "Hold")


def test_a_restored_database_is_held_until_it_is_released(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    place.run("create-user", "ada@example.org", typed=PASSWORD)
    place.run("backup", str(archive))
    other = make_place()

    done = other.run("restore", str(archive))

    assert "It is held: nothing is sent, polled or exported until an admin releases it." in done.out
    assert (ask(place, HELD), ask(other, HELD)) == ((1, 0), (1, 1))
    assert reason(place) == "the database is not held"
    today = clock.now().astimezone(clock.zone())
    assert reason(other).startswith(
        f"nothing is sent or exported. Restored from the backup of {today:%a %-d %b %Y}, "
    )

    assert other.run("release").out == "The database is released.\n"
    again = other.run("release")
    assert (again.code, again.err) == (1, "This database is not held.\n")
    assert ask(other, HELD) == (1, 0)

    assert other.run("hold", "--because", "Copied to the new machine").code == 0
    assert reason(other) == "nothing is sent or exported. Copied to the new machine."


WAYS_IN = """
import django
django.setup()
from importlib import import_module
from django.conf import settings
from django.test import Client
from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import User
from drivercrm.core.actors import Actor
store = import_module(settings.SESSION_ENGINE).SessionStore
ada = User.objects.get()
by = Actor("user", str(ada.pk))
"""
SIGN_IN = (
    WAYS_IN
    + """
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(ada)
accounts.invite("open@example.org", "viewer", by=by)
ended, _ = accounts.invite("ended@example.org", "viewer", by=by)
accounts.revoke(ended, by=by)
print(client.cookies["sessionid"].value, accounts.make_password_link(ada, by=by), client.get("/profile/").status_code)
"""
)
COME_BACK = (
    WAYS_IN
    + """
import sys
from django.contrib.sessions.models import Session
key, link = sys.argv[1:]
client = Client(SERVER_NAME="127.0.0.1")
client.cookies["sessionid"] = key
answer = client.get("/profile/")
print(answer.status_code, Session.objects.count(), accounts.owner_of_password_link(link))
"""
)


def run_python(place: Place, program: str, *words: str) -> str:
    """What a Python program prints that sees an installation's database."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env=place.environment(DJANGO_SETTINGS_MODULE="drivercrm.config.settings", **KEYS),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_restore_ends_sessions_and_links_and_tells_what_still_opens(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    place.run("create-user", "ada@example.org", "--name", "Ada Admin", typed=PASSWORD)
    for name in ("Sync", "Reports"):
        place.run("create-token", name, "--role", "viewer")
    key, link, status = run_python(place, SIGN_IN).split()
    before = run_python(place, COME_BACK, key, link)
    place.run("backup", str(archive))
    other = make_place()

    done = other.run("restore", str(archive), "--json")

    assert (status, before) == ("200", "200 1 Ada Admin")
    assert run_python(other, COME_BACK, key, link) == "302 0 None"
    assert json.loads(done.out)["advice"][-2:] == [
        "Everybody signs in again: sessions and password links have ended.",
        "These work as on the day of the backup: API tokens 2, open invitations 1. Admins: Ada Admin"
        " (ada@example.org). End again what was ended since.",
    ]


def test_a_backup_of_an_older_version_is_held_from_its_first_moment(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    place.run("create-user", "ada@example.org", typed=PASSWORD)
    forget(place, "DELETE FROM django_migrations WHERE app = 'support'")
    place.run("backup", str(archive))
    other = make_place()

    done = other.run("restore", str(archive))

    assert done.code == 0
    assert ask(other, HELD) == (1, 1)
    assert "Look through them after “drivercrm migrate”." in done.out
    assert ask(
        other, "SELECT COUNT(*), 0 FROM organisation WHERE held_because = 'Restored from a backup'"
    ) == (
        1,
        0,
    )


def test_a_backup_from_before_holds_says_that_it_is_not_held(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    assert place.run_django("migrate", "accounts", "0005").code == 0
    place.run("backup", str(archive))

    done = make_place().run("restore", str(archive))

    assert (done.code, done.err) == (0, "")
    assert "Run “drivercrm migrate”, then “drivercrm hold”." in done.out


def test_another_address_key_is_noticed(
    place: Place, make_place: Callable[[], Place], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    place.run("backup", str(archive))

    result = make_place().run(
        "restore", str(archive), DRIVERCRM_ADDRESS_KEY="another-long-random-text-of-the-operator-0123"
    )
    assert result.code == 0
    assert "DRIVERCRM_ADDRESS_KEY is not the one this backup was made with" in result.out


def test_a_database_with_people_in_it_is_replaced_only_by_force(place: Place, tmp_path: Path) -> None:
    filled(place)
    archive = tmp_path / "backup.tar.gz"
    place.run("backup", str(archive))
    place.run("create-user", "second@example.org", typed=PASSWORD)

    refused = place.run("restore", str(archive))
    assert (refused.code, refused.err) == (
        1,
        "This database has 2 users in it. Use --force to replace them.\n",
    )
    assert ask(place, USERS) == (2, 0)

    assert place.run("restore", str(archive), "--force").code == 0
    assert ask(place, USERS) == (1, 0)
    kept = sorted(
        file.name.partition(".before-restore-")[0] for file in place.folder.glob("*.before-restore-*")
    )
    assert kept == (["drivercrm.sqlite3", "media"] if connection.vendor == "sqlite" else ["media"])


def repacked(archive: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with its files changed; None leaves one out."""
    with tarfile.open(archive) as source, tarfile.open(target, "w:gz") as packed:
        for entry in source:
            content = source.extractfile(entry)
            assert content
            kept = change(entry.name, content.read())
            if kept is not None:
                entry.size = len(kept)
                packed.addfile(entry, io.BytesIO(kept))
    return target


def hostile(target: Path, name: str, *, link: bool = False) -> Path:
    with tarfile.open(target, "w:gz") as packed:
        entry = tarfile.TarInfo(name)
        if link:
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(entry, io.BytesIO(b""))
    return target


def test_a_bad_archive_changes_nothing(place: Place, make_place: Callable[[], Place], tmp_path: Path) -> None:
    filled(place)
    archive = tmp_path / "good.tar.gz"
    place.run("backup", str(archive))
    other = make_place()
    other.run("migrate")
    whole = archive.read_bytes()

    def flipped(name: str, content: bytes) -> bytes:
        return content[:-1] + bytes([content[-1] ^ 1]) if name.startswith("database") else content

    cut, text, foreign = tmp_path / "cut.tar.gz", tmp_path / "text.tar.gz", tmp_path / "foreign.tar.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("hello")
    with gzip.open(foreign, "wb") as packed:
        packed.write(b"hello")
    bad = {
        cut: "is damaged or no backup",
        text: "is damaged or no backup",
        foreign: "is damaged or no backup",
        tmp_path / "none.tar.gz": "There is no file",
        repacked(archive, tmp_path / "flipped.tar.gz", flipped): "is not what was backed up",
        repacked(
            archive, tmp_path / "less.tar.gz", lambda name, content: None if "media" in name else content
        ): ("files are missing"),
        repacked(
            archive, tmp_path / "torn.tar.gz", lambda name, content: None if "manifest" in name else content
        ): ("is not whole"),
        hostile(tmp_path / "up.tar.gz", "../../evil"): "is not a backup of Driver CRM",
        hostile(tmp_path / "up2.tar.gz", "media/../../evil"): "is not a backup of Driver CRM",
        hostile(tmp_path / "root.tar.gz", "/tmp/evil"): "is not a backup of Driver CRM",
        hostile(tmp_path / "link.tar.gz", "media/passwd", link=True): "is not a backup of Driver CRM",
    }

    for number, (file, sentence) in enumerate(bad.items()):
        unpacked = tmp_path / f"unpacked-{number}"
        unpacked.mkdir()
        with pytest.raises(Refused) as refusal, backup.opened(file, unpacked):
            pass
        assert sentence in refusal.value.sentence, file
        assert not (tmp_path / "evil").exists()
    result = other.run("restore", str(cut), "--force")
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
    assert ask(other, USERS) == (0, 0)
    assert not (other.folder / "media").exists()
    assert not list(other.folder.glob(".restore-*"))


def test_a_backup_of_the_other_database_is_refused(place: Place, tmp_path: Path) -> None:
    archive = tmp_path / "good.tar.gz"
    place.run("backup", str(archive))
    strange = "postgresql" if connection.vendor == "sqlite" else "sqlite"

    def other(name: str, content: bytes) -> bytes:
        if name != "manifest.json":
            return content
        return content.replace(f'"{connection.vendor}"'.encode(), f'"{strange}"'.encode())

    result = place.run("restore", str(repacked(archive, tmp_path / "other.tar.gz", other)))
    assert result.code == 1
    assert "is damaged" in result.err or "DATABASE_URL names" in result.err


def test_a_default_backup_lies_in_the_data_folder(place: Place) -> None:
    result = place.run("backup")

    assert result.code == 0
    (file,) = (place.folder / "backups").iterdir()
    assert result.out.startswith(f"{file}: ")


def test_a_backup_without_the_tool_says_which_one(place: Place, tmp_path: Path) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite copies itself")
    empty = tmp_path / "bin"
    empty.mkdir()

    result = place.run("backup", PATH=str(empty))
    assert (result.code, result.err) == (
        1,
        "pg_dump is not installed. Install PostgreSQL's client programs (postgresql-client).\n",
    )


def test_a_backup_that_cannot_be_written_says_why(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = tmp_path / "file"
    file.write_text("kept")

    for target, sentence in {
        folder: f"{folder} is a folder. Name a file in it, such as {folder}/backup.tar.gz.\n",
        file / "x.tar.gz": f"Cannot write {file}/x.tar.gz: file exists.\n",
        Path("/proc/x.tar.gz"): "Cannot write /proc/x.tar.gz: no such file or directory.\n",
    }.items():
        result = place.run("backup", str(target))
        assert (result.code, result.out, result.err) == (1, "", sentence)
    assert list(folder.iterdir()) == []
    assert file.read_text() == "kept"
