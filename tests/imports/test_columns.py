"""Headings matched by alias, columns by content, identity numbers recognised (spec §10, §4)."""

import io

import pytest
import xlsxwriter

from drivercrm.core.errors import Refused
from drivercrm.core.phone import IDENTITY_LEFT_OUT
from drivercrm.imports.columns import ColumnMap, as_map, check, drop_identity, scrubbed, status_of, suggest
from drivercrm.imports.headings import Confidence, Target, target_of
from drivercrm.imports.identity_numbers import is_identity_number, without_identity_numbers
from drivercrm.imports.models import Import
from drivercrm.imports.reading import read
from drivercrm.imports.workflow.staging import prepare, stage
from tests.factories import NANDI

IDS = ["7905035538424", "8003057462748", "7602120530867"]
VALID_ID = "8001015009087"


def targets(headings: list[str], *columns: list[str]) -> list[str]:
    return [str(s.target) for s in suggest(headings, columns or [[] for _ in headings])]


@pytest.mark.parametrize(
    ("heading", "target"),
    [
        ("Surname & Name", Target.NAME),
        ("ID NO", Target.IDENTITY),
        ("EMAIL ADDRESS", Target.EMAIL),
        ("CELL NO ", Target.PHONE),
        ("AREA", Target.AREA),
        ("Full Name", Target.NAME),
        ("Phone Number", Target.PHONE),
        ("Mobile", Target.PHONE),
        ("City", Target.AREA),
        ("Driver", Target.NAME),
        ("Cell", Target.PHONE),
        ("Contact number", Target.PHONE),
        ("WhatsApp", Target.WHATSAPP),
        ("Driver's WhatsApp cell number", Target.WHATSAPP),
        ("e-mail", Target.EMAIL),
        ("E_MAIL", Target.EMAIL),
        ("First Name", Target.GIVEN_NAME),
        ("Last name", Target.SURNAME),
        ("timo_driver_id", Target.TIMO_ID),
        ("pathpulse_account_id", Target.PATHPULSE_ID),
        ("onboarding_status", Target.STATUS),
        ("first_contact_date", Target.FIRST_CONTACT),
        ("whatsapp_number", Target.WHATSAPP),
        ("telegram_username", Target.TELEGRAM),
        ("RSA I.D. Number", Target.IDENTITY),
        ("ID/Passport No.", Target.IDENTITY),
        ("Home language", Target.LANGUAGE),
        ("Comments", Target.NOTES),
    ],
)
def test_headings_are_matched_without_case_spaces_and_punctuation(heading: str, target: Target) -> None:
    found = target_of(heading)

    assert found is not None
    assert found[0] is target


@pytest.mark.parametrize(
    "heading", ["", "Vehicle registration", "Next of kin phone", "Emergency cell", "Blood type"]
)
def test_what_is_not_the_drivers_is_not_taken(heading: str) -> None:
    assert target_of(heading) is None


def test_a_column_of_identity_numbers_is_one_whatever_its_heading() -> None:
    found = suggest(["Name", "Reference"], [["A B"], IDS])

    assert (found[1].target, found[1].samples) == (Target.IDENTITY, ())
    assert found[1].reason == "The values are identity numbers: left out and never stored"


def test_a_phone_column_is_never_taken_for_identity_numbers() -> None:
    assert targets(["Name", "Cell"], ["A B"], IDS) == ["name", "phone"]


def test_a_column_without_a_heading_is_guessed_by_its_values() -> None:
    found = suggest(["Name", "", "?"], [["A B"], ["0821234567", "0831234567"], ["a@example.org", ""]])

    assert [(s.target, s.confidence) for s in found[1:]] == [
        (Target.PHONE, Confidence.LIKELY),
        (Target.EMAIL, Confidence.LIKELY),
    ]
    assert found[1].reason == "The values look like phone numbers"


def test_beside_a_surname_a_name_is_the_first_name() -> None:
    assert targets(["Surname", "Name", "Cell"]) == ["surname", "given_name", "phone"]


