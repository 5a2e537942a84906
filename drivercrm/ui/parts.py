"""The small marks of every row, as ready HTML: status, channel, person, score, priority, ticks, timer.

Strings are put together here instead of in templates: a list of 50 drivers shows some 400 of them.
"""

from functools import lru_cache
from math import pi

from django.utils.html import escape
from django.utils.safestring import SafeString

from drivercrm.ui import icons, words
from drivercrm.ui.formats import DASH, Number

RING = 2 * pi * 6


def status_pill(status: str, variant: str = "") -> SafeString:
    """A driver status with its ring and name; variant `bare` drops the outline."""
    name = words.STATUSES.get(status, status)
    classes = f"pill {escape(variant)}" if variant else "pill"
    return SafeString(f'<span class="{classes}">{icons.glyph(status)}{escape(name)}</span>')


def channel(kind: str, consent: str = "granted", preferred: bool = False) -> SafeString:
    """A channel's icon and its consent: granted, never_asked, asked, withdrawn, or none (no address)."""
    state, said = words.CONSENT[consent]
    text = f"{words.CHANNELS[kind]}: {said}" + (", preferred" if preferred else "")
    if state == "none":
        return SafeString(
            f'<span class="ch none" title="{text}"><span aria-hidden="true">{DASH}</span>'
            f'<span class="sr">{text}</span></span>'
        )
    mark = ""
    if state == "off":
        mark = icons.draw("c-off", 18, "c-off")
    elif state == "ask":
        mark = icons.draw("c-ask", 10, "c-ask")
    underline = " pref" if preferred else ""
    return SafeString(
        f'<span class="ch {state}{underline}" title="{text}">{icons.icon(kind)}{mark}'
        f'<span class="sr">{text}</span></span>'
    )


@lru_cache(maxsize=4096)
def initials(name: str) -> str:
    """Two capitals of a name, first and last part; particles in small letters (“van der”) do not count."""
    parts = [part for part in name.split() if part[0].isalnum()]
    parts = [part for part in parts if not part[0].islower()] or parts
    if not parts:
        return "?"
    last = parts[-1][0] if len(parts) > 1 else ""
    return (parts[0][0] + last).upper()


def avatar(name: str, classes: str = "") -> SafeString:
    """A person's initials in a disc: sizes `s20`, none (24), `md` (32), `lg` (40); `staff` for the team."""
    extra = f" {escape(classes)}" if classes else ""
    return SafeString(f'<span class="av{extra}" aria-hidden="true">{escape(initials(name or ""))}</span>')


def score(value: Number | None) -> SafeString:
    """The engagement score, 0 to 100, as a bar with its number."""
    if value is None:
        return SafeString(
            f'<span class="score mute"><span class="t"></span><span class="v">{DASH}</span></span>'
        )
    shown = round(value)
    width = min(100, max(0, shown))
    return SafeString(
        f'<span class="score"><span class="t" aria-hidden="true"><i style="width:{width}%"></i></span>'
        f'<span class="v">{shown}</span></span>'
    )


def ring(share: Number, size: int = 16, classes: str = "") -> SafeString:
    """A timer ring filled by the share of time left, 0 to 1."""
    left = RING * min(1.0, max(0.0, float(share)))
    extra = f" {escape(classes)}" if classes else ""
    return SafeString(
        f'<svg class="ring{extra}" width="{size}" height="{size}" viewBox="0 0 16 16" fill="none"'
        ' stroke-width="2" aria-hidden="true"><circle cx="8" cy="8" r="6" stroke="var(--color-line-strong)"/>'
        f'<circle cx="8" cy="8" r="6" stroke="currentColor" stroke-dasharray="{left:.1f} {RING:.1f}"/></svg>'
    )


def priority(level: str, variant: str = "") -> SafeString:
    """A ticket's priority as bars and word; variant `mark` leaves the word to screen readers."""
    name = words.PRIORITIES[level]
    drawing = icons.draw(f"p-{level}", 14)
    if variant == "mark":
        return SafeString(
            f'<span class="prio" title="{name}">{drawing}<span class="sr">{name} priority</span></span>'
        )
    return SafeString(f'<span class="prio">{drawing}{name}</span>')


def ticks(state: str, text: str = "") -> SafeString:
    """How far a message got: queued, sent, delivered, read, replied, failed; the word is always there."""
    drawing, name = words.DELIVERY[state]
    return SafeString(f'<span class="ticks {state}">{icons.icon(drawing, 14)}{escape(text or name)}</span>')


def delta(text: str, good: bool = True, up: bool = True) -> SafeString:
    """A change against the compared period: `up` is the arrow's direction, `good` its colour."""
    way = "up" if up else "down"
    return SafeString(
        f'<span class="delta {"up" if good else "down"}">{icons.icon(way, 12)}'
        f'<span class="sr">{way} </span>{escape(text)}</span>'
    )


def drawing(name: str) -> SafeString:
    """A line drawing for an empty or broken page: inbox, search, lock, people, broken."""
    return icons.draw(f"l-{name}", 56)
