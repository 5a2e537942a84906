"""A list of drivers as a file: its filters, its order, its columns (spec §1, §11)."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from drivercrm.accounts import queries as accounts
from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.consent import queries as consent
from drivercrm.consent.enums import ConsentState
from drivercrm.core import clock, spreadsheets
from drivercrm.core.errors import Refused
from drivercrm.desk.columns import Row, channel_states
from drivercrm.desk.drivers_list import staff_names
from drivercrm.drivers import filters
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.filters import FIELDS, Described, ListQuery, Viewer
from drivercrm.drivers.models import Driver, DriverQuerySet
from drivercrm.ui import words
from drivercrm.ui.answers import is_swap

CHUNK = 2000
READ = (
    "id",
    "name",
    "phone",
    "email",
    "onboarding_status",
    "whatsapp_number",
    "telegram_username",
    "engagement_score",
    "response_rate",
    "last_contact_date",
    "next_follow_up_date",
    "owner_id",
    "timo_driver_id",
    "pathpulse_account_id",
    "first_contact_date",
    "onboarding_complete_date",
    "last_active_date",
    "total_communications",
)
CONSENT_WORDS = dict(ConsentState.choices) | {"none": ""}

Value = Callable[[Row, dict[str, str], consent.State], object]


def _column(name: str) -> Value:
    return lambda row, staff, states: row[name]


def _moment(name: str) -> Value:
    def value(row: Row, staff: dict[str, str], states: consent.State) -> datetime | None:
        """In local time and without a zone, as spreadsheets know it."""
        at = row[name]
        return at.astimezone(clock.zone()).replace(tzinfo=None) if at else None

    return value


def _consent(channel: str) -> Value:
    return lambda row, staff, states: CONSENT_WORDS[dict(channel_states(row, states))[channel]]


def _share(row: Row, staff: dict[str, str], states: consent.State) -> object:
    return None if row["response_rate"] is None else round(row["response_rate"], 4)


# heading and value of each column of the page; some need more than one in a file
VALUES: dict[str, list[tuple[str, Value]]] = {
    "status": [("Status", lambda row, staff, states: words.STATUSES[row["onboarding_status"]])],
    "channels": [
        (f"{words.CHANNELS[channel]} consent", _consent(channel))
        for channel in ("whatsapp", "telegram", "email")
    ],
    "phone": [("Phone", _column("phone"))],
    "engagement_score": [("Engagement score", _column("engagement_score"))],
    "response_rate": [("Response rate", _share)],
    "last_contact": [("Last contact", _moment("last_contact_date"))],
    "next_follow_up": [("Next follow-up", _moment("next_follow_up_date"))],
    "owner": [("Owner", lambda row, staff, states: staff.get(str(row["owner_id"]), ""))],
    "timo_driver_id": [("Timo driver ID", _column("timo_driver_id"))],
    "pathpulse_account_id": [("PathPulse account", _column("pathpulse_account_id"))],
    "first_contact": [("First contact", _moment("first_contact_date"))],
    "completed": [("Onboarding completed", _moment("onboarding_complete_date"))],
    "last_active": [("Last active", _moment("last_active_date"))],
    "messages": [("Messages, total", _column("total_communications"))],
}


def _headings(query: ListQuery) -> list[tuple[str, Value]]:
    fixed: list[tuple[str, Value]] = [("Name", _column("name")), ("Email", _column("email"))]
    return fixed + [pair for key in query.columns for pair in VALUES[key]]


def _rows(everyone: DriverQuerySet, query: ListQuery) -> Iterator[list[object]]:
    """Every row in the list's order, some thousand in memory at a time."""
    order = query.order
    column = F(order.field)
    by = column.desc(nulls_last=True) if order.descending else column.asc(nulls_last=True)
    last = "-id" if order.descending else "id"
    rows: Iterator[Row] = everyone.order_by(by, last).values(*READ).iterator(chunk_size=CHUNK)
    values = [value for _, value in _headings(query)]
    staff = staff_names()
    while chunk := list(islice(rows, CHUNK)):
        states = consent.states([row["id"] for row in chunk]) if "channels" in query.columns else {}
        for row in chunk:
            known = states.get(row["id"], {})
            yield [value(row, staff, known) for value in values]


