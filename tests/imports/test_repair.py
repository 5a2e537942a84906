"""One row made clean, with a note per repair (spec §10)."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.imports.columns import ColumnMap
from drivercrm.imports.headings import Target
from drivercrm.imports.identity_numbers import SHORTEST_IDENTITY, _count
from drivercrm.imports.reading import Row
from drivercrm.imports.repair import Candidate, Repairer, read_day, tidy_area


def repaired(
    surname_first: bool = False, statuses: dict[str, str | None] | None = None, **cells: str
) -> Candidate:
    columns = ColumnMap(tuple(Target(name) for name in cells), surname_first, statuses or {})
    return Repairer(columns).row(Row(7, tuple(cells.values()), blank=False))


def test_a_row_is_repaired_and_says_how() -> None:
    candidate = repaired(
        surname_first=True, name="82. NGCOBO RAJESH", phone="O821234567", email="rajesh@example", area="pmb "
    )

    assert candidate.values == {
        "name": "Ngcobo Rajesh",
        "given_name": "Rajesh",
        "phone": "+27821234567",
        "area": "PMB",
    }
    assert candidate.notes == [
        "List number left out",
        "Letter O read as zero",
        "Mail left out: no ending, such as .co.za",
    ]
    assert candidate.problem is None


def test_every_column_of_the_seed_can_be_filled() -> None:
    candidate = repaired(
        name="Thabo Nkosi",
        phone="0821234567",
        whatsapp_number="083 123 4567",
        email="t@example.org",
        telegram_username="@thabo_n",
        language="isiZulu",
        timo_driver_id="T-1",
        pathpulse_account_id="P-1",
        onboarding_status="In progress",
        first_contact_date="17/11/2026",
        notes="Likes mornings",
    )

    assert candidate.values == {
        "name": "Thabo Nkosi",
        "given_name": "Thabo",
        "phone": "+27821234567",
        "whatsapp_number": "+27831234567",
        "email": "t@example.org",
        "telegram_username": "thabo_n",
        "language": "isiZulu",
        "timo_driver_id": "T-1",
        "pathpulse_account_id": "P-1",
        "onboarding_status": "onboarding_started",
        "first_contact_date": "2026-11-17",
        "notes": "Likes mornings",
    }
    assert candidate.numbers == ("+27821234567", "+27831234567")


def test_first_and_last_names_combine() -> None:
    candidate = repaired(surname="NKOSI", given_name="THABO JOHN")

    assert (candidate.name, candidate.values["given_name"]) == ("Thabo John Nkosi", "Thabo John")


def test_a_full_name_keeps_its_order_and_a_given_name_its_column() -> None:
    candidate = repaired(surname_first=True, name="NKOSI THABO", given_name="Thabs")

    assert (candidate.name, candidate.values["given_name"]) == ("Nkosi Thabo", "Thabs")


def test_a_surname_is_not_said_twice() -> None:
    assert repaired(name="Thabo Nkosi", surname="Nkosi").name == "Thabo Nkosi"
    assert repaired(name="Thabo", surname="Nkosi").name == "Thabo Nkosi"


def test_an_unusable_number_of_either_kind_is_a_problem() -> None:
    assert repaired(name="A B", phone="n/a").problem == "This is not a phone number"
    assert repaired(name="A B", phone="0821234567", whatsapp_number="12").problem == (
        "2 digits: a South African number has ten, starting with 0"
    )


def test_what_does_not_fit_is_left_out_with_a_note() -> None:
    candidate = repaired(
        name="A B",
        area="x" * 121,
        telegram_username="no spaces allowed",
        first_contact_date="soon",
        onboarding_status="Sunny",
        notes="n" * 10_001,
    )

    assert candidate.values == {"name": "A B", "given_name": "A", "notes": "n" * 10_000}
    assert candidate.notes == [
        "Area left out: longer than 120 characters",
        "Telegram username left out: it has letters that Telegram does not allow",
        "First contact date left out: not a date such as 2026-11-17 or 17/11/2026",
        "Status “Sunny” is not known and was left out",
        "Notes cut to 10000 characters",
    ]


def test_a_name_beyond_the_column_is_a_problem() -> None:
    assert repaired(name="x" * 201).problem == "The name is longer than 200 characters"


def test_status_words_mean_what_the_person_has_chosen() -> None:
    statuses = {"Sunny": "active", "New": None}

    assert (
        repaired(name="A", onboarding_status="Sunny", statuses=statuses).values["onboarding_status"]
        == "active"
    )
    left_out = repaired(name="A", onboarding_status="New", statuses=statuses)
    assert ("onboarding_status" in left_out.values, left_out.notes) == (False, [])


def test_a_blank_row_stays_blank() -> None:
    candidate = Repairer(ColumnMap((Target.NAME,))).row(Row(7, ("",), blank=True))

    assert (candidate.blank, candidate.values) == (True, {})


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("pmb ", "PMB"),
        ("UMLAZI", "Umlazi"),
        ("newlands west", "Newlands West"),
        ("KWAMASHU", "KwaMashu"),
        ("KwaMashu", "KwaMashu"),
        ("INANDA-EAST", "Inanda-East"),
        ("", ""),
    ],
)
def test_a_place_has_one_spelling(typed: str, place: str) -> None:
    assert tidy_area(typed) == place


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-17", dt.date(2026, 11, 17)),
        ("2026-11-17 09:42:00", dt.date(2026, 11, 17)),
        ("17/11/2026", dt.date(2026, 11, 17)),
        ("2026/11/17", dt.date(2026, 11, 17)),
        ("17 Nov 2026", dt.date(2026, 11, 17)),
        ("11/17/2026", None),
        ("", None),
    ],
)
def test_days_are_read_day_first_and_never_guessed(text: str, day: dt.date | None) -> None:
    assert read_day(text) == day


def test_an_identity_number_in_place_of_another_needs_a_person() -> None:
    left_out = "(identity number left out)"

    assert repaired(name="A B", phone=left_out).problem == "An identity number stood here and was left out"
    typed = repaired(name="A B", phone="0821234567", timo_driver_id="8001015009087")
    assert typed.problem == "An identity number stood in place of the Timo driver ID and was left out"
    assert "timo_driver_id" not in typed.values
    assert repaired(name="A B", pathpulse_account_id=left_out).problem is not None


def test_characters_that_nobody_sees_are_left_out() -> None:
    candidate = repaired(
        name="A B", area="\u200fdbn\u200b", timo_driver_id="T\u200d-17\u202c", pathpulse_account_id="\u200b"
    )

    assert candidate.values["area"] == "DBN"
    assert candidate.values["timo_driver_id"] == "T-17"
    assert "pathpulse_account_id" not in candidate.values


CELLS = {
    Target.NAME: ["Thabo Nkosi", "1. NKOSI THABO", ""],
    Target.GIVEN_NAME: ["Thabo", "3.", ""],
    Target.SURNAME: ["Nkosi", ""],
    Target.PHONE: ["082 123 4567", "O821234567", "0821234568", ""],
    Target.SECOND_PHONE: ["0821234569", ""],
    Target.WHATSAPP: ["0821234567", "+27831234567", ""],
    Target.EMAIL: ["A@Example.org", "no mail", ""],
    Target.STATUS: ["contacted", "who knows", ""],
}


@given(
    st.lists(st.sampled_from(list(CELLS)), min_size=1, unique=True).flatmap(
        lambda targets: st.tuples(
            st.just(tuple(targets)), st.tuples(*(st.sampled_from(CELLS[target]) for target in targets))
        )
    ),
    st.booleans(),
)
def test_what_a_row_was_read_as_is_read_the_same_without_its_cells(
    row: tuple[tuple[Target, ...], tuple[str, ...]], surname_first: bool
) -> None:
    targets, cells = row
    repairer = Repairer(ColumnMap(targets, surname_first))
    first = repairer.row(Row(7, cells, blank=False))
    if first.problem is None and first.name:
        again = repairer.read_before(7, dict(first.values), list(first.notes), lambda: cells)
        assert again == first


@given(st.text(st.sampled_from("0123456789oO -.aé١٢ＯＯ"), max_size=20))
def test_figures_are_counted_alike_in_any_text(text: str) -> None:
    assert _count(text) == _count(text + "é") or len(text) < SHORTEST_IDENTITY
