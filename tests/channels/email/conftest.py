from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from drivercrm.channels.email.adapter import Encryption, Provider, Settings
from drivercrm.channels.provider import Address, AddressKind, Event, Outgoing
from tests.emulators.mail import MailServer

PAYLOADS = Path(__file__).resolve().parents[2] / "payloads" / "email"
OUR_ID = UUID("0198b1c4-d6e8-7a3f-9b2c-1d0e4f5a6b7c")  # the payloads answer this message
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
ACCOUNT = Settings("127.0.0.1", 25, "crm@drivers.example.com", "Driver CRM")

Parse = Callable[[str], Event]


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything, unless told otherwise."""
    with MailServer() as running:
        yield running


@pytest.fixture
def provider(server: MailServer) -> Iterator[Provider]:
    """The account, on the emulated server."""
    account = Provider(settings_of(server))
    yield account
    account.close()


@pytest.fixture
def parse() -> Parse:
    """The one event of a mail in tests/payloads/email."""

    def one(name: str) -> Event:
        [event] = Provider(ACCOUNT).parse((PAYLOADS / f"{name}.eml").read_bytes(), NOW)
        return event

    return one


def settings_of(server: MailServer, **more: object) -> Settings:
    given: dict[str, object] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "from_address": "crm@drivers.example.com",
        "from_name": "Driver CRM",
        "smtp_encryption": Encryption.NONE,
        "timeout": timedelta(seconds=2),
        "patience": timedelta(seconds=2),
    }
    return Settings(**(given | more))  # type: ignore[arg-type]


def outgoing(**more: object) -> Outgoing:
    given: dict[str, object] = {
        "id": OUR_ID,
        "to": Address(AddressKind.EMAIL, "sipho@example.org"),
        "text": "Hello Sipho",
        "subject": "Welcome",
    }
    return Outgoing(**(given | more))  # type: ignore[arg-type]
