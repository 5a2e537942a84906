"""Actions on many drivers: the ticked ones, or all that a list finds; and a new driver.

GET asks (a dialog over the list, or a page of its own without JavaScript), POST does and can be undone.
"""

from uuid import UUID

from django.db import transaction
from django.forms import Form
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.filters import Viewer, chosen
from drivercrm.drivers.forms.many import ManyFollowUpForm, ManyOwnerForm, ManyStatusForm, NewDriverForm
from drivercrm.drivers.models import FollowUp
from drivercrm.ui import formats
from drivercrm.ui.answers import changed, is_swap, refuse_in
from drivercrm.ui.toasts import toast

ASK_OR_DO = require_http_methods(["GET", "HEAD", "POST"])


def _chosen(request: PageRequest, data: QueryDict) -> list[UUID]:
    return chosen(data, Viewer.now(request.user.pk))


def people(count: int) -> str:
    """`1 driver`, `312 drivers`."""
    return "1 driver" if count == 1 else f"{formats.number(count)} drivers"


def _back(data: QueryDict) -> str:
    query = data.get("query", "")
    return reverse("drivers") + (f"?{query}" if query else "")


def _ask(
    request: PageRequest, data: QueryDict, ids: list[UUID], title: str, verb: str, form: Form
) -> HttpResponse:
    """The question, with its form and the drivers it is for."""
    context = {
        "title": title,
        "verb": f"{verb} {people(len(ids))}",
        "form": form,
        "action": request.path,
        "is_all": data.get("all") == "1",
        "query": data.get("query", ""),
        "ids": [] if data.get("all") == "1" else ids,
        "back": _back(data),
        "is_swap": is_swap(request),
    }
    template = "drivers/_many.html" if is_swap(request) else "drivers/many.html"
    return render(request, template, context, status=422 if form.errors else 200)


@ASK_OR_DO
@needs(Can.EDIT_DRIVERS)
def drivers_status(request: PageRequest) -> HttpResponse:
    """Moves the chosen drivers to one status, with a reason."""
    data = request.POST if request.method == "POST" else request.GET
    ids = _chosen(request, data)
    form = ManyStatusForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        to = form.cleaned_data["to"]
        try:
            act, moved = drivers.change_status_of_many(
                ids, to, reason=form.cleaned_data["reason"], by=request.access.actor
            )
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            left = len(ids) - len(moved)
            rest = f". {people(left)} stayed: there already, or opted out" if left else ""
            toast(
                request,
                f"{people(len(moved))} set to {OnboardingStatus(to).label}{rest}",
                reverse("drivers_status_undo", args=[act]),
            )
            return changed(request, _back(data))
    return _ask(request, data, ids, "Change status", "Change", form)


@require_POST
@needs(Can.EDIT_DRIVERS)
def drivers_status_undo(request: PageRequest, act: UUID) -> HttpResponse:
    """Takes a change of status back where nothing followed it."""
    back, kept = drivers.undo_act(act, by=request.access.actor)
    rest = f", {people(len(kept))} had moved on" if kept else ""
    toast(request, f"Status of {people(len(back))} put back{rest}")
    return changed(request, reverse("drivers"))


@ASK_OR_DO
@needs(Can.EDIT_DRIVERS)
def drivers_owner(request: PageRequest) -> HttpResponse:
    """Gives the chosen drivers to one colleague, or to nobody."""
    data = request.POST if request.method == "POST" else request.GET
    ids = _chosen(request, data)
    form = ManyOwnerForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        owner = form.cleaned_data["owner"]
        entry = drivers.assign(ids, owner, by=request.access.actor)
        name = owner.short_name if owner else "nobody"
        if entry is None:
            toast(request, f"Nothing changed: {people(len(ids))} had this owner already", level="info")
        else:
            toast(
                request, f"{people(len(ids))} assigned to {name}", reverse("drivers_owner_undo", args=[entry])
            )
        return changed(request, _back(data))
    return _ask(request, data, ids, "Assign", "Assign", form)


@require_POST
@needs(Can.EDIT_DRIVERS)
def drivers_owner_undo(request: PageRequest, entry: int) -> HttpResponse:
    """Gives drivers back to the owners they had."""
    back = drivers.undo_edit(entry, by=request.access.actor)
    toast(request, f"Owner of {people(back)} put back")
    return changed(request, reverse("drivers"))


@ASK_OR_DO
@needs(Can.CONTACT_DRIVER)
def drivers_follow_ups(request: PageRequest) -> HttpResponse:
    """Sets one follow-up for each chosen driver; it belongs to the person who sets it."""
    data = request.POST if request.method == "POST" else request.GET
    ids = _chosen(request, data)
    form = ManyFollowUpForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = drivers.set_follow_ups(
                ids,
                due_at=form.due_at,
                is_all_day=form.is_all_day,
                reason=form.cleaned_data["reason"],
                owner=request.user,
                by=request.access.actor,
            )
            if not made:
                raise Refused("opted_out", "None of these drivers takes a follow-up: they have opted out.")
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            left = len(ids) - len(made)
            rest = f". {people(left)} opted out and got none" if left else ""
            when = formats.day(form.due_at) if form.is_all_day else formats.day_time(form.due_at)
            toast(
                request,
                f"Follow-up set for {people(len(made))}: {when}{rest}",
                reverse("drivers_follow_ups_undo", args=[made[0].pk]),
            )
            return changed(request, _back(data))
    return _ask(request, data, ids, "Set follow-up", "Set for", form)


@require_POST
@needs(Can.CONTACT_DRIVER)
def drivers_follow_ups_undo(request: PageRequest, pk: UUID) -> HttpResponse:
    """Closes the follow-ups that were set together with this one, if they are still open."""
    with transaction.atomic():
        first = FollowUp.objects.filter(pk=pk).first()
        together: list[UUID] = []
        if first:
            # ids sort by their time, so those of the same moment are the next ones
            same = FollowUp.objects.filter(
                pk__gte=pk, created_at=first.created_at, created_by=first.created_by, done_at__isnull=True
            )
            together = list(same.values_list("pk", flat=True))
        if not together:
            raise Refused("nothing_to_undo", "There is nothing to undo here.")
        drivers.drop_follow_ups(together, by=request.access.actor)
    toast(request, f"Follow-up of {people(len(together))} removed")
    return changed(request, reverse("drivers"))


@ASK_OR_DO
@needs(Can.EDIT_DRIVERS)
def driver_new(request: PageRequest) -> HttpResponse:
    """Adds one driver by hand and opens the record."""
    form = NewDriverForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if value}
        try:
            driver = drivers.create(values, source="person", by=request.access.actor)
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, f"{driver.name} added")
            target = reverse("driver", args=[driver.pk])
            if is_swap(request):
                return HttpResponse(status=204, headers={"HX-Redirect": target})
            return redirect(target)
    template = "drivers/_new.html" if is_swap(request) else "drivers/new.html"
    return render(
        request, template, {"form": form, "is_swap": is_swap(request)}, status=422 if form.errors else 200
    )
