"""News and files over HTTP: webhook, polling, downloads, and what the bot says of itself."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from drivercrm.channels.provider import Failure, Inbound, Knock, NotReached, Preference, RemoteFile
from drivercrm.channels.telegram import calls
from drivercrm.channels.telegram.adapter import Telegram
from drivercrm.channels.telegram.settings import Settings
from tests.channels.telegram.test_sending import outgoing
from tests.emulators.bot_api import BotApi

NOMSA = 7700000001
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
NO_WAIT = timedelta(0)


class Door(HTTPServer):
    """Our side of a webhook: answers as it is told, 200 when nothing is left to tell."""

    def __init__(self) -> None:
        self.knocks: list[Knock] = []
        self.answers: list[int] = []
        super().__init__(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hooks/telegram/"


def _handler(door: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            door.knocks.append(Knock("POST", {}, headers, body))
            self.send_response(door.answers.pop(0) if door.answers else 200)
            self.end_headers()

    return Handler


@pytest.fixture
def door() -> Iterator[Door]:
    with Door() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def texts(bot: Telegram, bodies: tuple[bytes, ...]) -> list[str]:
    return [event.text for body in bodies for event in bot.parse(body, NOW) if isinstance(event, Inbound)]


def not_reached(work: Any) -> NotReached:
    with pytest.raises(NotReached) as caught:
        work()
    return caught.value


def test_the_bot_tells_who_it_is(bot: Telegram) -> None:
    standing = bot.check()

    assert (standing.name, standing.address, standing.limit, standing.words) == (
        "Fleet",
        "fleet_bot",
        None,
        "",
    )


def test_a_webhook_brings_every_update_with_our_secret(api: BotApi, bot: Telegram, door: Door) -> None:
    bot.set_webhook(door.url)
    api.say(NOMSA, "one")
    api.say(NOMSA, "two")
    assert api.wait_until_quiet()

    assert texts(bot, tuple(knock.body for knock in door.knocks)) == ["one", "two"]
    assert [bot.is_genuine(knock) for knock in door.knocks] == [True, True]
    assert bot.greeting(door.knocks[0]) is None
    [call] = api.calls
    assert json.loads(call.params["allowed_updates"]) == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
    ]
    assert call.params["drop_pending_updates"] == "false"


def test_an_update_comes_again_until_it_is_answered_with_200(api: BotApi, bot: Telegram, door: Door) -> None:
    door.answers = [500, 403, 302]
    bot.set_webhook(door.url)
    api.say(NOMSA, "once")
    assert api.wait_until_quiet()

    keys = [event.key for knock in door.knocks for event in bot.parse(knock.body, NOW)]
    assert len(keys) == 4
    assert len(set(keys)) == 1


def test_what_waits_at_telegram_is_told(api: BotApi, bot: Telegram, door: Door) -> None:
    door.answers = [500] * 1000
    bot.set_webhook(door.url)
    api.say(NOMSA, "anybody there")
    while not api.last_error:
        time.sleep(0.01)

    assert bot.check().words == "1 updates wait at Telegram: Wrong response from the webhook: [500]"


@pytest.mark.parametrize("secret", ["", "Knock-knock_1", "knock-knock_", "ключ", "knock-knock_1 "])
def test_a_knock_without_the_secret_is_not_telegrams(bot: Telegram, secret: str) -> None:
    headers = {"x-telegram-bot-api-secret-token": secret} if secret else {}

    assert bot.is_genuine(Knock("POST", {}, headers, b"{}")) is False


def test_a_bot_without_a_secret_believes_nobody_and_sets_no_webhook(api: BotApi, door: Door) -> None:
    bot = Telegram(Settings(token=api.token, base_url=api.url))

    assert bot.is_genuine(Knock("POST", {}, {"x-telegram-bot-api-secret-token": ""}, b"{}")) is False
    assert not_reached(lambda: bot.set_webhook(door.url)).failure == Failure.ACCOUNT
    assert api.calls == []


def test_a_webhook_that_telegram_refuses_says_why(bot: Telegram) -> None:
    error = not_reached(lambda: bot.set_webhook("http://crm.example.org/"))

    assert error.words == "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"


def test_polling_confirms_nothing_before_its_cursor_comes_back(api: BotApi, bot: Telegram) -> None:
    api.say(NOMSA, "one")
    api.say(NOMSA, "two")

    first = bot.poll("", NO_WAIT)
    again = bot.poll("", NO_WAIT)
    api.say(NOMSA, "three")
    next_one = bot.poll(first.cursor, NO_WAIT)
    nothing = bot.poll(next_one.cursor, NO_WAIT)

    assert texts(bot, first.bodies) == ["one", "two"]
    assert again.bodies == first.bodies
    assert texts(bot, next_one.bodies) == ["three"]
    assert (nothing.bodies, nothing.cursor, api.pending) == ((), next_one.cursor, [])


def test_more_updates_than_one_answer_holds_come_one_after_the_other(api: BotApi, bot: Telegram) -> None:
    for number in range(250):
        api.say(NOMSA, str(number))
    cursor, seen = "", []

    while fetched := bot.poll(cursor, NO_WAIT):
        if not fetched.bodies:
            break
        cursor = fetched.cursor
        seen += texts(bot, fetched.bodies)

    assert seen == [str(number) for number in range(250)]


def test_polling_waits_for_news_longer_than_for_an_answer(api: BotApi, bot: Telegram) -> None:
    timer = threading.Timer(1.2, lambda: api.say(NOMSA, "late"))
    timer.start()

    fetched = bot.poll("", timedelta(seconds=10))

    assert texts(bot, fetched.bodies) == ["late"]


def test_after_a_week_of_silence_numbers_may_begin_below(api: BotApi, bot: Telegram) -> None:
    api.say(NOMSA, "before")
    before = bot.poll("", NO_WAIT)
    bot.poll(before.cursor, NO_WAIT)
    number, _, at = before.cursor.partition("@")
    api.next_update_id = 5
    api.say(NOMSA, "after")

    fetched = bot.poll(f"{number}@{int(at) - 7 * 86_400}", NO_WAIT)

    assert texts(bot, fetched.bodies) == ["after"]
    assert fetched.cursor.startswith("6@")


def test_an_update_that_the_library_cannot_read_does_not_stop_the_others(api: BotApi, bot: Telegram) -> None:
    api.update(message={"message_id": "odd", "date": [], "from": 7, "chat": "there"})
    api.say(NOMSA, "half \ud83d")

    fetched = bot.poll("", NO_WAIT)

    assert len(fetched.bodies) == 2
    assert texts(bot, fetched.bodies) == ["half �"]


def test_polling_beside_a_webhook_is_a_matter_of_the_settings(api: BotApi, bot: Telegram, door: Door) -> None:
    bot.set_webhook(door.url)
    refused = not_reached(lambda: bot.poll("", NO_WAIT))

    bot.drop_webhook()
    fetched = bot.poll("", NO_WAIT)

    assert (refused.failure, refused.code) == (Failure.ACCOUNT, "409")
    assert fetched.bodies == ()


def test_two_that_poll_disturb_each_other_for_a_moment(api: BotApi, bot: Telegram) -> None:
    errors: list[NotReached] = []
    first = threading.Thread(
        target=lambda: errors.append(not_reached(lambda: bot.poll("", timedelta(seconds=5))))
    )
    first.start()
    while not api.calls:
        time.sleep(0.01)

    other = Telegram(Settings(token=api.token, base_url=api.url))
    other.poll("", NO_WAIT)
    first.join(5)

    assert [(error.failure, error.code) for error in errors] == [(Failure.TEMPORARY, "409")]


@pytest.mark.parametrize(
    "fault", [{"drops": True}, {"status": 502, "body": b"<html>"}, {"status": 500, "description": "oh"}]
)
def test_a_question_without_an_answer_may_be_asked_again(
    api: BotApi, bot: Telegram, fault: dict[str, Any]
) -> None:
    api.fail(**fault)

    assert not_reached(lambda: bot.poll("", NO_WAIT)).failure == Failure.TEMPORARY


def test_who_blocks_and_comes_back_is_told(api: BotApi, bot: Telegram) -> None:
    api.block(NOMSA)
    api.unblock(NOMSA)

    events = [event for body in bot.poll("", NO_WAIT).bodies for event in bot.parse(body, NOW)]

    assert [event.choice for event in events if isinstance(event, Preference)] == ["blocked", "unblocked"]


def test_a_file_is_fetched_whole_under_its_own_name(api: BotApi, bot: Telegram) -> None:
    content = bytes(range(256)) * 1000
    api.send_file(NOMSA, "document", content, name="licence.pdf")
    [event] = bot.parse(bot.poll("", NO_WAIT).bodies[0], NOW)
    assert isinstance(event, Inbound)

    got = bot.fetch(event.files[0], 1_000_000)

    assert (got.name, got.media_type, got.content) == ("licence.pdf", "application/pdf", content)


def test_the_type_of_a_nameless_file_follows_from_where_telegram_keeps_it(api: BotApi, bot: Telegram) -> None:
    message = api.send_file(NOMSA, "document", b"%PDF-1.4", name="licence.pdf")

    got = bot.fetch(RemoteFile(message["message"]["document"]["file_id"]), 100)

    assert (got.name, got.media_type) == ("file_1.pdf", "application/pdf")


def test_no_more_of_a_file_is_taken_than_allowed(api: BotApi, bot: Telegram) -> None:
    told = api.send_file(NOMSA, "document", b"x" * 100_000, name="a.pdf")["message"]["document"]
    number = told["file_id"]

    by_us = not_reached(lambda: bot.fetch(RemoteFile(number, size=100_000), 99_999))
    asked = len(api.calls)
    by_telegram = not_reached(lambda: bot.fetch(RemoteFile(number), 99_999))
    small = {"file_id": number, "file_unique_id": "x", "file_path": "documents/file_1.pdf"}
    api.fail(method="getFile", status=200, body=json.dumps({"ok": True, "result": small}).encode())
    by_counting = not_reached(lambda: bot.fetch(RemoteFile(number), 99_999))

    assert asked == 0
    assert [one.failure for one in (by_us, by_telegram, by_counting)] == [Failure.CONTENT] * 3


@pytest.mark.parametrize("path", ["/etc/passwd", "file:///etc/passwd", "../../secret", "", None])
def test_a_path_on_a_servers_own_disk_is_not_read(api: BotApi, bot: Telegram, path: str | None) -> None:
    answer = {"file_id": "x", "file_unique_id": "x", "file_path": path}
    api.fail(method="getFile", status=200, body=json.dumps({"ok": True, "result": answer}).encode())

    assert not_reached(lambda: bot.fetch(RemoteFile("x"), 100)).failure == Failure.ACCOUNT


def test_a_file_that_telegram_does_not_give_is_not_reached(api: BotApi, bot: Telegram) -> None:
    large = api.send_file(NOMSA, "document", b"x" * 20_000_001, name="a.bin")["message"]["document"][
        "file_id"
    ]
    gone = {"file_id": "x", "file_unique_id": "x", "file_path": "documents/gone.pdf"}

    too_big = not_reached(lambda: bot.fetch(RemoteFile(large), 10**9))
    unknown = not_reached(lambda: bot.fetch(RemoteFile("nobody"), 10**9))
    api.fail(method="getFile", status=200, body=json.dumps({"ok": True, "result": gone}).encode())
    lost = not_reached(lambda: bot.fetch(RemoteFile("x"), 10**9))

    assert [one.failure for one in (too_big, unknown, lost)] == [
        Failure.CONTENT,
        Failure.TEMPORARY,
        Failure.CONTENT,
    ]


@pytest.mark.parametrize("fault", [{"drops": True}, {"status": 502}])
def test_a_download_that_breaks_may_be_tried_again(api: BotApi, bot: Telegram, fault: dict[str, Any]) -> None:
    told = api.send_file(NOMSA, "document", b"x" * 100_000, name="a.pdf")["message"]["document"]
    api.fail(method="file", **fault)

    broken = not_reached(lambda: bot.fetch(RemoteFile(told["file_id"]), 10**6))
    again = bot.fetch(RemoteFile(told["file_id"]), 10**6)

    assert (broken.failure, len(again.content)) == (Failure.TEMPORARY, 100_000)


def test_a_download_has_an_end(api: BotApi, bot: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    told = api.send_file(NOMSA, "document", b"x" * 100, name="a.pdf")["message"]["document"]
    monkeypatch.setattr(calls, "DOWNLOAD_SECONDS", -1.0)

    assert (
        not_reached(lambda: bot.fetch(RemoteFile(told["file_id"]), 10**6)).words
        == "The file came too slowly."
    )


def test_the_bot_is_known_also_when_its_webhook_is_not(api: BotApi, bot: Telegram) -> None:
    api.fail(method="getWebhookInfo", status=500, description="Internal Server Error")

    assert bot.check().name == "Fleet"


def test_all_updates_and_messages_of_the_emulator_are_ones_for_foreign_models(
    api: BotApi, bot: Telegram
) -> None:
    types = pytest.importorskip("aiogram.types")
    api.allowed = ["message", "edited_message", "callback_query", "my_chat_member", "message_reaction"]
    bot.send(outgoing("Which day?"))
    said = api.say(NOMSA, "Friday", reply_to=api.sent[0])["message"]
    api.start(NOMSA, "a-token_1")
    api.edit(NOMSA, said, "Monday")
    api.share_contact(NOMSA, "27821234567")
    api.press(NOMSA, api.sent[0], "consent:yes")
    for kind in ("photo", "video", "audio", "voice", "document"):
        api.send_file(NOMSA, kind, b"content of it", name="a.pdf", caption="see")
    api.block(NOMSA)
    api.unblock(NOMSA)

    assert len(api.pending) == 12
    for update in api.pending:
        types.Update.model_validate(update)
    for message in api.sent:
        types.Message.model_validate(message)
    types.User.model_validate(api.bot)
    types.WebhookInfo.model_validate(api._do_get_webhook_info(api.calls[0]))


def test_the_emulator_runs_as_a_process_of_its_own(tmp_path: Any) -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    with subprocess.Popen(
        [sys.executable, "-m", "tests.emulators.bot_api", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            url, token = process.stdout.readline().split()
            httpx.post(f"{url}/control/person", json={"number": NOMSA, "has_started": True})
            accepted = Telegram(Settings(token=token, base_url=url)).send(outgoing("hello"))
            sent = httpx.get(f"{url}/control/sent").json()
        finally:
            process.kill()

    assert accepted.provider_id == "7700000001:1"
    assert [message["text"] for message in sent] == ["hello"]
