"""The workflow of spec §3 as one table, and the arithmetic of a history. Plain Python, no database.

docs/rules/driver-status.md is drawn from here (`make docs`); `make check` compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from drivercrm.drivers.enums import OnboardingStatus as S
from drivercrm.drivers.enums import Trigger as T

if TYPE_CHECKING:
    from drivercrm.drivers.models import StatusChange

PATH = (S.NOT_CONTACTED, S.CONTACTED, S.INVITED, S.ONBOARDING_STARTED, S.ONBOARDING_COMPLETED, S.ACTIVE)
# `opted_out` has no rank of its own: a driver who opted out has reached what was reached before.
RANK: dict[str, int] = {str(status): rank for rank, status in enumerate(PATH)} | {str(S.INACTIVE): 5}

STAGE_DATES: dict[str, int] = {
    "first_contact_date": RANK[S.CONTACTED],
    "onboarding_start_date": RANK[S.ONBOARDING_STARTED],
    "onboarding_complete_date": RANK[S.ONBOARDING_COMPLETED],
}


@dataclass(frozen=True)
class Move:
    """One line of the workflow: what happens (`trigger`), to whom (`sources`), and where it leads.

    way: *at least* writes the missing stages in order, never down; *to* writes one change;
    *back* reverses what messages alone had led to; *before* returns to the status before the opt-out;
    *choice* goes where the person says.
    """

    trigger: T
    sources: tuple[S, ...]
    way: Literal["at least", "to", "back", "before", "choice"]
    to: S | None
    says: str


def below(status: S) -> tuple[S, ...]:
    """The stages of the path before this one."""
    return PATH[: PATH.index(status)]


NOT_OPTED_OUT = (*PATH, S.INACTIVE)

MOVES: tuple[Move, ...] = (
    Move(T.MESSAGE_ACCEPTED, below(S.CONTACTED), "at least", S.CONTACTED, "any outbound message is accepted"),
    Move(
        T.CALL_REACHED, below(S.CONTACTED), "at least", S.CONTACTED, "a call is answered or reaches voicemail"
    ),
    Move(T.INVITATION_ACCEPTED, below(S.INVITED), "at least", S.INVITED, "the invitation is accepted"),
    Move(
        T.UNREACHED,
        (S.CONTACTED, S.INVITED),
        "back",
        S.NOT_CONTACTED,
        "every message so far has finally failed",
    ),
    Move(
        T.PORTAL_ACCEPTED,
        below(S.ONBOARDING_STARTED),
        "at least",
        S.ONBOARDING_STARTED,
        "the driver accepts on the personal link",
    ),
    Move(
        T.STEP_DONE, below(S.ONBOARDING_STARTED), "at least", S.ONBOARDING_STARTED, "a checklist step is done"
    ),
    Move(
        T.PATHPULSE_STARTED,
        below(S.ONBOARDING_STARTED),
        "at least",
        S.ONBOARDING_STARTED,
        "PathPulse: account linked or onboarding started",
    ),
    Move(
        T.STEPS_COMPLETED,
        below(S.ONBOARDING_COMPLETED),
        "at least",
        S.ONBOARDING_COMPLETED,
        "all required steps are done",
    ),
    Move(
        T.PATHPULSE_COMPLETED,
        below(S.ONBOARDING_COMPLETED),
        "at least",
        S.ONBOARDING_COMPLETED,
        "PathPulse: onboarding completed",
    ),
    Move(T.USAGE, below(S.ACTIVE), "at least", S.ACTIVE, "a day with usage in the pilot"),
    Move(T.USAGE, (S.INACTIVE,), "to", S.ACTIVE, "a day with usage in the pilot"),
    Move(T.USAGE_STOPPED, (S.ACTIVE,), "to", S.INACTIVE, "no usage for the set number of days"),
    Move(T.CONSENT_WITHDRAWN, NOT_OPTED_OUT, "to", S.OPTED_OUT, "consent is withdrawn"),
    Move(T.CONSENT_GRANTED, (S.OPTED_OUT,), "before", None, "consent is granted again"),
    *(
        Move(T.IMPORTED, below(status), "at least", status, f"an imported list says {status.label.lower()}")
        for status in PATH[1:]
    ),
    Move(T.IMPORTED, PATH, "to", S.INACTIVE, "an imported list says inactive"),
    Move(T.STAFF, NOT_OPTED_OUT, "choice", None, "staff choose, with a reason"),
)


def moves_for(trigger: str, status: str, to: str | None = None) -> Move | None:
    """The line of the table that applies, or None: a trigger that does not apply is a no-op."""
    for move in MOVES:
        if move.trigger != trigger or status not in move.sources:
            continue
        if move.way == "choice":
            # of two people who move the same driver at once, the second finds nothing left to do
            return move if to and to != status else None
        if move.to is None or to in {None, move.to}:
            return move
    return None


@dataclass
class History:
    """A driver's changes in order, with the reversed ones set aside."""

    changes: "Sequence[StatusChange]"
    standing: "list[StatusChange]" = field(init=False)

    def __post_init__(self) -> None:
        reversed_ids = {change.reverses_id for change in self.changes if change.reverses_id}
        self.standing = [
            change for change in self.changes if change.reverses_id is None and change.id not in reversed_ids
        ]

    @property
    def status(self) -> str:
        """Where the driver stands: the last standing change, else never contacted."""
        return self.standing[-1].to_status if self.standing else S.NOT_CONTACTED

    @property
    def before_opt_out(self) -> str:
        """The status that a driver who opted out had before."""
        for change in reversed(self.standing):
            if change.to_status == S.OPTED_OUT:
                return change.from_status
        return S.NOT_CONTACTED

    def made_by_messages(self) -> "list[StatusChange]":
        """All standing changes, if accepted messages made every one of them; else none."""
        by_messages = {str(T.MESSAGE_ACCEPTED), str(T.INVITATION_ACCEPTED)}
        return self.standing if all(change.trigger in by_messages for change in self.standing) else []

    def reached(self, rank: int) -> datetime | None:
        """The first moment at which the history had reached a rank; moving back clears nothing."""
        moments = [change.at for change in self.standing if RANK.get(change.to_status, -1) >= rank]
        return min(moments, default=None)

    def projection(self) -> dict[str, object]:
        """The driver's columns that follow from the history."""
        dates = {column: self.reached(rank) for column, rank in STAGE_DATES.items()}
        return {"onboarding_status": self.status, **dates}


def path_of(move: Move, history: History, to: str | None) -> list[tuple[str, str]]:
    """The (from, to) pairs that a move writes, in order; *back* is worked out from the changes it reverses."""
    now = history.status
    match move.way:
        case "at least":
            stages = PATH[RANK[now] : RANK[str(move.to)] + 1]
            return [(str(a), str(b)) for a, b in pairwise(stages)]
        case "before":
            return [(now, history.before_opt_out)]
        case "choice":
            return [(now, to or now)]
        case _:
            return [(now, str(move.to))]
