"""What people do with one driver; the page itself is laid out by the desk.

Each action answers with the news `driver-changed`, which the regions of the page on screen listen to, and with
a toast that can take it back where the verb can.
"""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.core import clock
from drivercrm.core.converters import read_row_number
from drivercrm.core.errors import Refused
from drivercrm.core.ids import read_id
from drivercrm.drivers import queries
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import FIELD_NAMES, OnboardingStatus, PreferredChannel
from drivercrm.drivers.forms.one import (
    DetailsForm,
    EditFollowUpForm,
    FieldsForm,
    NewFollowUpForm,
    NotesForm,
    OwnerForm,
    StatusForm,
    stored_text,
)
from drivercrm.drivers.models import Driver, FollowUp
from drivercrm.ui import formats
from drivercrm.ui.answers import changed, changed_part, is_swap, refuse_in
from drivercrm.ui.toasts import toast

WRONG = 422


def _page(driver: Driver | UUID) -> str:
    return reverse("driver", args=[driver.pk if isinstance(driver, Driver) else driver])


def _form(
    request: PageRequest,
    fragment: str,
    title: str,
    driver: Driver,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    """A form of the driver's page: the fragment for htmx, else a page of its own around it."""
    context = {"driver": driver, **context}
    if is_swap(request):
        return render(request, fragment, context, status=status)
    return render(
        request, "drivers/form.html", {"fragment": fragment, "title": title, **context}, status=status
    )


# Status


@needs(Can.EDIT_DRIVERS)
def driver_status(request: PageRequest, pk: UUID) -> HttpResponse:
    """Moves the driver, with a reason."""
    driver = get_object_or_404(Driver, pk=pk)
    form = StatusForm(request.POST or None)
    if form.is_valid():
        try:
            act = drivers.change_status(driver, **form.cleaned_data, by=request.access.actor)
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            undo = reverse("driver_status_undo", args=[pk, act])
            name = OnboardingStatus(driver.onboarding_status).label
            toast(request, f"{driver.greeting} set to {name}", undo)
            return changed(request, _page(driver))
    choices = queries.allowed_moves(driver.onboarding_status)
    context = {"form": form, "status_choices": choices}
    status = WRONG if form.errors else 200
    return _form(request, "drivers/_status_form.html", "Change status", driver, context, status)


@require_POST
@needs(Can.EDIT_DRIVERS)
def driver_status_undo(request: PageRequest, pk: UUID, act: UUID) -> HttpResponse:
    """Takes this driver's move back."""
    drivers.undo_act(act, by=request.access.actor, only=pk)
    toast(request, "Status put back")
    return changed(request, _page(pk))


# Details, notes, owner


@needs(Can.EDIT_DRIVERS)
def driver_details(request: PageRequest, pk: UUID) -> HttpResponse:
    """The details as a form, and what it sends."""
    parts = "drivers/_details.html", "drivers/_details_form.html"
    return _fields(request, pk, DetailsForm, "Details", *parts)


@needs(Can.EDIT_DRIVERS)
def driver_notes(request: PageRequest, pk: UUID) -> HttpResponse:
    """The notes as a form, and what it sends."""
    return _fields(request, pk, NotesForm, "Notes", "drivers/_notes.html", "drivers/_notes_form.html")


@needs(Can.READ_DRIVERS)
def driver_details_shown(request: PageRequest, pk: UUID) -> HttpResponse:
    """The details as they are read: what Cancel brings back."""
    return _shown(request, pk, "drivers/_details.html")


@needs(Can.READ_DRIVERS)
def driver_notes_shown(request: PageRequest, pk: UUID) -> HttpResponse:
    """The notes as they are read: what Cancel brings back."""
    return _shown(request, pk, "drivers/_notes.html")


def _shown(request: PageRequest, pk: UUID, part: str) -> HttpResponse:
    driver = get_object_or_404(Driver, pk=pk)
    if not is_swap(request):
        return changed(request, _page(driver))
    return render(request, part, {"driver": driver})


def _fields(
    request: PageRequest, pk: UUID, kind: type[FieldsForm], noun: str, part: str, form_part: str
) -> HttpResponse:
    driver = get_object_or_404(Driver, pk=pk)
    form = kind(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            entry = drivers.edit(driver, form.changes(), expected=form.seen(), by=request.access.actor)
        except Refused as refusal:
            if refusal.code == "edited_since":
                driver.refresh_from_db()
                form.note_conflicts(driver)
            refuse_in(form, refusal)
        else:
            if entry is not None:
                undo = reverse("driver_details_undo", args=[pk, entry])
                toast(request, f"{noun} saved", undo)
            return changed_part(request, _page(driver), part, {"driver": driver})
    lines = [_line(form, driver, column) for column in form.columns]
    status = WRONG if form.errors else 200
    context = {"form": form, "lines": lines, "channels": PreferredChannel.choices}
    return _form(request, form_part, f"Edit {noun.lower()}", driver, context, status)


def _line(form: FieldsForm, driver: Driver, column: str) -> dict[str, Any]:
    """One field of the form: what is in it, what was seen, and what somebody else stored meanwhile."""
    stored = stored_text(driver, column)
    conflict = form.conflicts.get(column)
    return {
        "name": column,
        "label": FIELD_NAMES[column],
        "value": form.data.get(column, stored) if form.is_bound else stored,
        "seen": conflict if conflict is not None else form.seen()[column] if form.is_bound else stored,
        "conflict": conflict,
        "errors": [] if conflict is not None else form.errors.get(column, []),
    }


@require_POST
@needs(Can.EDIT_DRIVERS)
def driver_details_undo(request: PageRequest, pk: UUID, entry: int) -> HttpResponse:
    """Puts this driver's values before one edit back."""
    drivers.undo_edit(entry, by=request.access.actor, only=pk)
    toast(request, "Edit undone")
    return changed(request, _page(pk))


@require_POST
@needs(Can.EDIT_DRIVERS)
def driver_owner(request: PageRequest, pk: UUID) -> HttpResponse:
    """Gives the driver to somebody, or to nobody."""
    driver = get_object_or_404(Driver, pk=pk)
    form = OwnerForm(request.POST)
    if not form.is_valid():
        raise Refused("unknown_owner", str(form.errors["owner"][0]), field="owner")
    owner: User | None = form.cleaned_data["owner"]
    entry = drivers.assign([pk], owner, by=request.access.actor)
    if entry is not None:
        text = (
            f"{owner.name} looks after {driver.greeting}" if owner else f"{driver.greeting} has no owner now"
        )
        toast(request, text, reverse("driver_details_undo", args=[pk, entry]))
    return changed(request, _page(driver))


# Checklist


@require_POST
@needs(Can.EDIT_DRIVERS)
def driver_step(request: PageRequest, pk: UUID, step: str) -> HttpResponse:
    """Ticks a step of the checklist; with the entry of its untick, it is done again as it was."""
    driver = get_object_or_404(Driver, pk=pk)
    entry = request.GET.get("entry", "")
    if entry:  # what cannot be read is taken for 0, which no entry has
        act = drivers.restore_step(driver, step, read_row_number(entry) or 0, by=request.access.actor)
    else:
        act = drivers.complete_step(driver, step, by=request.access.actor)
    undo = reverse("driver_step_undo", args=[pk, step])
    toast(request, f"{queries.step_name(step)}: done", f"{undo}?act={act}")
    return changed(request, _page(driver))


@require_POST
@needs(Can.EDIT_DRIVERS)
def driver_step_undo(request: PageRequest, pk: UUID, step: str) -> HttpResponse:
    """Unticks a step; with the act that ticked it, the move that it caused goes back too."""
    driver = get_object_or_404(Driver, pk=pk)
    act = read_id(request.GET.get("act", ""))
    entry = drivers.undo_step(driver, step, by=request.access.actor, act=act)
    undo = reverse("driver_step", args=[pk, step])
    toast(request, f"{queries.step_name(step)}: not done", f"{undo}?entry={entry}")
    return changed(request, _page(driver))


# Follow-ups


@needs(Can.CONTACT_DRIVER)
def driver_follow_ups(request: PageRequest, pk: UUID) -> HttpResponse:
    """Sets a follow-up."""
    driver = get_object_or_404(Driver, pk=pk)
    form = NewFollowUpForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"driver": driver, **queries.follow_up_choices()}
    if form.is_valid():
        try:
            made = drivers.set_follow_ups(
                [pk],
                due_at=form.due_at,
                is_all_day=form.is_all_day,
                reason=form.cleaned_data["reason"],
                owner=form.cleaned_data["owner"],
                by=request.access.actor,
            )
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            undo = reverse("follow_up_undo", args=[made[0].pk])
            toast(request, f"Follow-up set for {due_text(made[0])}", undo)
            return changed(request, _page(driver))
    context["form"] = form
    status = WRONG if form.errors else 200
    is_over = request.headers.get("HX-Target") == "over"
    part = "drivers/_follow_up_dialog.html" if is_over else "drivers/_follow_up_form.html"
    return _form(request, part, "Set a follow-up", driver, context, status)


@needs(Can.CONTACT_DRIVER)
def follow_up(request: PageRequest, pk: UUID) -> HttpResponse:
    """Another moment or reason for a follow-up."""
    one = get_object_or_404(FollowUp.objects.select_related("driver", "owner"), pk=pk)
    form = EditFollowUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            is_changed = drivers.move_follow_up(
                one, **form.changes(), expected=form.seen(), by=request.access.actor
            )
        except Refused as refusal:
            if refusal.code == "edited_since":
                one.refresh_from_db()
                form.refuse_stale(refusal)
            else:
                refuse_in(form, refusal)
        else:
            if is_changed:
                toast(request, f"Follow-up moved to {due_text(one)}")
            return changed_part(request, _page(one.driver), "drivers/_follow_up.html", {"follow_up": one})
    context = {
        "form": form,
        "follow_up": one,
        "seen": form.shown(one),
        "due_on": clock.local_day(one.due_at).isoformat(),
        "due_hour": "" if one.is_all_day else formats.clock_time(one.due_at),
    }
    status = WRONG if form.errors else 200
    return _form(request, "drivers/_follow_up_edit.html", "Edit follow-up", one.driver, context, status)


@needs(Can.READ_DRIVERS)
def follow_up_shown(request: PageRequest, pk: UUID) -> HttpResponse:
    """A follow-up as it is read: what Cancel brings back."""
    one = get_object_or_404(FollowUp.objects.select_related("owner"), pk=pk)
    if not is_swap(request):
        return changed(request, _page(one.driver_id))
    return render(request, "drivers/_follow_up.html", {"follow_up": one})


@require_POST
@needs(Can.CONTACT_DRIVER)
def follow_up_done(request: PageRequest, pk: UUID) -> HttpResponse:
    """Marks a follow-up done."""
    one = get_object_or_404(FollowUp.objects.select_related("driver"), pk=pk)
    drivers.complete_follow_up(one, by=request.access.actor)
    toast(request, f"Follow-up of {one.driver.name} done", reverse("follow_up_reopening", args=[pk]))
    return changed(request, _page(one.driver))


@require_POST
@needs(Can.CONTACT_DRIVER)
def follow_up_reopening(request: PageRequest, pk: UUID) -> HttpResponse:
    """Opens a follow-up that was done."""
    one = get_object_or_404(FollowUp, pk=pk)
    drivers.reopen_follow_ups([one], by=request.access.actor)
    toast(request, "Follow-up is open again")
    return changed(request, _page(one.driver_id))


@require_POST
@needs(Can.CONTACT_DRIVER)
def follow_up_undo(request: PageRequest, pk: UUID) -> HttpResponse:
    """Takes the setting of a follow-up back."""
    one = get_object_or_404(FollowUp, pk=pk)
    drivers.drop_follow_ups([pk], by=request.access.actor)
    toast(request, "Follow-up removed")
    return changed(request, _page(one.driver_id))


def due_text(one: FollowUp) -> str:
    """`Mon 23 Nov 2026`, with the hour where there is one."""
    day = formats.day(one.due_at)
    return day if one.is_all_day else f"{day}, {formats.clock_time(one.due_at)}"
