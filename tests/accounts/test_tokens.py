"""Keys for programs: hashed, limited, ending."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import ApiToken, secret_hash
from drivercrm.accounts.permissions import PERSONS_ONLY, Can, granted
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.journal.models import Change, Entry
from tests.factories import NANDI

pytestmark = pytest.mark.django_db


def test_only_the_hash_is_kept() -> None:
    token, secret = accounts.create_token("Sync", role=Role.OPERATIONS, by=NANDI)

    kept = repr(
        list(ApiToken.objects.values()) + list(Entry.objects.values()) + list(Change.objects.values())
    )
    assert secret.startswith("dcrm_")
    assert len(secret) == 48
    assert token.secret_hash == secret_hash(secret)
    assert secret[10:] not in kept
    assert Entry.objects.get().data == {"token_id": str(token.pk), "role": "operations", "scopes": []}


def test_a_token_may_what_its_role_may_but_nothing_that_needs_a_person() -> None:
    token, secret = accounts.create_token("Everything", role=Role.ADMIN, by=NANDI)

    access = accounts.authenticate_token(secret)

    assert access is not None
    assert access.cans == granted(Role.ADMIN) - PERSONS_ONLY
    assert (str(access.actor), access.actor.origin, access.name) == (f"token:{token.pk}", "api", "Everything")


def test_scopes_narrow_the_role() -> None:
    _, secret = accounts.create_token("Narrow", role=Role.OPERATIONS, scopes=["read_drivers"], by=NANDI)

    access = accounts.authenticate_token(secret)

    assert access is not None
    assert access.cans == {Can.READ_DRIVERS}


def test_a_scope_that_the_role_lost_or_that_is_gone_gives_nothing() -> None:
    _, secret = accounts.create_token(
        "Old", role=Role.OPERATIONS, scopes=["read_drivers", "import"], by=NANDI
    )
    ApiToken.objects.update(role=Role.VIEWER, scopes=["read_drivers", "import", "no_such_thing"])

    access = accounts.authenticate_token(secret)

    assert access is not None
    assert access.cans == {Can.READ_DRIVERS}


@pytest.mark.parametrize(
    ("scopes", "code"),
    [(["fly"], "unknown_scope"), (["team"], "persons_only"), (["export"], "beyond_role")],
)
def test_scopes_beyond_the_role_are_refused(scopes: list[str], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        accounts.create_token("Greedy", role=Role.OPERATIONS, scopes=scopes, by=NANDI)

    assert (refusal.value.code, refusal.value.field) == (code, "scopes")


def test_an_unknown_expired_or_revoked_secret_opens_nothing() -> None:
    _, expired = accounts.create_token("Short", role=Role.VIEWER, by=NANDI)
    ApiToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    token, revoked = accounts.create_token("Revoked", role=Role.VIEWER, by=NANDI)
    accounts.revoke_token(token, by=NANDI)

    opened = [accounts.authenticate_token(secret) for secret in ("", "dcrm_x", expired, revoked)]

    assert opened == [None, None, None, None]
    assert list(ApiToken.objects.values_list("last_used_at", flat=True)) == [None, None]


def test_a_token_is_revoked_once() -> None:
    token, _ = accounts.create_token("Sync", role=Role.VIEWER, by=NANDI)
    accounts.revoke_token(token, by=NANDI)

    with pytest.raises(Refused, match="revoked already"):
        accounts.revoke_token(token, by=NANDI)


def test_a_name_is_given_once_among_those_that_work() -> None:
    token, _ = accounts.create_token("Sync", role=Role.VIEWER, by=NANDI)
    with pytest.raises(Refused) as refusal:
        accounts.create_token(" sync ", role=Role.VIEWER, by=NANDI)
    accounts.revoke_token(token, by=NANDI)

    accounts.create_token("Sync", role=Role.VIEWER, by=NANDI)

    assert refusal.value.code == "name_taken"


def test_a_token_that_ended_before_it_began_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        accounts.create_token("Late", role=Role.VIEWER, by=NANDI, expires_at=clock.now())

    assert refusal.value.code == "past"


def test_its_use_is_written_at_most_once_a_minute() -> None:
    _, secret = accounts.create_token("Sync", role=Role.VIEWER, by=NANDI)

    with CaptureQueriesContext(
        connection,
    ) as first:
        accounts.authenticate_token(secret)
    used_at = ApiToken.objects.get().last_used_at
    with CaptureQueriesContext(connection) as second:
        accounts.authenticate_token(secret)

    assert (len(first), len(second)) == (2, 1)
    assert ApiToken.objects.get().last_used_at == used_at
    ApiToken.objects.update(last_used_at=clock.now() - timedelta(seconds=61))
    accounts.authenticate_token(secret)
    assert ApiToken.objects.get().last_used_at > clock.now() - timedelta(seconds=10)
