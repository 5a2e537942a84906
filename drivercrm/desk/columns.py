"""The columns of the drivers list: their heads, their cells on the page, their values in a file.

Cells are put together here instead of in a template: a page has 50 rows of ten, and the chooser mixes them freely.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F

from drivercrm.communications.models import Communication
from drivercrm.consent import queries as consent
from drivercrm.consent.enums import Purpose
from drivercrm.core import clock
from drivercrm.core.bulk import ByIds
from drivercrm.core.phone import is_mobile
from drivercrm.ui import formats, icons, parts, words

Row = dict[str, Any]

# what every row needs, whichever columns are shown: phones show these
READ = ("id", "name", "onboarding_status", "last_contact_date", "next_follow_up_date")
CHANNELS = ("whatsapp", "telegram", "email")
ADDRESSES = ("whatsapp_number", "telegram_username", "email")
MUTED_DASH = f'<span class="mute">{formats.DASH}</span>'


@dataclass
class Around:
    """What the rows of one page need beside their own columns: each is one query, or none."""

    staff: Mapping[str, str]
    now: datetime
    today: datetime
    consents: Mapping[UUID, consent.State]
    last_channels: Mapping[UUID, str]
    zone: ZoneInfo = field(default_factory=clock.zone)
    drawn: dict[object, str] = field(default_factory=dict)

    def once(self, key: object, draw: Callable[[], str]) -> str:
        """A mark that many rows share, drawn once for the page."""
        known = self.drawn.get(key)
        if known is None:
            known = self.drawn[key] = draw()
        return known

    @classmethod
    def of(cls, rows: list[Row], columns: Iterable[str], staff: Mapping[str, str]) -> "Around":
        shown = set(columns)
        ids = [row["id"] for row in rows]
        return cls(
            staff,
            clock.now(),
            clock.day_start(clock.today()),
            consent.states(ids) if "channels" in shown and ids else {},
            last_channels({row["id"]: row["last_contact_date"] for row in rows}),
        )


LAST = ByIds(
    lambda ids: Communication.objects.filter(driver_id__in=ids, sent_at=F("driver__last_contact_date")),
    ("driver_id", "channel"),
)


def last_channels(contacted: Mapping[UUID, datetime | None]) -> dict[UUID, str]:
    """The channel of each driver's last contact, which is given by driver; one query at most."""
    ids = [pk for pk, moment in contacted.items() if moment]
    return dict(LAST.read(ids)) if ids else {}


def channel_states(row: Row, states: consent.State) -> list[tuple[str, str]]:
    """(channel, state) of the three channels for the driver's own matters; `none` where there is no address."""
    number = row["whatsapp_number"] or (row["phone"] if row["phone"] and is_mobile(row["phone"]) else "")
    addresses = (number, row["telegram_username"], row["email"])
    return [
        (channel, str(consent.state_of(states, channel, Purpose.SERVICE)) if address else "none")
        for channel, address in zip(CHANNELS, addresses, strict=True)
    ]


def _channels(row: Row, around: Around) -> str:
    states = channel_states(row, around.consents.get(row["id"], {}))
    preferred = row["preferred_channel"]

    def draw() -> str:
        marks = (parts.channel(one, state, one == preferred and state != "none") for one, state in states)
        return f'<span class="chs">{"".join(marks)}</span>'

    return around.once((preferred, *states), draw)


def status(row: Row, around: Around, variant: str = "") -> str:
    """The status with its ring."""
    now = row["onboarding_status"]
    return around.once((variant, now), lambda: parts.status_pill(now, variant))


def _status(row: Row, around: Around) -> str:
    return status(row, around)


def _phone(row: Row, around: Around) -> str:
    return escape(formats.phone(row["phone"])) or MUTED_DASH


def _score(row: Row, around: Around) -> str:
    value = row["engagement_score"]
    shown = None if value is None else round(value)
    return around.once(("score", shown), lambda: parts.score(shown))


def percent(share: float | None) -> str:
    """`83%`, or a dash."""
    return formats.DASH if share is None else f"{round(share * 100)}%"


def _replies(row: Row, around: Around) -> str:
    return percent(row["response_rate"])


