"""What every room's announcements have in common."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True)
class Event:
    """One piece of news: ids and kinds of change, never copies of personal values (spec §2)."""

    name: ClassVar[str]

    def as_data(self) -> dict[str, Any]:
        """The event's fields as JSON values."""
        return {field.name: _json(getattr(self, field.name)) for field in fields(self)}


def _json(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value


@dataclass(frozen=True)
class FieldChange:
    """One field of one row, before and after; kept apart from the entry so that erasure can empty it."""

    object_id: UUID
    field: str
    before: Any
    after: Any
