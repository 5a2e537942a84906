"""The verdict on every row, and why (spec §10)."""

from typing import Any

import pytest

from drivercrm.drivers.enums import OnboardingStatus
from drivercrm.imports import verdicts
from drivercrm.imports.columns import ColumnMap
from drivercrm.imports.headings import Target
from drivercrm.imports.reading import Row
from drivercrm.imports.repair import Candidate, Repairer
from drivercrm.imports.verdicts import Existing, Judge, Judgement, Keys, Known, keys_of, names_alike

NUMBER, OTHER = "0821234567", "0831234567"
E164, OTHER_E164 = "+27821234567", "+27831234567"
FIELDS = ("name", "phone", "email", "timo_driver_id", "area")


def candidate(row: int, **cells: str) -> Candidate:
    columns = ColumnMap(tuple(Target(name) for name in cells))
    return Repairer(columns).row(Row(row, tuple(cells.values()), blank=not any(cells.values())))


def judged(*rows: dict[str, str], existing: Existing | None = None) -> list[Judgement]:
    judge = Judge()
    return [judge.judge(candidate(n, **row), existing or Existing()) for n, row in enumerate(rows, 2)]


def verdict(row: dict[str, str], *drivers: Known) -> Judgement:
    return judged(row, existing=existing(*drivers))[0]


def driver(id: int = 1, edited: tuple[str, ...] = (), **values: Any) -> Known:
    return Known(id, {"name": "Thabo Nkosi", "given_name": "Thabo"} | values, frozenset(edited))


def existing(*drivers: Known) -> Existing:
    def by(*names: str, caseless: bool = False) -> dict[str, Known]:
        held = [(known.values.get(name), known) for known in drivers for name in names]
        return {value.casefold() if caseless else value: known for value, known in held if value}

    return Existing(
        by("timo_driver_id"),
        by("phone", "whatsapp_number"),
        by("email", caseless=True),
        by("pathpulse_account_id"),
        by("telegram_username", caseless=True),
    )


THABO = {"name": "Thabo Nkosi", "phone": NUMBER}
LINDIWE = {"name": "Lindiwe Dlamini", "phone": NUMBER}


def test_a_name_and_a_number_make_a_driver() -> None:
    (judgement,) = judged(THABO)

    assert (judgement.verdict, judgement.reason) == ("create", "New driver")
    assert judgement.values == {"name": "Thabo Nkosi", "given_name": "Thabo", "phone": E164}
    assert judgement.as_row() == {
        "row": 2,
        "verdict": "create",
        "reason": "New driver",
        "name": "Thabo Nkosi",
        "phone": E164,
        "email": None,
        "notes": [],
    }


@pytest.mark.parametrize(
    ("row", "expected", "code"),
    [
        ({"name": "", "phone": ""}, "blank", "blank"),
        ({"name": "A B", "phone": ""}, "review", "no_address"),
        ({"name": "A B", "phone": "", "email": "a@example"}, "review", "no_address"),
        ({"name": "", "phone": NUMBER}, "review", "no_name"),
        ({"name": "12.", "phone": NUMBER}, "review", "no_name"),
        ({"name": "A B", "phone": "n/a", "email": "a@example.org"}, "review", "unusable"),
        ({"name": "A B", "phone": "12", "timo_driver_id": "T-1"}, "review", "unusable"),
        ({"name": "A B", "phone": "", "email": "a@example.org"}, "create", "new"),
        ({"name": "A B", "phone": NUMBER, "email": "a@example"}, "create", "new"),
        ({"name": "A B", "phone": "", "whatsapp_number": NUMBER}, "create", "new"),
    ],
)
def test_a_row_needs_a_name_and_a_way_to_reach_the_driver(
    row: dict[str, str], expected: str, code: str
) -> None:
    (judgement,) = judged(row)

    assert (judgement.verdict, judgement.code) == (expected, code)


def test_the_same_number_is_a_duplicate_if_the_name_or_the_mail_agrees() -> None:
    mail = {"email": "t@example.org"}

    by_name = judged(THABO, THABO | {"name": "NKOSI THABO"})[1]
    by_mail = judged(THABO | mail, {"name": "T", "phone": NUMBER} | {"email": "T@Example.org"})[1]

    assert (by_name.verdict, by_name.reason, by_name.earlier_row) == (
        "duplicate",
        "Same number and name as row 2",
        2,
    )
    assert (by_mail.verdict, by_mail.reason) == ("duplicate", "Same number and mail as row 2")


def test_the_same_number_under_another_name_is_shared() -> None:
    judgement = judged(THABO, {"name": "Lindiwe Nkosi", "phone": NUMBER, "email": "l@example.org"})[1]

    assert (judgement.verdict, judgement.code, judgement.earlier_row) == ("review", "shared_number", 2)
    assert judgement.reason == "Shared number: row 2 has the same one under another name"
    assert (judgement.contested_number, judgement.as_row()["phone"]) == (E164, None)
    assert judgement.as_row()["email"] == "l@example.org"


