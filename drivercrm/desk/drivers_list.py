"""The list of drivers: tabs, filters, search, order, columns, pages (design 02)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.errors import Refused
from drivercrm.core.paging import Page
from drivercrm.desk import columns, saved_lists, unchanged
from drivercrm.desk.columns import COLUMN, Around, Row
from drivercrm.desk.shell import page as page_address
from drivercrm.drivers import filters
from drivercrm.drivers.filters import Field, ListQuery
from drivercrm.drivers.models import Driver
from drivercrm.ui import icons, parts
from drivercrm.ui.answers import is_swap

ROWS = 50
# so many drivers a day before, for the menus of dates
PAST = (("before", "-7d", "More than 7 days ago"), ("before", "-30d", "More than 30 days ago"))
COMING = (("before", "next_week", "Up to the end of this week"), ("before", "today", "Before today"))


def staff_names() -> dict[str, str]:
    """Everybody's short name by id; one query."""
    return {str(user.pk): user.short_name for user in User.objects.only("id", "name").order_by("name")}


@dataclass
class Address:
    """Where in the list a request stands: which tab, and what was changed about it."""

    tabs: list[saved_lists.NamedList]
    current: saved_lists.NamedList
    query: ListQuery

    @classmethod
    def of(cls, request: PageRequest, params: QueryDict) -> "Address":
        """Reads the address. A tab's own list holds until the address says anything about filters or order."""
        tabs = saved_lists.named_lists(request, request.user)
        current = next((one for one in tabs if one.key == params.get("view")), saved_lists.ALL)
        query = filters.parse(params)
        says_something = bool(query.filters) or any(name in params for name in ("sort", "cols", "rows"))
        if current is not saved_lists.ALL and not says_something:
            query = replace(current.list, search=query.search)
        return cls(tabs, current, query)

    @cached_property
    def is_changed(self) -> bool:
        """Whether the list differs from its tab's, search aside."""
        return self.query.unsearched.encode() != self.current.canonical

    @cached_property
    def came_from(self) -> str:
        """What a row's link adds, so that the record knows its neighbours in this list."""
        return escape("?" + urlencode({"from": self.query.encode(is_explicit=True)}))

    def params(self, query: ListQuery) -> str:
        """The query string of a variation of this list under the same tab."""
        if self.current is saved_lists.ALL:
            return query.encode()
        pairs = urlencode({"view": self.current.key})
        if query.unsearched.encode() == self.current.canonical:
            rest = urlencode({"q": query.search}) if query.search else ""
        else:
            rest = query.encode(is_explicit=True)
        return f"{pairs}&{rest}" if rest else pairs

    def url(self, query: ListQuery | None = None, *, cursor: str = "") -> str:
        """The address of a variation of this list."""
        params = self.params(query or self.query)
        if cursor:
            params = f"{params}&cursor={cursor}" if params else f"cursor={cursor}"
        return saved_lists.page() + (f"?{params}" if params else "")

    def hidden(self, *, without: str = "", is_explicit: bool = False) -> SafeString:
        """The list as hidden fields, for forms that change one thing about it."""
        text = self.params(self.query)
        if is_explicit:
            text = f"{urlencode({'view': self.current.key})}&{self.query.encode(is_explicit=True)}"
        pairs = [
            (name, value) for name, values in QueryDict(text).lists() for value in values if name != without
        ]
        return mark_safe(  # noqa: S308  every value is escaped
            "".join(f'<input type="hidden" name="{escape(n)}" value="{escape(v)}">' for n, v in pairs)
        )


@require_safe
@needs(Can.READ_DRIVERS)
def drivers(request: PageRequest) -> HttpResponse:
    """The page, or for htmx its changed part."""
    where = Address.of(request, request.GET)
    addition = filters.parse_addition(request.GET)
    if addition or "old" in request.GET:
        query = where.query.without(request.GET.get("old", ""))
        where.query = query.with_filter(addition) if addition else query
        if not is_swap(request):
            return redirect(where.url())
    try:
        context = _context(request, where)
    except Refused:  # a page marker of another order or another time
        return redirect(where.url())
    target = request.headers.get("HX-Target", "")
    whole = not is_swap(request) or "HX-History-Restore-Request" in request.headers
    template = (
        "desk/drivers.html"
        if whole
        else "desk/_drivers_found.html"
        if target == "found"
        else "desk/_drivers.html"
    )
    response = render(request, template, {**context, "is_part": not whole, "is_search": target == "found"})
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    if not whole and (addition or {"old", "menu"} & request.GET.keys()):
        response["HX-Push-Url"] = where.url()
    return response


