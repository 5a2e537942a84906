"""Every component in every state on one page, to look at and to test against."""

from datetime import timedelta
from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from drivercrm.core import clock
from drivercrm.ui import charts, icons, words

# fmt: off
COLOURS = [
    "canvas", "surface", "sunken", "hover", "active", "selected", "line", "line-strong", "control",
    "ink", "ink-2", "ink-3", "accent", "accent-hover", "accent-soft",
    "ok", "ok-soft", "warn", "warn-soft", "danger", "danger-soft",
    "c1", "c2", "c3", "c4", "h1", "h2", "h3", "h4", "h5",
]
# fmt: on
SIZES = [
    ("2xl", "24 / 32, 600. Key figures, sign-in title"),
    ("xl", "20 / 28, 600. Record title"),
    ("lg", "16 / 24, 600. Dialog and section titles"),
    ("md", "14 / 20. Messages, page title (600)"),
    ("sm", "13 / 20. Base: tables, controls, body"),
    ("xs", "12 / 16. Meta, table head, hints"),
    ("2xs", "11 / 16. Axis labels, counters, keys only"),
]
BUTTONS = [
    ("Primary", "primary"),
    ("Default", ""),
    ("Quiet", "ghost"),
    ("Danger", "danger"),
    ("Danger fill", "danger-fill"),
]
MONTHS = ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]


def _charts() -> list[tuple[str, object, object]]:
    """Title, chart and table of one example per kind."""
    invited, completed = [412, 438, 391, 455, 502, 438], [148, 151, 139, 172, 190, 164]
    rates = [31.0, 33.5, 35.1, 36.0, 37.4, 37.9]
    hours = [f"{hour:02d}" for hour in range(6, 22)]
    week = [[(day * 7 + hour * 11) % 23 for hour in range(16)] for day in range(7)]
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    pair = list(zip(MONTHS, invited, completed, strict=True))
    return [
        (
            "Bars with the compared period",
            charts.bars(completed, MONTHS, compare=invited, title="Completed per month, invited as a line"),
            charts.as_table("Invited and completed", ["Month", "Invited", "Completed"], pair),
        ),
        (
            "Lines",
            charts.lines(
                [
                    charts.Line("Completed", rates),
                    charts.Line(
                        "Replied",
                        [61, 60, None, 63, 62, 61.4],
                        "var(--color-c2)",
                        dashed=True,
                        marker="square",
                    ),
                ],
                MONTHS,
                target=(50, "Target 50%"),
                title="Completed and replied, percent per month",
                right_room=84,
            ),
            charts.as_table("Completed", ["Month", "Percent"], list(zip(MONTHS, rates, strict=True))),
        ),
        (
            "Layers",
            charts.stacked(
                [charts.Layer("Completed", completed), charts.Layer("Invited", invited, "var(--color-c2)")],
                MONTHS,
                title="Completed and invited per month",
            ),
            charts.as_table("Invited and completed", ["Month", "Invited", "Completed"], pair),
        ),
        (
            "Heat",
            charts.heat(days, hours, week, title="Replies by day and hour"),
            charts.as_table(
                "Replies", ["Day", *hours], [[day, *row] for day, row in zip(days, week, strict=True)]
            ),
        ),
    ]


def gallery(request: HttpRequest) -> HttpResponse:
    """The component gallery, without any data of drivers."""
    now = clock.now()
    context = {
        "colours": COLOURS,
        "sizes": SIZES,
        "buttons": BUTTONS,
        "statuses": words.STATUSES,
        "channels": words.CHANNELS,
        "priorities": words.PRIORITIES,
        "delivery": [state for state in words.DELIVERY if state != "replied"],
        "icons": icons.names("i-"),
        "charts": _charts(),
        "trend": [3, 4, 6, 5, 2, 1, 5, 6, 7, 4, 6, 2, 2, 6, 8, 7, 5, 6, 3, 2, 7, 6, 9, 8, 7],
        "amount": Decimal("1240.50"),
        "back": Decimal("-86.00"),
        "now": now,
        "earlier": now - timedelta(hours=3),
        "people": ["Thandeka Mkhize", "Sipho Dlamini", "Riaan van der Merwe", "Lerato Mokoena"],
        "widths": [70, 54, 82, 61, 75],
    }
    return render(request, "ui/gallery.html", context)
