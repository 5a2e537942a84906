"""What this room announces."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from drivercrm.journal.events import Event


@dataclass(frozen=True)
class ImportStaged(Event):
    """The rows of a list were read; nothing has gone into the drivers yet."""

    name: ClassVar[str] = "import.staged"
    import_id: UUID
    rows: int


@dataclass(frozen=True)
class ImportCheckAsked(Event):
    """A long list waits to be judged in the background."""

    name: ClassVar[str] = "import.check_asked"
    import_id: UUID


@dataclass(frozen=True)
class ImportStarted(Event):
    """A person or token let a checked list in."""

    name: ClassVar[str] = "import.started"
    import_id: UUID
    rows: int


@dataclass(frozen=True)
class ImportStopped(Event):
    """A person stopped a running import; the rows so far stay."""

    name: ClassVar[str] = "import.stopped"
    import_id: UUID


@dataclass(frozen=True)
class ImportFinished(Event):
    """Every row of a list has been dealt with."""

    name: ClassVar[str] = "import.finished"
    import_id: UUID
    created: int
    updated: int
    left_out: int


@dataclass(frozen=True)
class ImportUndoAsked(Event):
    """A person asked for an import to be taken back."""

    name: ClassVar[str] = "import.undo_asked"
    import_id: UUID


@dataclass(frozen=True)
class ImportUndone(Event):
    """An import was taken back, but for the drivers that something had touched since."""

    name: ClassVar[str] = "import.undone"
    import_id: UUID
    file_name: str
    deleted: int
    restored: int
    kept: int


@dataclass(frozen=True)
class ImportDropped(Event):
    """A list was put away before anything of it went in."""

    name: ClassVar[str] = "import.dropped"
    import_id: UUID