def _context(request: PageRequest, where: Address) -> dict[str, object]:
    user = request.user
    viewer = filters.Viewer.now(user.pk)
    query = where.query
    found = filters.find(query, viewer)
    page = found.page(*columns.reads(query.columns), cursor=request.GET.get("cursor"), limit=ROWS)
    staff = unchanged.kept(request, "staff-names", staff_names)
    around = Around.of(page.items, query.columns, staff)
    access = request.access
    may_edit, may_export = access.may(Can.EDIT_DRIVERS), access.may(Can.EXPORT)
    may_contact = access.may(Can.CONTACT_DRIVER)
    may_tick = may_edit or may_contact or may_export
    if where.is_changed or query.search:
        total = found.total
    else:
        total = saved_lists.total(request, where.current, user, lambda: found.total)
    has_any = bool(page.items) or bool(query.filters or query.search) or _any_driver()
    return {
        "where": where,
        "tabs": [
            (one, one.key == where.current.key, saved_lists.shown_count(request, one, user))
            for one in where.tabs
        ],
        "asks_counts": getattr(request, "wants_counts", False),
        "total": saved_lists.in_words(total),
        "range": _range(page, total, request.GET.get("cursor")),
        "newer": where.url(cursor=page.previous_cursor) if page.previous_cursor else "",
        "older": where.url(cursor=page.next_cursor) if page.next_cursor else "",
        "table": SafeString(_table(where, page.items, around, can_tick=may_tick)),
        "phone_rows": SafeString("".join(_phone_row(row, around, where.came_from) for row in page.items)),
        "chips": chips(where, staff, viewer),
        "sorts": _sorts(where),
        "chooser": _chooser(query),
        "is_own_view": where.current.saved is not None and where.current.saved.owner_id == user.pk,
        "may_edit": may_edit,
        "may_contact": may_contact,
        "may_tick": may_tick,
        "may_export": may_export,
        "may_import": access.may(Can.IMPORT),
        "is_empty": not page.items,
        "is_first_run": not has_any,
        "state": query.encode(),
        "state_url": where.params(query),
        "roomy_url": where.url(replace(query, is_roomy=not query.is_roomy)),
        "no_filters_url": where.url(replace(query, filters=(), search="")),
        "fewer_url": where.url(_one_less(query)),
        "plain_columns_url": where.url(replace(query, columns=where.current.list.columns)),
        "chooser_is_open": request.GET.get("menu") == "columns",
        "hidden_unsearched": where.hidden(without="q"),
        "hidden_uncolumned": where.hidden(without="cols", is_explicit=True),
        "import_url": page_address("imports"),
        "select_total": total if total is not None else filters.COUNTED + 1,
    }


def _any_driver() -> bool:
    return Driver.objects.exists()


def _one_less(query: ListQuery) -> ListQuery:
    """The list without the search, else without its last filter."""
    return query.unsearched if query.search else replace(query, filters=query.filters[:-1])


def _range(page: Page[Row], total: int | None, cursor: str | None) -> str:
    """`1–50 of 312`. Further on, a page knows what it shows but not how many came before."""
    if not page.items:
        return "None"
    of = f" of {saved_lists.in_words(total)}"
    return f"{len(page.items)}{of}" if cursor else f"1–{len(page.items)}{of}"


@dataclass(frozen=True)
class Chip:
    """A filter on the page: its words, the list without it, and the menu that changes it."""

    words: filters.Described
    remove_url: str
    edit: str


