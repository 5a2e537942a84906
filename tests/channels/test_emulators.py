"""The emulators as processes of their own, as kill tests and benchmarks start them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drivercrm.channels.provider import Address, AddressKind, Failure, Outgoing, SendFailed, TemplateCall
from drivercrm.channels.wati import adapter as wati
from drivercrm.channels.whatsapp import adapter as whatsapp

ROOT = Path(__file__).resolve().parents[2]
TO = Address(AddressKind.PHONE, "+27821234567")


@contextmanager
def running(name: str) -> Iterator[str]:
    """An emulator on a free port; its address."""
    command = [sys.executable, "-m", f"tests.emulators.{name}", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def tell(url: str, what: str, body: Any = None) -> Any:
    request = urllib.request.Request(f"{url}/_emulator/{what}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_the_graph_api_is_told_what_to_do_from_outside() -> None:
    with running("graph") as url:
        provider = whatsapp.WhatsApp(
            whatsapp.Settings(
                *("106540352242922", "102290129340398", "EAAB-token", "app-secret", "verify-me"),
                graph_url=url,
            )
        )
        tell(url, "template", {"name": "welcome_1", "body": "Hello {{name}}"})
        tell(url, "faults", [{"status": 400, "code": 131026}, {"drop": True, "is_taken": True}])
        tell(url, "settings", {"has_window": True})
        call = TemplateCall("welcome_1", "en", {"name": "Nandi"})
        messages = [Outgoing(uuid4(), TO, "Hello Nandi", template=call) for _ in range(3)]

        with pytest.raises(SendFailed) as refused:
            provider.send(messages[0])
        with pytest.raises(SendFailed) as in_doubt:
            provider.send(messages[1])
        accepted = provider.send(messages[2])
        with pytest.raises(SendFailed) as shut:
            provider.send(Outgoing(uuid4(), TO, "Hello"))
        taken = tell(url, "accepted")
        provider.close()

    failures = [failed.value.failure for failed in (refused, in_doubt, shut)]
    assert failures == [Failure.UNREACHABLE, Failure.IN_DOUBT, Failure.NEEDS_TEMPLATE]
    assert [one["our_id"] for one in taken] == [str(messages[1].id), str(messages[2].id)]
    assert taken[1]["wamid"] == accepted.provider_id


def test_wati_counts_what_it_has_taken() -> None:
    with running("wati") as url:
        provider = wati.Wati(wati.Settings(url, "wati-token", "a-long-random-word-in-the-path"))
        accepted = provider.send(Outgoing(uuid4(), TO, "Hello"))
        taken = tell(url, "accepted")
        provider.close()
    assert [one["local_id"] for one in taken] == [accepted.provider_id]
