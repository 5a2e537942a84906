"""Messages over HTTP: the real client against the Bot API on loopback."""

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Attachment,
    Failure,
    NotReached,
    Outgoing,
    SendFailed,
)
from drivercrm.channels.telegram.adapter import Telegram
from drivercrm.channels.telegram.settings import Settings
from tests.emulators.bot_api import BotApi

NOMSA, SIPHO = 7700000001, 7700000002
LONG = timedelta(seconds=1)


def outgoing(text: str = "Your May pay is out.", to: int | str = NOMSA, **more: Any) -> Outgoing:
    return Outgoing(
        id=UUID("0198a1b2-0000-7000-8000-000000000001"),
        to=Address(AddressKind.TELEGRAM_CHAT, str(to)),
        text=text,
        **more,
    )


def failing(bot: Telegram, message: Outgoing) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        bot.send(message)
    return caught.value


def test_a_text_is_taken_over(api: BotApi, bot: Telegram) -> None:
    accepted = bot.send(outgoing("Good morning 😀 <b>&</b> *_"))

    [message] = api.sent_to(NOMSA)
    assert message["text"] == "Good morning 😀 <b>&</b> *_"
    assert accepted.provider_id == "7700000001:1"
    assert accepted.at == datetime.fromtimestamp(message["date"], UTC)
    assert accepted.addresses == (Address(AddressKind.TELEGRAM_CHAT, "7700000001"),)
    assert [call.method for call in api.calls] == ["sendMessage"]
    assert set(api.calls[0].params) == {"chat_id", "text"}


def test_connections_are_kept_between_messages_and_given_back(api: BotApi, bot: Telegram) -> None:
    sent = [bot.send(outgoing(f"number {number}")).provider_id for number in range(3)]
    bot.close()
    sent.append(bot.send(outgoing("after closing")).provider_id)

    assert sent == [f"7700000001:{number}" for number in (1, 2, 3, 4)]


def test_several_may_send_at_once(api: BotApi, bot: Telegram) -> None:
    with ThreadPoolExecutor(4) as threads:
        accepted = list(threads.map(lambda number: bot.send(outgoing(str(number))), range(40)))

    assert len({one.provider_id for one in accepted}) == len(api.sent_to(NOMSA)) == 40


def test_an_answer_quotes_and_goes_out_also_where_the_quoted_was_deleted(api: BotApi, bot: Telegram) -> None:
    first = bot.send(outgoing("Which day?"))

    bot.send(outgoing("Friday?", quotes=first.provider_id))
    bot.send(outgoing("Friday!", quotes="7700000001:999"))
    bot.send(outgoing("Elsewhere", quotes="42:1"))

    params = [json.loads(call.params.get("reply_parameters", "null")) for call in api.calls]
    assert params == [
        None,
        {"message_id": 1, "allow_sending_without_reply": True},
        {"message_id": 999, "allow_sending_without_reply": True},
        None,
    ]
    assert api.sent[1]["reply_to_message"]["text"] == "Which day?"


@pytest.mark.parametrize(
    ("media_type", "name", "method", "kind"),
    [
        ("image/jpeg", "face.jpg", "sendPhoto", "photo"),
        ("image/gif", "wave.gif", "sendDocument", "document"),
        ("video/mp4", "how.mp4", "sendVideo", "video"),
        ("audio/ogg; codecs=opus", "note.ogg", "sendVoice", "voice"),
        ("audio/mpeg", "song.mp3", "sendAudio", "audio"),
        ("application/pdf", "guide – é.pdf", "sendDocument", "document"),
    ],
)
def test_a_file_goes_out_as_what_it_is(
    api: BotApi, bot: Telegram, media_type: str, name: str, method: str, kind: str
) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--x\r\n\n\r"

    bot.send(outgoing("Read this", attachments=(Attachment(name, media_type, content),)))

    [call] = api.calls
    assert (call.method, call.files[kind]) == (method, (name, content))
    assert api.sent[0]["caption"] == "Read this"


def test_a_photo_that_is_too_large_for_one_goes_out_as_a_document(api: BotApi, bot: Telegram) -> None:
    bot.send(outgoing("", attachments=(Attachment("big.png", "image/png", b"x" * 10_000_001),)))

    assert [call.method for call in api.calls] == ["sendDocument"]


