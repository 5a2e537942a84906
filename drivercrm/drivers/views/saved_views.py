"""Lists that people name, share, pin and delete."""

from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.filters import parse
from drivercrm.drivers.forms.many import ViewForm
from drivercrm.drivers.models import SavedView
from drivercrm.ui.answers import is_swap, refuse_in
from drivercrm.ui.toasts import toast

ASK_OR_DO = require_http_methods(["GET", "HEAD", "POST"])
SALT = "drivers.saved_views"


def _list(params: QueryDict) -> str:
    """The list on the page, as a view keeps it: without the search."""
    return parse(params).unsearched.encode()


def _url(view: SavedView) -> str:
    return f"{reverse('drivers')}?{urlencode({'view': view.pk})}"


def _to(request: PageRequest, address: str) -> HttpResponse:
    if is_swap(request):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    response = redirect(address)
    response.status_code = 303
    return response


def _ask(request: PageRequest, form: ViewForm, query: str, view: SavedView | None) -> HttpResponse:
    context = {
        "form": form,
        "query": query,
        "view": view,
        "action": request.path,
        "title": "Edit view" if view else "Save view",
        "takes_list": view is not None and parse(query).encode() != parse(view.query).encode(),
        "back": _url(view) if view else reverse("drivers"),
        "is_swap": is_swap(request),
    }
    template = "drivers/_view.html" if is_swap(request) else "drivers/view.html"
    return render(request, template, context, status=422 if form.errors else 200)


@ASK_OR_DO
@needs(Can.SAVE_VIEWS)
def saved_views(request: PageRequest) -> HttpResponse:
    """Names the list on the page."""
    me = request.user
    if request.method != "POST":
        return _ask(request, ViewForm(), _list(request.GET), None)
    form = ViewForm(request.POST)
    query = _list(QueryDict(request.POST.get("query", "")))
    if form.is_valid():
        values = form.cleaned_data
        try:
            view = drivers.save_view(
                me,
                name=values["name"],
                query=query,
                is_shared=values["is_shared"],
                is_pinned=values["is_pinned"],
                by=request.access.actor,
            )
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, f"View “{view.name}” saved")
            return _to(request, _url(view))
    return _ask(request, form, query, None)


@ASK_OR_DO
@needs(Can.SAVE_VIEWS)
def saved_view(request: PageRequest, pk: UUID) -> HttpResponse:
    """Renames, shares, pins one's own view, or lets it take the list on the page."""
    view = get_object_or_404(SavedView, pk=pk, owner=request.user)
    if request.method != "POST":
        start = {"name": view.name, "is_shared": view.is_shared, "is_pinned": view.is_pinned}
        shown = _list(request.GET) if set(request.GET) - {"view", "q"} else view.query
        return _ask(request, ViewForm(initial=start), shown, view)
    form = ViewForm(request.POST)
    query = _list(QueryDict(request.POST.get("query", "")))
    if form.is_valid():
        values = form.cleaned_data
        try:
            drivers.change_view(
                view,
                name=values["name"],
                is_shared=values["is_shared"],
                is_pinned=values["is_pinned"],
                query=query if values["takes_list"] else None,
                by=request.access.actor,
            )
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, f"View “{view.name}” saved")
            return _to(request, _url(view))
    return _ask(request, form, query, view)


@require_POST
@needs(Can.SAVE_VIEWS)
def saved_view_deletion(request: PageRequest, pk: UUID) -> HttpResponse:
    """Deletes one's own view; the toast brings it back."""
    view = get_object_or_404(SavedView, pk=pk, owner=request.user)
    name = view.name
    kept = drivers.delete_view(view, by=request.access.actor) | {"owner": str(request.user.pk)}
    undo = f"{reverse('saved_view_restoration')}?{urlencode({'kept': signing.dumps(kept, salt=SALT, compress=True)})}"
    toast(request, f"View “{name}” deleted", undo)
    return _to(request, reverse("drivers"))


@require_POST
@needs(Can.SAVE_VIEWS)
def saved_view_restoration(request: PageRequest) -> HttpResponse:
    """Brings a deleted view back, within a day, for the person whose it was."""
    try:
        kept = signing.loads(request.GET.get("kept", ""), salt=SALT, max_age=86_400)
    except signing.BadSignature as error:
        raise Refused("nothing_to_undo", "This view can no longer be brought back.") from error
    if kept.pop("owner") != str(request.user.pk):
        raise Refused("nothing_to_undo", "This view was not yours.")
    view = drivers.restore_view(kept, request.user, by=request.access.actor)
    toast(request, f"View “{view.name}” is back")
    return _to(request, _url(view))
