"""What an action answers: news for the page that stays, the way back for a browser without JavaScript."""

from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from drivercrm.core.errors import Refused

DRIVER_CHANGED = "driver-changed"


def is_swap(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page that stays."""
    return request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers


def changed(request: HttpRequest, page: str, *, news: str = DRIVER_CHANGED) -> HttpResponse:
    """After a change: nothing but the news for htmx, so that each region refreshes itself; else back to the page.

    `page` is where a browser without JavaScript goes, unless the form named a `next` of this site.
    """
    if is_swap(request):
        return HttpResponse(status=204, headers={"HX-Trigger": news})
    response = redirect(next_page(request, page))
    response.status_code = 303
    return response


def changed_part(
    request: HttpRequest, page: str, template: str, context: dict[str, object], *, news: str = DRIVER_CHANGED
) -> HttpResponse:
    """After a change made in a form of the page: the fragment that takes the form's place, and the news."""
    if not is_swap(request):
        return changed(request, page, news=news)
    response = render(request, template, context)
    response["HX-Trigger"] = news
    return response


def next_page(request: HttpRequest, page: str) -> str:
    """The address that the form named as `next`, if it is one of this site; else `page`."""
    wanted = request.POST.get("next", "")
    same_site = url_has_allowed_host_and_scheme(
        wanted, {request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and same_site else page


def refuse_in(form: BaseForm, refusal: Refused) -> None:
    """Shows a verb's refusal at the field that caused it, or above the form."""
    field = refusal.field if refusal.field in form.fields else None
    form.add_error(field, refusal.sentence)