def test_the_fuller_column_of_two_keeps_the_target() -> None:
    found = suggest(["Phone", "Cell", "Name"], [["", ""], ["0821234567", "0831234567"], ["A", "B"]])

    assert [s.target for s in found] == [Target.IGNORE, Target.PHONE, Target.NAME]
    assert found[0].reason == "“Cell” already gives this"


def test_an_opt_in_column_grants_nothing() -> None:
    found = suggest(["Name", "Opt-in"], [["A B"], ["yes"]])

    assert found[1].target is Target.IGNORE
    assert found[1].reason == "Consent comes from the basis you state, so this column is left out"


def test_the_heading_says_which_word_is_the_given_name() -> None:
    assert as_map(suggest(["Surname & Name", "Cell"], [[], []])).surname_first
    assert as_map(suggest(["Surname, First name", "Cell"], [[], []])).surname_first
    assert not as_map(suggest(["Name & Surname", "Cell"], [[], []])).surname_first


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ((Target.PHONE, Target.AREA), "no_name_column"),
        ((Target.NAME, Target.AREA), "no_address_column"),
        ((Target.NAME, Target.PHONE, Target.PHONE), "column_twice"),
    ],
)
def test_a_map_that_cannot_work_is_refused(columns: tuple[Target, ...], code: str) -> None:
    with pytest.raises(Refused) as caught:
        check(ColumnMap(columns))

    assert caught.value.code == code


def test_a_map_that_works_passes() -> None:
    check(ColumnMap((Target.GIVEN_NAME, Target.SURNAME, Target.EMAIL, Target.IGNORE, Target.IGNORE)))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Not contacted", "not_contacted"),
        ("onboarding_started", "onboarding_started"),
        ("In progress", "onboarding_started"),
        ("Onboarded", "onboarding_completed"),
        ("OPTED OUT", "opted_out"),
        ("Sunny", None),
    ],
)
def test_status_words_are_matched_to_the_seeds(word: str, status: str | None) -> None:
    assert status_of(word) == status


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("7905035538424", True), ("790503 5538 424", True), ("7913035538424", False), ("0821234567", False)],
)
def test_identity_numbers_begin_with_a_birth_date(text: str, is_one: bool) -> None:
    assert is_identity_number(text) is is_one


def test_identity_numbers_inside_other_text_are_taken_out() -> None:
    assert without_identity_numbers(f"ID {VALID_ID}, called") == "ID , called"
    assert without_identity_numbers("order 8001015009086") == "order 8001015009086"


def test_identity_numbers_are_dropped_wherever_they_stand() -> None:
    lines = "\r\n".join(f"A B,{number},0821234567,note {VALID_ID}" for number in IDS)
    sheet = read(f"Name,Ref,Cell,Notes\r\n{lines}\r\n,{IDS[0]},,\r\n".encode())

    rows = list(drop_identity(sheet).rows())

    assert rows[0].cells == ("A B", "", "0821234567", "note ")
    assert (rows[3].cells, rows[3].blank) == (("", "", "", ""), False)


def test_identity_numbers_in_a_column_mapped_on_purpose_are_only_marked() -> None:
    sheet = read(f"Name,ID NO,Cell\r\nA B,{VALID_ID},0821234567\r\nC D,D-17,0821234568\r\n".encode())

    assert [row.cells[1] for row in drop_identity(sheet, keep={1}).rows()] == [IDENTITY_LEFT_OUT, "D-17"]


@pytest.mark.parametrize("heading", ["Cell", "WhatsApp", "TimoRides ID", "PathPulse ID"])
@pytest.mark.parametrize("text", [VALID_ID, "8001015009088", "800101 5009 087", f"0831234567/{VALID_ID}"])
def test_identity_numbers_among_numbers_and_ids_are_marked(heading: str, text: str) -> None:
    rest = "A B,a@example.org," + "\r\nC D,c@example.org,0831234567" * 3
    sheet = read(f"Name,Email,{heading}\r\nE F,e@example.org,{text}\r\n{rest}\r\n".encode())

    assert next(drop_identity(sheet).rows()).cells[2] == IDENTITY_LEFT_OUT


