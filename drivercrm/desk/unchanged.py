"""What holds until the journal's next entry: counts, names and settings that every page shows and few things change."""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import caches
from django.db import connection
from django.http import HttpRequest

from drivercrm.accounts.models import Organisation
from drivercrm.journal.models import Entry

T = TypeVar("T")
NEWEST = f"SELECT MAX(id) FROM {Entry._meta.db_table}"  # noqa: S608
SECONDS = 60  # two entries written at once may become visible in the other order: nothing is kept for long


def kept(request: HttpRequest, key: str, read: Callable[[], T]) -> T:
    """What `read` gave this process before, while nothing has happened since; otherwise read now."""
    known = _fresh(request, key)
    if known:
        return known[1]  # type: ignore[return-value]
    newest = _newest_entry(request)  # before reading: what happens in between makes it stale, never fresh
    value = read()
    caches["memory"].set(key, (newest, value), SECONDS)
    return value


def organisation(request: HttpRequest) -> Organisation:
    """The settings, for pages that show them; rules read `Organisation.current()`."""
    return kept(request, "organisation", Organisation.current)


def is_kept(request: HttpRequest, key: str) -> bool:
    """Whether nothing needs to be read for it."""
    return _fresh(request, key) is not None


def _fresh(request: HttpRequest, key: str) -> tuple[int, object] | None:
    """The entry and the value, as long as that entry is the newest."""
    known: tuple[int, object] | None = caches["memory"].get(key)
    return known if known and known[0] == _newest_entry(request) else None


def _newest_entry(request: HttpRequest) -> int:
    """The number of the journal's newest entry, asked for once in a request."""
    if not hasattr(request, "newest_entry"):
        with connection.cursor() as cursor:
            cursor.execute(NEWEST)  # on every page: the ORM takes ten times as long to put it together
            request.newest_entry = cursor.fetchone()[0] or 0  # type: ignore[attr-defined]
    return int(request.newest_entry)  # type: ignore[attr-defined]
