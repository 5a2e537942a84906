"""One archive that holds the whole installation: database, uploads, and the key of bound addresses (spec §9)."""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from drivercrm.core import clock
from drivercrm.core.errors import Refused

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
ADDRESS_KEY = "address-key"
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """What an archive holds; written last, so that a torn archive has none."""

    version: str
    database: str
    made_at: str
    migrations: list[str]
    address_key: str
    format: int = FORMAT
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(entry["size"] for entry in self.files.values())


def default_file() -> Path:
    """Where a backup goes that was given no name."""
    return settings.DATA_DIR / "backups" / f"drivercrm-{clock.now():%Y%m%d-%H%M%S}.tar.gz"


def write(file: Path) -> Manifest:
    """Writes one consistent moment of the database and the uploads, while others go on working.

    The file appears under its name only when it is whole. Refuses when the database cannot be copied, or the file
    cannot be written.
    """
    if file.is_dir():
        raise Refused(
            "is_folder", f"{file} is a folder. Name a file in it, such as {file / 'backup.tar.gz'}."
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _write(file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused("cannot_write", f"Cannot write {file}: {reason}.") from error


def _write(file: Path) -> Manifest:
    manifest = Manifest(
        version=version("drivercrm"),
        database=connection.vendor,
        made_at=clock.now().isoformat(),
        migrations=sorted(
            f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
        ),
        address_key=key_print(),
    )
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as folder:
        copy = Path(folder) / DATABASE[connection.vendor]
        _copy_database(copy)
        draft = Path(folder) / "archive"
        # level 3: a third of the default's time for a few per cent more bytes
        with tarfile.open(draft, "w:gz", compresslevel=3) as archive:
            _add(archive, manifest, copy, copy.name)
            key = settings.DATA_DIR / ADDRESS_KEY
            if key.exists():
                _add(archive, manifest, key, ADDRESS_KEY)
            for upload in sorted(settings.MEDIA_ROOT.rglob("*")):
                if upload.is_file():
                    name = f"media/{upload.relative_to(settings.MEDIA_ROOT).as_posix()}"
                    with contextlib.suppress(FileNotFoundError):  # deleted while we copied
                        _add(archive, manifest, upload, name)
            page = Path(folder) / MANIFEST
            page.write_text(json.dumps(asdict(manifest), indent=1))
            archive.add(page, MANIFEST)
        draft.chmod(0o600)
        with draft.open("rb") as whole:
            os.fsync(whole.fileno())
        draft.replace(file)
    return manifest


def key_print() -> str:
    """Recognises the key of bound addresses without telling it."""
    return hashlib.sha256(f"address-key:{settings.ADDRESS_KEY}".encode()).hexdigest()[:16]


def _copy_database(copy: Path) -> None:
    if connection.vendor == "sqlite":
        source = sqlite3.connect(connection.settings_dict["NAME"], timeout=20)
        target = sqlite3.connect(copy)
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)  # one step reads one moment; in WAL mode writers are not held up
            target.execute("PRAGMA journal_mode=DELETE")
        check_sqlite(copy)
    else:
        run_tool("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={copy}"])


def check_sqlite(file: Path) -> None:
    """Refuses a database file with damaged pages."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise Refused("damaged", f"The database file is damaged: {answer}.")


def run_tool(name: str, words: list[str], *, names_database: bool = True) -> None:
    """Runs one of PostgreSQL's own programs on our database; refuses with its first line when it fails."""
    at = connection.settings_dict
    found = shutil.which(name)
    if found is None:
        raise Refused(
            "tool_missing",
            f"{name} is not installed. Install PostgreSQL's client programs (postgresql-client).",
        )
    environment = os.environ | {
        "PGHOST": at["HOST"] or "",
        "PGPORT": str(at["PORT"] or ""),
        "PGUSER": at["USER"] or "",
        "PGDATABASE": at["NAME"] if names_database else "",
        "PGPASSWORD": at["PASSWORD"] or "",
        "PGSSLMODE": at["OPTIONS"].get("sslmode", "prefer"),
    }
    environment = {variable: value for variable, value in environment.items() if value}
    done = subprocess.run([found, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Refused("tool_failed", f"{name} failed: {lines[0] if lines else 'without a word'}")


def _add(archive: tarfile.TarFile, manifest: Manifest, source: Path, name: str) -> None:
    """Adds a file and notes its size and checksum as they were read."""
    with source.open("rb") as content:
        entry = archive.gettarinfo(arcname=name, fileobj=content)
        entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "", ""
        reader = Hashing(content, entry.size)
        archive.addfile(entry, reader)
    manifest.files[name] = {"size": entry.size, "sha256": reader.hexdigest()}


class Hashing:
    """Reads at most `size` bytes of a file and works out their checksum on the way."""

    def __init__(self, content: IO[bytes], size: int) -> None:
        self._content, self._left, self._sum = content, size, hashlib.sha256()

    def read(self, wanted: int = -1) -> bytes:
        block = self._content.read(self._left if wanted < 0 else min(wanted, self._left))
        self._left -= len(block)
        self._sum.update(block)
        return block

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


@contextlib.contextmanager
def opened(file: Path, folder: Path) -> Iterator[Manifest]:
    """Unpacks an archive into a folder and verifies every byte before anything else; refuses a bad one.

    The folder may be thrown away afterwards.
    """
    try:
        with tarfile.open(file, "r:gz") as archive:
            for entry in archive:
                if not entry.isfile() or not _is_ours(entry.name):
                    raise Refused("not_a_backup", f"{file.name} is not a backup of Driver CRM.")
                place = folder / entry.name
                place.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(entry)
                with place.open("wb") as target:
                    shutil.copyfileobj(content or contextlib.nullcontext(), target, BLOCK)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise Refused("no_such_file", f"There is no file {file}.") from None
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Refused("damaged", f"{file.name} is damaged or no backup: {error}.") from error
    yield _verified(file, folder)


def _is_ours(name: str) -> bool:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        return False
    return name in {MANIFEST, ADDRESS_KEY, *DATABASE.values()} or path.parts[0] == "media"


def _verified(file: Path, folder: Path) -> Manifest:
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError):
        raise Refused("damaged", f"{file.name} is not whole: it has no list of contents.") from None
    if manifest.format != FORMAT:
        raise Refused(
            "newer_format",
            f"{file.name} was written by version {manifest.version}. Install that version first.",
        )
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    if found != set(manifest.files) or DATABASE.get(manifest.database) not in found:
        raise Refused("damaged", f"{file.name} is damaged: files are missing.")
    for name, entry in manifest.files.items():
        with (folder / name).open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != entry["sha256"]:
            raise Refused("damaged", f"{file.name} is damaged: {name} is not what was backed up.")
    return manifest