def test_numbers_of_drivers_are_not_marked() -> None:
    numbers = [
        "0027831234567",
        "+44 7911 123456",
        "27831234567 / 27821234567",
        "083 123 4567 or 082 123 4567",
    ]
    lines = "\r\n".join(f"A B,{number}" for number in numbers)

    assert [row.cells[1] for row in drop_identity(read(f"Name,Cell\r\n{lines}".encode())).rows()] == numbers


def test_identity_numbers_in_a_column_left_out_and_in_headings_are_taken_out() -> None:
    sheet = read(
        f"Name,Cell,Ref {VALID_ID}\r\nA B,0821234567,seen 8001015009088\r\nC D,0821234568,x".encode()
    )
    clean = drop_identity(sheet)

    assert clean.headings == ("Name", "Cell", "Ref ")
    assert [row.cells[2] for row in clean.rows()] == ["", "x"]
    assert suggest(sheet.headings, sheet.sample_columns())[2].heading == "Ref "


@pytest.mark.parametrize(
    "text",
    [
        "80 01 01 5009 087",
        "800101/5009/087",
        "800101\u00a0 5009\u2013087",
        "800101\u200b5009087",
        "8001015009087.0",
        "105055009085",
        "8.001015009087E+12",
        "8OO1O15OO9O87",
        "838001015009087",
        "\uff18\uff10\uff10\uff11\uff10\uff11\uff15\uff10\uff10\uff19\uff10\uff18\uff17",
    ],
)
def test_identity_numbers_are_seen_however_they_are_written(text: str) -> None:
    assert without_identity_numbers(text) == ""


@pytest.mark.parametrize(
    "text", ["2026-11-17 08:30:00", "2021-01-12 08:30", "0831234567 0821234567", "Bay 12, 083 123 4567, 4001"]
)
def test_other_numbers_stay(text: str) -> None:
    assert without_identity_numbers(text) == text


@pytest.mark.parametrize(
    "heading",
    [
        "ID NUMBERS",
        "IDs",
        "Identification No",
        "IDNUMBER",
        "ID Doc",
        "ID Copy",
        "Ident No",
        "SAID",
        "Document No",
        "Passports",
        "Driver's ID",
        "ID (13 digits)",
        "Contact details (ID)",
    ],
)
def test_headings_of_identity_numbers(heading: str) -> None:
    assert (target_of(heading) or ("unknown",))[0] is Target.IDENTITY


@pytest.mark.parametrize(
    ("heading", "target"),
    [
        ("TimoRides ID number", Target.TIMO_ID),
        ("PathPulse ID no", Target.PATHPULSE_ID),
        ("WhatsApp ID number", Target.WHATSAPP),
        ("Driver ID", Target.TIMO_ID),
    ],
)
def test_ids_of_apps_are_no_identity_numbers(heading: str, target: Target) -> None:
    assert (target_of(heading) or ("unknown",))[0] is target


@pytest.mark.parametrize(
    "heading",
    [
        "WhatsApp consent",
        "Email consent",
        "Telegram opt-in",
        "Opted in to WhatsApp",
        "Agreed to emails",
        "Opt out",
    ],
)
def test_headings_about_consent_hold_no_numbers_and_no_mails(heading: str) -> None:
    found = suggest(["Name", "Cell", heading], [["A B"], ["0821234567"], ["Granted"]])

    assert found[2].target is Target.IGNORE
    assert found[2].reason == "Consent comes from the basis you state, so this column is left out"


def test_the_columns_of_an_export_are_recognised() -> None:
    headings = ["Name", "Email", "Status", "WhatsApp consent", "Telegram consent", "Email consent", "Phone"]

    assert targets(headings) == ["name", "email", "onboarding_status", "ignore", "ignore", "ignore", "phone"]


