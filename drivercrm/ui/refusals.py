"""A verb said no: the sentence, as a page or as a toast."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from drivercrm.core.errors import NotAllowed, Refused


def refused(request: HttpRequest, refusal: Refused, status: int | None = None) -> HttpResponse:
    """The sentence of a refusal: plain text for htmx, which the page shows as a toast, else a page.

    The status is 403 for NotAllowed and 409 otherwise, unless given.
    """
    code = status or (403 if isinstance(refusal, NotAllowed) else 409)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(refusal.sentence, status=code, content_type="text/plain; charset=utf-8")
    return render(request, "ui/refused.html", {"refusal": refusal}, status=code)
