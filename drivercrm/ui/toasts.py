"""Short messages after an action, with Undo where the action can be taken back (design §3, Toast)."""

from collections.abc import Iterable
from typing import Literal

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.html import format_html
from django.utils.safestring import SafeString

from drivercrm.ui import icons

Level = Literal["ok", "info", "warn", "danger"]

NUMBERS = {
    "ok": messages.SUCCESS,
    "info": messages.INFO,
    "warn": messages.WARNING,
    "danger": messages.ERROR,
}
LOOKS = {
    messages.SUCCESS: ("ok", "check"),
    messages.WARNING: ("warn", "warn"),
    messages.ERROR: ("danger", "alert"),
}


def toast(request: HttpRequest, text: str, undo_url: str = "", level: Level = "ok") -> None:
    """Shows a sentence on the next answer; `undo_url` adds an Undo button that POSTs there (key Z)."""
    messages.add_message(request, NUMBERS[level], text, extra_tags=undo_url)


def answered_out_of_band(request: HttpRequest) -> bool:
    """Whether the answer replaces a part of the page, so that toasts travel beside it."""
    swapped = request.headers.get("HX-Request") == "true"
    return (
        swapped
        and "HX-Boosted" not in request.headers
        and "HX-History-Restore-Request" not in request.headers
    )


def render(request: HttpRequest, pending: Iterable[Message]) -> SafeString:
    """The pending messages as toasts. Errors stay until closed, the others go after 8 seconds."""
    return SafeString("".join(_one(request, message) for message in pending))


def _one(request: HttpRequest, message: Message) -> SafeString:
    look, drawing = LOOKS.get(message.level, ("info", "info"))
    undo: SafeString | str = ""
    target = message.extra_tags or ""
    if target.startswith("/") and not target.startswith("//"):
        undo = format_html(
            '<form method="post" action="{}" hx-post="{}" hx-swap="none" data-undo>'
            '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
            '<button class="btn sm" data-key="z">Undo <kbd>Z</kbd></button></form>',
            target,
            target,
            get_token(request),
        )
    stays = look == "danger"
    return format_html(
        '<div class="toast {}{}" role="{}"{}>{}<span class="t">{}</span>{}'
        '<button type="button" class="btn ghost sm icon needs-script" data-dismiss aria-label="Dismiss">'
        "{}</button></div>",
        look,
        " still" if stays else "",
        "alert" if stays else "status",
        "" if stays else SafeString(" data-timed"),
        icons.icon(drawing),
        message.message,
        undo,
        icons.icon("x", 14),
    )