def test_a_second_column_of_numbers_is_read_where_the_first_is_empty() -> None:
    headings = ["Name", "Cell no", "Tel", "Phone 3"]
    columns = [["A B", "C D"], ["0821234567", "0821234568"], ["", "0821234569"], ["", ""]]

    found = suggest(headings, columns)

    assert [one.target for one in found] == [
        Target.NAME,
        Target.PHONE,
        Target.SECOND_PHONE,
        Target.IGNORE,
    ]
    assert found[2].reason == "Used where “Cell no” is empty"


def test_an_identity_number_in_a_second_column_of_numbers_is_only_marked() -> None:
    assert scrubbed("8001015009087", Target.SECOND_PHONE) == "(identity number left out)"


@pytest.mark.parametrize("heading", [f"Cell phone {VALID_ID}", f"Name {VALID_ID} and surname", VALID_ID])
def test_an_identity_number_in_a_heading_is_nowhere_in_a_suggestion(heading: str) -> None:
    found = suggest([heading, "Cell", "Surname", "Name"], [["0821234567"], ["0831234567"], [], []])

    assert VALID_ID not in repr(found)


def test_a_heading_with_an_identity_number_is_read_by_its_words() -> None:
    (found,) = suggest([f"Cell phone {VALID_ID}"], [["0821234567"]])

    assert (found.target, found.heading) == (Target.PHONE, "Cell phone ")
    assert found.reason == "The heading “Cell phone” says so"


def tabs(*names: str) -> bytes:
    packed = io.BytesIO()
    book = xlsxwriter.Workbook(packed)
    for name in names:
        page = book.add_worksheet(name)
        page.write_row(0, 0, [f"Name {VALID_ID}", "Phone"])
        page.write_row(1, 0, ["Thabo Nkosi", "0821234567"])
    book.close()
    return packed.getvalue()


def test_identity_numbers_on_tabs_are_taken_out() -> None:
    sheet = drop_identity(read(tabs(VALID_ID, f"Old {VALID_ID}", "New")))

    assert (sheet.name, sheet.other_sheets) == ("", ("Old ", "New"))
    assert sheet.headings == ("Name ", "Phone")
    assert drop_identity(read(b"Name,Phone\nThabo Nkosi,0821234567\n")).name is None


def test_a_sheet_is_still_asked_for_by_the_name_on_its_tab() -> None:
    assert read(tabs("New", VALID_ID), sheet=VALID_ID).name == VALID_ID


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (VALID_ID, "The workbook has no sheet of that name."),
        (f"May {VALID_ID}", "The workbook has no sheet called “May”."),
        ("May", "The workbook has no sheet called “May”."),
    ],
)
def test_a_refused_sheet_is_named_without_identity_numbers(wanted: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        read(tabs("New"), sheet=wanted)

    assert (caught.value.code, caught.value.sentence) == ("no_such_sheet", sentence)


def test_a_column_that_a_list_does_not_have_is_refused_without_identity_numbers() -> None:
    with pytest.raises(Refused) as caught:
        prepare(tabs("New"), mapping={f"Area {VALID_ID}": "area"})

    assert caught.value.sentence == "The list has no column “Area”. It has “Name”, “Phone”."


@pytest.mark.parametrize("heading", ["Name", f"Name {VALID_ID}"])
def test_a_heading_is_mapped_as_it_stands_or_as_it_is_shown(heading: str) -> None:
    columns = prepare(tabs("New"), mapping={heading: "notes"}).columns

    assert columns.targets == (Target.NOTES, Target.PHONE)


@pytest.mark.django_db
def test_an_import_keeps_no_identity_number_of_a_tab_a_file_or_a_heading() -> None:
    of = stage(tabs(VALID_ID, "New"), file_name=f"list {VALID_ID}.xlsx", by=NANDI)

    kept = Import.objects.filter(pk=of.pk).values().get()
    assert VALID_ID not in str(kept)
    assert (kept["sheet"], kept["file_name"]) == ("", "list .xlsx")
    assert kept["columns"][0]["reason"] == "The heading “Name” says so"
