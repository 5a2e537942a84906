"""What the look adds to answers: toasts beside swapped fragments, and a readable refusal."""

from collections.abc import Callable

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.html import format_html

from drivercrm.core.errors import Refused
from drivercrm.ui import toasts
from drivercrm.ui.refusals import refused

LEAVES_THE_PAGE = ("HX-Redirect", "HX-Refresh", "HX-Location")


class Toasts:
    """Appends pending toasts to htmx answers; full pages render theirs in the shell.

    An answer that makes the browser load a page leaves them for that page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Adds the toasts where the answer is a fragment of HTML, or nothing at all."""
        response = self.get_response(request)
        if not toasts.answered_out_of_band(request) or not isinstance(response, HttpResponse):
            return response
        if not 200 <= response.status_code < 300 or any(name in response for name in LEAVES_THE_PAGE):
            return response
        empty = response.status_code == 204
        if not empty and not response.get("Content-Type", "").startswith("text/html"):
            return response
        pending = get_messages(request)
        shown = toasts.render(request, pending) if len(pending) else ""
        if not shown:
            return response
        if empty:
            # htmx ignores the body of a 204; this one must be read, and must replace nothing
            response.status_code = 200
            response["HX-Reswap"] = "none"
            response["Content-Type"] = "text/html; charset=utf-8"
        response.write(format_html('<div hx-swap-oob="beforeend:#toasts">{}</div>', shown))
        if "Content-Length" in response:
            response["Content-Length"] = str(len(response.content))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A refusal that no view caught becomes a page or a toast with its sentence, never a 500."""
        return refused(request, exception) if isinstance(exception, Refused) else None
