"""Reads the updates of the Bot API into the house's words, whatever is missing, odd or new in them.

Only private chats with people count: groups, channels and bots are passed over. Coordinates are never read.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from drivercrm.channels.provider import (
    Address,
    AddressChanged,
    AddressKind,
    Choice,
    Event,
    Inbound,
    Preference,
    RemoteFile,
    Said,
    Sender,
    Unknown,
)

START = re.compile(r"/start(?:@\w+)?\s+([A-Za-z0-9_-]{1,64})\s*")

# what a message may carry beside its content
ENVELOPE = frozenset(
    """message_id message_thread_id from sender_chat sender_boost_count sender_business_bot date
    business_connection_id chat forward_origin forward_from forward_date forward_from_chat forward_sender_name
    is_topic_message is_automatic_forward reply_to_message external_reply quote reply_to_story
    reply_to_checklist_task_id via_bot edit_date has_protected_content is_from_offline is_paid_post media_group_id
    author_signature paid_star_count entities link_preview_options effect_id caption caption_entities
    show_caption_above_media has_media_spoiler reply_markup direct_messages_topic suggested_post_info""".split()
)

# what Telegram writes into a chat by itself: nobody has said anything
NOTICES = frozenset(
    """pinned_message message_auto_delete_timer_changed write_access_allowed users_shared chat_shared
    chat_background_set chat_owner_left chat_owner_changed connected_website passport_data boost_added
    successful_payment refunded_payment proximity_alert_triggered forum_topic_created forum_topic_edited
    forum_topic_closed forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden new_chat_members
    left_chat_member new_chat_title new_chat_photo delete_chat_photo group_chat_created supergroup_chat_created
    channel_chat_created video_chat_scheduled video_chat_started video_chat_ended video_chat_participants_invited
    giveaway_created giveaway_completed paid_message_price_changed direct_message_price_changed
    checklist_tasks_done checklist_tasks_added""".split()
)

# name and media type where the update names none; an animation comes with a `document` that is the same file
FILES = {
    "animation": ("animation.mp4", "video/mp4"),
    "document": ("document", ""),
    "voice": ("voice.ogg", "audio/ogg"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video-note.mp4", "video/mp4"),
}


def parse(body: bytes, received_at: datetime) -> list[Event]:
    """Every event of one raw update. Never raises: what it cannot read is an Unknown (spec §5.3)."""
    digest = hashlib.sha256(body).hexdigest()
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return [Unknown(digest, "not JSON")]
    try:
        return list(_events(Part(update), digest, received_at))
    except Exception:  # a shape that nobody thought of is kept and looked at, not lost
        return [Unknown(digest, "could not be read")]


def whole(value: object) -> int | None:
    """A whole number of 64 bits, also when it is written as text."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value