@pytest.mark.parametrize(
    ("media_types", "kinds"),
    [
        (["image/jpeg", "image/png"], ["photo", "photo"]),
        (["image/jpeg", "application/pdf"], ["document", "document"]),
        (["audio/ogg", "audio/ogg"], ["document", "document"]),
    ],
)
def test_several_files_go_out_in_one_call(
    api: BotApi, bot: Telegram, media_types: list[str], kinds: list[str]
) -> None:
    files = tuple(Attachment(f"file-{n}", kind, b"content") for n, kind in enumerate(media_types))

    accepted = bot.send(outgoing("Both sides", attachments=files))

    [call] = api.calls
    media = json.loads(call.params["media"])
    assert [one["type"] for one in media] == kinds
    assert [one.get("caption") for one in media] == ["Both sides", None]
    assert accepted.provider_id == "7700000001:1"
    assert [message["message_id"] for message in api.sent_to(NOMSA)] == [1, 2]


def test_the_longest_text_goes_out_and_a_longer_one_stays(api: BotApi, bot: Telegram) -> None:
    bot.send(outgoing("😀" * 2048))

    error = failing(bot, outgoing("😀" * 2048 + "a"))

    assert (error.failure, len(api.calls)) == (Failure.CONTENT, 1)


@pytest.mark.parametrize(
    "message",
    [
        outgoing("a" * 1025, attachments=(Attachment("a.pdf", "application/pdf", b"a"),)),
        outgoing("", attachments=tuple(Attachment("a.pdf", "application/pdf", b"a") for _ in range(11))),
        outgoing("  "),
        outgoing("half \ud83d"),
    ],
)
def test_what_telegram_cannot_carry_is_refused_before_it_is_asked(
    api: BotApi, bot: Telegram, message: Outgoing
) -> None:
    assert (failing(bot, message).failure, api.calls) == (Failure.CONTENT, [])


@pytest.mark.parametrize("to", ["@nomsa_d", "nomsa", "", "+27821234567"])
def test_a_username_is_no_address(api: BotApi, bot: Telegram, to: str) -> None:
    assert (failing(bot, outgoing(to=to)).failure, api.calls) == (Failure.UNREACHABLE, [])


def test_nobody_is_written_to_before_they_press_start(api: BotApi, bot: Telegram) -> None:
    before = failing(bot, outgoing(to=SIPHO))
    api.start(SIPHO, "token")

    bot.send(outgoing(to=SIPHO))

    assert (before.failure, before.code) == (Failure.UNREACHABLE, "403")
    assert len(api.sent_to(SIPHO)) == 1


def test_a_chat_that_telegram_does_not_know_is_unreachable(bot: Telegram) -> None:
    error = failing(bot, outgoing(to=99))

    assert (error.failure, error.code) == (Failure.UNREACHABLE, "400")


def test_who_blocked_the_bot_or_left_telegram_ends_it(api: BotApi, bot: Telegram) -> None:
    api.block(NOMSA)
    api.people[SIPHO].is_deactivated = True

    errors = [failing(bot, outgoing(to=who)) for who in (NOMSA, SIPHO)]

    assert [error.failure for error in errors] == [Failure.BLOCKED, Failure.BLOCKED]


@pytest.mark.filterwarnings("ignore:.*retry_after")  # pytest sets the filters anew
def test_too_many_messages_slow_the_bot_down_for_as_long_as_telegram_says(api: BotApi, bot: Telegram) -> None:
    api.per_second = 2
    bot.send(outgoing())
    bot.send(outgoing())

    error = failing(bot, outgoing())

    assert (error.failure, error.code, error.wait) == (Failure.RATE, "429", LONG)


HTML = b"<html><body>nginx</body></html>"


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"status": 401, "description": "Unauthorized"}, Failure.ACCOUNT),
        ({"status": 404, "description": "Not Found"}, Failure.ACCOUNT),
        ({"status": 429, "body": HTML}, Failure.RATE),
        ({"status": 429, "description": "x", "parameters": {"retry_after": 0}}, Failure.RATE),
        ({"status": 400, "description": "Bad Request: chat not found"}, Failure.UNREACHABLE),
        ({"status": 400, "description": "Bad Request: PEER_ID_INVALID"}, Failure.UNREACHABLE),
        (
            {"status": 400, "description": "x", "parameters": {"migrate_to_chat_id": -1001}},
            Failure.UNREACHABLE,
        ),
        ({"status": 400, "description": "Bad Request: can't parse entities"}, Failure.CONTENT),
        ({"status": 400, "body": HTML}, Failure.CONTENT),
        ({"status": 413, "body": HTML}, Failure.CONTENT),
        ({"status": 403, "description": "Forbidden: bot can't send messages to bots"}, Failure.UNREACHABLE),
        ({"status": 403, "description": "Forbidden: something new"}, Failure.UNKNOWN_CODE),
        ({"status": 409, "description": "Conflict: something"}, Failure.TEMPORARY),
        ({"status": 418, "description": "I'm a teapot"}, Failure.UNKNOWN_CODE),
        ({"status": 302, "body": b""}, Failure.UNKNOWN_CODE),
        ({"status": 503, "body": HTML}, Failure.TEMPORARY),
        ({"status": 500, "description": "Internal Server Error"}, Failure.IN_DOUBT),
        ({"status": 502, "body": HTML, "takes": True}, Failure.IN_DOUBT),
        ({"status": 504, "body": HTML}, Failure.IN_DOUBT),
        ({"status": 200, "body": HTML, "takes": True}, Failure.IN_DOUBT),
        ({"status": 200, "body": b'{"ok": true}', "takes": True}, Failure.IN_DOUBT),
        ({"status": 200, "body": b'{"ok": true, "result": {}}', "takes": True}, Failure.IN_DOUBT),
        ({"status": 200, "body": b'{"ok": true, "result": [[]]}', "takes": True}, Failure.IN_DOUBT),
        ({"drops": True}, Failure.IN_DOUBT),
        ({"drops": True, "takes": True}, Failure.IN_DOUBT),
    ],
)
def test_every_answer_has_its_consequence(
    api: BotApi, bot: Telegram, fault: dict[str, Any], failure: Failure
) -> None:
    api.fail(method="sendMessage", **fault)

    assert failing(bot, outgoing()).failure == failure


