"""The board: who stands where on the path, and moving them by hand (design 03)."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.cache import caches
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST, require_safe

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core import clock
from drivercrm.core.paging import Order, page_of
from drivercrm.desk.columns import last_channels
from drivercrm.desk.shell import page as page_address
from drivercrm.drivers import filters, queries
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.filters import Filter, ListQuery
from drivercrm.drivers.models import Driver, DriverQuerySet
from drivercrm.drivers.moves import PATH
from drivercrm.ui import icons
from drivercrm.ui.answers import changed, is_swap
from drivercrm.ui.toasts import toast

CARDS = 8
CARDS_OPEN = 25
COUNTED = 1000
MOVED = "Moved on the board"

TITLES = {S.ONBOARDING_STARTED: "Started", S.ONBOARDING_COMPLETED: "Completed"}
NEXT = {
    S.NOT_CONTACTED: "next: welcome",
    S.CONTACTED: "next: invitation",
    S.INVITED: "waiting for driver",
    S.ONBOARDING_STARTED: "waiting for driver",
    S.ONBOARDING_COMPLETED: "next: start pilot",
    S.ACTIVE: "driving in the pilot",
}
FOLDED = (S.INACTIVE, S.OPTED_OUT)


@dataclass(frozen=True)
class Card:
    """One driver on the board."""

    driver: Driver
    channel: str
    follow_up: str

    @property
    def short_id(self) -> str:
        """The Timo driver ID without its prefix."""
        return (self.driver.timo_driver_id or "").removeprefix("TR-")


@dataclass(frozen=True)
class Column:
    """One status: how many stand there, what comes next, and the first cards; `cards` is None when folded."""

    status: str
    title: str
    name: str
    count: int
    is_more: bool
    hint: str
    cards: list[Card] | None
    rest: str
    list_url: str
    fold_url: str
    moves: list[tuple[str, str]]

    @cached_property
    def buttons(self) -> SafeString:
        """The choices of each card's “Move to” menu, the same for the whole column."""
        return mark_safe(  # noqa: S308  enum values and their words
            "".join(
                f'<button class="it" name="status" value="{value}">{icons.glyph(value)}{label}</button>'
                for value, label in self.moves
            )
        )

    @property
    def counted(self) -> str:
        """The count in words: “1 000+” where more were not counted."""
        return f"{self.count:,}".replace(",", "\u00a0") + ("+" if self.is_more else "")


@dataclass(frozen=True)
class Board:
    """What the address says about the board: its filters, its search, and which folded columns stand open."""

    query: ListQuery
    opened: frozenset[str]

    @classmethod
    def of(cls, request: PageRequest) -> "Board":
        """Reads the address; a filter by status means nothing here."""
        query = filters.parse(request.GET).without("status").without("status.not")
        return cls(query, frozenset(request.GET.getlist("open")) & {str(status) for status in FOLDED})

    def params(self, opened: frozenset[str] | None = None) -> str:
        """The query string of this board, perhaps with other columns open."""
        pairs = [(one.name, value) for one in self.query.filters for value in one.values]
        if self.query.search:
            pairs.append(("q", self.query.search))
        pairs += [("open", status) for status in sorted(self.opened if opened is None else opened)]
        return urlencode(pairs)

    def url(self, name: str = "pipeline", *args: object, opened: frozenset[str] | None = None) -> str:
        """An address of the board with its filters."""
        params = self.params(opened)
        return reverse(name, args=args) + (f"?{params}" if params else "")

    def list_url(self, status: str) -> str:
        """The same drivers of one column as a list."""
        listed = self.query.with_filter(Filter("status", "is", (status,)))
        return f"{reverse('drivers')}?{listed.encode()}"


@require_safe
@needs(Can.READ_DRIVERS)
def pipeline(request: PageRequest) -> HttpResponse:
    """The page, or for htmx the board alone."""
    board = Board.of(request)
    template = "desk/_board.html" if is_swap(request) else "desk/pipeline.html"
    response = render(request, template, _context(request, board))
    patch_vary_headers(response, ("HX-Request",))
    return response


