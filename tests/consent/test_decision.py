"""The one decision: what may leave on which ground (spec §4)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.consent.formula import ANSWER_WINDOW, Decision, Facts, Ground, decide

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SERVICE = ("whatsapp", "service")
MARKETING = ("whatsapp", "marketing")


def facts(**given: object) -> Facts:
    return replace(Facts("whatsapp", "marketing"), **given)  # type: ignore[arg-type]


def code(ground: Ground, one: Facts) -> str:
    decision = decide(ground, one, NOW)
    assert decision.may_leave == (decision.code == "")
    assert bool(decision.sentence) != decision.may_leave
    return decision.code


@pytest.mark.parametrize(
    ("ground", "one", "expected"),
    [
        (Ground.CONSENT, facts(states={MARKETING: "granted"}), ""),
        (Ground.CONSENT, facts(states={SERVICE: "granted"}), "never_asked"),
        (Ground.CONSENT, facts(states={("email", "marketing"): "granted"}), "never_asked"),
        (Ground.CONSENT, facts(states={MARKETING: "asked"}), "no_answer"),
        (Ground.CONSENT, facts(states={MARKETING: "withdrawn"}), "withdrawn"),
        (Ground.CONSENT, facts(states={MARKETING: "granted"}, is_opted_out=True), "opted_out"),
        (Ground.CONSENT, facts(states={MARKETING: "granted"}, is_suppressed=True), "address_said_no"),
        (Ground.WELCOME, facts(), ""),
        (Ground.WELCOME, facts(states={SERVICE: "granted"}), ""),
        (Ground.WELCOME, facts(is_welcomed=True), "welcomed"),
        (Ground.WELCOME, facts(states={("email", "marketing"): "asked"}), "asked_before"),
        (Ground.WELCOME, facts(states={("email", "service"): "withdrawn"}), "asked_before"),
        (Ground.WELCOME, facts(states={MARKETING: "withdrawn"}), "withdrawn"),
        (Ground.WELCOME, facts(is_suppressed=True), "address_said_no"),
        (Ground.TICKET, facts(purpose="service", has_open_ticket=True), ""),
        (Ground.TICKET, facts(purpose="service"), "no_open_ticket"),
        (Ground.TICKET, facts(purpose="service", has_open_ticket=True, is_automatic=True), "never_asked"),
        (
            Ground.TICKET,
            facts(purpose="service", has_open_ticket=True, states={SERVICE: "withdrawn"}),
            "withdrawn",
        ),
        (Ground.ANSWER, facts(last_wrote_at=NOW - timedelta(hours=24)), ""),
        (Ground.ANSWER, facts(last_wrote_at=NOW - timedelta(hours=24, seconds=1)), "nothing_to_answer"),
        (Ground.ANSWER, facts(), "nothing_to_answer"),
        (
            Ground.ANSWER,
            facts(
                is_opted_out=True,
                said_no_at=NOW - timedelta(hours=2),
                last_wrote_at=NOW - timedelta(hours=1),
            ),
            "",
        ),
        (
            Ground.ANSWER,
            facts(said_no_at=NOW - timedelta(hours=1), last_wrote_at=NOW - timedelta(hours=2)),
            "said_no_since",
        ),
        (Ground.ANSWER, facts(last_wrote_at=NOW, is_automatic=True), "not_a_person"),
        (Ground.CONFIRMATION, facts(is_opted_out=True, is_suppressed=True), ""),
        (Ground.CONFIRMATION, facts(is_confirmed=True), "already_confirmed"),
        (
            Ground.CONSENT,
            facts(states={MARKETING: "granted"}, holds_automation=True, is_automatic=True),
            "automation_held",
        ),
        (Ground.CONSENT, facts(states={MARKETING: "granted"}, holds_automation=True), ""),
    ],
)
def test_what_may_leave(ground: Ground, one: Facts, expected: str) -> None:
    assert code(ground, one) == expected


def test_only_what_a_look_can_settle_waits() -> None:
    held = decide(
        Ground.CONSENT,
        facts(states={MARKETING: "granted"}, holds_automation=True, is_automatic=True),
        NOW,
    )
    dropped = decide(Ground.CONSENT, facts(), NOW)

    assert (held.may_come, dropped.may_come) == (True, False)


moments = st.none() | st.timedeltas(timedelta(days=-3), timedelta(0)).map(lambda ago: NOW + ago)
pairs = st.tuples(
    st.sampled_from(["whatsapp", "telegram", "email"]), st.sampled_from(["service", "marketing"])
)
everything = st.builds(
    Facts,
    channel=st.sampled_from(["whatsapp", "telegram", "email"]),
    purpose=st.sampled_from(["service", "marketing"]),
    states=st.dictionaries(pairs, st.sampled_from(["asked", "granted", "withdrawn"])),
    is_opted_out=st.booleans(),
    is_suppressed=st.booleans(),
    is_welcomed=st.booleans(),
    last_wrote_at=moments,
    said_no_at=moments,
    has_open_ticket=st.booleans(),
    is_confirmed=st.booleans(),
    holds_automation=st.booleans(),
    is_automatic=st.booleans(),
)


@given(st.sampled_from(Ground), everything)
def test_after_a_no_only_a_confirmation_or_a_persons_answer_to_a_later_message(
    ground: Ground, one: Facts
) -> None:
    decision = decide(ground, one, NOW)

    said_no = (
        one.is_opted_out or one.is_suppressed or one.states.get((one.channel, one.purpose)) == "withdrawn"
    )
    if decision.may_leave and said_no and ground != Ground.CONFIRMATION:
        assert ground == Ground.ANSWER
        assert not one.is_automatic
        assert one.last_wrote_at is not None
        assert NOW - one.last_wrote_at <= ANSWER_WINDOW
        assert one.said_no_at is None or one.last_wrote_at > one.said_no_at


@given(st.sampled_from(Ground), everything)
def test_nothing_automatic_leaves_without_a_yes_but_the_welcome_and_a_confirmation(
    ground: Ground, one: Facts
) -> None:
    one = replace(one, is_automatic=True)

    if decide(ground, one, NOW).may_leave and ground not in {Ground.WELCOME, Ground.CONFIRMATION}:
        assert one.states[one.channel, one.purpose] == "granted"


@given(everything)
def test_whoever_had_the_welcome_gets_no_second_one(one: Facts) -> None:
    assert decide(Ground.WELCOME, replace(one, is_welcomed=True), NOW) != Decision(True)
