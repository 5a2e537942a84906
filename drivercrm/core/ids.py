"""Primary keys that sort by creation time."""

import uuid

import uuid_utils


def uuid7() -> uuid.UUID:
    """A version 7 UUID as the standard library's class, so that every driver of Django accepts it."""
    return uuid.UUID(int=uuid_utils.uuid7().int)


def read_id(text: str) -> uuid.UUID | None:
    """The key that a text names; None where it names none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
