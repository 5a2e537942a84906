"""A restored or copied database is held: nothing is exported until an admin releases it (spec §11)."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from drivercrm.accounts import queries
from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.journal.models import Entry
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db

RELEASE = "/settings/organisation/release/"
EXPORT = "/drivers/export/?all=1"


def held() -> None:
    accounts.hold(because="Restored from the backup of 3 Nov, 09:14", by=NANDI)


def test_a_hold_and_its_release_are_journalled() -> None:
    assert queries.is_held() is False

    held()
    since = Organisation.current().held_since
    assert queries.is_held() is True
    accounts.release(by=NANDI)

    assert since
    assert queries.is_held() is False
    assert list(Entry.objects.order_by("pk").values_list("name", "actor", "data")) == [
        ("organisation.held", str(NANDI), {"because": "Restored from the backup of 3 Nov, 09:14"}),
        ("organisation.released", str(NANDI), {"held_since": since.isoformat()}),
    ]


def test_a_later_hold_gives_the_newer_reason() -> None:
    held()
    accounts.hold(because=" Copied\nby hand ", by=NANDI)

    assert Organisation.current().held_because == "Copied by hand"


def test_a_hold_needs_a_reason() -> None:
    with pytest.raises(Refused) as refusal:
        accounts.hold(because=" ", by=NANDI)

    assert (refusal.value.code, refusal.value.field) == ("reason_missing", "because")
    with pytest.raises(IntegrityError), transaction.atomic():
        Organisation.objects.filter(pk=Organisation.current().pk).update(held_because="x")


def test_of_two_admins_only_one_releases() -> None:
    held()
    accounts.release(by=NANDI)

    with pytest.raises(Refused) as refusal:
        accounts.release(by=NANDI)

    assert refusal.value.code == "not_held"
    assert Entry.objects.filter(name="organisation.released").count() == 1


def test_nothing_is_exported_while_it_is_held(client: Client) -> None:
    make_driver()
    client.force_login(make_user(Role.ADMIN))
    held()

    asked, taken = client.get(EXPORT), client.post(EXPORT, {"all": "1", "format": "csv"})
    with pytest.raises(Refused) as refusal:
        drivers.note_export(format="csv", filter="All drivers", rows=1, by=NANDI)

    assert (asked.status_code, taken.status_code, refusal.value.code) == (409, 409, "held")
    assert "until an admin releases it" in taken.content.decode()
    assert not Entry.objects.filter(name="drivers.exported").exists()

    accounts.release(by=NANDI)
    file = client.post(EXPORT, {"all": "1", "format": "csv"})
    assert b"Driver" in b"".join(file.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", Role.values)
def test_everybody_reads_it_on_every_page_and_admins_find_the_way_out(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    before = client.get("/drivers/").content.decode()
    held()

    text = client.get("/drivers/").content.decode()

    assert "Nothing is sent or exported." not in before
    assert (
        "<b>Nothing is sent or exported.</b> Restored from the backup of 3 Nov, 09:14. Held since Today"
        in text
    )
    assert ("An admin can release it." in text, f'href="{RELEASE}"' in text) == (
        role != Role.ADMIN,
        role == Role.ADMIN,
    )


def test_an_admin_releases_it_on_its_page(client: Client) -> None:
    admin = make_user(Role.ADMIN)
    client.force_login(admin)
    held()

    asked = client.get(RELEASE).content.decode()
    answer = client.post(RELEASE)

    assert "Restored from the backup of 3 Nov, 09:14" in asked
    assert (answer.status_code, answer["Location"]) == (302, "/settings/organisation/")
    assert queries.is_held() is False
    assert Entry.objects.get(name="organisation.released").actor == f"user:{admin.pk}"
    assert "Nothing is sent or exported." not in client.get("/drivers/").content.decode()
    assert "there is nothing to release" in client.get(RELEASE).content.decode()
    assert client.post(RELEASE).status_code == 409


def test_programs_read_that_it_is_held_and_cannot_release_it(client: Client) -> None:
    _, secret = accounts.create_token("Sync", role=Role.ADMIN, by=NANDI)
    headers = {"Authorization": f"Bearer {secret}"}
    held()
    since = Organisation.current().held_since

    told = client.get("/api/v1/organisation", headers=headers).json()

    assert since
    assert told["held_because"] == "Restored from the backup of 3 Nov, 09:14"
    assert told["held_since"] == since.isoformat().replace("+00:00", "Z")
    assert client.post(RELEASE, headers=headers).status_code == 302
    assert queries.is_held() is True
