"""Names as lists hold them (spec §10)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.core.names import LIST_NUMBER, given_name, names_agree, tidy_name


@pytest.mark.parametrize(
    ("cell", "full"),
    [
        ("NGCOBO RAJESH", "Ngcobo Rajesh"),
        ("moodley lindiwe", "Moodley Lindiwe"),
        ("Ncube  Annelie ", "Ncube Annelie"),
        ("DLAMINI Sipho", "Dlamini Sipho"),
        ("VAN DER MERWE PIETER", "Van der Merwe Pieter"),
        ("PIETER VAN DER MERWE", "Pieter van der Merwe"),
        ("O'BRIEN MCDONALD", "O'Brien McDonald"),
        ("MARY-ANN D'SOUZA", "Mary-Ann D'Souza"),
        ("J.P. NKOSI", "J.P. Nkosi"),
        ("DU PLESSIS JP", "Du Plessis JP"),
        ("SMITH JOHN III", "Smith John III"),
        ("ZOË NKOSI", "Zoë Nkosi"),
        ("Thabo McKenzie", "Thabo McKenzie"),
        ("deVilliers AB", "deVilliers AB"),
        ("\u200bThabo\tNkosi\n", "Thabo Nkosi"),
    ],
)
def test_names_are_tidied_and_keep_their_order(cell: str, full: str) -> None:
    assert tidy_name(cell).full == full


@pytest.mark.parametrize(
    "number", [" 82. ", "82.", "82) ", "(82) ", "82 ", "#82 ", "No. 82 ", "1. 2. ", "- "]
)
def test_list_numbers_are_left_out(number: str) -> None:
    name = tidy_name(number + "Gumede Pieter")

    assert (name.full, name.notes) == ("Gumede Pieter", (LIST_NUMBER,))


def test_a_list_number_alone_is_no_name() -> None:
    assert tidy_name("161.").full == ""
    assert tidy_name("").full == ""


@pytest.mark.parametrize(
    ("full", "surname_first", "given"),
    [
        ("Ngcobo Rajesh", True, "Rajesh"),
        ("Rajesh Ngcobo", False, "Rajesh"),
        ("Van der Merwe Pieter", True, "Pieter"),
        ("Nkosi, Thabo", True, "Thabo"),
        ("Nkosi, Thabo", False, "Thabo"),
        ("Mr Thabo Nkosi", False, "Thabo"),
        ("Thabo", True, "Thabo"),
        ("Mr", False, "Mr"),
        ("", True, ""),
    ],
)
def test_the_given_name_depends_on_the_heading(full: str, surname_first: bool, given: str) -> None:
    assert given_name(full, surname_first=surname_first) == given


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("Zulu Sipho", "SIPHO ZULU", True),
        ("Zulu Sipho", "Zulu Sipho John", True),
        ("Zoë Nkosi", "Zoe Nkosi", True),
        ("Shabalala Sipho", "Shabalala Thabo", False),
        ("Sipho", "Sipho Zulu", False),
        ("", "", False),
    ],
)
def test_names_agree_when_they_are_one_persons(one: str, other: str, agree: bool) -> None:
    assert names_agree(one, other) is agree


@given(st.text(max_size=60))
def test_tidying_twice_is_tidying_once(cell: str) -> None:
    once = tidy_name(cell).full

    assert tidy_name(once).full == once


@given(
    st.lists(
        st.text(alphabet=st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=1, max_size=12)
    )
)
def test_no_letter_is_lost(words: list[str]) -> None:
    cell = " ".join(words)

    assert tidy_name(cell).full.casefold() == cell.casefold()


@given(
    st.lists(
        st.sampled_from(
            "Mr|Miss|Dr|mr|Thabo|THABO|van|Van|Ng'ang'a|McBride|O'Neil|Nkosi,|JP|J|A.|ii|No|1.|(2)|-"
            "|Zoë|\u200bAyanda|No.3|".split("|")
        )
        | st.from_regex(r"[A-Z]?[a-z]{0,3}", fullmatch=True),
        max_size=4,
    ).map(" ".join),
    st.booleans(),
)
def test_a_name_with_nothing_to_mend_is_the_same_by_the_short_way(text: str, surname_first: bool) -> None:
    quickly = tidy_name(text, surname_first=surname_first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drivercrm.core.names._TIDY", re.compile("(?!)"))
        assert tidy_name(text, surname_first=surname_first) == quickly
