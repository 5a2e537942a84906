"""The component gallery: every part of the look in every state, for those who build and those who set up."""

from django.http import HttpRequest, HttpResponse

from drivercrm.accounts.permissions import Can, needs
from drivercrm.ui import gallery as ui


@needs(Can.SETTINGS)
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component, for admins."""
    return ui.gallery(request)
