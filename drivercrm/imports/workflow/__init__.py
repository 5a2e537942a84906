"""The verbs of an import: stage, match, check, settle, run, undo."""

from drivercrm.imports.workflow.basis import NOTHING, Basis, make_basis, read_basis
from drivercrm.imports.workflow.judging import REPAIRS, Judged
from drivercrm.imports.workflow.running import resume_silent, run, start, stop, work_left
from drivercrm.imports.workflow.settling import fix_cell, set_basis, settle, settle_the_rest
from drivercrm.imports.workflow.staging import (
    TARGETS,
    Prepared,
    discard,
    drop,
    judge_all,
    judged_rows,
    prepare,
    recheck,
    remap,
    stage,
    unplaced_words,
)
from drivercrm.imports.workflow.tidying import tidy
from drivercrm.imports.workflow.undoing import Outlook, outlook, undo, undo_rest
from drivercrm.imports.workflow.whole import apply_file

__all__ = [
    "NOTHING",
    "REPAIRS",
    "TARGETS",
    "Basis",
    "Judged",
    "Outlook",
    "Prepared",
    "apply_file",
    "discard",
    "drop",
    "fix_cell",
    "judge_all",
    "judged_rows",
    "make_basis",
    "outlook",
    "prepare",
    "read_basis",
    "recheck",
    "remap",
    "resume_silent",
    "run",
    "set_basis",
    "settle",
    "settle_the_rest",
    "stage",
    "start",
    "stop",
    "tidy",
    "undo",
    "undo_rest",
    "unplaced_words",
    "work_left",
]
