"""Calls of the Bot API through python-telegram-bot, one at a time, and what their answers mean.

A bot of its own for each call, without the library's start (which asks who we are): a bot never outlives its event
loop. What Telegram answered decides, not what the library makes of it.
"""

import asyncio
import mimetypes
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
from telegram import (
    Bot,
    InputFile,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter

from drivercrm.channels.provider import (
    Accepted,
    Address,
    AddressKind,
    Attachment,
    Failure,
    NotReached,
    Outgoing,
    SendFailed,
)
from drivercrm.channels.telegram.capabilities import LARGEST_PHOTO
from drivercrm.channels.telegram.inbound import whole
from drivercrm.channels.telegram.line import Line
from drivercrm.channels.telegram.settings import Settings

TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}")
DOWNLOAD_SECONDS = 120.0

PHOTOS = {"image/jpeg", "image/png", "image/webp"}
ALBUMS = {
    "photo": InputMediaPhoto,
    "video": InputMediaVideo,
    "audio": InputMediaAudio,
    "document": InputMediaDocument,
}


@dataclass(frozen=True)
class Trouble:
    """What went wrong with a call."""

    failure: Failure
    words: str
    code: str = ""
    wait: timedelta | None = None


class Calls:
    """One bot, and a connection that is kept between calls."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.token.strip()
        self._root = settings.base_url.rstrip("/")
        self._client = httpx.Client(
            timeout=httpx.Timeout(
                settings.read_timeout.total_seconds(), connect=settings.connect_timeout.total_seconds()
            )
        )

    def close(self) -> None:
        """Gives the connection back."""
        self._client.close()

    def send(self, chat: int, message: Outgoing) -> Accepted:
        """Hands one message over in one call, files as an album. Raises SendFailed."""
        line = Line(self._client)
        try:
            self._run(line, lambda bot: _send(bot, chat, message))
        except Exception as error:  # also the library's own: whatever fails, what arrived decides
            if not _result(line):
                trouble = _trouble(error, line)
                raise SendFailed(
                    trouble.failure, trouble.words, code=trouble.code, wait=trouble.wait
                ) from None
        return _accepted(line, chat)

    def ask(self, method: str, **arguments: object) -> Any:
        """The raw result of a method of the library's bot. Raises NotReached."""
        line = Line(self._client)
        try:
            self._run(line, lambda bot: getattr(bot, method)(**arguments))
        except Exception as error:  # an update that the library cannot read is one that `parse` can
            if not _result(line):
                raise _not_reached(_trouble(error, line)) from None
        return _result(line)

    def _run(self, line: Line, work: Callable[[Bot], Awaitable[object]]) -> None:
        """One call with a bot of its own: a bot never outlives its event loop."""
        if not TOKEN.fullmatch(self._token):
            raise InvalidToken("The token is not one that BotFather gives.")

        async def once() -> None:
            bot = Bot(
                self._token,
                base_url=f"{self._root}/bot",
                base_file_url=f"{self._root}/file/bot",
                request=line,
                get_updates_request=line,
            )
            try:
                await work(bot)
            finally:
                await bot.shutdown()

        with closing(asyncio.new_event_loop()) as loop:  # not `asyncio.run`, which takes over Ctrl-C
            loop.run_until_complete(once())

    def download(self, path: str, most: int) -> bytes | None:
        """A file by the path that `getFile` told, None when it is larger than `most` bytes. Raises NotReached."""
        ends = time.monotonic() + DOWNLOAD_SECONDS
        pieces, size = [], 0
        try:
            with self._client.stream("GET", f"{self._root}/file/bot{self._token}/{quote(path)}") as answer:
                if answer.status_code != httpx.codes.OK:
                    failure = Failure.TEMPORARY if answer.status_code >= 500 else Failure.CONTENT
                    raise NotReached(
                        failure, "Telegram no longer has the file.", code=str(answer.status_code)
                    )
                for piece in answer.iter_bytes():
                    size += len(piece)
                    if size > most:
                        return None
                    if time.monotonic() > ends:
                        raise NotReached(Failure.TEMPORARY, "The file came too slowly.")
                    pieces.append(piece)
        except httpx.HTTPError as error:
            raise NotReached(Failure.TEMPORARY, type(error).__name__) from None
        return b"".join(pieces)


# Going out


async def _send(bot: Bot, chat: int, message: Outgoing) -> None:
    caption = message.text or None
    answers = _reply(message.quotes, chat)
    if not message.attachments:
        await bot.send_message(chat, message.text, reply_parameters=answers)
        return
    if len(message.attachments) > 1:
        kind = _album_kind(message.attachments)
        files = [ALBUMS[kind](one.content, filename=_name(one)) for one in message.attachments]
        await bot.send_media_group(chat, files, caption=caption, reply_parameters=answers)
        return
    [one] = message.attachments
    file = InputFile(one.content, filename=_name(one))
    match _kind(one):
        case "photo":
            await bot.send_photo(chat, file, caption=caption, reply_parameters=answers)
        case "video":
            await bot.send_video(chat, file, caption=caption, reply_parameters=answers)
        case "voice":
            await bot.send_voice(chat, file, caption=caption, reply_parameters=answers)
        case "audio":
            await bot.send_audio(chat, file, caption=caption, reply_parameters=answers)
        case _:
            await bot.send_document(chat, file, caption=caption, reply_parameters=answers)


