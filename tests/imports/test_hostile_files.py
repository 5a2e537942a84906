"""Broken, huge and hostile files: a clear sentence each, and never another exception (spec §10)."""

import io
import random
import struct
import time
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drivercrm.imports.reading import UnreadableFile, read

LIST = Path(__file__).parent / "data" / "driver-list.xlsx"
CONTENT = "[Content_Types].xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def refused(content: bytes | Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(content)
    return caught.value


def workbook(**parts: str) -> bytes:
    """An XLSX by hand: a sheet as given by its XML, and other parts replaced by name."""
    files = {
        CONTENT: "<Types/>",
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{NAMESPACE}" xmlns:r="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    files |= {name.replace("__", "/"): text for name, text in parts.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def sheet_xml(rows: str, before: str = "") -> dict[str, str]:
    return {
        "xl/worksheets/sheet1.xml": f'{before}<worksheet xmlns="{NAMESPACE}"><sheetData>{rows}</sheetData></worksheet>'
    }


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HEADER = f'<row r="1">{text_cell("A1", "Name")}{text_cell("B1", "Phone")}</row>'
DRIVER = f'<row r="2">{text_cell("A2", "Thabo Nkosi")}{text_cell("B2", "0821234567")}</row>'


def made_with_xlsxwriter(fill: Callable[[xlsxwriter.worksheet.Worksheet], None]) -> bytes:
    packed = io.BytesIO()
    book = xlsxwriter.Workbook(packed, {"constant_memory": True})
    fill(book.add_worksheet())
    book.close()
    return packed.getvalue()


def test_a_workbook_made_by_hand_is_read() -> None:
    sheet = read(workbook(**sheet_xml(HEADER + DRIVER)))

    assert [row.cells for row in sheet.rows()] == [("Thabo Nkosi", "0821234567")]


def test_an_empty_file_is_refused() -> None:
    assert refused(b"").sentence == "The file is empty."
    assert refused(b"\xef\xbb\xbf").sentence == "The file is empty."
    assert refused(b"\r\n \r\n").sentence == "The file is empty."


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.xlsx").code == "no_file"
    assert refused(tmp_path).code == "no_access"


@pytest.mark.parametrize(
    "content", [b"Name,Phone\r\n", b"Name,Phone\r\n,,\r\n\r\n", workbook(**sheet_xml(HEADER))]
)
def test_headings_alone_are_refused(content: bytes) -> None:
    assert refused(content).sentence == "There are headings, but no drivers under them."


def test_a_workbook_without_any_cell_is_refused() -> None:
    assert refused(workbook(**sheet_xml(""))).sentence == "The workbook is empty."


def test_rows_without_headings_are_refused() -> None:
    assert refused(b"Thabo,0821234567\r\nSipho,0821234568\r\n").code == "no_headings"


def test_a_truncated_workbook_is_refused() -> None:
    whole = LIST.read_bytes()

    for length in (4, 30, 1000, len(whole) // 2, len(whole) - 1, len(whole) - 22):
        assert refused(whole[:length]).code == "broken_workbook"


def test_an_encrypted_workbook_is_refused() -> None:
    content = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(5000)
        + "EncryptedPackage".encode("utf-16-le")
        + bytes(900)
    )

    assert refused(content).code == "encrypted"


def test_an_encrypted_zip_part_is_refused() -> None:
    content = bytearray(workbook(**sheet_xml(HEADER + DRIVER)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        struct.pack_into("<H", content, at + offset, 1)

    assert refused(bytes(content)).code == "encrypted"


def test_an_old_workbook_renamed_to_xlsx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000))

    error = refused(path)

    assert error.code == "old_excel"
    assert error.sentence == "This is an old Excel workbook (.xls). Save it as .xlsx or CSV and try again."


def test_a_pdf_named_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\nName,Phone\n")

    assert refused(path).sentence == "This is a PDF, not a list. Use an XLSX or CSV file."


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"\x1f\x8b\x08" + bytes(50),
        b"<html><table><tr><td>Name</td></tr></table></html>",
        b'<?xml version="1.0"?><Workbook/>',
        b"{\\rtf1 Name}",
    ],
)
def test_other_kinds_of_files_are_named(content: bytes) -> None:
    assert refused(content).code == "wrong_kind"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("word/document.xml", "This is a Word document"),
        ("xl/workbook.bin", "This is a binary Excel workbook"),
        ("readme.txt", "This is a compressed archive"),
    ],
)
def test_other_archives_are_named(name: str, words: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "x")

    assert refused(packed.getvalue()).sentence.startswith(words)


