"""Speaks to Telegram's Bot API through python-telegram-bot, one call at a time."""

import asyncio
import hmac
import json
import mimetypes
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
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
    LARGEST_PHOTO,
    LONGEST_CAPTION,
    LONGEST_TEXT,
    MOST_FILES,
    length_of,
)
from drivercrm.channels.telegram.line import Line
from drivercrm.channels.telegram.settings import Settings

TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}")

# sent with every webhook and poll: left out, whatever was asked for before stays
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
MOST_UPDATES = 100
LONGEST_WAIT = timedelta(seconds=50)
# after a week of silence numbers of updates begin anywhere, perhaps below the one that was to come next
OFFSET_LIFE = timedelta(days=6)
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


class Telegram:
    """One bot. A connection is kept between the calls of one piece of work."""

    capabilities = CAPABILITIES

    def __init__(self, settings: Settings) -> None:
        self._token = settings.token.strip()
        self._secret = settings.webhook_secret
        self._root = settings.base_url.rstrip("/")
        self._timeout = httpx.Timeout(
            settings.read_timeout.total_seconds(), connect=settings.connect_timeout.total_seconds()
        )
        self._client: httpx.Client | None = None

    # Provider

    def send(self, message: Outgoing) -> Accepted:
        """Hands one message over in one call, files as an album. Raises SendFailed."""
        chat = _chat(message.to)
        _check(message)
        line = self._line()
        try:
            self._run(line, lambda bot: _send(bot, chat, message))
        except Exception as error:  # also the library's own: whatever fails, what arrived decides
            if not _result(line):
                trouble = _trouble(error, line)
                raise SendFailed(
                    trouble.failure, trouble.words, code=trouble.code, wait=trouble.wait
                ) from None
        return _accepted(line, chat)

    def is_genuine(self, knock: Knock) -> bool:
        """Whether the knock brings the secret that `set_webhook` left with Telegram."""
        given = knock.headers.get("x-telegram-bot-api-secret-token", "")
        return bool(self._secret) and hmac.compare_digest(given.encode(), self._secret.encode())

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
        told = self._ask(lambda bot: bot.get_file(file.id))
        path = str(told.get("file_path") or "")
        if not path or path.startswith("/") or "://" in path or ".." in path.split("/"):
            raise NotReached(
                Failure.ACCOUNT, "The Bot API server keeps its files where it alone can read them."
            )
        if (_whole(told.get("file_size")) or 0) > most:
            raise _too_large(most)
        name = file.name or PurePosixPath(path).name
        media_type = file.media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Attachment(name, media_type, self._download(path, most))

    def check(self) -> Standing:
        """Who the bot is, and what Telegram says about its webhook. Raises NotReached."""
        me = self._ask(lambda bot: bot.get_me())
        try:
            hook = self._ask(lambda bot: bot.get_webhook_info())
        except NotReached:
            hook = {}
        waiting = _whole(hook.get("pending_update_count")) or 0
        complaint = str(hook.get("last_error_message") or "") if waiting else ""
        return Standing(
            name=str(me.get("first_name") or ""),
            address=str(me.get("username") or ""),
            words=f"{waiting} updates wait at Telegram: {complaint}" if complaint else "",
        )

    def close(self) -> None:
        """Gives the connection back."""
        if self._client:
            self._client.close()
            self._client = None

    # Hooks

    def set_webhook(self, url: str) -> None:
        """Telegram knocks at `url`, with our secret. Raises NotReached."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", self._secret):
            raise NotReached(Failure.ACCOUNT, "The webhook needs a secret of letters, digits, _ and -.")
        self._ask(
            lambda bot: bot.set_webhook(
                url, secret_token=self._secret, allowed_updates=ALLOWED_UPDATES, drop_pending_updates=False
            )
        )

    def drop_webhook(self) -> None:
        """Telegram knocks no more; what waits is kept for polling. Raises NotReached."""
        self._ask(lambda bot: bot.delete_webhook(drop_pending_updates=False))

    # Polls

    def poll(self, cursor: str, wait: timedelta) -> Fetched:
        """Updates since the cursor. Telegram forgets them when the new cursor comes back to it, not before.

        Raises NotReached; ACCOUNT with code 409 while a webhook is set.
        """
        line = self._line()
        seconds = int(min(max(wait, timedelta(0)), LONGEST_WAIT).total_seconds())
        try:
            self._run(
                line,
                lambda bot: bot.get_updates(
                    offset=_offset(cursor),
                    limit=MOST_UPDATES,
                    timeout=seconds,
                    allowed_updates=ALLOWED_UPDATES,
                ),
            )
        except Exception as error:  # an update that the library cannot read is one that `parse` can
            if not _result(line):
                raise _not_reached(_trouble(error, line)) from None
        result = line.answer.get("result")
        updates = result if isinstance(result, list) else []
        numbers = [
            number
            for update in updates
            if isinstance(update, dict) and (number := _whole(update.get("update_id"))) is not None
        ]
        return Fetched(
            bodies=tuple(json.dumps(update, separators=(",", ":")).encode() for update in updates),
            cursor=f"{max(numbers) + 1}@{int(time.time())}" if numbers else cursor,
        )

    # The wire

    def _line(self) -> Line:
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout)
        return Line(self._client)

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

    def _ask(self, work: Callable[[Bot], Awaitable[object]]) -> dict[str, Any]:
        """The raw result of a question. Raises NotReached."""
        line = self._line()
        try:
            self._run(line, work)
        except Exception as error:  # also the library's own
            if not _result(line):
                raise _not_reached(_trouble(error, line)) from None
        result = _result(line)
        return result if isinstance(result, dict) else {}

    def _download(self, path: str, most: int) -> bytes:
        client = self._client or httpx.Client(timeout=self._timeout)
        ends = time.monotonic() + DOWNLOAD_SECONDS
        pieces, size = [], 0
        try:
            with client.stream("GET", f"{self._root}/file/bot{self._token}/{quote(path)}") as answer:
                if answer.status_code != httpx.codes.OK:
                    failure = Failure.TEMPORARY if answer.status_code >= 500 else Failure.CONTENT
                    raise NotReached(
                        failure, "Telegram no longer has the file.", code=str(answer.status_code)
                    )
                for piece in answer.iter_bytes():
                    size += len(piece)
                    if size > most:
                        raise _too_large(most)
                    if time.monotonic() > ends:
                        raise NotReached(Failure.TEMPORARY, "The file came too slowly.")
                    pieces.append(piece)
        except httpx.HTTPError as error:
            raise NotReached(Failure.TEMPORARY, type(error).__name__) from None
        return b"".join(pieces)


# Going out


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
    number = _whole(first.get("message_id")) if isinstance(first, dict) else None
    if number is None:
        raise SendFailed(Failure.IN_DOUBT, "Telegram's answer cannot be read.", code=str(line.status))
    date = _whole(first.get("date"))
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
    seconds = _whole(parameters.get("retry_after")) if isinstance(parameters, dict) else None
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


def _too_large(most: int) -> NotReached:
    return NotReached(Failure.CONTENT, f"The file is larger than {most // 1_000_000} MB.")


# Coming in


def _offset(cursor: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,18})@([0-9]{1,12})", cursor)
    if not found or time.time() - int(found.group(2)) > OFFSET_LIFE.total_seconds():
        return None
    return int(found.group(1))


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
