"""The words of an import and of its rows."""

from django.db.models import TextChoices


class ImportKind(TextChoices):
    DRIVERS = "drivers", "Drivers"


class ImportState(TextChoices):
    """Where an import stands; workflow/states.py has the moves."""

    STAGING = "staging", "Reading the file"
    STAGED = "staged", "Columns to match"
    CHECKING = "checking", "Checking rows"
    CHECKED = "checked", "Checked"
    RUNNING = "running", "Running"
    STOPPED = "stopped", "Stopped"
    DONE = "done", "Done"
    UNDOING = "undoing", "Being undone"
    UNDONE = "undone", "Undone"


class RowVerdict(TextChoices):
    """What becomes of a row (spec §10); the arithmetic is in verdicts.py."""

    CREATE = "create", "New"
    UPDATE = "update", "Update"
    UNCHANGED = "unchanged", "Unchanged"
    DUPLICATE = "duplicate", "Duplicate"
    REVIEW = "review", "Review"
    BLANK = "blank", "Blank"
    WAITING = "", "Not checked"


class Heap(TextChoices):
    """Where the page shows a row."""

    ERROR = "error", "Errors"
    WARNING = "warning", "Warnings"
    DUPLICATE = "duplicate", "Duplicates"
    READY = "ready", "Ready"
    OUT = "out", "Left out"
    BLANK = "blank", "Blank"
    WAITING = "", "Not checked"


class Decision(TextChoices):
    """What a person has said about a row."""

    NONE = "", "None"
    LEAVE_OUT = "leave_out", "Leave out"
    ANOTHER = "another", "Another person: create anyway"
    SAME = "same", "Same person: merge"


class Did(TextChoices):
    """What the import did with a row."""

    NOTHING = "", "Nothing"
    CREATED = "created", "Created"
    UPDATED = "updated", "Updated"
