"""What the log never holds: addresses of pages, with the secrets and searches in them (spec §11)."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.test import Client

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from tests.factories import actor_of, make_user


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What the process writes to its log."""
    [handler] = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    log = StringIO()
    before = handler.setStream(log)
    yield log
    handler.setStream(before)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["password", "invitation"])
def test_a_refused_form_leaves_no_secret_in_the_log(written: StringIO, kind: str) -> None:
    admin = make_user()
    if kind == "password":
        secret = accounts.make_password_link(make_user(Role.VIEWER), by=actor_of(admin))
        address = f"/passwords/{secret}/"
    else:
        _, secret = accounts.invite("new@example.org", Role.VIEWER, by=actor_of(admin))
        address = f"/invitations/{secret}/"
    client = Client(enforce_csrf_checks=True)
    assert client.get(address).status_code == 200

    answer = client.post(address, {"password": "kite lantern orbit"})

    said = written.getvalue()
    assert answer.status_code == 403
    assert secret not in said
    assert "check=csrf" in said
    assert "status=403" in said


@pytest.mark.parametrize(
    "name", ["django.request", "django.server", "django.security.csrf", "django.security.DisallowedHost"]
)
def test_what_frameworks_say_of_an_address_is_not_written(written: StringIO, name: str) -> None:
    logging.getLogger(name).error("Something about %s", "/drivers/?q=Sipho")

    assert "Sipho" not in written.getvalue()
