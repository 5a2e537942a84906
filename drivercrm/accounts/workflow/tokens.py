"""Keys for programs: shown once, kept as a hash, limited by role and scopes (spec §9, §11)."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q

from drivercrm.accounts.events import TokenCreated, TokenRevoked
from drivercrm.accounts.models import ApiToken, secret_hash
from drivercrm.accounts.permissions import PERSONS_ONLY, Access, Can, granted
from drivercrm.accounts.workflow import people
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal import workflow as journal
from drivercrm.journal.events import FieldChange

SHOWN = 9  # letters of a secret that lists may show, “dcrm_” among them
SEEN_EVERY = timedelta(minutes=1)
LONGEST_NAME = 120
SCOPES = frozenset(can.value for can in Can)


def create_token(
    name: str,
    *,
    role: str,
    by: Actor,
    scopes: Collection[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Makes a token and its secret, which is kept nowhere: show it once. No scopes means all that the role has."""
    tidy, role = " ".join(name.split()), people.checked_role(role)
    if not tidy or len(tidy) > LONGEST_NAME:
        raise Refused("no_name", "Enter a name that says what the token is for.", field="name")
    wanted = _checked_scopes(scopes, role)
    if expires_at is not None and expires_at <= clock.now():
        raise Refused("past", "The token would have ended already.", field="expires")
    secret = ApiToken.new_secret()
    with people.team_lock():
        if any(token.is_live for token in ApiToken.objects.filter(name__iexact=tidy, revoked_at=None)):
            raise Refused("name_taken", "There is a token of this name already.", field="name")
        token = ApiToken.objects.create(
            name=tidy,
            prefix=secret[:SHOWN],
            secret_hash=secret_hash(secret),
            role=role,
            scopes=wanted,
            created_by=str(by),
            expires_at=expires_at,
        )
        journal.announce(
            TokenCreated(token.pk, role, wanted), by=by, changes=[FieldChange(token.pk, "name", None, tidy)]
        )
    return token, secret


def revoke_token(token: ApiToken, *, by: Actor) -> None:
    """Switches a token off for good."""
    with people.team_lock():
        held = ApiToken.objects.select_for_update().get(pk=token.pk)
        if held.revoked_at:
            raise Refused("revoked", "This token is revoked already.")
        held.revoked_at = clock.now()
        held.save(update_fields=["revoked_at"])
        journal.announce(TokenRevoked(held.pk), by=by)


def authenticate_token(secret: str) -> Access | None:
    """What the bearer of a secret may do: its scopes, as far as its role has them. None when it opens nothing.

    The moment of use is written at most once a minute.
    """
    token = ApiToken.objects.filter(secret_hash=secret_hash(secret)).first()
    if token is None or not token.is_live:
        return None
    _note_use(token)
    cans = granted(token.role) - PERSONS_ONLY
    if token.scopes:
        cans &= frozenset(Can(scope) for scope in token.scopes if scope in SCOPES)
    return Access(Actor("token", str(token.pk), "api"), cans, token.name)


def _note_use(token: ApiToken) -> None:
    now = clock.now()
    if token.last_used_at and token.last_used_at > now - SEEN_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - SEEN_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _checked_scopes(scopes: Collection[str], role: str) -> list[str]:
    possible = granted(role) - PERSONS_ONLY
    for scope in scopes:
        if scope not in SCOPES:
            raise Refused("unknown_scope", f"“{scope}” is no permission.", field="scopes")
        if Can(scope) in PERSONS_ONLY:
            raise Refused("persons_only", f"“{scope}” needs a person.", field="scopes")
        if Can(scope) not in possible:
            raise Refused("beyond_role", f"The role {role} does not include “{scope}”.", field="scopes")
    return sorted(set(scopes))
