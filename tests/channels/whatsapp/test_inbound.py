"""Webhook bodies, typed from the published shapes: what each means in the house's words."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from drivercrm.channels.provider import (
    AccountNotice,
    Address,
    AddressChanged,
    AddressKind,
    Choice,
    Event,
    Failure,
    Inbound,
    Preference,
    Receipt,
    ReceiptKind,
    RemoteFile,
    Said,
    Sender,
    TemplateChanged,
    Unknown,
)
from drivercrm.channels.whatsapp.inbound import limit_of, parse
from drivercrm.channels.whatsapp.reading import hexadecimal

PAYLOADS = Path(__file__).resolve().parents[2] / "payloads" / "whatsapp"
NUMBER_ID, WABA = "106540352242922", "102290129340398"
RECEIVED = datetime(2026, 6, 18, 12, 30, tzinfo=UTC)
AT = datetime.fromtimestamp(1781784000, UTC)
OURS = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
DIGEST = "49f227634806293b0995459bc310b593e1400f41591efcf07e9bced335f41942"


def wa(value: str) -> Address:
    return Address(AddressKind.WHATSAPP_ID, value)


def scoped(value: str) -> Address:
    return Address(AddressKind.BUSINESS_SCOPED_ID, value)


NANDI = Sender((scoped("ZA.13491208655302741918"), wa("27821234567")), name="Nandi Mkhize")


def events_of(name: str) -> list[Event]:
    body = (PAYLOADS / f"{name}.json").read_bytes()
    return parse(body, RECEIVED, phone_number_id=NUMBER_ID, waba_id=WABA)


def one(name: str) -> Any:
    events = events_of(name)
    assert len(events) == 1
    return events[0]


def said(key: str, said: Said, text: str = "", **fields: Any) -> Inbound:
    sender = fields.pop("sender", NANDI)
    return Inbound(key=key, provider_id=key, sender=sender, at=AT, said=said, text=text, **fields)


def test_a_text_has_both_ids_of_its_sender_the_scoped_one_first() -> None:
    assert one("text") == said("wamid.INtext", Said.TEXT, "Good morning, I want to join")


def test_a_quote_names_the_message_that_it_answers() -> None:
    assert one("quote") == said("wamid.INquote", Said.TEXT, "YES", quotes=("wamid.OUT1",))


def test_something_forwarded_answers_nothing() -> None:
    assert one("forwarded") == said("wamid.INfwd", Said.TEXT, "Look at this", context="Forwarded")


def test_an_advertisement_is_named_where_somebody_came_from_it() -> None:
    assert one("advertisement").context == "Advertisement: Drive with TimoRides"


def test_a_person_without_a_number_is_known_by_the_scoped_id() -> None:
    sender = Sender((scoped("ZA.13491208655302741918"),), name="Nandi Mkhize", username="nandi.drives")
    assert one("bsuid_only") == said("wamid.INbsuid", Said.TEXT, "No number of mine", sender=sender)


def test_a_scoped_id_in_the_place_of_a_number_is_still_a_scoped_id() -> None:
    sender = Sender((scoped("ZA.13491208655302741918"),), name="Nandi Mkhize")
    assert one("bsuid_in_from") == said("wamid.INinfrom", Said.TEXT, "Ids in odd places", sender=sender)


def test_a_parents_id_is_no_address_beside_others() -> None:
    assert one("parent_bsuid").sender == NANDI


def test_a_message_without_contacts_is_still_from_somebody() -> None:
    sender = Sender((scoped("ZA.13491208655302741918"), wa("27821234567")))
    assert one("without_contacts") == said("wamid.INnocontacts", Said.TEXT, "Who am I?", sender=sender)


def test_every_entry_change_and_message_of_a_batch_is_read_and_names_are_found_by_id() -> None:
    events = events_of("batched")

    assert [event.key for event in events] == [
        "wamid.INb1",
        "wamid.INb2",
        "wamid.OUT1:delivered:1781784001",
        "wamid.OUT2:read:1781784002",
        "wamid.INb3",
    ]
    assert [event.sender.name for event in events if isinstance(event, Inbound)] == [
        "Thandi Zulu",
        "Sipho Dube",
        "Nandi Mkhize",
    ]


def test_files_of_all_kinds() -> None:
    def file(number: int, media_type: str, **fields: Any) -> RemoteFile:
        return RemoteFile(id=f"10033834213872{number}", media_type=media_type, **{"sha256": DIGEST, **fields})

    image = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1003383421387256&source=webhook"
    assert [(event.text, event.files[0]) for event in events_of("media")] == [
        ("My licence", file(56, "image/jpeg", url=image)),
        ("", file(57, "video/mp4")),
        ("", file(58, "audio/ogg; codecs=opus")),
        ("", file(59, "audio/ogg; codecs=opus", sha256="")),
        ("Here", file(60, "application/pdf", name="roadworthy.pdf")),
        ("", file(61, "image/webp")),
    ]
    assert {event.said for event in events_of("media")} == {Said.FILE}


def test_coordinates_are_not_kept() -> None:
    event = one("location")
    assert event == said("wamid.INlocation", Said.LOCATION, "Rank, 12 Field St, Durban")
    assert "29.8" not in repr(event)


def test_only_a_number_that_we_asked_for_is_their_own() -> None:
    card, bare, asked = events_of("contacts")
    assert (card.said, card.text, card.shared_number) == (
        Said.CONTACT,
        "A contact card: Sipho Dube",
        "",
    )
    assert (bare.text, bare.shared_number) == ("A contact card", "")
    assert (asked.text, asked.shared_number) == ("Their own number", "+27 82 123 4567")


def test_buttons_and_answers_to_lists_and_forms() -> None:
    assert [(e.said, e.text, e.payload, e.quotes) for e in events_of("buttons")] == [
        (Said.BUTTON, "Stop promotions", "OPT_OUT", ()),
        (Said.BUTTON, "Yes", "YES", ("wamid.OUT1",)),
        (Said.BUTTON, "I have installed it", "install", ()),
        (Said.BUTTON, "09:00", "slot_9", ()),
        (Said.BUTTON, "Sent", '{"flow_token": "t", "broken', ()),
        (Said.OTHER, "Answer to a request to call: accept", "", ()),
    ]


def test_reactions_and_their_withdrawal() -> None:
    assert [(e.said, e.text, e.quotes) for e in events_of("reactions")] == [
        (Said.REACTION, "👍", ("wamid.OUT1",)),
        (Said.REACTION, "", ("wamid.OUT1",)),
        (Said.REACTION, "", ("wamid.OUT1",)),
    ]


def test_edits_and_revocations_name_the_message() -> None:
    assert [(e.said, e.text, e.quotes, len(e.files)) for e in events_of("edits")] == [
        (Said.EDIT, "Good evening", ("wamid.INtext",), 0),
        (Said.EDIT, "Both sides", ("wamid.INimage",), 1),
        (Said.REVOKED, "", ("wamid.INtext",), 0),
    ]


def test_kinds_without_a_reader_are_still_messages() -> None:
    order, unsupported, new, welcome = events_of("others")
    assert (order.said, order.text) == (Said.OTHER, "An order of 1 items. Two caps")
    assert (unsupported.said, unsupported.text) == (
        Said.OTHER,
        "A message of a kind that cannot be shown here",
    )
    assert (new.said, new.text) == (Said.OTHER, "A message of a kind that cannot be shown here (hologram)")
    assert isinstance(welcome, Unknown)


def test_a_new_number_makes_a_new_scoped_id_too() -> None:
    assert events_of("system_number") == [
        AddressChanged("wamid.INsysnum:number", wa("27821234567"), wa("27839876543"), AT),
        AddressChanged(
            "wamid.INsysnum:id", scoped("ZA.13491208655302741918"), scoped("ZA.99999999999999999999"), AT
        ),
    ]
    assert events_of("system_number_old") == [
        AddressChanged("wamid.INsysold:number", wa("27821234567"), wa("27839876543"), AT)
    ]


def test_a_new_scoped_id_without_a_number() -> None:
    assert events_of("system_user_id") == [
        AddressChanged(
            "wamid.INsysid:id", scoped("ZA.13491208655302741918"), scoped("ZA.99999999999999999999"), AT
        )
    ]
    assert isinstance(one("system_identity"), Unknown)


def read(**value: Any) -> Any:
    change = {"field": "messages", "value": value}
    (event,) = parse(json.dumps({"entry": [{"id": WABA, "changes": [change]}]}).encode(), RECEIVED)
    return event


def test_ids_of_a_change_may_stand_in_each_others_places() -> None:
    told = {"type": "user_changed_number", "customer": "ZA.1", "wa_id": "ZA.2", "body": "changed"}
    message = {"id": "wamid.IN1", "timestamp": "1781784000", "type": "system", "system": told}
    assert read(messages=[message]) == AddressChanged("wamid.IN1:id", scoped("ZA.1"), scoped("ZA.2"), AT)


def test_the_only_contact_has_written_the_only_message_that_names_nobody() -> None:
    contact = {"profile": {"name": "Nandi"}, "user_id": "ZA.1"}
    message = {"id": "wamid.IN1", "type": "text", "text": {"body": "Hi"}}
    assert read(contacts=[contact], messages=[message]).sender == Sender((scoped("ZA.1"),), "Nandi")
    parent = {"profile": {"name": "Nandi"}, "parent_user_id": "ZA.ENT.1"}
    assert read(contacts=[parent], messages=[message]).sender == Sender((scoped("ZA.ENT.1"),), "Nandi")


def test_new_kinds_of_answers_and_products_are_shown_as_such() -> None:
    answer = {"id": "a", "from": "27821234567", "type": "interactive", "interactive": {"type": "new"}}
    product = {
        **{"id": "a", "from": "27821234567", "type": "text", "text": {"body": "This one?"}},
        "context": {"referred_product": {"catalog_id": "1", "product_retailer_id": "cap"}},
    }
    assert read(messages=[answer]).text == "A message of a kind that cannot be shown here"
    assert read(messages=[product]).context == "A product of the catalogue"


@pytest.mark.parametrize(
    ("told", "expected"),
    [(DIGEST, DIGEST), (DIGEST.upper(), DIGEST), ("c2hvcnQ=", ""), ("no base64!", ""), (7, ""), (None, "")],
)
def test_digests_are_hexadecimal(told: object, expected: str) -> None:
    assert hexadecimal(told) == expected


@pytest.mark.parametrize("name", ["group", "echo", "other_number"])
def test_what_is_not_for_us_is_unknown(name: str) -> None:
    events = events_of(name)
    assert events
    assert all(isinstance(event, Unknown) for event in events)


def test_receipts() -> None:
    addresses = (scoped("ZA.13491208655302741918"), wa("27821234567"))
    kinds = [(1, "sent", 0, 0), (1, "delivered", 3, 0), (1, "read", 9, 0), (3, "played", 10, None)]
    assert events_of("statuses") == [
        Receipt(
            key=f"wamid.OUT{number}:{word}:{1781784000 + seconds}",
            kind=ReceiptKind.READ if word == "played" else ReceiptKind(word),
            at=AT + timedelta(seconds=seconds),
            provider_id=f"wamid.OUT{number}",
            our_id=OURS if own is not None else None,
            addresses=addresses,
        )
        for number, word, seconds, own in kinds
    ]


def test_read_may_come_alone() -> None:
    event = one("read_only")
    assert (event.kind, event.addresses) == (
        ReceiptKind.READ,
        (scoped("ZA.13491208655302741918"),),
    )


def test_a_failure_without_contacts_says_what_to_do() -> None:
    assert one("failed") == Receipt(
        key="wamid.OUT5:failed:1781784000",
        kind=ReceiptKind.FAILED,
        at=AT,
        provider_id="wamid.OUT5",
        our_id=OURS,
        failure=Failure.UNREACHABLE,
        code="131026",
        words="Message Undeliverable.",
        addresses=(wa("27821234567"),),
    )


def test_a_failure_without_message_or_without_reason() -> None:
    first, second = events_of("failed_bare")
    assert (first.failure, first.code, first.words) == (
        Failure.MARKETING_STOPPED,
        "131050",
        "Unable to deliver",
    )
    assert (second.failure, second.code, second.words) == (Failure.UNKNOWN_CODE, "", "")


def test_milliseconds_are_seconds_too() -> None:
    event = one("status_milliseconds")
    assert (event.at, event.key) == (
        datetime.fromtimestamp(1781784003.25, UTC),
        "wamid.OUT8:delivered:1781784003250",
    )


def test_statuses_without_a_name_here_are_unknown() -> None:
    assert [type(event) for event in events_of("status_unknown")] == [Unknown, Unknown]


def test_errors_without_a_message_are_the_accounts() -> None:
    event = one("errors_alone")
    assert isinstance(event, AccountNotice)
    assert (event.words, event.is_trouble, event.code) == (
        "Cloud API message throughput has been reached.",
        True,
        "130429",
    )


def test_metas_own_switch_is_about_marketing_only() -> None:
    stop, resume, signup = events_of("preferences")
    assert isinstance(stop, Preference)
    assert (stop.sender, stop.choice, stop.at) == (NANDI, Choice.MARKETING_STOPPED, AT)
    assert (resume.sender.addresses, resume.choice) == (
        (wa("27830000001"),),
        Choice.MARKETING_RESUMED,
    )
    assert signup.choice == Choice.MARKETING_RESUMED
    assert len({stop.key, resume.key, signup.key}) == 3


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("template_approved", {"state": "approved", "category": "utility"}),
        (
            "template_rejected",
            {
                "state": "rejected",
                "category": "marketing",
                "reason": "INVALID_FORMAT. Variables stand side by side. Put words between them",
            },
        ),
        (
            "template_paused",
            {
                "state": "paused",
                "reason": "FIRST_PAUSE. Your template has been paused for 3 hours",
            },
        ),
        ("template_quality", {"quality": "yellow"}),
        ("template_category_soon", {"reason": "Becomes marketing in 24 hours"}),
        ("template_category", {"category": "marketing"}),
        ("template_components", {}),
    ],
)
def test_decisions_about_templates(name: str, fields: dict[str, str]) -> None:
    event = one(name)
    assert event == TemplateChanged(key=event.key, name="welcome_1", language="en", at=AT, **fields)


def test_a_template_of_another_business_account_is_not_ours() -> None:
    body = (PAYLOADS / "template_approved.json").read_bytes()
    events = parse(body, RECEIVED, phone_number_id=NUMBER_ID, waba_id="1")
    assert [event.words for event in events] == ["For another business account"]


@pytest.mark.parametrize(
    ("name", "limit", "is_unlimited", "is_trouble", "words"),
    [
        ("capability", 2000, False, False, "2000 people may be written to first in a day"),
        (
            "capability_unlimited",
            None,
            True,
            False,
            "There is no limit to the people written to first in a day",
        ),
        ("capability_old", 250, False, False, "250 people may be written to first in a day"),
        ("number_upgrade", 10_000, False, False, "WhatsApp about the number: throughput upgrade"),
        ("number_flagged", 250, False, True, "WhatsApp about the number: flagged"),
        (
            "account_restricted",
            None,
            False,
            True,
            "WhatsApp about the account: account restriction (restricted biz initiated messaging)",
        ),
        ("account_reinstated", None, False, False, "WhatsApp about the account: disabled update (reinstate)"),
        (
            "account_disabled",
            None,
            False,
            True,
            "WhatsApp about the account: disabled update (schedule for disable)",
        ),
        ("account_alert", None, False, True, "More information is needed before the limit can grow."),
        ("name_rejected", None, False, True, "WhatsApp has decided: rejected (name not consistent)"),
    ],
)
def test_notices_about_the_account(
    name: str, limit: int | None, is_unlimited: bool, is_trouble: bool, words: str
) -> None:
    event = one(name)
    assert isinstance(event, AccountNotice)
    assert (event.limit, event.is_unlimited, event.is_trouble, event.words, event.at) == (
        limit,
        is_unlimited,
        is_trouble,
        words,
        AT,
    )


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        (2000, (2000, False)),
        ("TIER_250", (250, False)),
        ("TIER_2K", (2000, False)),
        ("TIER_100K", (100_000, False)),
        ("TIER_UNLIMITED", (None, True)),
        (-1, (None, True)),
        ("TIER_NOT_SET", (None, False)),
        (None, (None, False)),
    ],
)
def test_limits_are_written_in_several_ways(told: object, limit: tuple[int | None, bool]) -> None:
    assert limit_of(told) == limit


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
def test_keys_are_unique_and_the_same_in_every_delivery(path: Path) -> None:
    body = path.read_bytes()
    again = json.dumps(json.loads(body), sort_keys=True).encode()  # another order of names, other blanks

    keys = [event.key for event in parse(body, RECEIVED, phone_number_id=NUMBER_ID, waba_id=WABA)]
    later = parse(again, RECEIVED + timedelta(days=6), phone_number_id=NUMBER_ID, waba_id=WABA)

    assert len(set(keys)) == len(keys)
    assert [event.key for event in later] == keys
    assert all(0 < len(key) <= 200 for key in keys)


def test_a_batch_of_1000_statuses_and_a_body_of_3_megabytes_are_read_quickly() -> None:
    change = json.loads((PAYLOADS / "statuses.json").read_bytes())["entry"][0]["changes"][0]
    status = change["value"]["statuses"][0]
    many = [{**status, "id": f"wamid.OUT{number}"} for number in range(1000)]
    change["value"]["statuses"] = many
    batch = json.dumps({"object": "x", "entry": [{"id": WABA, "changes": [change]}]}).encode()
    text = json.loads((PAYLOADS / "text.json").read_bytes())["entry"][0]["changes"][0]
    message = text["value"]["messages"][0]
    text["value"]["messages"] = [
        {**message, "id": f"wamid.IN{number}", "text": {"body": "é" * 540}} for number in range(900)
    ]
    large = json.dumps({"object": "x", "entry": [{"id": WABA, "changes": [text]}]}).encode()
    assert len(large) > 2_900_000

    started = time.process_time()
    receipts = parse(batch, RECEIVED, phone_number_id=NUMBER_ID, waba_id=WABA)
    between = time.process_time()
    messages = parse(large, RECEIVED, phone_number_id=NUMBER_ID, waba_id=WABA)
    ended = time.process_time()

    assert (len(receipts), len(messages)) == (1000, 900)
    assert between - started < 1  # tens of milliseconds; a bound against something quadratic
    assert ended - between < 1
