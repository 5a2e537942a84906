"""The team, its invitations and tokens, as the settings pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet

from drivercrm.accounts.models import ApiToken, Invitation, Organisation, User
from drivercrm.core import clock
from drivercrm.core.errors import Refused

SOON = timedelta(days=14)


def is_held() -> bool:
    """Whether nothing may be sent, polled or exported until an admin releases this database (spec §11)."""
    return Organisation.objects.filter(held_since__isnull=False).exists()


def check_not_held() -> None:
    """Refuses what a held database must not do. Whatever sends, polls or exports calls it first."""
    if is_held():
        raise Refused(
            "held", "This database is held: nothing is sent, polled or exported until an admin releases it."
        )


def members() -> "QuerySet[User]":
    """Everybody on the team, those who can sign in first; `has_two_step` says whether a code is asked for."""
    two_step = Authenticator.objects.filter(user_id=OuterRef("pk"), type=Authenticator.Type.TOTP)
    return User.objects.annotate(has_two_step=Exists(two_step)).order_by("-is_active", "name", "pk")


def waiting_invitations() -> "QuerySet[Invitation]":
    """Invitations that nobody has used or taken back, the newest first; some may be too old."""
    return (
        Invitation.objects.filter(accepted_at=None, revoked_at=None)
        .select_related("invited_by")
        .order_by("-created_at")
    )


@dataclass(frozen=True)
class TokenLine:
    """A token as the list shows it; `ends_soon` is within a fortnight, `maker` is a name."""

    token: ApiToken
    maker: str
    ends_soon: bool


def token_lines() -> list[TokenLine]:
    """Tokens that are not revoked, the newest first."""
    tokens = list(ApiToken.objects.filter(revoked_at=None).order_by("-created_at"))
    names = actor_names(token.created_by for token in tokens)
    now = clock.now()
    return [
        TokenLine(
            token,
            names.get(token.created_by, ""),
            token.expires_at is not None and token.expires_at < now + SOON,
        )
        for token in tokens
    ]


def live_tokens_made_by(user: User) -> int:
    """How many tokens that still work a person has made, and therefore seen."""
    mine = ApiToken.objects.filter(created_by=f"user:{user.pk}", revoked_at=None)
    return sum(token.is_live for token in mine)


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Names for the stored actors `user:…`, `token:…` and `automation:…`; two queries, however many there are."""
    by_kind: dict[str, set[str]] = {}
    for actor in actors:
        kind, _, key = actor.partition(":")
        by_kind.setdefault(kind, set()).add(key)
    names = {f"automation:{key}": key.replace("-", " ").capitalize() for key in by_kind.get("automation", ())}
    users = User.objects.filter(pk__in=_uuids(by_kind.get("user", ())))
    names |= {f"user:{pk}": name for pk, name in users.values_list("pk", "name")}
    tokens = ApiToken.objects.filter(pk__in=_uuids(by_kind.get("token", ())))
    names |= {f"token:{pk}": f"Token “{name}”" for pk, name in tokens.values_list("pk", "name")}
    return names


def _uuids(keys: Iterable[str]) -> list[UUID]:
    found = []
    for key in keys:
        try:
            found.append(UUID(key))
        except ValueError:
            continue
    return found
