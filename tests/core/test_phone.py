"""Phone repair: every form the lists hold, and never a guess (spec §10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.core.phone import (
    COUNTRY_CODE,
    FOREIGN,
    LETTER_O,
    LOST_ZERO,
    TRUNK_ZERO,
    UNASSIGNED,
    is_mobile,
    read_phone,
)

NUMBER = "+27821234567"


@pytest.mark.parametrize(
    ("cell", "notes"),
    [
        ("0821234567", ()),
        ("082 123 4567", ()),
        ("082-123-4567", ()),
        ("(082) 123-4567", ()),
        ("082.123.4567", ()),
        ("082\u00a0123\u20114567", ()),
        ("\u200e0821234567", ()),
        ("０８２１２３４５６７", ()),
        (" '0821234567", ()),
        ("tel:0821234567", ()),
        ("O821234567", (LETTER_O,)),
        ("o82 123 4567", (LETTER_O,)),
        ("821234567", (LOST_ZERO,)),
        (821234567, (LOST_ZERO,)),
        (821234567.0, (LOST_ZERO,)),
        ("821234567.0", (LOST_ZERO,)),
        ("8.21234567E8", (LOST_ZERO,)),
        ("8.21234567e+08", (LOST_ZERO,)),
        ("27821234567", (COUNTRY_CODE,)),
        (27821234567.0, (COUNTRY_CODE,)),
        ("0027821234567", (COUNTRY_CODE,)),
        ("+27821234567", ()),
        ("+27 82 123 4567", ()),
        ("+27 (0)82 123 4567", (TRUNK_ZERO,)),
        ("'+27821234567", ()),
    ],
)
def test_every_way_of_writing_a_number_is_repaired(cell: object, notes: tuple[str, ...]) -> None:
    reading = read_phone(cell)

    assert (reading.e164, reading.notes, reading.problem) == (NUMBER, notes, None)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("082123456", "9 digits: a South African number has ten, starting with 0"),
        ("08212345678", "11 digits: a South African number has ten, starting with 0"),
        ("0830828799123", "13 digits: a South African number has ten, starting with 0"),
        ("08304650051234", "14 digits: a South African number has ten, starting with 0"),
        ("+2782123456", "10 digits: a South African number has ten, starting with 0"),
        ("+278212345678", "12 digits: a South African number has ten, starting with 0"),
        ("8212345678", "10 digits: a South African number has ten, starting with 0"),
        ("5", "1 digit: a South African number has ten, starting with 0"),
        ("0780544979/0720009535", "Two numbers in one cell"),
        ("0780544979 0720009535", "Two numbers in one cell"),
        ("0780544979 or 0720009535", "Two numbers in one cell"),
        ("0780544979\n0720009535", "Two numbers in one cell"),
        ("+27780544979+27720009535", "Two numbers in one cell"),
        ("n/a", "This is not a phone number"),
        ("N/A", "This is not a phone number"),
        ("-", "This is not a phone number"),
        ("none", "This is not a phone number"),
        ("O", "This is not a phone number"),
        ("0821234567 ext 5", "This is not a phone number"),
        ("082123456l", "This is not a phone number"),
        ("0821234567/8", "This is not a phone number"),
        ("0" * 500, "This is not a phone number"),
        ("x" * 500, "This is not a phone number"),
        ("7.10585E+08", "The spreadsheet shortened this number and digits are lost"),
        ("00263771234567", "A number from abroad needs + and its country code"),
        ("+999123", "The country code after + does not exist"),
        ("+4412", "No such number in the country of its code"),
    ],
)
def test_what_would_be_a_guess_is_a_problem(cell: str, problem: str) -> None:
    reading = read_phone(cell)

    assert (reading.e164, reading.problem) == (None, problem)


@pytest.mark.parametrize("cell", ["", "  ", None, "\u200b", "'"])
def test_an_empty_cell_is_no_problem(cell: object) -> None:
    assert read_phone(cell).is_empty


def test_the_right_length_goes_in_even_if_unassigned() -> None:
    reading = read_phone("0999999999")

    assert (reading.e164, reading.notes) == ("+27999999999", (UNASSIGNED,))


def test_a_library_does_not_stretch_south_african_numbers() -> None:
    """Its plan has ten-digit numbers that begin with 8; nobody's phone has one."""
    assert read_phone("+278610000000").e164 is None


def test_foreign_numbers_need_a_plus_and_must_exist() -> None:
    reading = read_phone("+263 77 123 4567")

    assert (reading.e164, reading.notes) == ("+263771234567", (FOREIGN,))


def test_mobile_numbers_are_told_from_landlines() -> None:
    assert is_mobile("+27821234567")
    assert is_mobile("+27700012345")
    assert not is_mobile("+27312345678")
    assert not is_mobile("nonsense")


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.none(), st.booleans()))
def test_reading_never_raises_and_never_gives_both(cell: object) -> None:
    reading = read_phone(cell)

    assert reading.e164 is None or reading.problem is None


@given(st.text(alphabet="0123456789oO +-()./", max_size=24))
def test_what_is_read_has_nine_national_digits_and_reads_as_itself(cell: str) -> None:
    e164 = read_phone(cell).e164

    if e164 and e164.startswith("+27"):
        assert len(e164) == 12
    if e164:
        assert read_phone(e164).e164 == e164


@pytest.mark.parametrize("text", ["0831234567;", "0831234567,", "083 123 4567 /", "+27831234567 | "])
def test_a_separator_at_the_end_separates_nothing(text: str) -> None:
    assert read_phone(text).e164 == "+27831234567"
