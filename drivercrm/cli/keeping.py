"""`backup`, `restore`, `hold` and `release`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import django
from cyclopts import Parameter

from drivercrm.cli.people import operator

SIZE_UNITS = ("bytes", "kB", "MB", "GB")


def backup(file: Path | None = None, *, json: Annotated[bool, Parameter(name="--json")] = False) -> int:
    """Writes the database and the uploads into one file, while everybody goes on working.

    The file holds personal data and, where it was made here, the key of bound addresses: keep it safe.

    Parameters
    ----------
    file
        Where to; without it, a dated file in the data folder's `backups`.
    json
        Print the list of contents as JSON.
    """
    django.setup()
    from drivercrm.config import backup as backups  # app ready

    place = file or backups.default_file()
    manifest = backups.write(place)
    if json:
        _print_json({"file": str(place), **asdict(manifest)})
    else:
        print(f"{place}: {len(manifest.files)} files, {_size(manifest.size)}")
    return 0


def restore(
    file: Path,
    *,
    force: Annotated[bool, Parameter(help="Replace a database that has people or drivers in it.")] = False,
    json: Annotated[bool, Parameter(name="--json", help="Print what was restored as JSON.")] = False,
) -> int:
    """Puts a backup back, after verifying every byte of it. Stop the servers and workers first.

    What a forced restore replaces is kept beside the new, with its date (SQLite and uploads).
    """
    django.setup()
    from drivercrm.config import restore as restoring  # app ready
    from drivercrm.config import upgrade  # app ready

    manifest, advice = restoring.read(file, force=force)
    pending = upgrade.pending()
    if json:
        _print_json({**asdict(manifest), "pending_migrations": pending, "advice": advice})
        return 0
    print(f"Restored the backup of {manifest.made_at} ({_size(manifest.size)}).")
    if pending:
        print(f"It is of version {manifest.version}. Run “drivercrm migrate” next.")
    for sentence in advice:
        print(sentence)
    return 0


def hold(*, because: Annotated[str, Parameter(help="What everybody reads.")] = "Held by hand") -> int:
    """Stops sending, polling and exporting until an admin releases the database. For a database copied by other means.

    A restored one is held by itself.
    """
    django.setup()
    from drivercrm.accounts import workflow as accounts  # app ready
    from drivercrm.config import upgrade  # app ready

    upgrade.refuse_unless_migrated()
    accounts.hold(because=because, by=operator())
    print("The database is held. An admin releases it in the settings, or run “drivercrm release”.")
    return 0


def release() -> int:
    """Ends a hold. Run it when the installation that this database was taken from is switched off."""
    django.setup()
    from drivercrm.accounts import workflow as accounts  # app ready
    from drivercrm.config import upgrade  # app ready

    upgrade.refuse_unless_migrated()
    accounts.release(by=operator())
    print("The database is released.")
    return 0


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))


def _size(count: float) -> str:
    for unit in SIZE_UNITS:
        if count < 1000 or unit == SIZE_UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return ""
