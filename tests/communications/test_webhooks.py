"""The vendors' knocks, over HTTP, with the real adapters (spec §5.3)."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from django.test import Client

from drivercrm.communications import workflow as communications
from drivercrm.communications.models import ChannelAccount, Communication, RawBody, UnmatchedMessage
from tests.factories import make_driver

pytestmark = pytest.mark.django_db
SECRET = "the app's secret"
PHONE = "+27825550001"


@pytest.fixture
def account() -> ChannelAccount:
    made = ChannelAccount(channel="whatsapp", provider="cloud", hook_token="a-long-token", created_by="test")
    made.keep_settings(
        json.dumps(
            {
                "phone_number_id": "10001",
                "waba_id": "20002",
                "token": "made-up",
                "app_secret": SECRET,
                "verify_token": "hello-meta",
            }
        )
    )
    made.save()
    return made


def body(*texts: str, number: str = PHONE.lstrip("+")) -> bytes:
    """One webhook with a message for each text."""
    messages = [
        {
            "id": f"wamid.{text}",
            "from": number,
            "timestamp": "1795000000",
            "type": "text",
            "text": {"body": text},
        }
        for text in texts
    ]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "27110000000", "phone_number_id": "10001"},
        "contacts": [{"profile": {"name": "Sipho"}, "wa_id": number}],
        "messages": messages,
    }
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "20002", "changes": [{"field": "messages", "value": value}]}],
    }
    return json.dumps(envelope).encode()


def knock(client: Client, raw: bytes, *, secret: str = SECRET, token: str = "a-long-token") -> Any:
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return client.post(
        f"/hooks/{token}",
        raw,
        content_type="application/json",
        headers={"X-Hub-Signature-256": f"sha256={signature}"},
    )


def test_a_genuine_knock_is_kept_and_answered_and_understood_later(
    client: Client, account: ChannelAccount
) -> None:
    driver = make_driver(phone=PHONE)
    answer = knock(client, body("one", "two"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert RawBody.objects.get().state == "waiting"
    assert Communication.objects.count() == 0

    communications.understand()
    rows = Communication.objects.filter(driver=driver).order_by("provider_id")
    account.refresh_from_db()
    assert [(row.message_body, row.provider_id) for row in rows] == [
        ("one", "wamid.one"),
        ("two", "wamid.two"),
    ]
    assert account.last_heard_at == RawBody.objects.get().received_at


def test_the_same_knock_again_changes_nothing(client: Client, account: ChannelAccount) -> None:
    make_driver(phone=PHONE)
    for _ in range(3):
        assert knock(client, body("one")).status_code == 200
        communications.understand()
    knock(client, body("one", "two"))
    communications.understand()

    assert RawBody.objects.count() == 2
    assert sorted(Communication.objects.values_list("message_body", flat=True)) == ["one", "two"]


def test_a_wrong_or_missing_signature_stores_nothing(client: Client, account: ChannelAccount) -> None:
    assert knock(client, body("one"), secret="another").status_code == 403
    assert client.post("/hooks/a-long-token", body("one"), content_type="application/json").status_code == 403
    assert knock(client, body("one"), token="made-up").status_code == 404

    account.refresh_from_db()
    assert RawBody.objects.count() == 0
    assert account.last_forged_at is not None
    assert account.last_heard_at is None


def test_a_disconnected_account_hears_nothing(client: Client, account: ChannelAccount) -> None:
    ChannelAccount.objects.update(state="disconnected")

    assert knock(client, body("one")).status_code == 404
    assert RawBody.objects.count() == 0


def test_metas_first_question_is_answered_with_its_own_word(client: Client, account: ChannelAccount) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "hello-meta"}
    good = client.get("/hooks/a-long-token", asked)
    bad = client.get("/hooks/a-long-token", asked | {"hub.verify_token": "wrong"})

    assert (good.status_code, good.content, good["Content-Type"]) == (200, b"1158201444", "text/plain")
    assert bad.status_code == 403


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"not json", b'{"object": "something else"}', b"\xff\x00"])
def test_unknown_shapes_with_a_good_signature_are_kept_and_answered(
    client: Client, account: ChannelAccount, raw: bytes
) -> None:
    assert knock(client, raw).status_code == 200
    communications.understand()

    assert [(bytes(one.body), one.state) for one in RawBody.objects.all()] == [(raw, "done")]


def test_a_batch_of_a_thousand_and_three_megabytes(client: Client, account: ChannelAccount) -> None:
    make_driver(phone=PHONE)
    statuses = [
        {"id": f"wamid.{n}", "status": "delivered", "timestamp": "1795000000", "recipient_id": "27825550001"}
        for n in range(1_000)
    ]
    envelope = json.loads(body("one"))
    envelope["entry"][0]["changes"][0]["value"]["statuses"] = statuses
    envelope["filler"] = "x" * 2_900_000
    raw = json.dumps(envelope).encode()

    assert knock(client, raw).status_code == 200
    communications.understand()
    assert RawBody.objects.get().events == 1_001
    assert Communication.objects.count() == 1


def test_a_stranger_waits_in_triage(client: Client, account: ChannelAccount) -> None:
    knock(client, body("hello", number="27829999999"))
    communications.understand()

    one = UnmatchedMessage.objects.get()
    assert (one.name, one.text, one.addresses) == ("Sipho", "hello", [["whatsapp_id", "27829999999"]])
