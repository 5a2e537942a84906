"""What this room announces."""

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from drivercrm.journal.events import Event


@dataclass(frozen=True)
class DriverCreated(Event):
    """Drivers came in: by hand, by the API or by an import."""

    name: ClassVar[str] = "driver.created"
    driver_ids: list[UUID]
    source: str


@dataclass(frozen=True)
class DriverEdited(Event):
    """Fields of drivers were changed by a person, a token or an import; `firsts` no person had set before."""

    name: ClassVar[str] = "driver.edited"
    driver_ids: list[UUID]
    fields: list[str]
    firsts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DriverDeleted(Event):
    """Drivers that an undone import had made are gone."""

    name: ClassVar[str] = "driver.deleted"
    driver_ids: list[UUID]


@dataclass(frozen=True)
class DriverStatusChanged(Event):
    """One act moved these drivers, each along its own path in `driver_status_changes`."""

    name: ClassVar[str] = "driver.status_changed"
    act: UUID
    driver_ids: list[UUID]
    trigger: str
    to: str = ""


@dataclass(frozen=True)
class DriverOptedOut(Event):
    """Nothing more may be sent to this driver."""

    name: ClassVar[str] = "driver.opted_out"
    driver_id: UUID


@dataclass(frozen=True)
class StepDone(Event):
    """A checklist step was ticked."""

    name: ClassVar[str] = "driver.step_done"
    driver_id: UUID
    step: str


@dataclass(frozen=True)
class StepUndone(Event):
    """A checklist step was unticked; `is_back` where the move that it had caused went back with it."""

    name: ClassVar[str] = "driver.step_undone"
    driver_id: UUID
    step: str
    is_back: bool = False


@dataclass(frozen=True)
class FollowUpSet(Event):
    """Follow-ups were set for these drivers."""

    name: ClassVar[str] = "follow_up.set"
    driver_ids: list[UUID]
    follow_up_ids: list[UUID] = field(default_factory=list)


@dataclass(frozen=True)
class FollowUpMoved(Event):
    """An open follow-up was given another moment or reason."""

    name: ClassVar[str] = "follow_up.moved"
    driver_id: UUID
    follow_up_id: UUID


@dataclass(frozen=True)
class FollowUpEnded(Event):
    """Follow-ups were done or closed."""

    name: ClassVar[str] = "follow_up.ended"
    driver_ids: list[UUID]
    follow_up_ids: list[UUID]
    outcome: str


@dataclass(frozen=True)
class FollowUpReopened(Event):
    """A follow-up that had ended is open again."""

    name: ClassVar[str] = "follow_up.reopened"
    driver_ids: list[UUID]
    follow_up_ids: list[UUID]


@dataclass(frozen=True)
class ListExported(Event):
    """A list of drivers left as a file: its filters without what was typed into them, and how many rows."""

    name: ClassVar[str] = "drivers.exported"
    format: str
    filter: str
    rows: int


@dataclass(frozen=True)
class ViewSaved(Event):
    """A list of drivers was given a name, or its name, filters or readers were changed."""

    name: ClassVar[str] = "view.saved"
    view_id: UUID
    is_shared: bool


@dataclass(frozen=True)
class ViewDeleted(Event):
    """A named list is gone; its drivers are not."""

    name: ClassVar[str] = "view.deleted"
    view_id: UUID
