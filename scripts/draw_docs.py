"""Draws the parts of docs/ that the code decides: the workflow, the events, the roles.

`python scripts/draw_docs.py` writes them; with `--check` it only compares, and ends with 1 where one is stale.
"""

import sys
from dataclasses import fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import django

django.setup()

from drivercrm.accounts.enums import Role
from drivercrm.accounts.permissions import MAY
from drivercrm.drivers.moves import MOVES, NOT_OPTED_OUT, PATH, STAGE_DATES, Move
from drivercrm.journal.events import Event

DOCS = Path(__file__).resolve().parent.parent / "docs"
ROOMS = ("accounts", "drivers", "consent", "communications", "engagement", "support", "imports")
MADE = "<!-- Drawn from the code by `make docs`. Change the code, not this page. -->\n\n"

WAYS = {
    "at least": "at least {to}: the missing stages are written in order, never down",
    "to": "{to}",
    "back": "back to {to}: the changes that messages alone had made are reversed",
    "before": "the status before the opt-out",
    "choice": "any other status but opted out",
}


def _sources(move: Move) -> str:
    if move.sources == NOT_OPTED_OUT:
        return "any but opted out"
    if move.sources == PATH:
        return "any stage of the path"
    return ", ".join(status.label.lower() for status in move.sources)


def driver_status() -> str:
    arrows = "\n".join(f"    {a} --> {b}" for a, b in pairwise(PATH))
    rows = "\n".join(
        f"| {move.says} | `{move.trigger}` | {_sources(move)} "
        f"| {WAYS[move.way].format(to=move.to.label.lower() if move.to else '')} |"
        for move in MOVES
    )
    dates = "\n".join(f"- `{column}`: rank {rank}" for column, rank in STAGE_DATES.items())
    return f"""# How a driver's status moves

{MADE}```mermaid
stateDiagram-v2
    [*] --> not_contacted
{arrows}
    active --> inactive: no usage
    inactive --> active: usage again
    not_contacted --> opted_out: consent withdrawn, from any status
    opted_out --> not_contacted: consent granted again, to the status before
```

| what happens | trigger | from | leads to |
|---|---|---|---|
{rows}

A trigger that does not apply changes nothing. A staff move to the same status, or into or out of opted out,
is refused with a sentence. Undo appends a reversal; nothing is ever deleted.

The ranks are {", ".join(f"{status} {rank}" for rank, status in enumerate(PATH))}; `inactive` has reached 5 and
`opted_out` what the driver had reached before. A stage date is the first moment at which the history, reversed
changes aside, had reached a rank:

{dates}
"""


def events() -> str:
    lines = ["# What the rooms announce\n", MADE, "| event | fields | when |\n|---|---|---|"]
    found: list[type[Event]] = []
    for room in ROOMS:
        try:
            module = import_module(f"drivercrm.{room}.events")
        except ModuleNotFoundError:
            continue
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Event) and value is not Event
        ]
    for event in sorted(found, key=lambda event: event.name):
        names = ", ".join(f"`{field.name}`" for field in fields(event))
        says = " ".join((event.__doc__ or "").split())
        lines.append(f"| `{event.name}` | {names} | {says} |")
    lines.append(
        "\nAn event carries ids and kinds of change. Personal values stand apart, in `journal_changes`, so that they"
        "\ncan be erased without touching a count.\n"
    )
    return "\n".join(lines)


def roles() -> str:
    head = " | ".join(role.label for role in Role)
    rule = "|".join(["---"] * (len(Role) + 1))
    rows = "\n".join(
        f"| `{can}` | " + " | ".join("yes" if role in MAY[can] else "" for role in Role) + " |" for can in MAY
    )
    return f"# Who may do what\n\n{MADE}| permission | {head} |\n|{rule}|\n{rows}\n"


PAGES = {
    DOCS / "rules" / "driver-status.md": driver_status,
    DOCS / "events.md": events,
    DOCS / "rules" / "roles.md": roles,
}


def main() -> int:
    """Writes or compares every drawn page; returns the process's exit code."""
    stale = [page for page, draw in PAGES.items() if not page.exists() or page.read_text() != draw()]
    if "--check" in sys.argv:
        for page in stale:
            print(f"{page.relative_to(DOCS.parent)} is stale: run make docs")
        return 1 if stale else 0
    for page in stale:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(PAGES[page]())
        print(f"drew {page.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