class Part:
    """A piece of an update. What is missing or of another type reads as empty."""

    def __init__(self, value: object) -> None:
        self._fields: dict[str, object] = value if isinstance(value, dict) else {}

    def __contains__(self, name: str) -> bool:
        return self._fields.get(name) not in (None, [], {}, "")

    def names(self) -> list[str]:
        """What is filled."""
        return [name for name in self._fields if name in self]

    def part(self, name: str) -> "Part":
        """A nested object."""
        return Part(self._fields.get(name))

    def parts(self, name: str) -> list["Part"]:
        """A list of nested objects."""
        values = self._fields.get(name)
        return [Part(value) for value in values] if isinstance(values, list) else []

    def lines(self, name: str) -> list[list["Part"]]:
        """A list of lists of nested objects: the buttons below a message."""
        values = self._fields.get(name)
        if not isinstance(values, list):
            return []
        return [[Part(value) for value in line] for line in values if isinstance(line, list)]

    def text(self, name: str) -> str:
        """Text that every database takes: without NUL and without halves of characters."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            return ""
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\x00", "")

    def number(self, name: str) -> int | None:
        """A whole number of 64 bits, also when it is written as text."""
        return whole(self._fields.get(name))

    def is_true(self, name: str) -> bool:
        """Whether it says yes."""
        return self._fields.get(name) is True


def _events(update: Part, digest: str, received_at: datetime) -> Iterator[Event]:
    number = update.number("update_id")
    kinds = [name for name in update.names() if name != "update_id"]
    for kind in kinds:
        key = f"{digest if number is None else number}:{kind[:40]}"
        part = update.part(kind)
        match kind:
            case "message":
                yield from _message(part, key, received_at)
            case "edited_message":
                yield from _edit(part, key, received_at)
            case "callback_query":
                yield from _button(part, key, received_at)
            case "my_chat_member":
                yield from _switch(part, key, received_at)
            case "message_reaction":
                yield from _reaction(part, key, received_at)
            case _:
                yield Unknown(key, f"an update of the kind {kind[:40]!a}")
    if not kinds:
        yield Unknown(digest if number is None else f"{number}:", "an empty update")


def _message(message: Part, key: str, received_at: datetime) -> Iterator[Event]:
    yield from _migration(message, key, received_at)
    if _is_passed_over(message.part("chat"), message.part("from")):
        return
    chat = _chat_id(message.part("chat"), message.part("from"))
    if chat is None:
        yield Unknown(key, "a message of nobody")
        return
    content = [name for name in message.names() if name not in ENVELOPE]
    notices = NOTICES.intersection(content)
    if notices:
        yield Unknown(key, f"a notice: {min(notices)}")
        return
    message_id = message.number("message_id")
    said, text, files = _content(message, content)
    start = START.fullmatch(text) if said == Said.TEXT else None
    yield Inbound(
        key=key,
        provider_id=_provider_id(chat, message_id, key),
        sender=_sender(chat, message.part("chat"), message.part("from")),
        at=_moment(message.number("date"), received_at),
        said=said,
        text="/start" if start else text,  # the token opens a driver's link: it is shown to nobody
        files=files,
        quotes=_quoted(chat, message.part("reply_to_message")),
        start_token=start.group(1) if start else "",
        shared_number=_own_number(message),
    )


def _edit(message: Part, key: str, received_at: datetime) -> Iterator[Event]:
    chat = _chat_id(message.part("chat"), message.part("from"))
    if _is_passed_over(message.part("chat"), message.part("from")):
        return
    if "location" in message:  # a live location moves every few seconds; where to is nobody's business
        return
    if chat is None:
        yield Unknown(key, "an edit of nobody")
        return
    message_id = message.number("message_id")
    _, text, files = _content(message, [name for name in message.names() if name not in ENVELOPE])
    yield Inbound(
        key=key,
        provider_id=f"{_provider_id(chat, message_id, 'edit')}:{key}",
        sender=_sender(chat, message.part("chat"), message.part("from")),
        at=_moment(message.number("edit_date"), received_at),
        said=Said.EDIT,
        text=text,
        files=files,
        quotes=_quoted(chat, message),
    )


def _button(press: Part, key: str, received_at: datetime) -> Iterator[Event]:
    message = press.part("message")
    if _is_passed_over(message.part("chat"), press.part("from")):
        return
    chat = _chat_id(message.part("chat"), press.part("from"))
    if chat is None:
        yield Unknown(key, "a button of nobody")
        return
    payload = press.text("data")
    labels = [
        button.text("text")
        for line in message.part("reply_markup").lines("inline_keyboard")
        for button in line
        if button.text("callback_data") == payload and payload
    ]
    yield Inbound(
        key=key,
        provider_id=f"callback:{press.text('id') or key}",
        sender=_sender(chat, message.part("chat"), press.part("from")),
        at=received_at,  # Telegram does not say when a button was pressed
        said=Said.BUTTON,
        text=next(iter(labels), payload),
        payload=payload,
        quotes=_quoted(chat, message),
    )


def _switch(change: Part, key: str, received_at: datetime) -> Iterator[Event]:
    chat = _chat_id(change.part("chat"), change.part("from"))
    if _is_passed_over(change.part("chat"), change.part("from")):
        return
    state = change.part("new_chat_member").text("status")
    choice = {"kicked": Choice.BLOCKED, "member": Choice.UNBLOCKED}.get(state)
    if chat is None or choice is None:
        yield Unknown(key, f"a change of the chat to {state[:40]!a}")
        return
    yield Preference(
        key=key,
        sender=_sender(chat, change.part("chat"), change.part("from")),
        choice=choice,
        at=_moment(change.number("date"), received_at),
    )


def _reaction(reaction: Part, key: str, received_at: datetime) -> Iterator[Event]:
    chat = _chat_id(reaction.part("chat"), reaction.part("user"))
    if _is_passed_over(reaction.part("chat"), reaction.part("user")):
        return
    if chat is None:
        yield Unknown(key, "a reaction of nobody")
        return
    yield Inbound(
        key=key,
        provider_id=f"reaction:{chat}:{key}",
        sender=_sender(chat, reaction.part("chat"), reaction.part("user")),
        at=_moment(reaction.number("date"), received_at),
        said=Said.REACTION,
        text="".join(one.text("emoji") for one in reaction.parts("new_reaction")),
        quotes=_quoted(chat, reaction),
    )


def _migration(message: Part, key: str, received_at: datetime) -> Iterator[Event]:
    """A group that has become a supergroup; it is told in the old chat and again in the new one."""
    here = message.part("chat").number("id")
    to, came_from = message.number("migrate_to_chat_id"), message.number("migrate_from_chat_id")
    before, after = (here, to) if to is not None else (came_from, here)
    if before is not None and after is not None:
        at = _moment(message.number("date"), received_at)
        yield AddressChanged(f"{key}:migrated", _address(before), _address(after), at)
    elif "migrate_to_chat_id" in message or "migrate_from_chat_id" in message:
        yield Unknown(f"{key}:migrated", "a group that moved, from or to nobody knows where")


def _is_passed_over(chat: Part, person: Part) -> bool:
    return chat.text("type") not in ("", "private") or person.is_true("is_bot")


def _chat_id(chat: Part, person: Part) -> int | None:
    """A private chat has the number of its person."""
    number = chat.number("id")
    if number is None:
        number = person.number("id")
    return number if number and number > 0 else None


def _address(chat: int) -> Address:
    return Address(AddressKind.TELEGRAM_CHAT, str(chat))


def _sender(chat_id: int, chat: Part, person: Part) -> Sender:
    who = person if person.names() else chat
    name = " ".join(filter(None, (who.text("first_name").strip(), who.text("last_name").strip())))
    return Sender((_address(chat_id),), name=name, username=who.text("username"))


def _provider_id(chat: int, message_id: int | None, otherwise: str) -> str:
    """Numbers of messages count within one chat only."""
    return f"{chat}:{otherwise if message_id is None else message_id}"


def _quoted(chat: int, message: Part) -> tuple[str, ...]:
    number = message.number("message_id")
    return () if number is None else (f"{chat}:{number}",)


def _moment(seconds: int | None, otherwise: datetime) -> datetime:
    if not seconds or seconds < 0:
        return otherwise
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds >= 10**12 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return otherwise


def _content(message: Part, names: list[str]) -> tuple[Said, str, tuple[RemoteFile, ...]]:
    if "text" in message:
        return Said.TEXT, message.text("text"), ()
    if "contact" in message:
        return Said.CONTACT, _card(message.part("contact")), ()
    if "venue" in message or "location" in message:
        title = message.part("venue").text("title")
        return Said.LOCATION, f"Location: {title}" if title else "Location", ()
    file = _file(message)
    if file:
        return Said.FILE, message.text("caption") or message.part("sticker").text("emoji"), (file,)
    if "poll" in message:
        return Said.OTHER, f"Poll: {message.part('poll').text('question')}", ()
    if "dice" in message:
        return Said.OTHER, message.part("dice").text("emoji"), ()
    words = f"A kind of message that cannot be shown here: {names[0][:40] if names else 'empty'}"
    return Said.OTHER, message.text("caption") or Part({"words": words}).text("words"), ()


def _card(contact: Part) -> str:
    name = f"{contact.text('first_name')} {contact.text('last_name')}".strip()
    return ", ".join(filter(None, (f"Contact: {name}".strip(), contact.text("phone_number"))))


def _own_number(message: Part) -> str:
    """Their own card alone: anybody may forward somebody else's (channels: linking)."""
    contact = message.part("contact")
    owner = contact.number("user_id")
    if owner is None or owner != message.part("from").number("id"):
        return ""
    digits = re.sub(r"[\s()+.-]", "", contact.text("phone_number"))
    return f"+{digits}" if re.fullmatch(r"[1-9][0-9]{6,14}", digits) else ""


def _file(message: Part) -> RemoteFile | None:
    sizes = [size for size in message.parts("photo") if size.text("file_id")]
    if sizes:
        largest = max(sizes, key=lambda size: (size.number("width") or 0) * (size.number("height") or 0))
        return RemoteFile(largest.text("file_id"), "photo.jpg", "image/jpeg", _size(largest))
    sticker = message.part("sticker")
    if sticker.text("file_id"):
        name, media_type = "sticker.webp", "image/webp"
        if sticker.is_true("is_animated"):
            name, media_type = "sticker.tgs", "application/x-tgsticker"
        elif sticker.is_true("is_video"):
            name, media_type = "sticker.webm", "video/webm"
        return RemoteFile(sticker.text("file_id"), name, media_type, _size(sticker))
    for kind, (name, media_type) in FILES.items():
        part = message.part(kind)
        if part.text("file_id"):
            return RemoteFile(
                part.text("file_id"),
                part.text("file_name") or name,
                part.text("mime_type") or media_type,
                _size(part),
            )
    return None


def _size(file: Part) -> int | None:
    size = file.number("file_size")
    return size if size is None or size >= 0 else None
