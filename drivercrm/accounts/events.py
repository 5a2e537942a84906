"""What this room announces. Names and mail addresses travel apart, as field changes that can be erased."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from drivercrm.journal.events import Event


@dataclass(frozen=True)
class OrganisationStarted(Event):
    """The first admin set the application up."""

    name: ClassVar[str] = "organisation.started"
    user_id: UUID


@dataclass(frozen=True)
class OrganisationChanged(Event):
    """Settings of the organisation were changed."""

    name: ClassVar[str] = "organisation.changed"
    fields: list[str]


@dataclass(frozen=True)
class OrganisationHeld(Event):
    """Nothing may be sent, polled or exported from this database until an admin releases it."""

    name: ClassVar[str] = "organisation.held"
    because: str


@dataclass(frozen=True)
class OrganisationReleased(Event):
    """An admin confirmed that this database is the one that works."""

    name: ClassVar[str] = "organisation.released"
    held_since: str


@dataclass(frozen=True)
class JobsRetried(Event):
    """Background work that gave up is tried again."""

    name: ClassVar[str] = "job.retried"
    job_ids: list[int]
    tasks: list[str]


@dataclass(frozen=True)
class JobDiscarded(Event):
    """Background work that gave up was thrown away."""

    name: ClassVar[str] = "job.discarded"
    job_id: int
    task: str


@dataclass(frozen=True)
class MemberCreated(Event):
    """Somebody was put on the team at the command line."""

    name: ClassVar[str] = "team.member_created"
    user_id: UUID
    role: str


@dataclass(frozen=True)
class MemberInvited(Event):
    """An invitation link was made."""

    name: ClassVar[str] = "team.invited"
    invitation_id: UUID
    role: str


@dataclass(frozen=True)
class InvitationRenewed(Event):
    """An invitation got a new link; the old one is dead."""

    name: ClassVar[str] = "team.invitation_renewed"
    invitation_id: UUID


@dataclass(frozen=True)
class InvitationRevoked(Event):
    """An invitation link was switched off before anybody used it."""

    name: ClassVar[str] = "team.invitation_revoked"
    invitation_id: UUID


@dataclass(frozen=True)
class MemberJoined(Event):
    """Somebody accepted an invitation."""

    name: ClassVar[str] = "team.joined"
    user_id: UUID
    invitation_id: UUID
    role: str


@dataclass(frozen=True)
class RoleChanged(Event):
    """A member of the team got another role."""

    name: ClassVar[str] = "team.role_changed"
    user_id: UUID
    before: str
    to: str


@dataclass(frozen=True)
class MemberDeactivated(Event):
    """A member of the team may no longer sign in."""

    name: ClassVar[str] = "team.deactivated"
    user_id: UUID


@dataclass(frozen=True)
class MemberReactivated(Event):
    """A member of the team may sign in again."""

    name: ClassVar[str] = "team.reactivated"
    user_id: UUID


@dataclass(frozen=True)
class MemberLockedOut(Event):
    """Too many wrong passwords in a row for a member of the team."""

    name: ClassVar[str] = "team.locked_out"
    user_id: UUID


@dataclass(frozen=True)
class ProfileChanged(Event):
    """Somebody changed their own name or preferences."""

    name: ClassVar[str] = "team.profile_changed"
    user_id: UUID
    fields: list[str]


@dataclass(frozen=True)
class PasswordChanged(Event):
    """A password is new; every other session of that person has ended."""

    name: ClassVar[str] = "team.password_changed"
    user_id: UUID
    how: str


@dataclass(frozen=True)
class PasswordLinkMade(Event):
    """An admin made a link for somebody who forgot their password."""

    name: ClassVar[str] = "team.password_link_made"
    user_id: UUID


@dataclass(frozen=True)
class SessionsEnded(Event):
    """Somebody signed out everywhere."""

    name: ClassVar[str] = "team.sessions_ended"
    user_id: UUID


@dataclass(frozen=True)
class TwoStepChanged(Event):
    """Two-step sign-in was switched on or off, or has new recovery codes."""

    name: ClassVar[str] = "team.two_step_changed"
    user_id: UUID
    to: str


@dataclass(frozen=True)
class TokenCreated(Event):
    """A program got a key."""

    name: ClassVar[str] = "token.created"
    token_id: UUID
    role: str
    scopes: list[str]


@dataclass(frozen=True)
class TokenRevoked(Event):
    """A program's key was switched off."""

    name: ClassVar[str] = "token.revoked"
    token_id: UUID
