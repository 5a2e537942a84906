"""Every variable that the code reads is explained, and none is explained that it does not read."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\b(DATABASE_URL|DRIVERCRM_[A-Z_]+[A-Z])\b")
OURS_ALONE = {"DRIVERCRM_SHARES_PORT"}  # set by `serve --processes` for its children


def test_the_docs_and_the_sample_name_every_variable() -> None:
    read = {
        name for file in (PROJECT / "drivercrm").rglob("*.py") for name in NAME.findall(file.read_text())
    } - OURS_ALONE
    rows = (PROJECT / "docs" / "self-hosting.md").read_text().splitlines()
    explained = {name for row in rows if row.startswith("| `D") for name in NAME.findall(row.split("|")[1])}
    sampled = set(NAME.findall((PROJECT / ".env.sample").read_text()))

    assert explained == read
    assert sampled == read