@require_POST
@needs(Can.EDIT_DRIVERS)
def pipeline_move(request: PageRequest, pk: UUID) -> HttpResponse:
    """Moves a card; the answer is the board as it stands then."""
    driver = get_object_or_404(Driver, pk=pk)
    board = Board.of(request)
    reason = request.POST.get("reason", "").strip() or MOVED
    by = request.access.actor
    act = drivers.change_status(driver, request.POST.get("status", ""), reason=reason, by=by)
    undo = reverse("driver_status_undo", args=[pk, act])
    toast(request, f"{driver.name} set to {S(driver.onboarding_status).label}", undo)
    if not is_swap(request):
        return changed(request, board.url())
    return render(request, "desk/_board.html", _context(request, board))


def _context(request: PageRequest, board: Board) -> dict[str, Any]:
    viewer = filters.Viewer.now(request.user.pk)
    found = _found(board, viewer)
    medians = caches["memory"].get_or_set("stage-medians", queries.stage_medians, 60) or {}
    picked = {status: _picked(found, board, status) for status in S.values}
    shown = [driver for rows, _, _ in picked.values() for driver in rows or ()]
    channels = last_channels({driver.pk: driver.last_contact_date for driver in shown})
    columns = [_column(board, status, picked[status], channels, medians) for status in S.values]
    owner = next((one.values[0] for one in board.query.filters if one.name == "owner"), "")
    return {
        "board": board,
        "is_swap": is_swap(request),
        "columns": [column for column in columns if column.status in PATH],
        "folds": [column for column in columns if column.status not in PATH],
        "total": sum(column.count for column in columns),
        "is_more": any(column.is_more for column in columns),
        "board_url": board.url(),
        "move_query": f"?{params}" if (params := board.params()) else "",
        "owner": owner,
        "new_url": page_address("driver_new"),
        "staff": queries.staff(),
        "may_move": request.access.may(Can.EDIT_DRIVERS),
    }


def _found(board: Board, viewer: filters.Viewer) -> DriverQuerySet:
    """The drivers of the board. A search that finds few names them once: eight columns need not search again."""
    if not board.query.search:
        return filters.matching(board.query, viewer)
    return filters.find(board.query, viewer).drivers


def _picked(found: DriverQuerySet, board: Board, status: str) -> tuple[list[Driver] | None, int, bool]:
    """The first cards of a column, how many it has, and whether more were not counted.

    Follow-ups come first, the earliest on top; then whoever was contacted longest ago.
    """
    here = found.filter(onboarding_status=status)
    count = here.order_by()[: COUNTED + 1].count()
    cards = None
    if status in PATH or status in board.opened:
        limit = CARDS_OPEN if status in board.opened else CARDS
        with_owner = here.select_related("owner")
        due = with_owner.filter(next_follow_up_date__isnull=False).order_by("next_follow_up_date", "id")
        cards = list(due[:limit])
        if len(cards) < limit:
            rest = with_owner.filter(next_follow_up_date__isnull=True)
            order = Order("last_contact_date", nullable=True)
            cards += page_of(rest, order, cursor=None, limit=limit - len(cards)).items
    return cards, min(count, COUNTED), count > COUNTED


def _column(
    board: Board,
    status: str,
    picked: tuple[list[Driver] | None, int, bool],
    channels: dict[UUID, str],
    medians: dict[str, float],
) -> Column:
    rows, count, is_more = picked
    known = S(status)
    hint = NEXT.get(known, "")
    if status in medians:
        hint = f"{_days(medians[status])} · {hint}"
    cards = None
    if rows is not None:
        today = clock.today()
        cards = [Card(one, channels.get(one.pk, ""), _follow_up(one, today)) for one in rows]
    left = count - len(rows or ())
    rest = (
        (f"{left:,}".replace(",", "\u00a0") + ("+" if is_more else "") + " more") if left or is_more else ""
    )
    return Column(
        status=status,
        title=TITLES.get(known, str(known.label)),
        name=str(known.label),
        count=count,
        is_more=is_more,
        hint=hint[:1].upper() + hint[1:],
        cards=cards,
        rest=rest,
        list_url=board.list_url(status),
        fold_url=board.url(opened=board.opened ^ {status}),
        moves=queries.allowed_moves(status),
    )


def _days(median: float) -> str:
    """`1.2 d`; under a tenth of a day in hours."""
    return f"{median:.1f} d" if median >= 0.95 else f"{max(1, round(median * 24))} h"


def _follow_up(driver: Driver, today: date) -> str:
    """How the next follow-up stands: late, today, later or none."""
    if driver.next_follow_up_date is None:
        return "none"
    day = clock.local_day(driver.next_follow_up_date)
    return "late" if day < today else "today" if day == today else "later"
