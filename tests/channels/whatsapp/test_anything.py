"""Bodies that nobody has thought of: the reader never raises and loses nothing."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drivercrm.channels.provider import Inbound, Receipt, Unknown
from drivercrm.channels.whatsapp.inbound import parse

PAYLOADS = [
    json.loads(path.read_bytes())
    for path in sorted((Path(__file__).resolve().parents[2] / "payloads" / "whatsapp").glob("*.json"))
]
NUMBER_ID, WABA = "106540352242922", "102290129340398"
RECEIVED = datetime(2026, 6, 18, tzinfo=UTC)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["ZA.1", "27821234567", "1781784000", "\ud800", "a\x00b", "9" * 400, 10**40, 253402300800]
    )
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def read(body: bytes) -> list[Any]:
    return parse(body, RECEIVED, phone_number_id=NUMBER_ID, waba_id=WABA)


def check(events: list[Any]) -> None:
    assert events
    for event in events:
        assert 0 < len(event.key) <= 200
        shown = [event.key, *(v for v in vars(event).values() if isinstance(v, str))]
        if isinstance(event, Inbound):
            shown += [event.sender.name, event.sender.username, *event.quotes]
            shown += [
                part for file in event.files for part in (file.id, file.name, file.media_type, file.url)
            ]
        if isinstance(event, Inbound):
            files = [(file.name, 200) for file in event.files] + [
                (file.media_type, 120) for file in event.files
            ]
            bounded = [(event.sender.name, 200), *((quote, 200) for quote in event.quotes), *files]
            assert all(len(text) <= most for text, most in bounded)
        if isinstance(event, Inbound | Receipt):
            assert len(event.provider_id) <= 200
            assert 2000 < event.at.year < 2101
        if isinstance(event, Receipt):
            assert len(event.code) <= 9
        for text in shown:
            text.encode()  # every database takes it
            assert "\x00" not in text


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    check(read(body))


@given(ANYTHING)
def test_any_json(value: Any) -> None:
    check(read(json.dumps(value).encode()))


@given(ANYTHING, st.sampled_from(["messages", "statuses", "errors", "contacts", "user_preferences", "event"]))
def test_anything_inside_a_change(value: Any, name: str) -> None:
    for field in ("messages", "user_preferences", "account_update", "message_template_status_update"):
        change = {"field": field, "value": {name: value}}
        check(read(json.dumps({"entry": [{"id": WABA, "changes": [change]}]}).encode()))


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, one in inner for place in places(one, (*way, key)))]


@given(st.data())
def test_any_part_of_a_payload_may_be_missing_or_anything_else(data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(PAYLOADS)))
    for _ in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from(places(body)))
        if not way:
            continue
        inside = body
        for step in way[:-1]:
            inside = inside[step]
        if data.draw(st.booleans()):
            inside[way[-1]] = data.draw(ANYTHING)
        else:
            del inside[way[-1]]
    check(read(json.dumps(body).encode()))


@given(st.sampled_from(PAYLOADS), st.lists(ANYTHING, min_size=1, max_size=3))
def test_what_cannot_be_read_does_not_touch_its_neighbours(body: dict[str, Any], strange: list[Any]) -> None:
    body = copy.deepcopy(body)
    alone = read(json.dumps(body).encode())
    body["entry"] = [*strange, *body["entry"], *strange]
    together = read(json.dumps(body).encode())

    keys = {event.key for event in together}
    assert {event.key for event in alone} <= keys


@given(st.lists(st.sampled_from(PAYLOADS), min_size=1, max_size=6))
def test_batches_say_the_same_as_their_parts(bodies: list[dict[str, Any]]) -> None:
    apart = [event for body in bodies for event in read(json.dumps(body).encode())]
    entries = [entry for body in bodies for entry in body["entry"]]
    together = read(json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode())
    assert together == apart


def test_nesting_without_end_is_unknown() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert [type(event) for event in read(deep.encode())] == [Unknown]
    for depth in range(900, 1000):  # some can be read but not written again
        inside = "[" * depth + "]" * depth
        body = f'{{"entry":[{{"id":"1","changes":[{{"field":"new","value":{inside}}}]}}]}}'
        check(read(body.encode()))
        assert [e.key for e in read(body.encode())] == [e.key for e in read(body.encode())]


def test_a_receipt_may_be_known_by_our_id_alone() -> None:
    ours = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    status = {"status": "sent", "timestamp": "1781784000", "biz_opaque_callback_data": ours}
    change = {"field": "messages", "value": {"statuses": [status]}}
    events = read(json.dumps({"entry": [{"changes": [change]}]}).encode())
    assert [(type(e), e.key, str(e.our_id)) for e in events] == [(Receipt, f"{ours}:sent:1781784000", ours)]
