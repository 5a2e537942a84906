"""How django-allauth behaves here: joining by invitation only, exact lockout, our words, and the journal for news."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import User
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.core.sealing import seal, unseal

SAID = {
    "mfa/messages/totp_activated.txt": "Two-step sign-in is on.",
    "mfa/messages/totp_deactivated.txt": "Two-step sign-in is off.",
    "mfa/messages/recovery_codes_generated.txt": "Here are your new recovery codes. The old ones no longer work.",
}
TWO_STEP_NEWS = {
    "mfa/email/totp_activated": "on",
    "mfa/email/totp_deactivated": "off",
    "mfa/email/recovery_codes_generated": "new codes",
}


class InvitationOnly(DefaultAccountAdapter):
    """The open sign-up of allauth stays shut, and a sign-in never says whether the mail address is known."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "The email or the password is wrong.",
        "incorrect_password": "The password is wrong.",
        "too_many_login_attempts": "Too many wrong tries. Wait some minutes and try again.",
        "rate_limited": "Too many tries in a row. Wait a minute and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The member with these credentials. One who is switched off gets the answer of a wrong password."""
        email, address = str(credentials.get("email", "")), self.get_client_ip(request)
        try:
            accounts.begin_attempt(email, address)
        except Refused as refusal:
            raise ValidationError(refusal.sentence, code=refusal.code) from refusal
        user = authenticate(request, **credentials)
        AuthenticationBackend.unstash_authenticated_user()  # allauth keeps a switched-off member there: forget it
        if not isinstance(user, User):
            accounts.attempt_failed(email, address)
            return None
        accounts.attempt_succeeded(email, address)
        return user

    def reauthenticate(self, user: User, password: str) -> bool:
        """Asks a signed-in person for the password again; wrong ones count as at sign-in."""
        return self.authenticate(context.request, email=user.email, password=password) == user

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """For a member who is switched off between the two steps of signing in."""
        return redirect("account_login")

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Our sentences instead of allauth's; what has none here is not said."""
        text = message or SAID.get(message_template or "")
        if text:
            messages.add_message(request, level, text)

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, **unused: Any
    ) -> None:
        """Changes of the way somebody signs in are journalled instead of mailed."""
        to = TWO_STEP_NEWS.get(template_prefix)
        if to:
            accounts.note_two_step(user, to, by=Actor("user", str(user.pk), "web"))


class TwoStep(DefaultMFAAdapter):
    """The second step, in our words; its secrets are sealed."""

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Refuses what the key does not open: an empty secret instead would let everybody in."""
        return unseal(encrypted_text)

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "The code is wrong or has run out. Use the newest one.",
    }
