"""Files of messages: kept under the uploads by the digest of their content, never by a name that came from outside."""

import hashlib
from pathlib import Path
from uuid import UUID

from django.conf import settings

from drivercrm.channels.provider import Attachment
from drivercrm.communications.enums import FileState
from drivercrm.communications.models import StoredFile
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused

LARGEST = 16 * 1024 * 1024  # bytes of one file
LONGEST_NAME = 200


def place_of(digest: str) -> Path:
    """Where the bytes of this digest stand; outside everything that the web server serves."""
    return Path(settings.MEDIA_ROOT) / "messages" / digest[:2] / digest


def store(content: bytes, *, name: str, media_type: str, by: Actor) -> StoredFile:
    """Keeps the bytes of a file. Refuses an empty one and one that is too large. Equal bytes are kept once."""
    if not content:
        raise Refused("empty_file", "This file is empty.", field="files")
    if len(content) > LARGEST:
        raise Refused("file_too_large", "Files may have 16 MB at most.", field="files")
    digest = hashlib.sha256(content).hexdigest()
    place = place_of(digest)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = place.with_suffix(f".{id(content):x}")
        draft.write_bytes(content)
        draft.replace(place)
    return StoredFile.objects.create(
        state=FileState.STORED,
        name=name[:LONGEST_NAME],
        media_type=media_type[:120],
        size=len(content),
        digest=digest,
        created_by=str(by),
    )


def read_file(pk: str | UUID) -> Attachment:
    """A stored file, whole. Raises FileNotFoundError where its bytes are gone."""
    one = StoredFile.objects.get(pk=pk)
    return Attachment(one.name, one.media_type, place_of(one.digest).read_bytes())
