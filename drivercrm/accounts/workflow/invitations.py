"""Joining the team: a link that one person can use once, within seven days."""

import secrets
from uuid import UUID

from drivercrm.accounts.events import InvitationRenewed, InvitationRevoked, MemberInvited, MemberJoined
from drivercrm.accounts.models import Invitation, User, secret_hash
from drivercrm.accounts.workflow import people
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange


def invite(email: str, role: str, *, by: Actor) -> tuple[Invitation, str]:
    """Makes an invitation and its secret, which is kept nowhere else: show it once."""
    address, role = people.checked_email(email), people.checked_role(role)
    if not by.is_person:
        raise Refused("needs_person", "Only a person can invite somebody.")
    secret = secrets.token_urlsafe(32)
    with people.team_lock():
        people.refuse_taken(address)
        if any(invitation.is_open for invitation in Invitation.objects.filter(email=address)):
            raise Refused(
                "invited", "This email is invited already. Make a new link for it below.", field="email"
            )
        invitation = Invitation.objects.create(
            email=address, role=role, secret_hash=secret_hash(secret), invited_by_id=UUID(by.id)
        )
        journal.announce(
            MemberInvited(invitation.pk, role),
            by=by,
            changes=[FieldChange(invitation.pk, "email", None, address)],
        )
    return invitation, secret


def renew(invitation: Invitation, *, by: Actor) -> str:
    """A new secret for seven days more; the old link stops working."""
    secret = secrets.token_urlsafe(32)
    with people.team_lock():
        held = _unused(invitation)
        people.refuse_taken(held.email)
        held.secret_hash, held.created_at = secret_hash(secret), clock.now()
        held.save(update_fields=["secret_hash", "created_at"])
        journal.announce(InvitationRenewed(held.pk), by=by)
    return secret


def revoke(invitation: Invitation, *, by: Actor) -> None:
    """Switches a link off that nobody has used."""
    with people.team_lock():
        held = _unused(invitation)
        held.revoked_at = clock.now()
        held.save(update_fields=["revoked_at"])
        journal.announce(InvitationRevoked(held.pk), by=by)


def find(secret: str) -> Invitation | None:
    """The invitation of a link, whatever its state."""
    return Invitation.objects.filter(secret_hash=secret_hash(secret)).select_related("invited_by").first()


def why_closed(invitation: Invitation | None) -> str:
    """Why a link cannot be used, in a sentence; empty while it can."""
    if invitation is None:
        return "This link does not exist. Copy the whole of it, or ask for a new one."
    if invitation.accepted_at:
        return "This invitation was used. Sign in with the password you chose."
    if invitation.revoked_at:
        return "This invitation was taken back. Ask an admin for a new one."
    if not invitation.is_open:
        return "This invitation is older than seven days. Ask an admin for a new link."
    return ""


def accept(secret: str, *, name: str, password: str) -> User:
    """Joins the team. Of two who use one link together, the second is refused."""
    invitation = find(secret)
    if invitation is None or why_closed(invitation):
        raise Refused("closed_invitation", why_closed(invitation))
    person = people.newcomer(name, invitation.email, password)
    with people.team_lock():
        held = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if held.secret_hash != secret_hash(secret) or why_closed(held):
            raise Refused("closed_invitation", why_closed(held) or why_closed(None))
        user = people.add(person, held.role)
        held.accepted_at = clock.now()
        held.save(update_fields=["accepted_at"])
        journal.announce(
            MemberJoined(user.pk, held.pk, held.role),
            by=Actor("user", str(user.pk), "web"),
            changes=[
                FieldChange(user.pk, "name", None, user.name),
                FieldChange(user.pk, "email", None, user.email),
            ],
        )
    return user


def _unused(invitation: Invitation) -> Invitation:
    held = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if held.accepted_at:
        raise Refused("accepted", "This invitation was used already.")
    if held.revoked_at:
        raise Refused("revoked", "This invitation was taken back. Invite the person again.")
    return held