def _kind(file: Attachment) -> str:
    media_type = file.media_type.partition(";")[0].strip().lower()
    if media_type in PHOTOS and len(file.content) <= LARGEST_PHOTO:
        return "photo"
    kinds = {"video/mp4": "video", "audio/ogg": "voice", "audio/mpeg": "audio", "audio/mp4": "audio"}
    return kinds.get(media_type, "document")


def _album_kind(files: Sequence[Attachment]) -> str:
    """An album holds one kind; as documents all files go together."""
    kinds = {_kind(file) for file in files}
    return kinds.pop() if len(kinds) == 1 and kinds <= ALBUMS.keys() else "document"


def _name(file: Attachment) -> str:
    return file.name or f"file{mimetypes.guess_extension(file.media_type) or ''}"


def _reply(quotes: str, chat: int) -> ReplyParameters | None:
    """What the message answers; it goes out also where that has been deleted."""
    there, _, number = quotes.partition(":")
    if there != str(chat) or not re.fullmatch(r"[0-9]{1,18}", number):
        return None
    return ReplyParameters(int(number), allow_sending_without_reply=True)


def _accepted(line: Line, chat: int) -> Accepted:
    result = _result(line)
    first = result[0] if isinstance(result, list) else result
    number = whole(first.get("message_id")) if isinstance(first, dict) else None
    if number is None:
        raise SendFailed(Failure.IN_DOUBT, "Telegram's answer cannot be read.", code=str(line.status))
    date = whole(first.get("date"))
    return Accepted(
        provider_id=f"{chat}:{number}",
        at=datetime.fromtimestamp(date, UTC) if date and 0 < date < 2**33 else datetime.now(UTC),
        addresses=(Address(AddressKind.TELEGRAM_CHAT, str(chat)),),
    )


# What came of it


def _result(line: Line) -> Any:
    """What the Bot API says it has done, whatever the library makes of it."""
    return line.answer.get("result") if line.status == httpx.codes.OK and line.answer.get("ok") else None


def _trouble(error: Exception, line: Line) -> Trouble:
    """The library's errors in the house's words. BadRequest is a NetworkError: the order matters."""
    words = str(line.answer.get("description") or f"Telegram answered {line.status}.")[:500]
    code = str(line.status or "")
    match error:
        case InvalidToken():
            return Trouble(Failure.ACCOUNT, "Telegram does not know this token.", code)
        case RetryAfter():
            return Trouble(Failure.RATE, words, code, _pause(line))
        case ChatMigrated():
            return Trouble(Failure.UNREACHABLE, words, code)
        case Forbidden():
            return Trouble(_forbidden(words.lower()), words, code)
        case BadRequest():
            return Trouble(_refused(words.lower()), words, code)
        case Conflict():
            failure = Failure.ACCOUNT if "webhook" in words.lower() else Failure.TEMPORARY
            return Trouble(failure, words, code)
    if not line.status:
        return _unanswered(line)
    return _by_status(line, words, code)


def _unanswered(line: Line) -> Trouble:
    if line.was_written:
        return Trouble(Failure.IN_DOUBT, f"Telegram did not answer ({line.fault}).")
    if line.fault:
        return Trouble(Failure.TEMPORARY, f"Telegram could not be reached ({line.fault}).")
    return Trouble(Failure.CONTENT, "This cannot be written down for Telegram.")


def _by_status(line: Line, words: str, code: str) -> Trouble:
    match line.status:
        case 429:
            return Trouble(Failure.RATE, words, code, _pause(line))
        case 413:
            return Trouble(Failure.CONTENT, "The file is too large for Telegram.", code)
        case 503:  # says itself that it did nothing
            return Trouble(Failure.TEMPORARY, words, code)
        case status if status >= 500 or 200 <= status < 300:  # behind it the message may have been taken
            return Trouble(Failure.IN_DOUBT, words, code)
    return Trouble(Failure.UNKNOWN_CODE, words, code)


def _pause(line: Line) -> timedelta | None:
    parameters = line.answer.get("parameters")
    seconds = whole(parameters.get("retry_after")) if isinstance(parameters, dict) else None
    return timedelta(seconds=min(seconds, 86_400)) if seconds and seconds > 0 else None


def _forbidden(words: str) -> Failure:
    if "blocked" in words or "deactivated" in words:
        return Failure.BLOCKED
    if any(sign in words for sign in ("can't initiate", "to bots", "kicked", "not a member")):
        return Failure.UNREACHABLE
    return Failure.UNKNOWN_CODE


def _refused(words: str) -> Failure:
    if any(
        sign in words for sign in ("chat not found", "user not found", "peer_id_invalid", "user_id_invalid")
    ):
        return Failure.UNREACHABLE
    if "temporarily unavailable" in words:
        return Failure.TEMPORARY
    return Failure.CONTENT


def _not_reached(trouble: Trouble) -> NotReached:
    """A question may be asked again: nothing is in doubt."""
    failure = Failure.TEMPORARY if trouble.failure == Failure.IN_DOUBT else trouble.failure
    return NotReached(failure, trouble.words, code=trouble.code)
