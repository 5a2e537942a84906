"""Updates in the house's words: typed examples, each of them judged by models that we did not write."""

import copy
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from drivercrm.channels.telegram.inbound import parse

PAYLOADS = Path(__file__).parents[2] / "payloads" / "telegram"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
NOW = datetime(2026, 11, 16, 9, 0, 5, tzinfo=UTC)
SENT = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
NOMSA = Sender((Address(AddressKind.TELEGRAM_CHAT, "7700000001"),), "Nomsa Dube", "nomsa_d")


@cache
def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def read(name: str) -> list[Event]:
    return parse(payload(name), NOW)


def changed(name: str, changes: dict[str, Any]) -> bytes:
    update = json.loads(payload(name))
    kind = next(key for key in update if key != "update_id")
    return json.dumps(update | {kind: update[kind] | changes}).encode()


def said(name: str) -> Inbound:
    [event] = read(name)
    assert isinstance(event, Inbound)
    return event


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_updates_for_models_that_we_did_not_write(name: str) -> None:
    types = pytest.importorskip("aiogram.types")

    update = types.Update.model_validate_json(payload(name))

    assert update.event_type in payload(name).decode()


def test_a_text_is_read_whole() -> None:
    number = json.loads(payload("text"))["update_id"]

    assert said("text") == Inbound(
        key=f"{number}:message",
        provider_id="7700000001:41",
        sender=NOMSA,
        at=SENT,
        said=Said.TEXT,
        text="When do I get paid?",
    )


def test_a_start_by_our_link_brings_the_token_and_does_not_show_it() -> None:
    message = said("start_by_link")

    assert (message.text, message.start_token) == ("/start", "Zk3-9_aQpT77xLmN0wRtYg")


@pytest.mark.parametrize(("name", "text"), [("start", "/start"), ("stop", "/stop")])
def test_other_commands_are_texts(name: str, text: str) -> None:
    message = said(name)

    assert (message.said, message.text, message.start_token) == (Said.TEXT, text, "")


def test_a_quote_names_the_message_that_it_answers() -> None:
    message = said("quoted")

    assert (message.text, message.quotes) == ("YES", ("7700000001:40",))


@pytest.mark.parametrize(
    ("name", "text", "file"),
    [
        ("photo", "My licence", RemoteFile("AgACAgQAAxkBAAI3", "photo.jpg", "image/jpeg", 81003)),
        ("document", "", RemoteFile("AgACAgQAAxkBAAI4", "licence.pdf", "application/pdf", 81004)),
        ("voice", "", RemoteFile("AgACAgQAAxkBAAI5", "voice.ogg", "audio/ogg", 81005)),
        ("video_note", "", RemoteFile("AgACAgQAAxkBAAI6", "video-note.mp4", "video/mp4", 81006)),
        ("sticker", "👍", RemoteFile("AgACAgQAAxkBAAI7", "sticker.webp", "image/webp", 81007)),
        ("animation", "", RemoteFile("AgACAgQAAxkBAAI8", "hi.mp4", "video/mp4", 81008)),
        ("album_1", "Both sides", RemoteFile("AgACAgQAAxkBAAI9", "photo.jpg", "image/jpeg", 81009)),
        ("album_2", "", RemoteFile("AgACAgQAAxkBAAI10", "photo.jpg", "image/jpeg", 81010)),
    ],
)
def test_a_file_comes_with_its_name_and_the_largest_of_its_sizes(
    name: str, text: str, file: RemoteFile
) -> None:
    message = said(name)

    assert (message.said, message.text, message.files) == (Said.FILE, text, (file,))


def test_pictures_of_an_album_are_messages_of_their_own() -> None:
    assert [said(name).provider_id for name in ("album_1", "album_2")] == ["7700000001:52", "7700000001:53"]


@pytest.mark.parametrize(("name", "text"), [("location", "Location"), ("venue", "Location: Durban station")])
def test_a_location_is_read_without_coordinates(name: str, text: str) -> None:
    message = said(name)

    assert (message.said, message.text) == (Said.LOCATION, text)
    assert "29.85" not in repr(message)


