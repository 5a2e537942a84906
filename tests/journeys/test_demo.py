"""The demo: real verbs, the same history for the same seed, never over somebody's data (spec §9)."""

from datetime import timedelta
from typing import Any

import pytest

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import User
from drivercrm.cli import synthetic
from drivercrm.communications import workflow as communications
from drivercrm.communications.models import Communication
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, StatusChange
from tests.factories import make_driver, make_user

pytestmark = pytest.mark.django_db

SMALL = synthetic.Options(drivers=40, days=60, seed=3)


def quiet(sentence: str) -> None:
    """Nobody watches."""


def story() -> list[tuple[Any, ...]]:
    rows = Driver.objects.order_by("created_at", "name").values_list(
        "name",
        "phone",
        "email",
        "onboarding_status",
        "first_contact_date",
        "onboarding_complete_date",
        "notes",
    )
    return list(rows)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    made = synthetic.fill(SMALL, say=quiet)
    first = story()
    synthetic.clear()
    User.objects.all().delete()
    synthetic.fill(SMALL, say=quiet)

    assert made == 40
    assert story() == first
    synthetic.clear()
    User.objects.all().delete()
    synthetic.fill(synthetic.Options(drivers=40, days=60, seed=4), say=quiet)
    assert story() != first


def test_the_history_is_dated_back_and_agrees_with_itself() -> None:
    synthetic.fill(SMALL, say=quiet)

    changes = StatusChange.objects.order_by("at")
    assert changes.count() > 60
    assert changes[0].at < clock.now() - timedelta(days=30)
    assert not changes.filter(at__gt=clock.now()).exists()
    assert all(abs(change.recorded_at - change.at) < timedelta(days=20) for change in changes)
    assert {"not_contacted", "contacted", "active"} <= set(
        Driver.objects.values_list("onboarding_status", flat=True)
    )
    assert Communication.objects.filter(channel="phone").count() > 30
    assert Driver.objects.filter(is_demo=False).count() == 0
    assert set(drivers.rebuild().values()) == {0}
    assert (consent.rebuild(), communications.rebuild()) == ({"consent": 0}, {"communications": 0})


def test_there_is_one_sign_in_for_each_role(client: Any) -> None:
    synthetic.fill(SMALL, say=quiet)
    assert set(User.objects.values_list("role", flat=True)) == set(Role.values)
    assert all(user.check_password(synthetic.PASSWORD) for user in User.objects.all()[:1])


@pytest.mark.parametrize("make", [make_driver, make_user])
def test_a_database_that_holds_anybody_is_refused(make: Any) -> None:
    make()
    before = (Driver.objects.count(), User.objects.count())

    with pytest.raises(Refused) as refusal:
        synthetic.fill(SMALL, say=quiet)

    assert refusal.value.code == "not_empty"
    assert (Driver.objects.count(), User.objects.count()) == before


def test_clearing_takes_demo_drivers_alone() -> None:
    synthetic.fill(SMALL, say=quiet)
    real = make_driver("Real Person", phone="+27821239876")

    assert synthetic.clear() == 40

    assert list(Driver.objects.all()) == [real]
    assert StatusChange.objects.count() == 0