def test_nul_bytes_are_refused() -> None:
    assert refused(b"Name,Phone\r\nTha\x00bo,0821234567\r\n").code == "nul_bytes"


def test_a_cell_of_a_megabyte_is_refused() -> None:
    quoted = b'Name,Phone\r\n"' + b"x" * 1_000_000 + b'",0821234567\r\n'
    bare = b"Name,Phone\r\n" + b"x" * 100_000 + b",0821234567\r\n"

    assert refused(quoted).code == "cell_too_large"
    assert refused(bare).sentence == "Row 2 has a cell with more than 32 767 characters."
    assert refused(workbook(**sheet_xml(HEADER + DRIVER.replace("Thabo", "x" * 1_000_000)))).sentence == (
        "Row 2 has a cell with more than 32 767 characters."
    )


def test_five_thousand_columns_are_refused() -> None:
    headings = ",".join(["Name", "Phone", *[f"Column {n}" for n in range(4998)]])
    row = ",".join(["Thabo", "0821234567", *["x"] * 4998])

    def fill(page: xlsxwriter.worksheet.Worksheet) -> None:
        page.write_row(0, 0, headings.split(","))
        page.write_row(1, 0, row.split(","))

    assert refused(f"{headings}\r\n{row}\r\n".encode()).code == "too_many_columns"
    assert refused(made_with_xlsxwriter(fill)).code == "too_many_columns"


def test_empty_columns_far_out_are_no_columns() -> None:
    sheet = read(b"Name,Phone" + b"," * 5000 + b"\r\nThabo,0821234567" + b"," * 5000 + b"\r\n")

    assert sheet.headings == ("Name", "Phone")


def test_a_million_and_one_rows_of_csv_are_refused_quickly(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("Name,Phone\n")
        file.writelines(f"Thabo,0821{n:06}\n" for n in range(1_000_000))
    started = time.process_time()

    error = refused(path)

    assert error.sentence == "The list has more than 1 000 000 rows. Split it into smaller files."
    assert time.process_time() - started < 15


@pytest.mark.slow
def test_a_million_and_one_rows_of_a_workbook_are_refused_quickly() -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(2, 1_000_002))
    started = time.process_time()

    error = refused(workbook(**sheet_xml(HEADER + rows)))

    assert error.code == "too_many_rows"
    assert time.process_time() - started < 30


def test_a_value_far_from_the_list_is_refused_before_room_is_made_for_it() -> None:
    far = f'<row r="999999">{text_cell("IV999999", "x")}</row>'

    assert refused(workbook(**sheet_xml(HEADER + DRIVER + far))).code == "too_many_cells"


@pytest.mark.parametrize(
    "place", ["XFD1048576", "B1048577", "A99999999999999999999", "AAAAAAA1", "xfd2", "1A", "é2"]
)
def test_a_cell_in_an_impossible_place_is_refused(place: str) -> None:
    assert refused(workbook(**sheet_xml(HEADER + f'<row r="2">{text_cell(place, "x")}</row>'))).code in {
        "too_many_rows",
        "too_many_columns",
        "broken_workbook",
    }


def test_formatting_far_from_the_list_does_no_harm() -> None:
    styled = '<row r="1048576"><c r="XFD1048576" s="0"/></row>'

    assert read(workbook(**sheet_xml(HEADER + DRIVER + styled))).row_count == 1


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    content = workbook(**sheet_xml(HEADER + DRIVER), **{"xl/sharedStrings.xml": " " * 300_000_000})
    started = time.process_time()

    error = refused(content)

    assert len(content) < 1_000_000
    assert error.code == "zip_bomb"
    assert time.process_time() - started < 1


def test_a_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    content = bytearray(workbook(**sheet_xml(HEADER + DRIVER), **{"xl/sharedStrings.xml": " " * 50_000_000}))
    at = content.rfind(b"xl/sharedStrings.xml") - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    struct.pack_into("<L", content, at + 24, 1000)

    assert refused(bytes(content)).code == "broken_workbook"


def test_many_parts_are_refused() -> None:
    extra = {f"xl/x{n}.xml": "<x/>" for n in range(3000)}

    assert refused(workbook(**sheet_xml(HEADER + DRIVER), **extra)).code == "zip_bomb"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_entities_are_refused(doctype: str) -> None:
    content = workbook(**sheet_xml(HEADER + DRIVER, before=doctype))

    assert refused(content).code == "hostile_xml"


def test_an_open_quotation_mark_is_refused() -> None:
    assert refused(b'Name,Phone\r\n"Thabo,0821234567\r\nSipho,0821234568\r\n').code == "open_quote"


