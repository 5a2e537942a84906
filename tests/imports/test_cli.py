"""`drivercrm import-drivers` (spec §9)."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivercrm.cli import main
from drivercrm.drivers.models import Driver
from drivercrm.imports.models import Import
from drivercrm.imports.reading import read
from tests.imports.lists import AGREEMENT, COMMAND, DATA, REAL, as_csv, differing, dump, many
from tests.processes import environment

pytestmark = pytest.mark.django_db
TRUTH = json.loads((DATA / "driver-list.expected.json").read_text())

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["import-drivers", *map(str, words)])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def facts(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (r["row"], r["verdict"], (r.get("name") or "").casefold(), r.get("phone"), r.get("email"))
        for r in rows
    ]


def test_a_dry_run_prints_the_truth_and_stores_nothing(run: Run) -> None:
    before = dump(leave_out=set())

    code, out, err = run(REAL, "--json")

    report = json.loads(out)
    assert (code, err) == (1, "")
    assert report["summary"] == TRUTH["summary"]
    assert facts(report["rows"]) == facts(TRUTH["rows"])
    assert all(row["reason"] for row in report["rows"])
    assert differing(before, dump(leave_out=set())) == []


def test_apply_again_and_undo(run: Run) -> None:
    before = dump()

    code, out, _ = run(REAL, "--apply", "--basis", AGREEMENT, "--evidence", "folder 3", "--json")
    report = json.loads(out)
    assert (code, report["summary"], report["created"]) == (1, TRUTH["summary"], 515)
    assert facts(report["rows"]) == facts(TRUTH["rows"])
    assert Driver.objects.count() == 515
    after = dump()

    code, out, _ = run(REAL, "--apply", "--basis", AGREEMENT, "--json")
    again = json.loads(out)
    assert (code, again["import"], again["created"]) == (1, None, 0)
    assert again["summary"] == {"unchanged": 515, "duplicate": 5, "review": 22, "blank": 3}
    assert differing(after, dump()) == []

    code, out, _ = run("--undo", report["import"], "--json")
    assert (code, json.loads(out)) == (
        0,
        {"import": report["import"], "deleted": 515, "restored": 0, "kept": []},
    )
    assert differing(before, dump()) == []


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8", ","), ("utf-8-sig", ","), ("cp1252", ","), ("utf-8", ";")]
)
def test_the_same_rows_as_csv(run: Run, tmp_path: Path, encoding: str, separator: str) -> None:
    sheet = read(REAL)
    lines = [sheet.headings, *[row.cells for row in sheet.rows()]]
    file = tmp_path / "list.csv"
    text = "\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines)
    file.write_text(text, encoding=encoding)

    code, out, _ = run(file, "--json")

    assert (code, facts(json.loads(out)["rows"])) == (1, facts(TRUTH["rows"]))


def test_the_table_for_people(run: Run) -> None:
    code, out, _ = run(REAL)
    assert code == 1
    assert "Two numbers in one cell" in out
    assert "515 create, 5 duplicate, 22 review, 3 blank" in out
    assert "Nothing was stored. Add --apply to let the list in." in out

    code, out, _ = run(REAL, "--apply")
    assert f"drivercrm import-drivers --undo {Import.objects.get().pk}" in out

    code, out, _ = run("--undo", Import.objects.get().pk)
    assert (code, out) == (0, "515 drivers deleted, 0 put back, 0 kept.\n")


def test_a_clean_list_ends_with_zero(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(as_csv(many(3)))

    assert run(file)[0] == 0
    assert run(file, "--apply")[0] == 0
    assert run(file, "--apply")[1].endswith("Nothing to import: no row changes anything.\n")


def test_columns_by_hand(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(as_csv([["Ayanda Zulu", "0820000001", "TR-1"]], ["Who", "Cell", "ID NO"]))

    code, out, _ = run(file, "--map", "Who=name", "--map", "ID NO=timo_driver_id", "--apply", "--json")

    assert (code, json.loads(out)["summary"]) == (0, {"create": 1})
    assert Driver.objects.get().timo_driver_id == "TR-1"


def test_wrong_use_ends_with_two(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(as_csv(many(1)))

    for words, sentence in (
        ([], "Name a file to import, or an import to --undo."),
        ([file, "--map", "Name"], "--map takes HEADING=field"),
        ([file, "--map", "Nam=name"], "The list has no column “Nam”. It has “Name”, “Phone”, “Email”."),
        ([file, "--map", "Name=nobody"], "“nobody” is not a field."),
        ([file, "--basis", "They agreed"], "Say after a colon which purposes and channels"),
        ([file, "--evidence", "folder 3"], "Evidence needs a basis"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.startswith(sentence)


def test_a_file_that_is_no_list_is_refused_in_a_sentence(run: Run, tmp_path: Path) -> None:
    before = dump(leave_out=set())
    for name, content, sentence in (
        ("list.csv", b"", "The file is empty.\n"),
        ("list.csv", b"%PDF-1.7", "This is a PDF, not a list. Use an XLSX or CSV file.\n"),
        ("list.xlsx", b"PK\x03\x04", "The workbook is broken or incomplete."),
        ("list.csv", b"Name,Phone\n", "There are headings, but no drivers under them.\n"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        for more in ([], ["--apply"], ["--apply", "--json"]):
            code, out, err = run(file, *more)
            assert (code, out) == (1, "")
            assert err.startswith(sentence)

    code, _, err = run(tmp_path / "nothing.csv")
    assert (code, err) == (1, "There is no file nothing.csv.\n")
    code, _, err = run("--undo", "01a20")
    assert (code, err) == (1, "There is no import 01a20. It may have been undone already.\n")
    assert differing(before, dump(leave_out=set())) == []


@pytest.mark.parametrize("format", ["--json", ""])
def test_a_reader_who_has_seen_enough_is_no_error(format: str, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(as_csv([["A B", "12", ""] for _ in range(2000)]))
    process = subprocess.Popen(
        [*COMMAND, str(file), *filter(None, [format])],
        env=environment(DATABASE_URL="", DRIVERCRM_DATA_DIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.read(1)
    process.stdout.close()

    assert (process.wait(timeout=60), process.stderr.read()) == (141, b"")
    process.stderr.close()
