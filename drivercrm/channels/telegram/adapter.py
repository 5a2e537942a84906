"""Telegram's Bot API as a provider (spec §5.1, channels.md §2).

Reading news needs no vendor's library; the way out (`calls.py`, with python-telegram-bot) is loaded by the first
message or question, so that a process which only receives stays small.
"""

import hmac
import json
import mimetypes
import re
import time
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drivercrm.channels.provider import (
    Accepted,
    Address,
    AddressKind,
    Attachment,
    Event,
    Failure,
    Fetched,
    Knock,
    NotReached,
    Outgoing,
    RemoteFile,
    SendFailed,
    Standing,
)
from drivercrm.channels.telegram import inbound
from drivercrm.channels.telegram.capabilities import (
    CAPABILITIES,
    LONGEST_CAPTION,
    LONGEST_TEXT,
    MOST_FILES,
    length_of,
)
from drivercrm.channels.telegram.inbound import whole
from drivercrm.channels.telegram.settings import Settings

if TYPE_CHECKING:
    from drivercrm.channels.telegram.calls import Calls

# sent with every webhook and poll: left out, whatever was asked for before stays
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
MOST_UPDATES = 100
LONGEST_WAIT = timedelta(seconds=50)
# after a week of silence numbers of updates begin anywhere, perhaps below the one that was to come next
OFFSET_LIFE = timedelta(days=6)


class Telegram:
    """One bot. A connection is kept between the calls of one piece of work."""

    capabilities = CAPABILITIES

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _calls(self) -> "Calls":
        from drivercrm.channels.telegram.calls import Calls  # noqa: PLC0415  # slow import

        return Calls(self.settings)

    def close(self) -> None:
        """Gives the connection back."""
        if "_calls" in self.__dict__:
            self._calls.close()
            del self.__dict__["_calls"]

    # Going out

    def send(self, message: Outgoing) -> Accepted:
        """Hands one message over in one call, files as an album. Raises SendFailed."""
        chat = _chat(message.to)
        _check(message)
        return self._calls.send(chat, message)

    # Coming in

    def is_genuine(self, knock: Knock) -> bool:
        """Whether the knock brings the secret that `set_webhook` left with Telegram."""
        secret = self.settings.webhook_secret
        given = knock.headers.get("x-telegram-bot-api-secret-token", "")
        return bool(secret) and hmac.compare_digest(given.encode(errors="replace"), secret.encode())

    def greeting(self, knock: Knock) -> str | None:
        """Telegram begins without one."""
        return None

    def parse(self, body: bytes, received_at: datetime) -> list[Event]:
        """Every event of one raw update."""
        return inbound.parse(body, received_at)

    def fetch(self, file: RemoteFile, most: int) -> Attachment:
        """A file that somebody sent, `most` bytes at most; Telegram gives 20 MB. Raises NotReached."""
        if (file.size or 0) > most:
            raise _too_large(most)
        told = self._calls.ask("get_file", file_id=file.id)
        told = told if isinstance(told, dict) else {}
        path = str(told.get("file_path") or "")
        if not path or path.startswith("/") or "://" in path or ".." in path.split("/"):
            raise NotReached(
                Failure.ACCOUNT, "The Bot API server keeps its files where it alone can read them."
            )
        if (whole(told.get("file_size")) or 0) > most:
            raise _too_large(most)
        name = file.name or PurePosixPath(path).name
        media_type = file.media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        content = self._calls.download(path, most)
        if content is None:
            raise _too_large(most)
        return Attachment(name, media_type, content)

    def poll(self, cursor: str, wait: timedelta) -> Fetched:
        """Updates since the cursor. Telegram forgets them when the new cursor comes back to it, not before.

        Raises NotReached; ACCOUNT with code 409 while a webhook is set.
        """
        seconds = int(min(max(wait, timedelta(0)), LONGEST_WAIT).total_seconds())
        result = self._calls.ask(
            "get_updates",
            offset=_offset(cursor),
            limit=MOST_UPDATES,
            timeout=seconds,
            allowed_updates=ALLOWED_UPDATES,
        )
        updates = result if isinstance(result, list) else []
        numbers = [
            number
            for update in updates
            if isinstance(update, dict) and (number := whole(update.get("update_id"))) is not None
        ]
        return Fetched(
            bodies=tuple(json.dumps(update, separators=(",", ":")).encode() for update in updates),
            cursor=f"{max(numbers) + 1}@{int(time.time())}" if numbers else cursor,
        )

    # The account

    def check(self) -> Standing:
        """Who the bot is, and what Telegram says about its webhook. Raises NotReached."""
        me = self._calls.ask("get_me")
        me = me if isinstance(me, dict) else {}
        try:
            hook = self._calls.ask("get_webhook_info")
        except NotReached:
            hook = {}
        hook = hook if isinstance(hook, dict) else {}
        waiting = whole(hook.get("pending_update_count")) or 0
        complaint = str(hook.get("last_error_message") or "") if waiting else ""
        return Standing(
            name=str(me.get("first_name") or ""),
            address=str(me.get("username") or ""),
            words=f"{waiting} updates wait at Telegram: {complaint}" if complaint else "",
        )

    def set_webhook(self, url: str) -> None:
        """Telegram knocks at `url`, with our secret. Raises NotReached."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", self.settings.webhook_secret):
            raise NotReached(Failure.ACCOUNT, "The webhook needs a secret of letters, digits, _ and -.")
        self._calls.ask(
            "set_webhook",
            url=url,
            secret_token=self.settings.webhook_secret,
            allowed_updates=ALLOWED_UPDATES,
            drop_pending_updates=False,
        )

    def drop_webhook(self) -> None:
        """Telegram knocks no more; what waits is kept for polling. Raises NotReached."""
        self._calls.ask("delete_webhook", drop_pending_updates=False)


def _chat(to: Address) -> int:
    """Only a number that Telegram gave us: a username is no address (channels.md §2)."""
    if to.kind != AddressKind.TELEGRAM_CHAT or not re.fullmatch(r"-?[0-9]{1,19}", to.value):
        raise SendFailed(
            Failure.UNREACHABLE, "This is no Telegram chat: the driver has to open the link first."
        )
    return int(to.value)


def _check(message: Outgoing) -> None:
    most = LONGEST_CAPTION if message.attachments else LONGEST_TEXT
    if not message.text.strip() and not message.attachments:
        raise SendFailed(Failure.CONTENT, "The message is empty.")
    if length_of(message.text) > most:
        place = "Beside a file a" if message.attachments else "A"
        raise SendFailed(
            Failure.CONTENT, f"{place} text may have {most} characters on Telegram, an emoji two."
        )
    if len(message.attachments) > MOST_FILES:
        raise SendFailed(Failure.CONTENT, f"A message may have {MOST_FILES} files on Telegram.")


def _too_large(most: int) -> NotReached:
    return NotReached(Failure.CONTENT, f"The file is larger than {most // 1_000_000} MB.")


def _offset(cursor: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,18})@([0-9]{1,12})", cursor)
    if not found or time.time() - int(found.group(2)) > OFFSET_LIFE.total_seconds():
        return None
    return int(found.group(1))
