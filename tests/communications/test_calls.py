"""Calls that people log, and what follows from them (spec §2, §5.1)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.communications import workflow as communications
from drivercrm.communications.formula import Said, response_rate
from drivercrm.communications.models import Communication
from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.drivers.enums import OnboardingStatus as S
from tests.factories import NANDI, make_driver

MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("direction", "outcome", "status", "moved"),
    [
        ("outbound", "answered", "replied", S.CONTACTED),
        ("outbound", "voicemail", "delivered", S.CONTACTED),
        ("outbound", "no_answer", "failed", S.NOT_CONTACTED),
        ("outbound", "busy", "failed", S.NOT_CONTACTED),
        ("outbound", "wrong_number", "failed", S.NOT_CONTACTED),
        ("inbound", "answered", "replied", S.NOT_CONTACTED),
        ("inbound", "missed", "delivered", S.NOT_CONTACTED),
    ],
)
def test_a_call_has_the_status_of_its_outcome_and_moves_who_was_reached(
    direction: str, outcome: str, status: str, moved: str
) -> None:
    driver = make_driver()

    call = communications.log_call(
        driver, direction=direction, outcome=outcome, by=NANDI, note="Spoke", seconds=240, at=MONDAY
    )

    assert (call.channel, call.status, call.call_seconds, call.created_by) == (
        "phone",
        status,
        240,
        str(NANDI),
    )
    assert driver.onboarding_status == moved
    assert driver.total_communications == 1
    assert driver.last_contact_date == (None if status == "failed" else MONDAY)
    assert call.response_received is (status == "replied")
    assert call.response_time == (0 if status == "replied" else None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"direction": "inbound", "outcome": "voicemail"}, "outcome_does_not_fit"),
        ({"direction": "sideways"}, "outcome_does_not_fit"),
        ({"at": clock.now() + timedelta(hours=2)}, "in_future"),
        ({"seconds": -1}, "length_out_of_range"),
        ({"seconds": 90_000}, "length_out_of_range"),
        ({"message_type": "gossip"}, "unknown_type"),
    ],
)
def test_a_call_that_cannot_be_is_refused_and_changes_nothing(more: dict[str, object], code: str) -> None:
    driver = make_driver()
    with pytest.raises(Refused) as refusal:
        communications.log_call(
            driver,
            **{"direction": "outbound", "outcome": "answered", "by": NANDI, **more},  # type: ignore[arg-type]
        )
    assert refusal.value.code == code
    assert Communication.objects.count() == 0


@pytest.mark.django_db
def test_the_response_rate_follows_the_calls() -> None:
    driver = make_driver()
    for days, outcome in [(0, "no_answer"), (2, "answered"), (4, "busy"), (6, "voicemail")]:
        communications.log_call(
            driver, direction="outbound", outcome=outcome, by=NANDI, at=MONDAY + timedelta(days=days)
        )
    assert driver.response_rate == 0.25
    assert driver.total_communications == 4


def out(hours: float, *, answered: bool = False, counts: bool = True) -> Said:
    return Said(MONDAY + timedelta(hours=hours), True, counts, answered)


def into(hours: float) -> Said:
    return Said(MONDAY + timedelta(hours=hours), False)


@pytest.mark.parametrize(
    ("rows", "rate"),
    [
        ([], None),
        ([into(0)], None),
        ([out(0)], 0.0),
        ([out(0), out(23.9)], 0.0),  # one prompt
        ([out(0), out(23.9, answered=True)], 1.0),  # answered if any of its rows is
        ([out(0, answered=True), out(24)], 0.5),  # 24 h later a new prompt
        ([out(0, answered=True), into(1), out(2)], 0.5),  # the driver wrote since: a new prompt
        ([out(0, counts=False)], None),
        ([out(0, answered=True), out(1, counts=False), out(2)], 1.0),
        ([out(0), out(20), out(30)], 0.0),
    ],
)
def test_prompts_and_answers(rows: list[Said], rate: float | None) -> None:
    assert response_rate(rows) == rate


rows = st.lists(
    st.builds(
        Said,
        at=st.integers(0, 500).map(lambda hours: MONDAY + timedelta(hours=hours)),
        is_outbound=st.booleans(),
        counts=st.booleans(),
        is_answered=st.booleans(),
    ),
    max_size=30,
    unique_by=lambda row: row.at,
)


@given(rows)
def test_a_rate_is_a_share_and_does_not_depend_on_the_order_of_rows(said: list[Said]) -> None:
    rate = response_rate(said)
    assert rate is None or 0 <= rate <= 1
    assert rate == response_rate(reversed(said))
    assert (rate is None) == (not any(row.is_outbound and row.counts for row in said))