def test_a_file_named_otherwise_is_read_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(LIST.read_bytes())

    assert read(path).row_count == 545


def readable_or_refused(content: bytes) -> None:
    try:
        sheet = read(content)
    except UnreadableFile:
        return
    assert sum(1 for _ in sheet.rows()) == sheet.row_count


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(b"PK\x05\x06" + bytes(18))
@example(b"PK\x03\x04")
@example(b"\xff\xfe")
@example(b"\xff\xfeN\x00")
@example(b"Name\r\n\xe2\x80\xa8")
@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_are_refused(content: bytes) -> None:
    readable_or_refused(content)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="Name,Phone;\t\"'\n\r|0821é\x0b =+-@", max_size=200))
def test_any_text_is_a_list_or_is_refused(text: str) -> None:
    readable_or_refused(text.encode())
    readable_or_refused(text.encode("utf-16"))


def test_a_damaged_workbook_is_a_list_or_is_refused() -> None:
    whole = LIST.read_bytes()
    chance = random.Random(7)

    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        readable_or_refused(bytes(content))


def test_damaged_xml_is_a_list_or_is_refused() -> None:
    chance = random.Random(11)
    original = sheet_xml(HEADER + DRIVER)["xl/worksheets/sheet1.xml"]

    for _ in range(150):
        letters = list(original)
        for _ in range(chance.choice([1, 2, 8])):
            letters[chance.randrange(len(letters))] = chance.choice('<>/"=&;AZ09 crvt\u00e9')
        readable_or_refused(workbook(**{"xl/worksheets/sheet1.xml": "".join(letters)}))


FAR = "ZZ1000000"
FAR_CELL = f'<row r="1000000">{text_cell(FAR, "x")}</row>'
DATA = f"<sheetData>{HEADER}{DRIVER}{FAR_CELL}</sheetData>"
PREFIXED = DATA.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:")


@pytest.mark.parametrize(
    "xml",
    [
        f'<evil xmlns="{NAMESPACE}">{DATA}</evil>',
        f'<chartsheet xmlns="{NAMESPACE}">{DATA}</chartsheet>',
        DATA,
        f'<worksheet xmlns="{NAMESPACE}" xmlns:x="{NAMESPACE}">{PREFIXED}</worksheet>',
        f'<worksheet xmlns="{NAMESPACE}" xmlns:x="urn:other">{PREFIXED}</worksheet>',
        f'<worksheet xmlns="{NAMESPACE}">{PREFIXED}</worksheet>',
        f'<worksheet xmlns="{NAMESPACE}"><sheetData>{HEADER}{DRIVER}<row r="1000000">{text_cell("XA1", "a")}'
        "<c><v>1</v></c></row></sheetData></worksheet>",
    ],
)
def test_a_cell_far_away_is_found_whatever_its_elements_are_called(xml: str) -> None:
    content = workbook(**{"xl/worksheets/sheet1.xml": xml})

    assert len(content) < 3000
    assert refused(content).code in {"broken_workbook", "too_many_columns", "too_many_cells"}


@pytest.mark.parametrize("root", ["externalLink", "sst", "styleSheet"])
def test_another_part_used_as_a_sheet_is_refused(root: str) -> None:
    near = f'<{root} xmlns="{NAMESPACE}"><sheetData>{HEADER}{DRIVER}</sheetData></{root}>'

    assert refused(workbook(**{"xl/worksheets/sheet1.xml": near})).code == "broken_workbook"


def test_shared_texts_that_are_none_are_refused() -> None:
    parts = sheet_xml(HEADER + DRIVER) | {"xl/sharedStrings.xml": f'<worksheet xmlns="{NAMESPACE}"/>'}

    assert refused(workbook(**parts)).code == "broken_workbook"


