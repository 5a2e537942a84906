"""Who is on the team and in which role (spec §1). There is always an admin who can sign in."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from drivercrm.accounts.enums import Role
from drivercrm.accounts.events import (
    MemberCreated,
    MemberDeactivated,
    MemberReactivated,
    OrganisationStarted,
    PasswordChanged,
    PasswordLinkMade,
    RoleChanged,
    TwoStepChanged,
)
from drivercrm.accounts.models import DEMO_DOMAIN, ORGANISATION_ID, ApiToken, Invitation, User
from drivercrm.accounts.workflow import people
from drivercrm.accounts.workflow.tokens import revoke_token
from drivercrm.core import clock
from drivercrm.core.actors import Actor, Origin
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange


def make_first_admin(
    *, organisation: str, name: str, email: str, password: str, origin: Origin = "web"
) -> User:
    """Sets the application up, once: of two people who try together, the second is refused."""
    company = " ".join(organisation.split())
    if not company or len(company) > people.LONGEST_NAME:
        raise Refused("no_organisation", "Enter the organisation’s name.", field="organisation")
    person = people.newcomer(name, email, password)
    with people.team_lock() as settings:
        if User.objects.exists():
            raise Refused(
                "already_started",
                "Somebody has set this up already. Sign in, or ask an admin for an invitation.",
            )
        user = people.add(person, Role.ADMIN)
        before, settings.name, settings.updated_at = settings.name, company, clock.now()
        settings.save(update_fields=["name", "updated_at"])
        journal.announce(
            OrganisationStarted(user.pk),
            by=Actor("user", str(user.pk), origin),
            changes=[FieldChange(ORGANISATION_ID, "name", before, company), *_joined(user)],
        )
    return user


def create_user(email: str, *, name: str, password: str, role: str, by: Actor) -> User:
    """Puts somebody on the team without an invitation: for the command line. The first one must be an admin."""
    role = people.checked_role(role)
    person = people.newcomer(name, email, password)
    with people.team_lock():
        if role != Role.ADMIN and not User.objects.exists():
            raise Refused("first_is_admin", "The first person must be an admin.", field="role")
        user = people.add(person, role)
        journal.announce(MemberCreated(user.pk, role), by=by, changes=_joined(user))
    return user


def change_role(user: User, role: str, *, by: Actor) -> None:
    """Gives a member another role, from their next click on. The last admin keeps theirs. The same role is no news."""
    role = people.checked_role(role)
    with people.team_lock():
        held = _held(user)
        if held.role == role:
            return
        if role != Role.ADMIN:
            _keep_an_admin(held)
        before, held.role = held.role, role
        if before == Role.ADMIN:
            held.end_links()
            _revoke_invitations_of(held)
        held.save(update_fields=["role", "link_mark"])
        journal.announce(
            RoleChanged(held.pk, before, role), by=by, changes=[FieldChange(held.pk, "role", before, role)]
        )
    user.role = role


def deactivate(user: User, *, by: Actor) -> None:
    """Ends a member's access at once: every session dies, and the links that they made for others stop working."""
    if by.is_person and by.id == str(user.pk):
        raise Refused("yourself", "You cannot switch off your own account. Another admin can.")
    with people.team_lock():
        held = _held(user)
        if not held.is_active:
            raise Refused("inactive", f"{held.name} is switched off already.")
        _keep_an_admin(held)
        held.is_active = False
        held.end_sessions()
        held.end_links()
        held.save(update_fields=["is_active", "session_mark", "link_mark"])
        _revoke_invitations_of(held)
        journal.announce(MemberDeactivated(held.pk), by=by)
    user.is_active = False


def reactivate(user: User, *, by: Actor) -> None:
    """Lets a member sign in again, with the old password and in new sessions."""
    with people.team_lock():
        held = _held(user)
        if held.is_active:
            raise Refused("active", f"{held.name} can sign in already.")
        held.is_active = True
        held.save(update_fields=["is_active"])
        journal.announce(MemberReactivated(held.pk), by=by)
    user.is_active = True


