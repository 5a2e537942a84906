"""The door: who is asking, and no page without a permission (spec §11)."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from drivercrm.accounts.models import User
from drivercrm.accounts.permissions import Access, Request, granted
from drivercrm.core.actors import Actor
from drivercrm.core.errors import NotAllowed
from drivercrm.ui.refusals import refused

NOBODY = Access(Actor("user", "nobody"), frozenset())

# Third-party pages that carry no mark of ours. Sign-in and its second step are for strangers; the rest needs
# an account. tests/accounts/test_doors.py walks every address and fails on one that is in no table.
FOR_STRANGERS = frozenset({"account_login", "account_logout", "mfa_authenticate"})
FOR_STAFF = frozenset(
    {
        "account_reauthenticate",
        "mfa_reauthenticate",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_generate_recovery_codes",
        "mfa_view_recovery_codes",
        "mfa_download_recovery_codes",
    }
)


def access_of(user: User | AnonymousUser) -> Access:
    """What a signed-in person may do; nothing for anybody else."""
    if isinstance(user, User) and user.is_active:
        return Access(Actor("user", str(user.pk), "web"), granted(user.role), user.name)
    return NOBODY


def _page_of(request: HttpRequest) -> str:
    """The page that asked for a fragment: that is where to come back to, not the fragment."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    return f"{page.path}?{page.query}" if page.query else page.path or request.path


class Doorman:
    """Sets `request.access` and refuses every page that carries no permission: the default is closed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        cast(Request, request).access = access_of(request.user)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        name = match.view_name if match else ""
        if name == "account_login" and not request.user.is_authenticated and not User.objects.exists():
            return redirect("first_run")
        if getattr(view, "is_public", False) or name in FOR_STRANGERS:
            return None
        if match and match.app_names[:1] == ["ninja"]:
            return None  # the API signs in by itself and checks every operation's mark
        if not request.user.is_authenticated:
            if not User.objects.exists():
                return redirect("first_run")
            if request.headers.get("HX-Request"):
                response = HttpResponse(status=401)
                response["HX-Redirect"] = f"{settings.LOGIN_PATH}?next={quote(_page_of(request))}"
                return response
            return redirect_to_login(request.get_full_path(), "account_login")
        if getattr(view, "needs", None) is None and name not in FOR_STAFF:
            raise NotAllowed("This page has no permission set, so nobody may open it.")
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NotAllowed):
            return refused(request, exception)
        return None
