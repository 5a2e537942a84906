"""What this room does when it hears news: the long work, off the request."""

from uuid import UUID

from drivercrm.core.actors import Actor
from drivercrm.imports import workflow as imports
from drivercrm.imports.events import ImportCheckAsked, ImportStarted, ImportUndoAsked
from drivercrm.imports.models import Import
from drivercrm.journal.models import Entry
from drivercrm.journal.workflow import on


@on(ImportCheckAsked, is_long=True)
def long_list_is_checked(entry: Entry) -> None:
    """A long list is judged."""
    of = Import.objects.filter(pk=entry.data["import_id"]).first()
    if of:
        imports.judge_all(of)


@on(ImportStarted, is_long=True)
def started_list_goes_in(entry: Entry) -> None:
    """A checked list goes in."""
    imports.run(UUID(entry.data["import_id"]))


@on(ImportUndoAsked, is_long=True)
def long_import_is_taken_back(entry: Entry) -> None:
    """A long import is taken back."""
    kind, _, pk = entry.actor.partition(":")
    imports.undo_rest(UUID(entry.data["import_id"]), by=Actor(kind, pk, "job"))  # type: ignore[arg-type]
