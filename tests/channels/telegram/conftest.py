"""A bot on loopback and the provider that speaks to it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from drivercrm.channels.telegram.adapter import Telegram
from drivercrm.channels.telegram.settings import Settings
from tests.channels.telegram.judging import judge
from tests.emulators.bot_api import BotApi


@pytest.fixture
def api() -> Iterator[BotApi]:
    """Nomsa (7700000001) has pressed start, Sipho (7700000002) has not. Every call of a test is judged after it."""
    with BotApi() as running:
        running.person(7700000001, has_started=True)
        running.person(7700000002, first_name="Sipho")
        yield running
        for call in running.calls:
            judge(call)


@pytest.fixture
def bot(api: BotApi) -> Iterator[Telegram]:
    provider = Telegram(
        Settings(
            token=api.token,
            webhook_secret="knock-knock_1",
            base_url=api.url,
            connect_timeout=timedelta(seconds=1),
            read_timeout=timedelta(seconds=0.5),
        )
    )
    yield provider
    provider.close()
