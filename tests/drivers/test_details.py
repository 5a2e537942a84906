"""Details and addresses: edits, what they keep beside, and how they are taken back."""

import pytest
from django.test import Client
from django.urls import reverse

from drivercrm.accounts.enums import Role
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from tests.factories import NANDI, make_driver, make_user

pytestmark = pytest.mark.django_db


# Undo under one driver


def test_an_undo_under_one_driver_leaves_the_others_of_the_same_act(client: Client) -> None:
    client.force_login(make_user(Role.OPERATIONS))
    owner = make_user(Role.OPERATIONS)
    first, second = make_driver(), make_driver()
    ids = [first.pk, second.pk]
    act, _ = drivers.change_status_of_many(ids, "invited", reason="Depot day", by=NANDI)
    entry = drivers.assign(ids, owner, by=NANDI)

    client.post(reverse("driver_status_undo", args=[first.pk, act]))
    client.post(reverse("driver_details_undo", args=[first.pk, entry]))

    rows = Driver.objects.filter(pk__in=ids).order_by("pk")
    assert list(rows.values_list("onboarding_status", "owner")) == [
        ("not_contacted", None),
        ("invited", owner.pk),
    ]


def test_an_edit_of_another_driver_is_not_undone_under_this_one() -> None:
    one, other = make_driver(), make_driver()
    entry = drivers.edit(other, {"area": "Soweto"}, by=NANDI)
    assert entry is not None

    with pytest.raises(Refused, match="nothing to undo"):
        drivers.undo_edit(entry, by=NANDI, only=one.pk)

    other.refresh_from_db()
    assert other.area == "Soweto"


def test_unticking_a_step_takes_back_this_drivers_part_of_an_act() -> None:
    one, other = make_driver(), make_driver()
    drivers.complete_step(one, "app_installed", by=NANDI)
    drivers.change_status(one, "invited", reason="Started over", by=NANDI)
    act, _ = drivers.change_status_of_many([one.pk, other.pk], "active", reason="Both drive", by=NANDI)

    drivers.undo_step(one, "app_installed", by=NANDI, act=act)

    other.refresh_from_db()
    assert (one.onboarding_status, other.onboarding_status) == ("invited", "active")
