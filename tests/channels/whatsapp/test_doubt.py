"""After a send that went wrong: was the message taken for certain not, or does nobody know?"""

import socket
import threading
import time

import httpx
import pytest

from drivercrm.channels.provider import Failure, NotReached, SendFailed
from drivercrm.channels.whatsapp import graph as way_out
from drivercrm.channels.whatsapp.adapter import WhatsApp
from tests.channels.whatsapp.conftest import outgoing, settings_for
from tests.channels.whatsapp.test_sending import PICTURE
from tests.emulators.graph import Fault, Graph

PAGE = "<html><body>Sorry, something went wrong.</body></html>"


def failure(whatsapp: WhatsApp, **fields: object) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        whatsapp.send(outgoing(**fields))
    return failed.value


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop=True, is_taken=True),
        Fault(drop=True),
        Fault(status=500, body=PAGE, is_taken=True),
        Fault(status=502, body=PAGE),
        Fault(status=503, body=PAGE),
        Fault(status=504, body=""),
        Fault(status=500, body='{"error":'),
        Fault(status=500, body='{"error":{"message":"An unknown error occurred"}}'),
        Fault(status=500, code=9999999),
        Fault(status=408, body=PAGE),
        Fault(status=200, body=PAGE, is_taken=True),
        Fault(status=200, body="", is_taken=True),
        Fault(status=200, body="[]", is_taken=True),
        Fault(status=200, body='{"messages":[]}', is_taken=True),
        Fault(status=200, body='{"messages":[{"id":null}]}', is_taken=True),
        Fault(status=302, body=PAGE),
        Fault(status=200, body="{}", headers={"Content-Length": "5000"}, is_taken=True),
    ],
)
def test_it_may_have_been_taken(graph: Graph, whatsapp: WhatsApp, fault: Fault) -> None:
    graph.fault(fault)

    assert failure(whatsapp).failure == Failure.IN_DOUBT
    assert len([one for one in graph.seen if one.path.endswith("/messages")]) == 1  # and was not tried again


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        (Fault(status=500, code=131000), Failure.TEMPORARY, "131000"),
        (Fault(status=503, code=2, extra={"is_transient": True}), Failure.TEMPORARY, "2"),
        (Fault(status=400, code=130429), Failure.RATE, "130429"),
        (Fault(status=429, body=PAGE), Failure.RATE, "HTTP 429"),
        (Fault(status=400, code=131056), Failure.RECIPIENT_RATE, "131056"),
        (Fault(status=400, code=131026), Failure.UNREACHABLE, "131026"),
        (Fault(status=400, code=131050), Failure.MARKETING_STOPPED, "131050"),
        (Fault(status=400, code=131049), Failure.NOT_NOW, "131049"),
        (Fault(status=400, code=131048), Failure.CAMPAIGN, "131048"),
        (Fault(status=404, code=132001), Failure.TEMPLATE, "132001"),
        (Fault(status=403, code=10), Failure.ACCOUNT, "10"),
        (Fault(status=401, body=PAGE), Failure.ACCOUNT, "HTTP 401"),
        (Fault(status=404, body=PAGE), Failure.UNKNOWN_CODE, "HTTP 404"),
        (Fault(status=400, code=9999999), Failure.UNKNOWN_CODE, "9999999"),
        (Fault(status=400, code=9999999, extra={"is_transient": True}), Failure.TEMPORARY, "9999999"),
        (Fault(status=400, body='{"error":"no"}'), Failure.UNKNOWN_CODE, "HTTP 400"),
        (Fault(status=400, body='{"error":{"code":"131047"}}'), Failure.NEEDS_TEMPLATE, "131047"),
        (Fault(status=400, body='{"error":{"code":{}}}'), Failure.UNKNOWN_CODE, "HTTP 400"),
        (Fault(status=413, body=PAGE), Failure.UNKNOWN_CODE, "HTTP 413"),
    ],
)
def test_it_was_certainly_not_taken(
    graph: Graph, whatsapp: WhatsApp, fault: Fault, expected: Failure, code: str
) -> None:
    graph.fault(fault)

    failed = failure(whatsapp)

    assert (failed.failure, failed.code) == (expected, code)
    assert failed.words
    assert graph.taken == []