def test_a_live_location_that_moves_says_nothing() -> None:
    assert read("live_location") == []


def test_their_own_card_shares_their_number() -> None:
    message = said("own_contact")

    assert (message.said, message.shared_number) == (Said.CONTACT, "+27821234567")


def test_somebody_elses_card_is_no_number_of_theirs() -> None:
    message = said("other_contact")

    assert (message.text, message.shared_number) == ("Contact: Sipho Zulu, +27837654321", "")


@pytest.mark.parametrize(("name", "text"), [("poll", "Poll: Which day?"), ("dice", "🎲")])
def test_other_kinds_are_shown_as_what_they_are(name: str, text: str) -> None:
    assert (said(name).said, said(name).text) == (Said.OTHER, text)


def test_a_kind_that_nobody_knows_yet_is_shown_and_kept() -> None:
    update = json.loads(payload("text"))
    update["message"]["hologram"] = {"id": "1"}
    del update["message"]["text"]

    [event] = parse(json.dumps(update).encode(), NOW)

    assert isinstance(event, Inbound)
    assert (event.said, event.text) == (Said.OTHER, "A kind of message that cannot be shown here: hologram")


def test_an_edit_names_the_message_and_has_an_id_of_its_own() -> None:
    message = said("edited")

    assert (message.said, message.text, message.quotes) == (
        Said.EDIT,
        "When do I get paid for May?",
        ("7700000001:41",),
    )
    assert message.provider_id != said("text").provider_id
    assert message.at == datetime(2026, 11, 16, 9, 0, 30, tzinfo=UTC)


def test_a_button_brings_its_payload_and_its_label() -> None:
    message = said("button")

    assert (message.said, message.payload, message.text, message.quotes, message.at) == (
        Said.BUTTON,
        "consent:yes",
        "Yes, send me messages",
        ("7700000001:40",),
        NOW,
    )


def test_a_button_below_a_message_that_telegram_no_longer_shows_counts() -> None:
    message = said("old_button")

    assert (message.payload, message.text, message.quotes) == ("consent:no", "consent:no", ("7700000001:12",))


@pytest.mark.parametrize(("name", "choice"), [("blocked", Choice.BLOCKED), ("unblocked", Choice.UNBLOCKED)])
def test_blocking_and_unblocking_are_choices(name: str, choice: Choice) -> None:
    number = json.loads(payload(name))["update_id"]

    assert read(name) == [Preference(f"{number}:my_chat_member", NOMSA, choice, SENT)]


def test_a_reaction_is_no_message() -> None:
    message = said("reaction")

    assert (message.said, message.text, message.quotes) == (Said.REACTION, "👍", ("7700000001:40",))


@pytest.mark.parametrize("name", ["group", "other_bot"])
def test_groups_and_bots_are_passed_over(name: str) -> None:
    assert read(name) == []


def test_a_group_that_moved_is_a_changed_address() -> None:
    [event] = read("migrated")

    assert isinstance(event, AddressChanged)
    assert (event.before.value, event.after.value) == ("-100123456", "-1001234567890")


def test_what_telegram_writes_by_itself_is_nobodys_message() -> None:
    number = json.loads(payload("pinned"))["update_id"]

    assert read("pinned") == [Unknown(f"{number}:message", "a notice: pinned_message")]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"7", b'{"update_id": 1}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_no_update_is_kept_as_unknown(body: bytes) -> None:
    [event] = parse(body, NOW)

    assert isinstance(event, Unknown)


def test_the_same_update_has_the_same_key_and_another_has_another() -> None:
    keys = [event.key for name in NAMES for event in read(name)]

    assert len(set(keys)) == len(keys)
    assert keys == [event.key for name in NAMES for event in parse(payload(name), datetime.now(UTC))]


def test_a_text_keeps_no_character_that_a_database_refuses() -> None:
    update = json.loads(payload("text"))
    update["message"]["text"] = "a\x00b\ud800c😀"

    [event] = parse(json.dumps(update).encode(), NOW)

    assert isinstance(event, Inbound)
    assert event.text == "ab�c😀"