def test_an_answer_that_the_library_cannot_read_still_says_that_the_message_was_taken(
    api: BotApi, bot: Telegram
) -> None:
    odd = {"ok": True, "result": {"message_id": 7, "date": "soon", "chat": None}}
    api.fail(status=200, body=json.dumps(odd).encode(), takes=True)

    assert bot.send(outgoing()).provider_id == "7700000001:7"


def test_an_answer_that_does_not_come_leaves_the_message_in_doubt(api: BotApi, bot: Telegram) -> None:
    held = api.hold("sendMessage")

    error = failing(bot, outgoing())
    held.set()

    assert (error.failure, len(api.sent_to(NOMSA))) == (Failure.IN_DOUBT, 1)


def test_a_server_that_is_not_there_has_taken_nothing(api: BotApi) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bot = Telegram(Settings(token=api.token, base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}"))

        assert failing(bot, outgoing()).failure == Failure.TEMPORARY


def test_a_server_that_does_not_pick_up_has_taken_nothing(api: BotApi) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        queue = [socket.socket() for _ in range(4)]
        for one in queue:
            one.setblocking(False)
            one.connect_ex(busy.getsockname())
        settings = Settings(
            token=api.token,
            base_url=f"http://127.0.0.1:{busy.getsockname()[1]}",
            connect_timeout=timedelta(seconds=0.2),
        )

        error = failing(Telegram(settings), outgoing())

        assert (error.failure, error.words) == (
            Failure.TEMPORARY,
            "Telegram could not be reached (ConnectTimeout).",
        )
        for one in queue:
            one.close()


@pytest.mark.parametrize("token", ["", "abc", "1:a b", "1:a/../x", "1:ä"])
def test_a_token_of_another_shape_is_asked_about_nowhere(api: BotApi, token: str) -> None:
    bot = Telegram(Settings(token=token, base_url=api.url))

    assert (failing(bot, outgoing()).failure, api.calls) == (Failure.ACCOUNT, [])


def test_another_bots_token_is_the_accounts_trouble(api: BotApi) -> None:
    bot = Telegram(Settings(token="110201543:another-one", base_url=api.url))

    with pytest.raises(NotReached) as caught:
        bot.check()

    assert (caught.value.failure, caught.value.code) == (Failure.ACCOUNT, "401")


def test_neither_token_nor_words_reach_a_log_or_the_text_of_an_error(
    api: BotApi, bot: Telegram, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("", "httpx", "httpcore", "telegram", "telegram.Bot", "asyncio")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    errors = []

    try:
        bot.send(outgoing("the secret words"))
        for fault in (
            {"status": 200, "body": b"the secret words"},
            {"status": 502, "body": b"the secret words"},
            {"status": 400, "description": "Bad Request: the secret words"},
            {"drops": True},
        ):
            api.fail(**fault)
            errors.append(failing(bot, outgoing("the secret words")))
        errors.append(failing(bot, outgoing("the secret words\ud800")))
        bot.check()
        api.say(NOMSA, "the secret words")
        api.update(message={"text": "the secret words", "date": "the secret words"})
        bot.poll("", timedelta(0))
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)

    formatter = logging.Formatter()
    told = [formatter.formatException((type(one), one, one.__traceback__)) for one in errors]
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err, repr(bot), repr(Settings(token=api.token)), *told, *map(str, errors)):
        assert api.token not in text
        assert api.token.partition(":")[2] not in text
        assert "the secret words" not in text.replace('failing(bot, outgoing("the secret words', "")
    assert len(errors) == 5
