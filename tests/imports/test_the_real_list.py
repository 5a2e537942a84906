"""The synthetic list with the real one's faults, against its row-by-row truth, in every dress (spec §10)."""

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from drivercrm.imports.columns import as_map, check, drop_identity, suggest
from drivercrm.imports.reading import read
from drivercrm.imports.repair import Repairer
from drivercrm.imports.verdicts import Existing, Judge, Judgement, Known

DATA = Path(__file__).parent / "data"
LIST = DATA / "driver-list.xlsx"
TRUTH = json.loads((DATA / "driver-list.expected.json").read_text())
HEADINGS = ["Surname & Name", "ID NO", "EMAIL ADDRESS", "CELL NO ", "AREA"]


def judged(source: Path | bytes, existing: Existing | None = None) -> list[Judgement]:
    sheet = read(source)
    columns = as_map(suggest(sheet.headings, sheet.sample_columns()))
    check(columns)
    repairer, judge = Repairer(columns), Judge()
    return [judge.judge(repairer.row(row), existing or Existing()) for row in drop_identity(sheet).rows()]


def truth(shift: int = 0) -> list[tuple[Any, ...]]:
    return [
        (
            row["row"] + shift,
            row["verdict"],
            (row.get("name") or "").casefold(),
            row.get("phone"),
            row.get("email"),
        )
        for row in TRUTH["rows"]
    ]


def seen(judgements: list[Judgement]) -> list[tuple[Any, ...]]:
    rows = [judgement.as_row() for judgement in judgements]
    return [(r["row"], r["verdict"], (r["name"] or "").casefold(), r["phone"], r["email"]) for r in rows]


def table() -> list[list[str]]:
    return [HEADINGS, *[list(row.cells) for row in read(LIST).rows()]]


def as_csv(rows: list[list[str]], encoding: str = "utf-8", separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(change: Callable[[Any], None]) -> bytes:
    book: Workbook = load_workbook(LIST)
    change(book.worksheets[0])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_every_row_has_the_verdict_and_values_of_the_truth() -> None:
    judgements = judged(LIST)

    assert seen(judgements) == truth()
    assert len({j.values.get("phone") for j in judgements if j.verdict == "create"} - {None}) == 513


def test_every_verdict_but_create_gives_its_reason_and_every_repair_its_note() -> None:
    rows = {judgement.row: judgement for judgement in judged(LIST)}

    assert rows[31].reason == "11 digits: a South African number has ten, starting with 0"
    assert rows[48].reason == "Two numbers in one cell"
    assert rows[53].notes == ("Leading zero restored",)
    assert rows[100].notes == (
        "List number left out",
        "Mail left out: no ending, such as .co.za",
        "Letter O read as zero",
    )
    assert rows[120].reason == "Shared number: row 86 has the same one under another name"
    assert rows[126].reason == "Same number and name as row 10"
    assert rows[2].values["given_name"] == "Rajesh"
    assert rows[2].values["area"] == "PMB"


def test_no_identity_number_is_left_in_any_value() -> None:
    numbers = {row.cells[1] for row in read(LIST).rows()} - {""}

    kept = repr(judged(LIST))

    assert len(numbers) == 539
    assert not [number for number in numbers if number in kept]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_same_rows_as_csv(encoding: str, separator: str) -> None:
    assert seen(judged(as_csv(table(), encoding, separator))) == truth()


@pytest.mark.parametrize(
    "headings",
    [
        ["Full Name", "Identity Number", "E-mail", "Phone Number", "City"],
        ["DRIVER", "RSA ID", "Mail", "Mobile", "Town"],
        ["Driver name", "Reference", "email_address", "Contact number", "Suburb"],
    ],
)
def test_other_headings(headings: list[str]) -> None:
    assert seen(judged(as_csv([headings, *table()[1:]]))) == truth()


def test_another_order_of_columns() -> None:
    shuffled = [[row[3], row[4], row[0], row[2], row[1]] for row in table()]

    assert seen(judged(as_csv(shuffled))) == truth()


def test_title_lines_above_the_headings() -> None:
    content = as_csv([["TIMO DRIVERS", "", "", "", ""], ["Durban, March"], *table()])

    assert seen(judged(content)) == truth(shift=2)


def test_a_merged_title_a_merged_heading_and_a_hidden_column() -> None:
    def change(page: Any) -> None:
        page.insert_rows(1, 2)
        page["A1"] = "Driver list 2026"
        page.merge_cells("A1:E1")
        page["C2"] = "Contact"
        page.merge_cells("C2:D2")
        page.column_dimensions["B"].hidden = True

    assert seen(judged(as_xlsx(change))) == truth(shift=2)


def test_headings_merged_downwards() -> None:
    def change(page: Any) -> None:
        page.insert_rows(2)
        for column in "ABCDE":
            page.merge_cells(f"{column}1:{column}2")

    assert seen(judged(as_xlsx(change))) == truth(shift=1)


def test_the_same_list_again_changes_nothing() -> None:
    first = judged(LIST)
    drivers = [Known(j.row, dict(j.values)) for j in first if j.verdict == "create"]
    existing = Existing(
        by_number={d.values["phone"]: d for d in drivers if d.values.get("phone")},
        by_mail={d.values["email"]: d for d in drivers if d.values.get("email")},
    )

    second = judged(LIST, existing)

    expected = [(row, "unchanged" if verdict == "create" else verdict) for row, verdict, *_ in truth()]
    assert [(j.row, j.verdict) for j in second] == expected


@pytest.mark.slow
def test_a_large_list_is_read_and_judged_at_speed() -> None:
    """A safeguard against a slip of ten, not the benchmark: that stands in benchmarks/."""
    rows = [[f"NAME{n} OF DRIVER", "", f"driver{n}@example.org", f"07{n:08}", "PMB"] for n in range(30_000)]
    content = as_csv([HEADINGS, *rows])
    started = time.process_time()

    judgements = judged(content)

    assert len(judgements) == 30_000
    assert time.process_time() - started < 20
