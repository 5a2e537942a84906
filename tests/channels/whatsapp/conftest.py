from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from drivercrm.channels.provider import Address, AddressKind, Outgoing
from drivercrm.channels.whatsapp.adapter import Settings, WhatsApp
from tests.emulators.graph import Graph

NUMBER = Address(AddressKind.PHONE, "+27821234567")
SCOPED = Address(AddressKind.BUSINESS_SCOPED_ID, "ZA.13491208655302741918")
OURS = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
RECEIVED = datetime(2026, 6, 18, 12, 0, tzinfo=UTC)


def outgoing(text: str = "Hello Nandi", to: Address = NUMBER, **fields: object) -> Outgoing:
    return Outgoing(id=OURS, to=to, text=text, **fields)


def settings_for(graph: Graph, **changes: str) -> Settings:
    given = {
        "phone_number_id": graph.phone_number_id,
        "waba_id": graph.waba_id,
        "token": graph.token,
        "app_secret": graph.app_secret,
        "verify_token": graph.verify_token,
        "graph_url": graph.url,
    }
    return Settings(**{**given, **changes})


@pytest.fixture
def graph() -> Iterator[Graph]:
    with Graph() as graph:
        yield graph


@pytest.fixture
def whatsapp(graph: Graph) -> Iterator[WhatsApp]:
    provider = WhatsApp(settings_for(graph))
    yield provider
    provider.close()