def chips(where: Address, staff: Mapping[str, str], viewer: filters.Viewer) -> list[Chip]:
    """One chip for each filter of the list."""
    return [
        Chip(words, where.url(where.query.without(words.filter.name)), words.filter.name)
        for words in filters.describe(where.query, staff, viewer.today)
    ]


def _sorts(where: Address) -> list[tuple[str, str, bool]]:
    """(words, address, chosen) of every order, for phones, where there are no column heads."""
    found = []
    for key, label in filters.SORTS.items():
        first = key if key in {"name", "next_follow_up"} else f"-{key}"
        found.append((label, where.url(replace(where.query, sort=first)), where.query.sort_key == key))
    return found


def _chooser(query: ListQuery) -> list[tuple[str, str, bool]]:
    """(key, words, shown) of every column, the shown ones in their order first."""
    rest = [key for key in filters.COLUMNS if key not in query.columns]
    return [(key, filters.COLUMNS[key], key in query.columns) for key in (*query.columns, *rest)]


# The table


def _table(where: Address, rows: list[Row], around: Around, *, can_tick: bool) -> str:
    query = where.query
    shown = [(key, COLUMN[key]) for key in query.columns]
    widths = "".join(f'<col style="width:{column.width}px">' for _, column in shown)
    heads = "".join(
        _head(where, column.head, column.sort, "r" if "r" in column.classes.split() else "")
        for _, column in shown
    )
    tick = (
        '<th><input type="checkbox" class="check" data-select-page aria-label="Select all on this page"></th>'
        if can_tick
        else "<td></td>"
    )
    total_width = (52 if can_tick else 12) + 204 + sum(column.width for _, column in shown)
    classes = "tbl" + ("" if can_tick else " bare") + (" roomy" if query.is_roomy else "")
    order = filters.SORTS[query.sort_key].lower()
    body = "".join(_row(row, shown, around, where.came_from, can_tick=can_tick) for row in rows)
    return (
        f'<table class="{classes}" style="min-width:{total_width}px"><caption class="sr">Drivers, '
        f"{escape(where.current.name)}, sorted by {order}</caption>"
        f'<colgroup><col style="width:{52 if can_tick else 12}px"><col style="width:204px">{widths}<col></colgroup>'
        f"<thead><tr>{tick}{_head(where, 'Driver', 'name')}{heads}<td></td></tr></thead>"
        f"<tbody data-rows>{body}</tbody></table>"
    )


def _head(where: Address, label: str, sort: str, classes: str = "") -> str:
    """A column's head. Pressing it sorts, the other way the second time, and not at all the third."""
    css = f' class="{classes}"' if classes else ""
    if not sort:
        return f"<th{css}>{label}</th>"
    first = sort if sort in {"name", "next_follow_up"} else f"-{sort}"
    now = where.query.sort
    second = first.removeprefix("-") if first.startswith("-") else f"-{first}"
    then = second if now == first else filters.DEFAULT_SORT if now == second else first
    url = escape(where.url(replace(where.query, sort=then)))
    arrow, said = "", ""
    if where.query.sort_key == sort:
        falling = now.startswith("-")
        arrow = icons.icon("down" if falling else "up", 12)
        said = f' aria-sort="{"descending" if falling else "ascending"}"'
    return (
        f'<th{css}{said}><a class="row g4" href="{url}" hx-get="{url}" hx-target="#drivers" hx-swap="outerHTML"'
        f' hx-push-url="true">{label}{arrow}</a></th>'
    )


def _row(
    row: Row, shown: list[tuple[str, columns.Column]], around: Around, came_from: str, *, can_tick: bool
) -> str:
    pk, name = row["id"], escape(row["name"])
    cells = "".join(
        f'<td class="{column.classes}">{column.cell(row, around)}</td>'
        if column.classes
        else f"<td>{column.cell(row, around)}</td>"
        for _, column in shown
    )
    tick = (
        f'<td><input type="checkbox" class="check" name="driver" value="{pk}" data-select'
        f' aria-label="Select {name}"></td>'
        if can_tick
        else "<td></td>"
    )
    return (
        f'<tr data-row="{pk}" tabindex="-1">{tick}<td><div class="who">{parts.avatar(row["name"])}'
        f'<a class="nm" href="/drivers/{pk}/{came_from}" data-open>{name}</a></div></td>{cells}<td></td></tr>'
    )


