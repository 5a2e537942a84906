"""Lists of drivers: named ones, and those that leave as a file (spec §1, §2)."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from drivercrm.accounts.models import User
from drivercrm.accounts.queries import check_not_held
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.drivers.events import ListExported, ViewDeleted, ViewSaved
from drivercrm.drivers.models import SavedView
from drivercrm.journal import workflow as journal

MOST_VIEWS = 50
_KEPT = ("name", "query", "is_shared", "is_pinned", "position")


def save_view(
    owner: User, *, name: str, query: str, by: Actor, is_shared: bool = False, is_pinned: bool = False
) -> SavedView:
    """Gives a list a name. Refuses an empty or taken name and a list too long to keep."""
    if SavedView.objects.filter(owner=owner).count() >= MOST_VIEWS:
        raise Refused("too_many_views", f"You have {MOST_VIEWS} views. Delete one first.", field="name")
    view = SavedView(owner=owner, name=name, query=query, is_shared=is_shared, is_pinned=is_pinned)
    return _keep(view, by)


def change_view(
    view: SavedView, *, name: str, is_shared: bool, is_pinned: bool, by: Actor, query: str | None = None
) -> SavedView:
    """Another name, other readers or, with a query, another list under the same name.

    Refuses a view that was deleted meanwhile: saving must not bring it back.
    """
    view.name, view.is_shared, view.is_pinned = name, is_shared, is_pinned
    if query is not None:
        view.query = query
    with transaction.atomic():
        if SavedView.objects.select_for_update().filter(pk=view.pk).first() is None:
            raise Refused("gone", "This view was deleted in another window.")
        return _keep(view, by)


def delete_view(view: SavedView, *, by: Actor) -> dict[str, Any]:
    """Deletes a named list and returns what `restore_view` needs to bring it back."""
    kept = {field: getattr(view, field) for field in _KEPT} | {"id": str(view.pk)}
    with transaction.atomic():
        journal.announce(ViewDeleted(view.pk), by=by)
        view.delete()
    return kept


def restore_view(kept: dict[str, Any], owner: User, *, by: Actor) -> SavedView:
    """Brings a deleted view back under its id (the toast's undo)."""
    pk = UUID(kept["id"])
    if SavedView.objects.filter(pk=pk).exists():
        raise Refused("nothing_to_undo", "This view is back already.")
    return _keep(SavedView(pk=pk, owner=owner, **{field: kept[field] for field in _KEPT}), by)


def _keep(view: SavedView, by: Actor) -> SavedView:
    view.name = view.name.strip()
    if not view.name or len(view.name) > 60:
        raise Refused("view_name", "Give the view a name of up to 60 letters.", field="name")
    if len(view.query) > 2000:
        raise Refused("view_too_long", "This list has too many filters to keep.", field="name")
    try:
        with transaction.atomic():
            view.save()
            journal.announce(ViewSaved(view.pk, view.is_shared), by=by)
    except IntegrityError as error:
        raise Refused(
            "view_name_taken", f"You have a view called “{view.name}” already.", field="name"
        ) from error
    return view


def note_export(*, format: str, filter: str, rows: int, by: Actor) -> None:
    """Writes down that a list left as a file, before it leaves (spec §1). Refused while the database is held."""
    check_not_held()
    journal.announce(ListExported(format, filter, rows), by=by)
