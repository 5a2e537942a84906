"""One driver's consent: what stands, what was said, and recording it."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.accounts.queries import actor_names
from drivercrm.consent import queries
from drivercrm.consent import workflow as consent
from drivercrm.consent.enums import ConsentChannel, Purpose
from drivercrm.consent.forms import SOURCES, ConsentForm, GrantForm, OptOutForm, WithdrawalForm
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver
from drivercrm.ui.answers import changed, changed_part, is_swap, refuse_in
from drivercrm.ui.toasts import toast

WRONG = 422


def _page(driver: Driver) -> str:
    return reverse("driver", args=[driver.pk])


@needs(Can.READ_DRIVERS)
def driver_consent(request: PageRequest, pk: UUID) -> HttpResponse:
    """What stands and everything that was said, as a page; for htmx only what stands."""
    driver = get_object_or_404(Driver, pk=pk)
    context: dict[str, Any] = {"driver": driver, "consents": queries.overview(driver)}
    if is_swap(request):
        return render(request, "consent/_consent.html", context)
    acts = queries.history(driver)
    names = actor_names(act.actor for act in acts)
    context["acts"] = [(act, names.get(act.actor, act.actor)) for act in acts]
    return render(request, "consent/driver.html", context)


@needs(Can.RECORD_CONSENT)
def driver_consent_grant(request: PageRequest, pk: UUID) -> HttpResponse:
    """Records that the driver agreed, with its proof."""
    driver = get_object_or_404(Driver, pk=pk)
    form = GrantForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            consent.grant(driver, **form.cleaned_data, by=request.access.actor)
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, f"Consent of {driver.greeting} recorded")
            return _recorded(request, driver)
    return _form(request, driver, form, "consent/_grant_form.html", "Record consent")


@needs(Can.RECORD_CONSENT)
def driver_consent_withdrawal(request: PageRequest, pk: UUID) -> HttpResponse:
    """Records that the driver said no to some channels or purposes."""
    driver = get_object_or_404(Driver, pk=pk)
    form = WithdrawalForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            consent.withdraw(driver, **form.cleaned_data, by=request.access.actor)
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, _withdrawn(driver))
            return _recorded(request, driver)
    return _form(request, driver, form, "consent/_withdrawal_form.html", "Withdraw consent")


@require_POST
@needs(Can.RECORD_CONSENT)
def driver_opt_out(request: PageRequest, pk: UUID) -> HttpResponse:
    """Withdraws everything, everywhere: nothing more is sent to this driver (spec §4)."""
    driver = get_object_or_404(Driver, pk=pk)
    form = OptOutForm(request.POST)
    if not form.is_valid():
        raise Refused("unusable", "This could not be read.")
    consent.withdraw(
        driver,
        source=form.cleaned_data["source"] or "staff",
        evidence=form.cleaned_data["evidence"],
        by=request.access.actor,
    )
    toast(request, _withdrawn(driver))
    return _recorded(request, driver)


def _withdrawn(driver: Driver) -> str:
    if driver.onboarding_status == OnboardingStatus.OPTED_OUT:
        return f"{driver.greeting} has opted out: nothing more is sent"
    return f"Consent of {driver.greeting} withdrawn"


def _recorded(request: PageRequest, driver: Driver) -> HttpResponse:
    if not is_swap(request):
        return changed(request, _page(driver))
    context = {"driver": driver, "consents": queries.overview(driver)}
    return changed_part(request, _page(driver), "consent/_consent.html", context)


def _form(request: PageRequest, driver: Driver, form: ConsentForm, fragment: str, title: str) -> HttpResponse:
    context = {
        "driver": driver,
        "form": form,
        "channels": ConsentChannel.choices,
        "purposes": Purpose.choices,
        "sources": SOURCES,
    }
    status = WRONG if form.errors else 200
    if is_swap(request):
        return render(request, fragment, context, status=status)
    return render(
        request, "drivers/form.html", {"fragment": fragment, "title": title, **context}, status=status
    )