def end_demo_accounts(*, by: Actor, may_leave_nobody: bool) -> int:
    """Ends the accounts whose password the demo has published, with their links and tokens; returns how many.

    Where only they were on the team their rows go too, so that a first admin can set the application up. Where that
    must not be, or an admin of somebody else's is missing, it refuses.
    """
    with people.team_lock():
        ended = list(User.objects.select_for_update().filter(email__endswith=DEMO_DOMAIN))
        others = User.objects.exclude(email__endswith=DEMO_DOMAIN)
        is_alone = may_leave_nobody and not others.exists()
        if ended and not is_alone and not others.filter(role=Role.ADMIN, is_active=True).exists():
            raise Refused(
                "last_admin",
                "This database is used in earnest and only the demo has an admin. Run “drivercrm create-user” first.",
            )
        makers = [str(Actor("user", str(user.pk))) for user in ended]
        for token in ApiToken.objects.filter(created_by__in=makers, revoked_at=None):
            revoke_token(token, by=by)
        if is_alone:
            Invitation.objects.filter(invited_by__in=ended).delete()
            User.objects.filter(pk__in=[user.pk for user in ended]).delete()
            return len(ended)
        active = [user for user in ended if user.is_active]
        for user in active:
            user.is_active = False
            user.set_unusable_password()
            user.end_sessions()
            user.end_links()
            user.save(update_fields=["is_active", "password", "session_mark", "link_mark"])
            _revoke_invitations_of(user)
            journal.announce(MemberDeactivated(user.pk), by=by)
    return len(active)


def switch_off_two_step(user: User, *, by: Actor) -> None:
    """For a member who lost the phone and the recovery codes: the password alone signs in again."""
    with transaction.atomic():
        deleted, _ = Authenticator.objects.filter(user_id=user.pk).delete()
        if not deleted:
            raise Refused("no_two_step", f"{user.name} has no two-step sign-in.")
        journal.announce(TwoStepChanged(user.pk, "off"), by=by)


class _LinkTokens(PasswordResetTokenGenerator):
    """Tokens of password links: each dies with a new password, and with its maker's time as an admin."""

    key_salt = "drivercrm.password_link"

    def __init__(self, maker: User | None) -> None:
        super().__init__()
        self.maker = maker

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        made_by = f"{self.maker.pk}{self.maker.link_mark}" if self.maker else ""
        return super()._make_hash_value(user, timestamp) + made_by


def make_password_link(user: User, *, by: Actor) -> str:
    """The end of an address where a member chooses a new password; good for three days and one use.

    It stops working when the admin who made it is switched off or is an admin no more.
    """
    if not user.is_active:
        raise Refused("inactive", f"{user.name} is switched off. Switch the account on first.")
    maker = User.objects.get(pk=by.id) if by.is_person else None
    with transaction.atomic():
        journal.announce(PasswordLinkMade(user.pk), by=by)
    keys = [urlsafe_base64_encode(force_bytes(one.pk)) if one else "" for one in (user, maker)]
    return ".".join([*keys, _LinkTokens(maker).make_token(user)])


def owner_of_password_link(secret: str) -> User | None:
    """The member a password link is for, while it works."""
    try:
        key, made_by, token = secret.split(".")
        user = _active(key)
        maker = _active(made_by) if made_by else None
    except (ValueError, ValidationError):  # other parts, no base64, no text, no UUID
        return None
    if user is None or (made_by and maker is None):
        return None
    return user if _LinkTokens(maker).check_token(user, token) else None


def _active(key: str) -> User | None:
    return User.objects.filter(pk=urlsafe_base64_decode(key).decode(), is_active=True).first()


def choose_password(secret: str, password: str) -> User:
    """Sets the password through a link. Refuses a link that was used, is old or never was."""
    user = owner_of_password_link(secret)
    if user is None:
        raise Refused("dead_link", "This link does not work any more. Ask an admin for a new one.")
    password_hash = people.hashed(password, user)
    with transaction.atomic():
        held = _held(user)
        if owner_of_password_link(secret) is None:  # somebody used it a moment ago
            raise Refused("dead_link", "This link does not work any more. Ask an admin for a new one.")
        held.password = password_hash
        held.end_sessions()
        held.save(update_fields=["password", "session_mark"])
        journal.announce(PasswordChanged(held.pk, "link"), by=Actor("user", str(held.pk), "web"))
    return held


def _held(user: User) -> User:
    return User.objects.select_for_update().get(pk=user.pk)


def _keep_an_admin(user: User) -> None:
    if user.role != Role.ADMIN or not user.is_active:
        return
    if not User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=user.pk).exists():
        raise Refused("last_admin", f"{user.name} is the only admin. Make somebody else an admin first.")


def _revoke_invitations_of(user: User) -> None:
    open_ones = Invitation.objects.filter(invited_by=user, accepted_at=None, revoked_at=None)
    open_ones.update(revoked_at=clock.now())


def _joined(user: User) -> list[FieldChange]:
    return [FieldChange(user.pk, "name", None, user.name), FieldChange(user.pk, "email", None, user.email)]