@dataclass(frozen=True)
class _Wanted:
    """The drivers of a file and the list they come from: in words for whoever asks, and for the journal."""

    drivers: DriverQuerySet
    query: ListQuery
    said: str
    noted: str


def _wanted(data: QueryDict, viewer: Viewer) -> _Wanted:
    """What the address or the form asks for."""
    query = filters.parse(data.get("query", ""))
    if data.get("all") == "1":
        described = filters.describe(query, staff_names(), viewer.today)
        search = ["a search"] if query.search else []
        said = "; ".join([*map(str, described), *search]) or "All drivers"
        noted = "; ".join([*(_impersonal(one, viewer) for one in described), *search]) or "All drivers"
        return _Wanted(filters.matching(query, viewer), query, said, noted)
    ids: list[UUID] = filters.chosen(data, viewer)
    return _Wanted(Driver.objects.filter(pk__in=ids), query, "Ticked drivers", "Ticked drivers")


def _impersonal(one: Described, viewer: Viewer) -> str:
    """A filter in words that may be kept for good: what was typed may be a person's name or number (spec §11)."""
    field = FIELDS[one.filter.field]
    if field.kind == "text":
        return f"{one.label} {one.op} …"
    if field.kind == "owner":
        known = {value: field.says(value, {}, viewer.today) for value in ("me", "none")}
        value = ", ".join(dict.fromkeys(known.get(value, "somebody") for value in one.filter.values))
        return f"{one.label} {one.op} {value}"
    return str(one)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Can.EXPORT)
def driver_export(request: PageRequest) -> HttpResponseBase:
    """Asks for the format, then sends the file. Who took which list is in the journal before the first row leaves."""
    accounts.check_not_held()
    viewer = Viewer.now(request.user.pk)
    data = request.POST if request.method == "POST" else request.GET
    wanted = _wanted(data, viewer)
    count = wanted.drivers.count()
    if not count:
        raise Refused("nothing_selected", "There is nobody in this list.")
    if request.method != "POST":
        return _ask(request, data, count, wanted.said)
    kind = "xlsx" if data.get("format") == "xlsx" else "csv"
    if kind == "xlsx" and count > spreadsheets.MAX_XLSX_ROWS:
        raise Refused("too_many_rows", "This list is longer than an Excel sheet. Export it as CSV.")
    drivers.note_export(format=kind, filter=wanted.noted, rows=count, by=request.access.actor)
    headings = [heading for heading, _ in _headings(wanted.query)]
    return _file(kind, headings, _rows(wanted.drivers, wanted.query))


def _ask(request: PageRequest, data: QueryDict, count: int, said: str) -> HttpResponse:
    is_all = data.get("all") == "1"
    context: dict[str, Any] = {
        "count": count,
        "said": said,
        "is_all": is_all,
        "query": data.get("query", ""),
        "ids": [] if is_all else data.getlist("driver"),
        "back": reverse("drivers") + (f"?{data['query']}" if data.get("query") else ""),
    }
    return render(request, "desk/_export.html" if is_swap(request) else "desk/export.html", context)


def _file(kind: str, headings: list[str], rows: Iterator[list[object]]) -> HttpResponseBase:
    name = f"drivers-{clock.today():%Y-%m-%d}.{kind}"
    if kind == "csv":
        response = StreamingHttpResponse(
            spreadsheets.csv_chunks(headings, rows), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    file = tempfile.TemporaryFile()  # noqa: SIM115  the answer closes it
    spreadsheets.write_xlsx(file, headings, rows, sheet="Drivers")
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name)
