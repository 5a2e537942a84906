"""Random lives of a driver: status, stage dates and history always agree, and rebuild finds nothing to do."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.communications import workflow as communications
from drivercrm.consent import workflow as consent
from drivercrm.core.errors import Refused
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.enums import Trigger as T
from drivercrm.drivers.models import Driver, StatusChange
from drivercrm.drivers.moves import RANK, STAGE_DATES
from tests.factories import NANDI, make_driver

START = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
EVENTS = [t for t in T if t not in {T.STAFF, T.UNDO, T.CONSENT_GRANTED, T.CONSENT_WITHDRAWN, T.IMPORTED}]

acts = st.one_of(
    st.tuples(st.just("trigger"), st.sampled_from(EVENTS)),
    st.tuples(st.just("import"), st.sampled_from(S.values)),
    st.tuples(st.just("staff"), st.sampled_from(S.values)),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("withdraw"), st.booleans()),
    st.tuples(st.just("grant"), st.sampled_from(["whatsapp", "email"])),
    st.tuples(st.just("step"), st.integers(0, 6)),
    st.tuples(st.just("unstep"), st.integers(0, 6)),
    st.tuples(st.just("restep"), st.integers(0, 6)),
    st.tuples(st.just("require"), st.integers(1, 7)),
    st.tuples(st.just("usage"), st.integers(0, 60)),
    st.tuples(st.just("nightly"), st.integers(0, 90)),
    st.tuples(st.just("call"), st.sampled_from(["answered", "voicemail", "no_answer", "busy"])),
    st.tuples(st.just("follow_up"), st.integers(0, 9)),
)


def perform(driver: Driver, kind: str, value: Any, at: datetime) -> None:
    steps = [step["key"] for step in Organisation.current().onboarding_steps]
    day = START.date() + timedelta(days=value) if isinstance(value, int) else START.date()
    match kind:
        case "trigger":
            drivers.trigger([driver.pk], value, by=NANDI, at=at)
        case "import":
            drivers.trigger([driver.pk], T.IMPORTED, to=value, by=NANDI, at=at)
        case "staff":
            drivers.change_status(driver, value, reason="walk", by=NANDI, at=at)
        case "undo":
            newest = StatusChange.objects.filter(driver=driver).order_by("-sequence")
            if newest.count() > value:
                drivers.undo_act(newest[value].act, by=NANDI)
        case "withdraw":
            channels = consent.ALL_CHANNELS if value else ["whatsapp"]
            consent.withdraw(driver, channels=channels, source="walk", by=NANDI, at=at)
        case "grant":
            consent.grant(
                driver,
                channels=[value],
                purposes=["service"],
                source="walk",
                evidence="said so",
                by=NANDI,
                at=at,
            )
        case "step":
            drivers.complete_step(driver, steps[value], by=NANDI, at=at)
        case "unstep":
            drivers.undo_step(driver, steps[value], by=NANDI)
        case "restep":
            entry = drivers.undo_step(driver, steps[value], by=NANDI)
            drivers.restore_step(driver, steps[value], entry, by=NANDI)
        case "require":
            before = Organisation.current().required_steps
            require_first(value)
            drivers.complete_who_has_done_all(before, at=at, by=NANDI)
        case "usage":
            drivers.note_usage(driver, day, by=NANDI)
        case "nightly":
            Organisation.objects.update(metrics_complete_through=day)
            drivers.mark_inactive()
        case "call":
            communications.log_call(driver, direction="outbound", outcome=value, by=NANDI, at=at)
        case "follow_up":
            drivers.set_follow_ups(
                [driver.pk],
                due_at=at + timedelta(days=value),
                is_all_day=True,
                reason="",
                owner=None,
                by=NANDI,
            )


def require_first(number: int) -> None:
    steps = Organisation.current().onboarding_steps
    wanted = [{**step, "required": place < number} for place, step in enumerate(steps)]
    accounts.save_organisation({"onboarding_steps": wanted}, by=NANDI)


def check_agreement(driver: Driver) -> None:
    """Works the projection out again in the plainest way there is, apart from the code under test."""
    rows = list(StatusChange.objects.filter(driver=driver).order_by("sequence"))
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    status = S.NOT_CONTACTED
    for row in rows:  # reversals included, every row begins where the one before it ended
        assert row.from_status == status
        status = S(row.to_status)
    assert driver.onboarding_status == status
    gone = {row.reverses_id for row in rows if row.reverses_id} | {row.pk for row in rows if row.reverses_id}
    for column, rank in STAGE_DATES.items():
        reached = [row.at for row in rows if row.pk not in gone and RANK.get(row.to_status, -1) >= rank]
        assert getattr(driver, column) == min(reached, default=None), column


@pytest.mark.django_db
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(life=st.lists(acts, min_size=1, max_size=25))
def test_any_life_leaves_status_dates_and_history_in_agreement(life: list[tuple[str, Any]]) -> None:
    Organisation.current()
    Organisation.objects.update(pilot_starts_on=START.date(), metrics_complete_through=None)
    require_first(7)  # an example before this one may have asked for less
    driver = make_driver()
    for number, (kind, value) in enumerate(life):
        with suppress(Refused):  # a refused act changes nothing: the agreement below says so
            perform(driver, kind, value, START + timedelta(hours=number))
        driver.refresh_from_db()
        check_agreement(driver)
    assert set(drivers.rebuild().values()) == {0}
    assert consent.rebuild() == {"consent": 0}
    assert communications.rebuild() == {"communications": 0}


@pytest.mark.django_db
def test_rebuild_mends_what_was_tampered_with_and_says_how_much() -> None:
    driver = make_driver()
    drivers.trigger([driver.pk], T.MESSAGE_ACCEPTED, by=NANDI, at=START)
    Driver.objects.filter(pk=driver.pk).update(
        onboarding_status=S.ACTIVE, first_contact_date=None, next_follow_up_date=START, total_communications=7
    )

    wrong = drivers.rebuild()

    driver.refresh_from_db()
    assert wrong == {
        "onboarding_status": 1,
        "first_contact_date": 1,
        "onboarding_start_date": 0,
        "onboarding_complete_date": 0,
        "next_follow_up_date": 1,
    }
    assert communications.rebuild() == {"communications": 1}
    assert (driver.onboarding_status, driver.first_contact_date) == (S.CONTACTED, START)
    assert set(drivers.rebuild().values()) == {0}
