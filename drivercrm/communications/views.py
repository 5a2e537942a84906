"""What people do about messages and calls with one driver. This version logs calls."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from drivercrm.accounts.permissions import Can, PageRequest, needs
from drivercrm.communications import workflow as communications
from drivercrm.communications.enums import CALLS_IN, CALLS_OUT, MessageType
from drivercrm.communications.forms import CallForm
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.drivers.models import Driver
from drivercrm.ui.answers import changed_part, is_swap, refuse_in
from drivercrm.ui.toasts import toast

WRONG = 422
ONBOARDED = {
    OnboardingStatus.ONBOARDING_COMPLETED,
    OnboardingStatus.ACTIVE,
    OnboardingStatus.INACTIVE,
}


@needs(Can.CONTACT_DRIVER)
def driver_calls(request: PageRequest, pk: UUID) -> HttpResponse:
    """Logs a phone call."""
    driver = get_object_or_404(Driver, pk=pk)
    form = CallForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"driver": driver, "calls_out": CALLS_OUT, "calls_in": CALLS_IN}
    if form.is_valid():
        kind = MessageType.SUPPORT if driver.onboarding_status in ONBOARDED else MessageType.ONBOARDING
        actor = request.access.actor
        values: dict[str, Any] = form.values
        try:
            communications.log_call(driver, **values, message_type=kind, by=actor)
        except Refused as refusal:
            refuse_in(form, refusal)
        else:
            toast(request, f"Call with {driver.greeting} logged")
            page = reverse("driver", args=[pk])
            context["form"] = CallForm()
            return changed_part(request, page, "communications/_call_form.html", context)
    context["form"] = form
    status = WRONG if form.errors else 200
    fragment = "communications/_call_form.html"
    if is_swap(request):
        return render(request, fragment, context, status=status)
    context |= {"fragment": fragment, "title": "Log a call"}
    return render(request, "drivers/form.html", context, status=status)