def test_two_ids_on_one_number_are_two_people() -> None:
    assert (
        judged(THABO | {"timo_driver_id": "T-1"}, THABO | {"timo_driver_id": "T-2"})[1].code
        == "shared_number"
    )


def test_a_number_as_phone_and_as_whatsapp_is_the_same_number() -> None:
    assert (
        judged(THABO, {"name": "Sipho Zulu", "phone": OTHER, "whatsapp_number": NUMBER})[1].code
        == "shared_number"
    )


def test_a_row_that_does_not_go_in_decides_about_no_later_one() -> None:
    assert [j.verdict for j in judged({"name": "", "phone": NUMBER}, THABO)] == ["review", "create"]


def test_the_same_mail_without_a_number() -> None:
    mail = {"name": "Thabo Nkosi", "phone": "", "email": "t@example.org"}

    assert judged(mail, mail)[1].verdict == "duplicate"
    assert judged(mail, mail | {"name": "Lindiwe Nkosi"})[1].code == "shared_mail"
    assert judged(mail, mail | {"phone": NUMBER})[1].code == "shared_mail"
    assert judged(mail | {"phone": NUMBER}, mail | {"phone": OTHER})[1].code == "shared_mail"
    assert judged(mail | {"phone": NUMBER}, mail)[1].verdict == "duplicate"


def test_the_same_timorides_id_twice() -> None:
    one = {"name": "Thabo Nkosi", "phone": NUMBER, "timo_driver_id": "T-1"}

    assert judged(one, one | {"phone": OTHER})[1].reason == "Same Timo driver ID and name as row 2"
    assert judged(one, one | {"phone": OTHER, "name": "Sipho Zulu"})[1].code == "shared_id"


@pytest.mark.parametrize(
    "row",
    [
        {"name": "Other Name", "phone": OTHER, "timo_driver_id": "T-1"},
        THABO,
        {"name": "Thabo Nkosi", "phone": "", "email": "T@example.org"},
    ],
)
def test_an_existing_driver_is_found_by_id_then_number_then_mail(row: dict[str, str]) -> None:
    known = driver(timo_driver_id="T-1", phone=E164, email="t@example.org")

    assert verdict(row, known).driver == 1


def test_two_different_hits_are_for_a_person() -> None:
    by_id = driver(1, timo_driver_id="T-1")
    by_number = driver(2, name="Sipho Zulu", phone=E164)

    judgement = verdict(THABO | {"timo_driver_id": "T-1"}, by_id, by_number)

    assert (judgement.verdict, judgement.code) == ("review", "two_drivers")
    assert judgement.reason == "The row points at two drivers: Thabo Nkosi and Sipho Zulu"


def test_a_mail_of_another_driver_is_for_a_person() -> None:
    holder = driver(2, name="Sipho Zulu", email="s@example.org")
    row = THABO | {"email": "S@example.org"}

    assert verdict(row, holder).reason == "This mail belongs to Sipho Zulu"
    assert verdict(row, driver(phone=E164), holder).code == "mail_held"


@pytest.mark.parametrize(
    ("field", "cell"), [("pathpulse_account_id", "P-1"), ("telegram_username", "@Sipho_Z")]
)
def test_an_id_of_another_driver_is_never_taken_over(field: str, cell: str) -> None:
    holder = driver(2, name="Sipho Zulu", **{field: cell.strip("@")})

    assert verdict(THABO | {field: cell}, holder).code == "id_held"


def test_a_driver_with_another_timorides_id_is_for_a_person() -> None:
    assert (
        verdict(THABO | {"timo_driver_id": "T-2"}, driver(phone=E164, timo_driver_id="T-1")).code == "two_ids"
    )


def test_an_existing_drivers_number_under_a_wholly_different_name_is_shared() -> None:
    judgement = verdict(LINDIWE, driver(phone=E164))

    assert (judgement.code, judgement.driver) == ("shared_number", 1)
    assert judgement.reason == "Shared number: it belongs to Thabo Nkosi"
    assert judgement.as_row()["phone"] is None


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (
            {"name": "Lindiwe Dlamini", "phone": NUMBER, "email": "t@example.org"},
            driver(phone=E164, email="t@example.org"),
        ),
        (
            {"name": "Lindiwe Dlamini", "phone": NUMBER, "timo_driver_id": "T-1"},
            driver(phone=E164, timo_driver_id="T-1"),
        ),
        ({"name": "Thabo Nkossi", "phone": NUMBER}, driver(phone=E164)),
        ({"name": "T Nkosi", "phone": NUMBER}, driver(phone=E164)),
    ],
)
def test_another_name_is_an_update_when_something_else_agrees(row: dict[str, str], known: Known) -> None:
    assert verdict(row, known).verdict == "update"