def test_without_a_connection_nothing_has_left() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Graph() as graph:
            provider = WhatsApp(settings_for(graph, graph_url=url))
            failed = failure(provider)
            provider.close()

    assert (failed.failure, failed.code) == (Failure.TEMPORARY, "ConnectError")


def test_a_name_that_nobody_knows_is_a_missing_connection(graph: Graph) -> None:
    provider = WhatsApp(settings_for(graph, graph_url="http://nowhere.invalid"))
    assert failure(provider).failure == Failure.TEMPORARY
    provider.close()


def test_an_answer_that_is_too_late_is_in_doubt(
    graph: Graph, whatsapp: WhatsApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(way_out, "TIMEOUT", httpx.Timeout(0.2))
    graph.fault(Fault(hold=True))
    started = time.monotonic()

    failed = failure(whatsapp)
    graph.release()

    assert (failed.failure, failed.code) == (Failure.IN_DOUBT, "ReadTimeout")
    assert time.monotonic() - started < 5
    assert len(graph.taken) == 1  # as it happens, it was


def test_a_held_answer_that_comes_in_time_is_an_answer(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.fault(Fault(hold=True))
    threading.Timer(0.2, graph.release).start()
    assert whatsapp.send(outgoing()).provider_id == graph.taken[0].wamid


def test_a_connection_that_was_closed_meanwhile_carries_no_message(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.fault(*(Fault(hangs_up=True) for _ in range(5)))
    for _ in range(6):
        whatsapp.send(outgoing())
        time.sleep(0.05)
    assert len(graph.taken) == 6


def test_no_free_connection_is_no_doubt(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_out, "TIMEOUT", httpx.Timeout(5, pool=0.1))
    monkeypatch.setattr(way_out, "LIMITS", httpx.Limits(max_connections=1))
    provider = WhatsApp(settings_for(graph))
    graph.fault(Fault(hold=True))
    first = threading.Thread(target=provider.send, args=(outgoing(),))
    first.start()
    while not graph.taken:
        time.sleep(0.01)

    failed = failure(provider)
    graph.release()
    first.join()
    provider.close()

    assert (failed.failure, failed.code, len(graph.taken)) == (Failure.TEMPORARY, "PoolTimeout", 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(path="/media", drop=True), Failure.TEMPORARY),
        (Fault(path="/media", status=500, body=PAGE), Failure.TEMPORARY),
        (Fault(path="/media", status=200, body="{}"), Failure.TEMPORARY),
        (Fault(path="/media", status=401, code=190), Failure.ACCOUNT),
        (Fault(path="/media", status=400, code=100), Failure.CONTENT),
    ],
)
def test_a_failed_upload_leaves_no_doubt(
    graph: Graph, whatsapp: WhatsApp, fault: Fault, expected: Failure
) -> None:
    graph.fault(fault)
    assert failure(whatsapp, attachments=(PICTURE,)).failure == expected
    assert graph.taken == []


def test_the_pause_that_an_answer_asks_for_is_passed_on(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.fault(
        Fault(status=429, code=4, headers={"Retry-After": "17"}),
        Fault(status=400, code=131049),
        Fault(status=400, code=131026),
    )
    waits = [failure(whatsapp).wait for _ in range(3)]
    assert [None if wait is None else wait.total_seconds() for wait in waits] == [17, 86_400, None]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(path="/", drop=True), Failure.TEMPORARY),
        (Fault(path="/", status=502, body=PAGE), Failure.TEMPORARY),
        (Fault(path="/", status=200, body="[]"), Failure.TEMPORARY),
        (Fault(path="/", status=200, body=PAGE), Failure.TEMPORARY),
        (Fault(path="/", status=401, code=190), Failure.ACCOUNT),
        (Fault(path="/", status=400, code=80007), Failure.RATE),
    ],
)
def test_questions_may_be_asked_again(
    graph: Graph, whatsapp: WhatsApp, fault: Fault, expected: Failure
) -> None:
    for ask in (whatsapp.check, whatsapp.templates):
        graph.fault(fault)
        with pytest.raises(NotReached) as failed:
            ask()
        assert failed.value.failure == expected