GROUP = {"id": -100123456, "type": "group", "title": "Drivers"}
ROBOT = {"id": 7700000009, "is_bot": True, "first_name": "Robot"}
NOBODY: dict[str, Any] = {"chat": {}, "from": {}, "user": {}}


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("text", NOBODY, "a message of nobody"),
        ("edited", NOBODY, "an edit of nobody"),
        ("button", NOBODY | {"message": {}}, "a button of nobody"),
        ("reaction", NOBODY, "a reaction of nobody"),
        ("blocked", NOBODY, "a change of the chat to 'kicked'"),
        ("blocked", {"new_chat_member": {"status": "restricted"}}, "a change of the chat to 'restricted'"),
        ("migrated", {"migrate_to_chat_id": "there"}, "a group that moved, from or to nobody knows where"),
    ],
)
def test_what_names_nobody_is_kept_as_unknown(name: str, changes: dict[str, Any], words: str) -> None:
    [event] = parse(changed(name, changes), NOW)

    assert isinstance(event, Unknown)
    assert event.words == words


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("edited", {"chat": GROUP}),
        ("edited", {"from": ROBOT}),
        ("button", {"message": {"chat": GROUP, "message_id": 1, "date": 0}}),
        ("reaction", {"chat": GROUP}),
        ("blocked", {"chat": GROUP}),
    ],
)
def test_nothing_of_groups_and_bots_is_read(name: str, changes: dict[str, Any]) -> None:
    assert parse(changed(name, changes), NOW) == []


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("is_animated", "sticker.tgs", "application/x-tgsticker"),
        ("is_video", "sticker.webm", "video/webm"),
    ],
)
def test_a_moving_sticker_is_a_file_of_its_own_kind(kind: str, name: str, media_type: str) -> None:
    [event] = parse(changed("sticker", {"sticker": {"file_id": "x", kind: True}}), NOW)

    assert isinstance(event, Inbound)
    assert event.files == (RemoteFile("x", name, media_type),)


def test_an_update_that_we_did_not_ask_for_is_kept_as_unknown() -> None:
    body = b'{"update_id": 9, "chat_boost": {"chat": {}}}'

    assert parse(body, NOW) == [Unknown("9:chat_boost", "an update of the kind 'chat_boost'")]


@pytest.mark.parametrize(
    ("date", "at"),
    [
        (None, NOW),
        (-5, NOW),
        (10**18, NOW),
        ("1794819600", SENT),
        (1794819600000, SENT),
        (1e300, NOW),
        (True, NOW),
    ],
)
def test_a_time_that_cannot_be_is_the_time_of_arrival(date: object, at: datetime) -> None:
    update = json.loads(payload("text"))
    update["message"]["date"] = date

    [event] = parse(json.dumps(update).encode(), NOW)

    assert isinstance(event, Inbound)
    assert event.at == at


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(body=st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_arrives_raises(body: bytes) -> None:
    assert all(event.key for event in parse(body, NOW))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inside for place in places(one, (*path, key)))]


@given(data=st.data(), name=st.sampled_from(NAMES), odd=ANYTHING)
def test_a_changed_field_raises_nothing_and_loses_nothing(
    data: st.DataObject, name: str, odd: object
) -> None:
    update = copy.deepcopy(json.loads(payload(name)))
    *way, last = data.draw(st.sampled_from(places(update)[1:]))
    inner = update
    for step in way:
        inner = inner[step]
    inner[last] = odd

    body = json.dumps(update).encode()
    events = parse(body, NOW)

    assert [event.key for event in events] == [event.key for event in parse(body, datetime.now(UTC))]
    assert all(not isinstance(one, Unknown) or one.words != "could not be read" for one in events)
    # what goes missing is a group's, a bot's or a live location's
    if not events and read(name):
        changed = "type" in (last, *way) or "is_bot" in (last, *way) or "location" in (last, *way)
        assert changed or last in ("chat", "from", "message", "user")
