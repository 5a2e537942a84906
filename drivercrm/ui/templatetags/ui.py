"""Tags and filters of every template; the settings make them builtin, so no page loads them.

Marks and charts live in drivercrm.ui.parts and .charts, formats in drivercrm.ui.formats.
"""

from collections.abc import Sequence

from django import template
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.template.context import Context
from django.template.exceptions import TemplateSyntaxError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drivercrm.ui import assets, charts, formats, icons, parts, shell, toasts, words

register = template.Library()

register.filter(formats.phone)
register.filter(formats.money)
register.filter(formats.number)
register.filter(formats.ago)
register.filter(formats.day)
register.filter(formats.short_day)
register.filter(formats.day_time)
register.filter(formats.clock_time)
register.filter(formats.span)

register.simple_tag(icons.glyph)
register.simple_tag(parts.status_pill)
register.simple_tag(parts.avatar)
register.simple_tag(parts.score)
register.simple_tag(parts.ring)
register.simple_tag(parts.delta)
register.simple_tag(charts.spark)
register.simple_tag(charts.bars)
register.simple_tag(charts.stacked)
register.simple_tag(charts.lines)
register.simple_tag(charts.heat)
register.simple_tag(charts.as_table)


@register.simple_tag
def icon(name: str, size: int = 16, classes: str = "") -> SafeString:
    """An icon of the sprite in the text's colour: `{% icon "search" 16 %}`."""
    try:
        return icons.icon(name, size, classes)
    except KeyError as unknown:
        raise TemplateSyntaxError(str(unknown)) from unknown


@register.simple_tag
def drawing(name: str) -> SafeString:
    """A line drawing for an empty state: inbox, search, lock, people, broken."""
    try:
        return parts.drawing(name)
    except KeyError as unknown:
        raise TemplateSyntaxError(str(unknown)) from unknown


@register.simple_tag
def mark(size: int = 20, classes: str = "mark") -> SafeString:
    """The product's mark."""
    return icons.draw("mark", size, classes)


@register.simple_tag
def channel(kind: str, consent: str = "granted", preferred: bool = False) -> SafeString:
    """A channel's icon with its consent: granted, never_asked, asked, withdrawn or none."""
    try:
        return parts.channel(kind, consent, preferred)
    except KeyError as unknown:
        raise TemplateSyntaxError(f"No channel or consent state {unknown}") from unknown


@register.simple_tag
def priority(level: str, variant: str = "") -> SafeString:
    """A ticket's priority: low, medium, high or urgent; variant `mark` hides the word."""
    try:
        return parts.priority(level, variant)
    except KeyError as unknown:
        raise TemplateSyntaxError(f"No priority {unknown}") from unknown


@register.simple_tag
def ticks(state: str, text: str = "") -> SafeString:
    """How far a message got: queued, sent, delivered, read, replied or failed."""
    try:
        return parts.ticks(state, text)
    except KeyError as unknown:
        raise TemplateSyntaxError(f"No delivery state {unknown}") from unknown


@register.simple_tag
def asset(name: str, missing: str | None = None) -> str:
    """The address of a built file. Without the build it raises NotBuilt, or gives `missing`."""
    try:
        return assets.url(name)
    except assets.NotBuilt:
        if missing is None:
            raise
        return missing


@register.simple_tag(takes_context=True)
def frame(context: Context, template: str) -> SafeString:
    """A part of the frame around every page, from nothing but the shell, the theme and the page's token."""
    made = getattr(context["shell"], "made", context["shell"])
    token = str(context.get("csrf_token") or "")
    return SafeString(shell.draw(template, made, str(context.get("theme") or ""), token))


@register.simple_tag(takes_context=True)
def pending_toasts(context: Context) -> SafeString:
    """The toasts of a full page; an htmx answer gets its own from the middleware."""
    request: HttpRequest | None = context.get("request")
    if request is None or toasts.answered_out_of_band(request):
        return SafeString("")
    return toasts.render(request, get_messages(request))


@register.filter
def status_name(status: str) -> str:
    """The words for a driver status: `Onboarding started`."""
    return words.STATUSES.get(status, status)


@register.filter
def channel_name(kind: str) -> str:
    """The words for a channel: `WhatsApp`."""
    return words.CHANNELS.get(kind, kind)


@register.filter
def breakable(address: str) -> SafeString:
    """A mail address that breaks before its @ where a line is too narrow for it."""
    return format_html_join(SafeString("<wbr>@"), "{}", ((part,) for part in address.split("@")))


@register.simple_tag
def sort_header(label: str, url: str, direction: str = "") -> SafeString:
    """The inside of a sortable column head; direction is "ascending" or "descending" on the sorted column.

    The `<th>` itself carries `aria-sort` with the same word.
    """
    arrow: SafeString | str = ""
    if direction:
        arrow = icons.icon("up" if direction == "ascending" else "down", 12)
    return format_html('<a class="row g4" href="{}">{}{}</a>', url, label, arrow)


@register.filter
def described_by(ids: Sequence[str | None]) -> str:
    """Joins the ids of hints and errors that exist, for `aria-describedby`."""
    return " ".join(one for one in ids if one)
