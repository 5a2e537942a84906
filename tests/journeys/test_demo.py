"""The demo: real verbs, the same history for the same seed, never over somebody's data (spec §9)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import Organisation, User
from drivercrm.cli import synthetic
from drivercrm.cli.demo import demo
from drivercrm.communications import workflow as communications
from drivercrm.communications.models import Communication
from drivercrm.config import health
from drivercrm.consent import workflow as consent
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver, SavedView, StatusChange
from tests.factories import actor_of, make_driver, make_user

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
    synthetic.fill(SMALL, say=quiet)

    assert made == 40
    assert story() == first
    synthetic.clear()
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


def interrupt_after(days: int) -> Callable[[str], None]:
    """Stops the fill as Ctrl+C does, when so many days are in."""
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if len(said) > days:
            raise KeyboardInterrupt

    return say


@pytest.mark.parametrize("days", [0, 25])
def test_an_interrupted_demo_begins_again_and_tells_the_same_story(days: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthetic.fill(SMALL, say=interrupt_after(days))
    half = Driver.objects.count()
    assert Driver.objects.filter(is_demo=False).count() == 0
    assert not any(user.has_usable_password() for user in User.objects.all())
    assert synthetic.is_half_filled()
    assert bool(half) is bool(days)

    assert synthetic.fill(SMALL, say=quiet) == 40

    again = story()
    assert not synthetic.is_half_filled()
    assert all(user.check_password(synthetic.PASSWORD) for user in User.objects.all())
    assert (User.objects.count(), SavedView.objects.count()) == (7, 3)
    synthetic.clear()
    synthetic.fill(SMALL, say=quiet)
    assert story() == again
    with pytest.raises(Refused):
        synthetic.fill(SMALL, say=quiet)


@pytest.mark.parametrize("make", [make_driver, make_user])
def test_an_interrupted_demo_with_somebody_real_in_it_is_left_alone(make: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthetic.fill(SMALL, say=interrupt_after(25))
    make()
    before = (Driver.objects.count(), User.objects.count())

    with pytest.raises(Refused) as refusal:
        synthetic.fill(SMALL, say=quiet)

    assert refusal.value.code == "not_empty"
    assert (Driver.objects.count(), User.objects.count()) == before


def test_clearing_leaves_an_empty_installation() -> None:
    synthetic.fill(SMALL, say=quiet)
    admin = User.objects.get(email="admin@demo.example.org")
    accounts.invite("a@example.org", "viewer", by=actor_of(admin))
    token, _ = accounts.create_token("Trial", role="viewer", by=actor_of(admin))

    assert synthetic.clear() == 40

    token.refresh_from_db()
    organisation = Organisation.current()
    assert (Driver.objects.count(), User.objects.count(), StatusChange.objects.count()) == (0, 0, 0)
    assert token.revoked_at is not None
    assert (organisation.name, organisation.pilot_starts_on, organisation.sign_up_goal) == (
        "Driver CRM",
        None,
        None,
    )
    assert demo_finding() == ("right", "no account has the demo’s password")


def demo_finding() -> tuple[str, str]:
    return next((one.state, one.says) for one in health.examine() if one.check == "Demo")


def test_clearing_takes_the_demo_alone_and_leaves_no_open_door(client: Any) -> None:
    synthetic.fill(SMALL, say=quiet)
    assert demo_finding() == ("note", "7 accounts have a published password. Serve it on loopback only.")
    real = make_driver("Real Person", phone="+27821239876")
    assert demo_finding() == (
        "wrong",
        "7 accounts with a published password stand beside real people. Run “drivercrm demo --clear”.",
    )
    with pytest.raises(Refused) as refusal:
        synthetic.clear()
    assert (refusal.value.code, Driver.objects.count()) == ("last_admin", 41)
    mine = make_user(Role.ADMIN)

    assert synthetic.clear() == 40

    assert list(Driver.objects.all()) == [real]
    assert StatusChange.objects.count() == 0
    assert list(User.objects.filter(is_active=True)) == [mine]
    assert User.objects.filter(email__endswith="@demo.example.org").count() == 7
    assert not client.login(email="admin@demo.example.org", password=synthetic.PASSWORD)
    assert demo_finding()[0] == "right"
    assert not synthetic.is_half_filled()


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:8000", ":8000", "[::]:8000", "192.168.0.7:80", "crm.example.org:80"]
)
def test_the_demo_is_served_on_loopback_only(bind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIVERCRM_BIND", bind)

    for given in ("", bind):
        with pytest.raises(Refused) as refusal:
            demo(bind=given)
        assert refusal.value.code == "not_loopback"
    assert (User.objects.count(), Driver.objects.count()) == (0, 0)