def _phone_row(row: Row, around: Around, came_from: str) -> str:
    """Two lines: who and when last, where on the path and what is next."""
    name = escape(row["name"])
    last = columns.last_contact(row, around, "Never contacted").replace(
        ' class="row g6 soft"', ' class="row g4"'
    )
    next_due = columns.due(row["next_follow_up_date"], around, " xs end")
    status = columns.status(row, around, "bare")
    return (
        f'<li data-row="{row["id"]}">{parts.avatar(row["name"], "md")}'
        f'<a class="med trunc" href="/drivers/{row["id"]}/{came_from}">{name}</a><span class="xs mute">{last}</span>'
        f'<div class="l2">{status}{next_due}</div></li>'
    )


# Filters, counts


@require_safe
@needs(Can.READ_DRIVERS)
def driver_filters(request: PageRequest) -> HttpResponse:
    """Every field to filter by, each with its small form: a menu of the list, or a page on phones."""
    where = Address.of(request, request.GET)
    staff = unchanged.kept(request, "staff-names", staff_names)
    viewer = filters.Viewer.now(request.user.pk)
    edited = request.GET.get("edit", "")
    found = {one.name: one for one in where.query.filters}
    shown = [
        _field_form(field, found.get(edited), staff)
        for field in filters.FIELDS.values()
        if not edited or edited not in found or field.key == found[edited].field
    ]
    context = {
        "where": where,
        "fields": shown,
        "chips": chips(where, staff, viewer),
        "old": edited if edited in found else "",
        "hidden": where.hidden(),
        "base": where.params(where.query),
    }
    return render(request, "desk/_filter_menu.html" if is_swap(request) else "desk/filters.html", context)


@dataclass(frozen=True)
class FieldForm:
    """One field of the filter menu: its operators, what can be ticked or typed, and ready-made conditions."""

    field: Field
    ops: list[tuple[str, str]]
    choices: list[tuple[str, str]]
    ready: list[tuple[str, str, str]]
    op: str
    values: tuple[str, ...]

    @property
    def typed(self) -> str:
        """The kind of input for a typed value, empty where values are ticked."""
        return {"date": "date", "number": "number", "text": "text"}.get(self.field.kind, "")

    @property
    def typed_value(self) -> str:
        return self.values[-1] if self.values and (self.op != "is" or self.field.kind == "text") else ""


def _field_form(field: Field, edited: filters.Filter | None, staff: Mapping[str, str]) -> FieldForm:
    ops = list(field.ops.items())
    choices: list[tuple[str, str]] = []
    ready: list[tuple[str, str, str]] = []
    if field.kind == "choice":
        choices = list(field.choices)
    elif field.kind == "owner":
        choices = [("me", "Me"), ("none", "Nobody"), *staff.items()]
    elif field.kind in {"date", "number"}:
        ops = [(op, words) for op, words in ops if op != "is"]
        ready = [("is", value, words) for value, words in field.choices]
        if field.kind == "date":
            ready += COMING if field.key == "next_follow_up" else PAST
    chosen = edited if edited and edited.field == field.key else None
    return FieldForm(
        field, ops, choices, ready, chosen.op if chosen else ops[0][0], chosen.values if chosen else ()
    )


@require_safe
@needs(Can.READ_DRIVERS)
def driver_counts(request: PageRequest) -> HttpResponse:
    """The counts of the pinned views, and on the list also of its tabs, each put into its place."""
    user = request.user
    pins = [one.key for one in saved_lists.pinned(request, user)]
    has_tabs = request.GET.get("tabs") == "1"
    counts = {
        one.key: saved_lists.counted(request, one, user)
        for one in saved_lists.named_lists(request, user)
        if has_tabs or one.key in pins
    }
    places = {f"tab-{key}": words for key, words in counts.items()} if has_tabs else {}
    places |= {f"pin-{key}": counts[key] for key in pins}
    return render(request, "desk/_counts.html", {"places": places.items()})