def last_contact(row: Row, around: Around, never: str = "Never") -> str:
    """How long since the last contact, with the channel it came by."""
    moment = row["last_contact_date"]
    if not moment:
        return f'<span class="mute">{never}</span>'
    channel = around.last_channels.get(row["id"])
    mark, said = around.once(("by", channel), lambda: _by(channel)).split("|")
    return f'<span class="row g6 soft">{mark}{formats.ago(moment)}{said}</span>'


def _by(channel: str | None) -> str:
    """The channel's icon, and its name for screen readers behind the time."""
    if channel is None:
        return "|"
    return f'{icons.icon(channel, 14)}|<span class="sr"> ago by {words.CHANNELS[channel]}</span>'


def _last_contact(row: Row, around: Around) -> str:
    return last_contact(row, around)


def due(moment: datetime | None, around: Around, classes: str = "") -> str:
    """A follow-up's day: late in red, today in strong, others plain. A whole day is late when it is over."""
    if not moment:
        return ""
    if moment < around.now and moment != around.today:
        late = formats.ago(moment)
        return f'<span class="due danger{classes}">{icons.icon("alarm", 14)}Overdue {late}</span>'
    if moment < around.today + timedelta(days=1):
        hour = "" if moment == around.today else f" {moment.astimezone(around.zone):%H:%M}"
        return f'<span class="due med{classes}">{icons.icon("clock", 14)}Today{hour}</span>'
    local = moment.astimezone(around.zone)
    return f'<span class="soft{classes}">{formats.DAYS[local.weekday()]} {formats.short_day(local.date())}</span>'


def _next_follow_up(row: Row, around: Around) -> str:
    return due(row["next_follow_up_date"], around) or MUTED_DASH


def _owner(row: Row, around: Around) -> str:
    return escape(around.staff.get(str(row["owner_id"]), "")) or MUTED_DASH


def _count(row: Row, around: Around) -> str:
    return formats.number(row["total_communications"])


@dataclass(frozen=True)
class Column:
    """One column on the page: its head, width in pixels, its cell, the database columns it reads beside READ,

    and the order that its head sorts by.
    """

    head: str
    width: int
    cell: Callable[[Row, Around], str]
    reads: tuple[str, ...] = ()
    sort: str = ""
    classes: str = ""


def _plain(head: str, width: int, name: str) -> Column:
    """A column shown as it is stored."""

    def cell(row: Row, around: Around) -> str:
        return escape(row[name]) if row[name] else MUTED_DASH

    return Column(head, width, cell, (name,), classes="soft")


def _day(head: str, name: str) -> Column:
    """A moment shown as its day."""

    def cell(row: Row, around: Around) -> str:
        return formats.short_day(row[name]) if row[name] else MUTED_DASH

    return Column(head, 110, cell, (name,), classes="soft")


COLUMN: dict[str, Column] = {
    "status": Column("Status", 186, _status),
    "channels": Column("Channels", 100, _channels, ("preferred_channel", "phone", *ADDRESSES)),
    "phone": Column("Phone", 140, _phone, ("phone",), classes="soft"),
    "engagement_score": Column("Engagement", 112, _score, ("engagement_score",), "engagement_score"),
    "response_rate": Column("Replies", 84, _replies, ("response_rate",), "response_rate", "r"),
    "last_contact": Column("Last contact", 118, _last_contact, sort="last_contact"),
    "next_follow_up": Column("Next follow-up", 134, _next_follow_up, sort="next_follow_up"),
    "owner": Column("Owner", 120, _owner, ("owner_id",), classes="soft"),
    "timo_driver_id": _plain("Timo driver ID", 130, "timo_driver_id"),
    "pathpulse_account_id": _plain("PathPulse account", 150, "pathpulse_account_id"),
    "first_contact": _day("First contact", "first_contact_date"),
    "completed": _day("Completed", "onboarding_complete_date"),
    "last_active": _day("Last active", "last_active_date"),
    "messages": Column("Messages", 90, _count, ("total_communications",), classes="r"),
}


def reads(shown: Iterable[str]) -> tuple[str, ...]:
    """The database columns that a list with these columns reads."""
    return tuple(dict.fromkeys((*READ, *(name for key in shown for name in COLUMN[key].reads))))
