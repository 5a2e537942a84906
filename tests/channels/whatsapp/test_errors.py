"""The table of Meta's codes, as written down in the facts of channels.md §1.6."""

import pytest

from drivercrm.channels.provider import Failure
from drivercrm.channels.whatsapp.errors import CODES, code_of, failure_of, words_of

EXPECTED = {
    Failure.TEMPORARY: [1, 2, 131000, 131016, 131053, 131057],
    Failure.RATE: [4, 80007, 130429, 133016],
    Failure.RECIPIENT_RATE: [131056],
    Failure.CAMPAIGN: [131042, 131044, 131048, 131064],
    Failure.NOT_NOW: [130472, 131049],
    Failure.NEEDS_TEMPLATE: [131047],
    Failure.UNREACHABLE: [131026, 131030],
    Failure.MARKETING_STOPPED: [131050],
    Failure.ACCOUNT: [0, 3, 10, 190, 200, 299, 131005, 368, 131031, 130497, 131045, 133010, 131037],
    Failure.CONTENT: [
        *(100, 131008, 131009, 131021, 131051, 131062),
        *(132000, 132005, 132007, 132008, 132012, 135000),
    ],
    Failure.TEMPLATE: [132001, 132015, 132016, 132068, 132069],
}


@pytest.mark.parametrize("expected", EXPECTED)
def test_a_code_says_what_to_do(expected: Failure) -> None:
    assert {failure_of(code) for code in EXPECTED[expected]} == {expected}


def test_no_code_has_two_meanings_and_none_ends_consent() -> None:
    codes = [code for group in CODES.values() for code in group]
    assert len(codes) == len(set(codes))
    assert Failure.BLOCKED not in CODES  # Meta never says that somebody has blocked us


def test_a_code_without_a_row_is_unknown() -> None:
    assert failure_of(987654) == Failure.UNKNOWN_CODE
    assert failure_of(None) == Failure.UNKNOWN_CODE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 131047}, 131047),
        ({"code": "131047"}, 131047),
        ({"code": True}, None),
        ("no", None),
        ({}, None),
    ],
)
def test_codes_are_read_as_they_come(error: object, code: int | None) -> None:
    assert code_of(error) == code


def test_the_most_telling_words_are_shown() -> None:
    full = {"title": "t", "message": "m", "error_data": {"details": "d"}, "error_user_msg": "u"}
    assert words_of(full) == "u"
    assert words_of({**full, "error_user_msg": ""}) == "d"
    assert words_of({"title": "t", "message": None, "error_data": "x"}) == "t"
    assert words_of(None) == ""
