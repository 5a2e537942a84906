"""The arithmetic of prompts and answers (spec §2): plain Python, explained in docs/rules/response-rate.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

PROMPT_WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Said:
    """One row of a driver's history, as the arithmetic needs it."""

    at: datetime
    is_outbound: bool
    counts: bool = True
    is_answered: bool = False


def response_rate(rows: Iterable[Said]) -> float | None:
    """Answered prompts ÷ prompts, 0–1; None without any.

    A row starts a new prompt if the driver wrote since the previous one or 24 h have passed. Outbound rows
    with `counts` false (updates, failed messages) are no part of any prompt.
    """
    prompts: list[bool] = []
    started: datetime | None = None
    wrote_since = False
    for row in sorted(rows, key=lambda row: row.at):
        if not row.is_outbound:
            wrote_since = True
        elif row.counts:
            if started is None or wrote_since or row.at - started >= PROMPT_WINDOW:
                prompts.append(row.is_answered)
                started = row.at
                wrote_since = False
            else:
                prompts[-1] = prompts[-1] or row.is_answered
    return sum(prompts) / len(prompts) if prompts else None