def test_a_shared_number_needs_a_person_also_where_a_person_has_set_the_name() -> None:
    known = driver(phone=E164, edited=("name", "phone"))

    judgement = verdict({"name": "Lindiwe Dlamini", "phone": NUMBER, "area": "Umlazi"}, known)

    assert (judgement.verdict, judgement.code, judgement.driver) == ("review", "shared_number", 1)


def test_a_name_that_a_person_has_set_keeps_its_greeting() -> None:
    known = driver(phone=E164, timo_driver_id="T-1", given_name="", edited=("name",))
    row = {"name": "Lindiwe Dlamini", "phone": NUMBER, "timo_driver_id": "T-1"}

    assert verdict(row, known).verdict == "unchanged"


def test_an_update_fills_and_replaces_and_says_what() -> None:
    known = driver(phone=E164, area="Durban", email=None)

    judgement = verdict(THABO | {"email": "t@example.org", "area": "UMLAZI"}, known)

    assert (judgement.verdict, judgement.reason) == ("update", "Fills email and replaces area")
    assert judgement.changes == {"email": (None, "t@example.org"), "area": ("Durban", "Umlazi")}


def test_an_update_leaves_what_a_person_has_edited() -> None:
    known = driver(phone=E164, area="Durban", edited=("area", "name"), name="Thabo N.")

    judgement = verdict(THABO | {"area": "Umlazi"}, known)

    assert (judgement.verdict, judgement.reason, judgement.changes) == ("unchanged", "Nothing to change", {})


def test_empty_cells_and_other_spellings_change_nothing() -> None:
    known = driver(phone=E164, email="t@example.org", area="KwaMashu", name="Nkosi Thabo")

    row = {"name": "THABO NKOSI", "phone": NUMBER, "email": "T@EXAMPLE.ORG", "area": "kwamashu"}
    assert verdict(row, known).verdict == "unchanged"
    assert (
        verdict({"name": "THABO NKOSI", "phone": NUMBER, "email": "", "area": ""}, known).verdict
        == "unchanged"
    )


def test_a_new_name_brings_its_greeting() -> None:
    known = driver(phone=E164, timo_driver_id="T-1")
    row = {"name": "Sipho Zulu", "phone": NUMBER, "timo_driver_id": "T-1"}

    assert verdict(row, known).changes == {
        "name": ("Thabo Nkosi", "Sipho Zulu"),
        "given_name": ("Thabo", "Sipho"),
    }


@pytest.mark.parametrize(
    ("before", "cell", "after"),
    [
        ("not_contacted", "Contacted", "contacted"),
        ("contacted", "Active", "active"),
        ("active", "Contacted", None),
        ("active", "Inactive", None),
        ("inactive", "Active", None),
        ("contacted", "Opted out", "opted_out"),
        ("opted_out", "Active", None),
        ("opted_out", "Opted out", None),
    ],
)
def test_a_status_never_moves_back_and_consent_never_turns_on(
    before: str, cell: str, after: str | None
) -> None:
    judgement = verdict(THABO | {"onboarding_status": cell}, driver(phone=E164, onboarding_status=before))

    assert judgement.changes.get("onboarding_status") == ((before, after) if after else None)


def test_a_first_contact_is_filled_but_never_replaced() -> None:
    row = THABO | {"first_contact_date": "2026-11-17"}

    assert verdict(row, driver(phone=E164)).changes == {"first_contact_date": (None, "2026-11-17")}
    assert verdict(row, driver(phone=E164, first_contact_date="2026-01-01")).verdict == "unchanged"


def test_two_rows_for_one_driver() -> None:
    known = driver(phone=E164, timo_driver_id="T-1")
    by_id = {"name": "Thabo Nkosi", "phone": OTHER, "timo_driver_id": "T-1"}

    assert [j.verdict for j in judged(by_id, THABO, existing=existing(known))] == ["update", "duplicate"]
    other = judged(by_id, THABO | {"name": "Thabo N"}, existing=existing(known))[1]
    assert (other.code, other.reason) == ("shared_driver", "Row 2 already belongs to Thabo Nkosi")


def test_the_keys_to_look_up() -> None:
    rows = [
        candidate(2, name="A", phone=NUMBER, email="A@example.org", timo_driver_id="T-1"),
        candidate(3, name="B", whatsapp_number=OTHER, pathpulse_account_id="P-1", telegram_username="@Bee_B"),
    ]

    assert keys_of(rows) == Keys({"T-1"}, {E164, OTHER_E164}, {"a@example.org"}, {"P-1"}, {"bee_b"})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Thabo Mokoena", "Thabo Mokena", True),
        ("Thabo Mokoena", "Mokoena T.", True),
        ("Dlamini Sipho", "Dlamini Thandi", False),
        ("", "Dlamini", False),
    ],
)
def test_names_are_alike_with_a_typing_error(one: str, other: str, alike: bool) -> None:
    assert names_alike(one, other) is alike


def test_every_status_has_its_rank() -> None:
    assert {*verdicts.RANK, verdicts.OPTED_OUT} == set(OnboardingStatus.values)
