"""What people do to the very drivers that a list is about to write."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import ImportRow
from drivercrm.imports.workflow import running
from tests.factories import NANDI, make_driver
from tests.imports.lists import applied, staged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def beside(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> threading.Thread:
    """Somebody who acts once between the judging of a chunk and its writing; a lock may make them wait."""

    def person() -> None:
        try:
            act()
        except Refused:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=person)
    write = running._Writing.write

    def and_then_write(self: running._Writing) -> None:
        if not thread.ident:
            thread.start()
            thread.join(1)
        write(self)

    monkeypatch.setattr(running._Writing, "write", and_then_write)
    return thread


def test_an_edit_beside_a_running_import_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    thabo = make_driver("Thabo Mokoena", phone="+27831234567", email="old@example.org", area="Durban")
    Driver.objects.update(edited_fields=[])
    of = staged(
        [["Thabo Mokoena", "0831234567", "list@example.org", "Pinetown"]], ["Name", "Phone", "Email", "Area"]
    )
    person = beside(
        monkeypatch,
        lambda: drivers.edit(thabo, {"email": "person@example.org", "area": "Umlazi"}, by=NANDI),
    )

    of = applied(of)
    person.join(20)

    thabo.refresh_from_db()
    assert of.state == ImportState.DONE
    assert (thabo.email, thabo.area) == ("person@example.org", "Umlazi")
    assert sorted(thabo.edited_fields) == ["area", "email"]
    held = ChannelIdentity.objects.filter(driver=thabo, until__isnull=True, kind="email")
    assert [row.value for row in held] == ["person@example.org"]


def test_a_driver_made_beside_a_running_import_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    of = staged([["Thabo Mokoena", "0831234567", ""], ["Zanele Dube", "0831234568", ""]])
    person = beside(
        monkeypatch,
        lambda: drivers.create({"name": "Thabo Mokoena", "phone": "+27831234567"}, source="person", by=NANDI),
    )

    of = applied(of)
    person.join(20)

    assert of.state == ImportState.DONE
    assert sorted(Driver.objects.values_list("name", flat=True)) == ["Thabo Mokoena", "Zanele Dube"]
    assert ChannelIdentity.objects.filter(value="+27831234567", until__isnull=True).count() == 1


@pytest.mark.parametrize("chunk", [1, 100])
def test_an_address_that_one_row_replaces_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(running, "CHUNK", chunk)
    thabo = make_driver("Thabo Mokoena", phone="+27831234567", email="old@example.org")
    Driver.objects.update(edited_fields=[])
    of = staged(
        [
            ["Thabo Mokoena", "0831234567", "new@example.org"],
            ["Zanele Dube", "0831234568", "old@example.org"],
        ]
    )

    of = applied(of)

    zanele = Driver.objects.exclude(pk=thabo.pk).get()
    thabo.refresh_from_db()
    assert of.state == ImportState.DONE
    assert list(ImportRow.objects.order_by("number").values_list("verdict", flat=True)) == [
        "update",
        "create",
    ]
    assert (thabo.email, zanele.email) == ("new@example.org", "old@example.org")
    held = ChannelIdentity.objects.filter(kind="email", until__isnull=True)
    assert dict(held.values_list("value", "driver_id")) == {
        "new@example.org": thabo.pk,
        "old@example.org": zanele.pk,
    }
