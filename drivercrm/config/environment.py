"""Reads the operator's environment; a wrong value stops the start with a sentence that names it (spec §9)."""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

# WAL lets readers go on beside the one writer; FULL keeps an acknowledged write through a power cut;
# IMMEDIATE takes the write lock at BEGIN, so that two writers queue instead of failing half-way.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000; PRAGMA temp_store=MEMORY;"
        "PRAGMA mmap_size=1073741824; PRAGMA cache_size=-65536; PRAGMA foreign_keys=ON;"
    ),
}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, *, default: bool = False) -> bool:
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if not value:
        return default
    raise ImproperlyConfigured(f"{name} is “{value}”. Use yes or no.")


def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
    value = text(name) or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is “{value}”. Use one of: {', '.join(choices)}.")
    return value


def whole_number(name: str, default: int, *, least: int = 0) -> int:
    value = text(name)
    if not value:
        return default
    if not value.isascii() or not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} is “{value}”. Use a whole number, at least {least}.")
    return int(value)


def names(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def time_zone() -> str:
    name = text("DRIVERCRM_TIME_ZONE") or "Africa/Johannesburg"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ImproperlyConfigured(
            f"DRIVERCRM_TIME_ZONE is “{name}”, which is no time zone. Use a name such as Africa/Johannesburg."
        ) from None
    return name


def data_dir() -> Path:
    folder = Path(text("DRIVERCRM_DATA_DIR") or "data").expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise ImproperlyConfigured(f"DRIVERCRM_DATA_DIR is “{folder}”, which is not a folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def database(folder: Path) -> dict[str, Any]:
    url = text("DATABASE_URL")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "drivercrm.sqlite3"),
            "CONN_MAX_AGE": None,  # opening the file and setting it up costs a millisecond and the cache
            "OPTIONS": dict(SQLITE_OPTIONS),
        }
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(url))
    except Exception:
        # the address may hold a password: name the variable, never its value
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read. Use postgres://user:password@host:5432/name or sqlite:///file."
        ) from None
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["CONN_MAX_AGE"] = None
        config["OPTIONS"] = dict(SQLITE_OPTIONS)
    elif config["ENGINE"] == "django.db.backends.postgresql":
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
        # the server reads and plans a statement that comes again only once: half of its work for a page
        config["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 5} | config.get("OPTIONS", {})
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL names another database. Driver CRM runs on SQLite and PostgreSQL."
        )
    return config


def jobs_engine(*, sqlite: bool) -> str:
    """Which engine keeps the background work (docs/adr/0003)."""
    engine = one_of("DRIVERCRM_JOBS", ("embedded", "procrastinate"), "embedded")
    if engine == "procrastinate" and sqlite:
        raise ImproperlyConfigured(
            "DRIVERCRM_JOBS is “procrastinate”, which needs PostgreSQL. Set DATABASE_URL, or use embedded."
        )
    if engine == "procrastinate" and find_spec("procrastinate") is None:
        raise ImproperlyConfigured(
            "DRIVERCRM_JOBS is “procrastinate”, which is not installed. Install “drivercrm[postgres]”, or use embedded."
        )
    return engine


def long_keys(name: str) -> list[str]:
    """Long random texts with commas between them; none where the variable is not set."""
    keys = names(name)
    if any(len(key) < 32 for key in keys):
        raise ImproperlyConfigured(
            f"{name} holds a key shorter than 32 characters. Use long random texts, with commas between them."
        )
    return keys


def lasting_key(folder: Path, name: str, *, sqlite: bool) -> str:
    """A long random secret: from the environment, else (SQLite only) made once in the data folder.

    The file is named after the variable: DRIVERCRM_SECRET_KEY is kept in `secret-key`.
    """
    value = text(name)
    if value:
        if len(value) < 32:
            raise ImproperlyConfigured(f"{name} is shorter than 32 characters. Use a long random text.")
        return value
    if not sqlite:
        raise ImproperlyConfigured(
            f"{name} is not set. On PostgreSQL every process needs the same long random text."
        )
    file = folder / name.removeprefix("DRIVERCRM_").lower().replace("_", "-")
    if not file.exists():
        draft = folder / f"{file.name}.{os.getpid()}"
        draft.write_text(secrets.token_urlsafe(50))
        draft.chmod(0o600)
        try:
            os.link(draft, file)  # of two processes that start together, one wins and both read its key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
