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


# Receipts


@dataclass(frozen=True)
class Told:
    """One thing that a provider said of a message: sent, delivered, read or failed."""

    kind: str
    at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of a message of ours."""

    status: str
    delivered_at: datetime | None
    read_at: datetime | None


def outcome(told: Iterable[Told], *, replied_at: datetime | None, was_refused: bool = False) -> Outcome:
    """The status as a function of the set of events, whatever their order and number (spec §5.3).

    Replied, else read, else delivered, else failed, else sent. Read implies delivered; a late delivered or read beats
    failed, a late sent does not.
    """
    first: dict[str, datetime] = {}
    for one in told:
        first[one.kind] = min(one.at, first.get(one.kind, one.at))
    read_at = first.get("read")
    delivered_at = first.get("delivered", read_at)
    if replied_at is not None:
        status = "replied"
    elif read_at is not None:
        status = "read"
    elif delivered_at is not None:
        status = "delivered"
    elif was_refused or "failed" in first:
        status = "failed"
    else:
        status = "sent"
    return Outcome(status, delivered_at, read_at)
