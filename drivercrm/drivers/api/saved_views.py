"""Named lists of drivers."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from ninja import Router, Schema

from drivercrm.accounts.permissions import Can, Request, needs
from drivercrm.core.paging import Order, page_of
from drivercrm.core.rest import Cursor, Limit, Rows, answer, page
from drivercrm.drivers.api.finding import person_id
from drivercrm.drivers.models import SavedView

router = Router(tags=["saved views"])


class SavedViewOut(Schema):
    """A named list of drivers; `query` is the query string that shows it, here and on the drivers page."""

    id: UUID
    name: str
    query: str
    owner_id: UUID
    is_shared: bool
    is_pinned: bool
    created_at: datetime


@router.get(
    "/saved-views",
    response=Rows[SavedViewOut],
    summary="List saved views",
    operation_id="list_saved_views",
)
@needs(Can.READ_DRIVERS)
def list_saved_views(request: Request, limit: Limit = 50, cursor: Cursor = None) -> HttpResponse:
    """One's own views and the shared ones; a token sees the shared ones."""
    visible = Q(is_shared=True)
    if person := person_id(request.access):
        visible |= Q(owner_id=person)
    views = SavedView.objects.filter(visible).values(*SavedViewOut.model_fields)
    rows = page_of(views, Order("id", parse=str), cursor=cursor, limit=limit)
    return answer(page(rows.items, rows.next_cursor))