def test_a_workbook_with_a_prefix_everywhere_is_read() -> None:
    rows = PREFIXED.replace(FAR_CELL.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:"), "")
    sheet = read(
        workbook(**{"xl/worksheets/sheet1.xml": f'<x:worksheet xmlns:x="{NAMESPACE}">{rows}</x:worksheet>'})
    )

    assert [row.cells for row in sheet.rows()] == [("Thabo Nkosi", "0821234567")]


def test_a_sheet_of_empty_places_is_refused() -> None:
    far = f'<row r="78000">{text_cell("IV78000", "x")}</row>'

    assert refused(workbook(**sheet_xml(HEADER + DRIVER + far))).code == "too_many_cells"


def test_shared_texts_without_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivercrm.imports.reading.parts.MAX_TEXTS", 3)
    texts = f'<sst xmlns="{NAMESPACE}">{"<si/>" * 4}</sst>'

    assert (
        refused(workbook(**sheet_xml(HEADER + DRIVER), **{"xl/sharedStrings.xml": texts})).code
        == "too_many_texts"
    )


def shared(texts: list[str], rows: list[list[int]]) -> bytes:
    """A workbook whose cells all show shared texts, by their numbers."""
    table = "".join(f"<si><t>{text}</t></si>" for text in texts)
    lines = "".join(
        f'<row r="{number}">'
        + "".join(f'<c r="{"ABC"[at]}{number}" t="s"><v>{text}</v></c>' for at, text in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    return workbook(**sheet_xml(lines), **{"xl/sharedStrings.xml": f'<sst xmlns="{NAMESPACE}">{table}</sst>'})


def test_one_long_text_that_every_cell_shows_is_refused_before_it_is_copied() -> None:
    rows = [[0, 1, 2], *[[3, 4, 5]] * 20_000]
    small = shared(["Name", "Phone", "Notes", "Thabo Nkosi", "0821234567", "x" * 30_000], rows)
    assert len(small) < 300_000

    began = time.monotonic()
    assert refused(small).code == "too_many_texts"
    assert time.monotonic() - began < 5


def test_one_long_text_that_a_few_cells_show_is_read() -> None:
    rows = [[0, 1, 2], [3, 4, 5], *[[3, 4, 3]] * 20_000]

    sheet = read(shared(["Name", "Phone", "Notes", "Thabo Nkosi", "0821234567", "x" * 30_000], rows))

    assert [len(row.cells[2]) for row in islice(sheet.rows(), 2)] == [30_000, 11]


def test_a_line_of_separators_is_refused_before_it_is_taken_apart() -> None:
    began = time.monotonic()

    assert refused(b"Name,Phone" + b"," * 3_000_000 + b"\r\nA B,0821234567\r\n").code == "too_many_columns"
    assert refused(b"Name,Phone" + b",a b" * 30_000 + b"\r\nA B,0821234567\r\n").code == "too_many_columns"
    assert time.monotonic() - began < 5


def test_thousands_of_columns_are_called_so() -> None:
    headings = ",".join(f"c{number}" for number in range(5000))

    assert refused(f"{headings}\r\n{headings}\r\n".encode()).code == "too_many_columns"


def test_separators_after_the_last_column_do_no_harm() -> None:
    sheet = read(b"Name,Phone" + b"," * 16_000 + b"\r\nThabo Nkosi,0821234567" + b"," * 16_000 + b"\r\n")

    assert [row.cells for row in sheet.rows()] == [("Thabo Nkosi", "0821234567")]


# How a cell may name shared text 0 so that calamine reads it, and a careless count does not.
@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ('<c r="A{0}" t="s"><v>000000000</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v>+0</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v>-1</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v>x</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v> </v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v>٠</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v>3</v></c>', "broken_workbook"),
        ('<c r="A{0}" t="s"><v/>z</c><c r="B{0}" t="s"><v>0</v></c>', "too_many_texts"),
        ('<c r="A{0}" t="s"><v></v><q>z</q></c><c r="B{0}" t="s"><v>0</v></c>', "too_many_texts"),
        ('<c r="A{0}" t="s"><v> 0 </v></c>', "too_many_texts"),
        ('<c r="A{0}" t="s"><v>00000000</v></c>', "too_many_texts"),
    ],
)
def test_a_long_text_is_counted_however_its_number_is_written(
    cells: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivercrm.imports.reading.parts.MAX_TEXT", 1_000_000)
    texts = "".join(f"<si><t>{text}</t></si>" for text in ("x" * 10_000, "Name", "Phone"))
    head = '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>2</v></c></row>'
    rows = "".join(f'<row r="{number}">{cells.format(number)}</row>' for number in range(2, 203))
    parts = {"xl/sharedStrings.xml": f'<sst xmlns="{NAMESPACE}">{texts}</sst>'}

    assert refused(workbook(**sheet_xml(head + rows), **parts)).code == code


def test_empty_shared_texts_among_many_are_read() -> None:
    head = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="s"><v/></c><c r="B{number}" t="s"><v>3</v></c></row>'
        for number in range(2, 10_002)
    )
    texts = "".join(f"<si><t>{text}</t></si>" for text in ("Name", "Phone", "x" * 30_000, "0821234567"))
    parts = {"xl/sharedStrings.xml": f'<sst xmlns="{NAMESPACE}">{texts}</sst>'}

    sheet = read(workbook(**sheet_xml(head + rows), **parts))

    assert next(sheet.rows()).cells == ("", "0821234567")
