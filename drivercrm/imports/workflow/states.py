"""Where an import may go next; every verb asks here, and nobody else assigns the state."""

from drivercrm.core import clock
from drivercrm.core.errors import Refused
from drivercrm.imports.enums import ImportState as S
from drivercrm.imports.models import Import

MOVES: dict[S, frozenset[S]] = {
    S.STAGING: frozenset({S.STAGED, S.CHECKED}),
    S.STAGED: frozenset({S.CHECKING, S.CHECKED}),
    S.CHECKING: frozenset({S.CHECKED}),
    S.CHECKED: frozenset({S.CHECKED, S.STAGED, S.CHECKING, S.RUNNING}),
    S.RUNNING: frozenset({S.DONE, S.STOPPED}),
    S.STOPPED: frozenset({S.RUNNING, S.UNDOING}),
    S.DONE: frozenset({S.UNDOING}),
    S.UNDOING: frozenset({S.UNDONE}),
    S.UNDONE: frozenset(),
}
BUSY = {
    S.STAGING: "The file is still being read.",
    S.CHECKING: "The rows are being checked. Try again in a moment.",
    S.RUNNING: "This import is running.",
    S.STOPPED: "This import was stopped. Go on with it or undo it.",
    S.DONE: "This import is done.",
    S.UNDOING: "This import is being undone.",
    S.UNDONE: "This import was undone.",
    S.STAGED: "Match the columns first.",
    S.CHECKED: "This import has not run yet.",
}


def move(of: Import, to: S) -> None:
    """Moves a locked import, unsaved; refuses with what it is busy with."""
    if to not in MOVES[S(of.state)]:
        raise Refused("wrong_state", BUSY[S(of.state)])
    of.state = to
    of.progress_at = clock.now()


def check_in(of: Import, *states: S) -> None:
    """Refuses unless the import stands in one of these states."""
    if of.state not in states:
        raise Refused("wrong_state", BUSY[S(of.state)])
