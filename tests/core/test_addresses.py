"""Mail addresses and user names (spec §10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.core.addresses import mail_key, read_mail, read_telegram_username


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("rajesh@example.org", "rajesh@example.org"),
        (" Rajesh.N@Example.ORG ", "Rajesh.N@example.org"),
        ("mailto:rajesh@example.org?subject=Hi", "rajesh@example.org"),
        ("Rajesh <rajesh@example.org>", "rajesh@example.org"),
        ("rajesh@example.co.za.", "rajesh@example.co.za"),
        ("o'neil+x@example.co.za", "o'neil+x@example.co.za"),
        ("r@xn--bcher-kva.example", "r@xn--bcher-kva.example"),
    ],
)
def test_usable_addresses_are_trimmed(cell: str, address: str) -> None:
    reading = read_mail(cell)

    assert (reading.address, reading.problem) == (address, None)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("annelie@example", "No ending, such as .co.za"),
        ("annelie@@example.com", "Two @ signs"),
        ("a@example.com; b@example.com", "Two @ signs"),
        ("n/a", "No @ sign"),
        ("anne lie@example.com", "A space inside"),
        ("annelie@example,com", "A comma inside"),
        ("@example.com", "Nothing before the @ sign"),
        ("annelie@", "Nothing after the @ sign"),
        ("anne..lie@example.com", "A dot too many"),
        ("annelie@.com", "A dot too many"),
        ("anne\u00e9@example.com", "Letters that a mail address cannot have"),
        ("annelie@-example.com", "Letters that a mail address cannot have"),
        ("a" * 65 + "@example.com", "Too long for a mail address"),
        ("a@" + "b" * 300 + ".com", "Too long for a mail address"),
    ],
)
def test_unusable_addresses_say_why(cell: str, problem: str) -> None:
    reading = read_mail(cell)

    assert (reading.address, reading.problem) == (None, problem)


@pytest.mark.parametrize("cell", ["", "  ", None])
def test_an_empty_cell_is_no_problem(cell: str | None) -> None:
    reading = read_mail(cell)

    assert (reading.address, reading.problem) == (None, None)


def test_case_makes_no_other_mailbox() -> None:
    assert mail_key("A.B@example.org") == mail_key("a.b@example.org")


@pytest.mark.parametrize(
    ("cell", "username"),
    [
        ("@thabo_n", "thabo_n"),
        ("https://t.me/thabo_n", "thabo_n"),
        ("thabo n", None),
        ("", None),
        ("082", None),
    ],
)
def test_telegram_usernames_lose_what_surrounds_them(cell: str, username: str | None) -> None:
    assert read_telegram_username(cell) == username


@given(st.text(max_size=60))
def test_reading_never_raises_and_reads_its_own_result_as_itself(cell: str) -> None:
    address = read_mail(cell).address

    if address is not None:
        assert read_mail(address).address == address
