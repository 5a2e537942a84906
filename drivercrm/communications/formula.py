"""The arithmetic of prompts and answers (spec §2): plain Python, explained in docs/rules/response-rate.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

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


# Replies

REPLY_WINDOW = timedelta(days=7)


@dataclass(frozen=True)
class Line:
    """One message of a driver on one channel, as the attribution of replies needs it."""

    id: UUID
    at: datetime
    is_outbound: bool
    counts: bool = True  # outbound: did not fail; inbound: a person wrote it
    quotes: UUID | None = None


def answers(lines: Iterable[Line]) -> dict[UUID, UUID]:
    """Inbound → the outbound that it answers, as a function of the set of messages (spec §5.3).

    A quote answers what it quotes, at any age. Without one, an inbound answers the latest outbound of the last 7 days
    that did not fail, only if nothing has answered that yet and it is newer than the driver's previous inbound.
    """
    found: dict[UUID, UUID] = {}
    answered: set[UUID] = set()
    latest: Line | None = None
    previous: datetime | None = None
    # at the same moment ours comes first: it can be answered, the other way round nothing can
    for line in sorted(lines, key=lambda one: (one.at, not one.is_outbound, one.id)):
        if line.is_outbound:
            latest = line if line.counts else latest
            continue
        if not line.counts:
            continue
        target = line.quotes
        if target is None and latest is not None and line.at - latest.at <= REPLY_WINDOW:
            is_newer = previous is None or latest.at > previous
            target = latest.id if is_newer and latest.id not in answered else None
        if target is not None:
            found[line.id] = target
            answered.add(target)
        previous = line.at
    return found
