"""Channels without an account behave like the real ones."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.channels.email.adapter import Provider as Email
from drivercrm.channels.email.settings import Settings as Mailbox
from drivercrm.channels.provider import (
    Accepted,
    Address,
    AddressKind,
    Attachment,
    Choice,
    Draft,
    Event,
    Failure,
    Inbound,
    KeptTemplate,
    Knock,
    NotReached,
    Outgoing,
    Preference,
    Receipt,
    RemoteFile,
    Said,
    Sender,
    SendFailed,
    TemplateCall,
    Unknown,
)
from drivercrm.channels.sandbox import written
from drivercrm.channels.sandbox.adapter import CAPABILITIES, Sandbox
from drivercrm.channels.sandbox.endings import NUMBERS, Channel, Outcome, outcome_of
from drivercrm.channels.sandbox.phone import Answer, answer, spoken, switched
from drivercrm.channels.sandbox.script import decision, script
from drivercrm.channels.telegram.adapter import Telegram
from drivercrm.channels.whatsapp.adapter import WhatsApp

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
ID = UUID("0198a1b2-0000-7000-8000-000000000001")
PHONE = Address(AddressKind.PHONE, "+27821234567")
CHAT = Address(AddressKind.TELEGRAM_CHAT, "7700000001")
MAIL = Address(AddressKind.EMAIL, "thandi@example.org")
USUAL = {Channel.WHATSAPP: PHONE, Channel.TELEGRAM: CHAT, Channel.EMAIL: MAIL}
TEMPLATE = TemplateCall("welcome", "en")


def sandbox(channel: Channel, **more: Any) -> Sandbox:
    return Sandbox(channel, sleep=lambda _: None, **more)


def outgoing(to: Address = PHONE, text: str = "Hello", number: int = 1, **more: Any) -> Outgoing:
    return Outgoing(id=UUID(int=ID.int + number), to=to, text=text, **more)


def at(channel: Channel, outcome: Outcome) -> Address:
    if channel == Channel.EMAIL:
        return Address(AddressKind.EMAIL, f"thandi+{outcome}@example.org")
    ending = next(digits for digits, one in NUMBERS.items() if one == outcome)
    if channel == Channel.TELEGRAM:
        return Address(AddressKind.TELEGRAM_CHAT, f"7700999{ending}")
    return Address(AddressKind.PHONE, f"+27700999{ending}")


def failing(provider: Sandbox, message: Outgoing) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        provider.send(message)
    return caught.value


def told(message: Outgoing, accepted: Accepted | None = None) -> list[tuple[float, str]]:
    story = script(message, accepted or Accepted("sandbox:x", NOW))
    return [
        (delay.total_seconds(), str(event.kind if isinstance(event, Receipt) else event.choice))  # type: ignore[union-attr]
        for delay, event in story
    ]


def test_a_sandbox_can_do_what_the_real_provider_can() -> None:
    email = Email(Mailbox("smtp.example.org", 587, "crm@example.org"))

    assert {
        Channel.WHATSAPP: WhatsApp.capabilities,
        Channel.TELEGRAM: Telegram.capabilities,
        Channel.EMAIL: email.capabilities,
    } == CAPABILITIES


@pytest.mark.parametrize("channel", Channel)
def test_a_usual_message_is_taken_after_a_moment(channel: Channel) -> None:
    waited: list[float] = []
    provider = Sandbox(channel, sleep=waited.append)
    before = datetime.now(UTC)

    accepted = provider.send(outgoing(USUAL[channel]))

    assert accepted.provider_id == f"sandbox:{UUID(int=ID.int + 1)}"
    assert before <= accepted.at <= datetime.now(UTC)
    assert (accepted.is_held, accepted.addresses) == (False, ())
    assert [0.02 <= seconds <= 0.12 for seconds in waited] == [True]


REFUSED = {
    Channel.WHATSAPP: {
        Outcome.TEMPORARY: Failure.TEMPORARY,
        Outcome.RATE: Failure.RATE,
        Outcome.IN_DOUBT: Failure.IN_DOUBT,
        Outcome.CONTENT: Failure.CONTENT,
        Outcome.RECIPIENT_RATE: Failure.RECIPIENT_RATE,
        Outcome.WINDOW_SHUT: Failure.NEEDS_TEMPLATE,
    },
    Channel.TELEGRAM: {
        Outcome.UNREACHABLE: Failure.UNREACHABLE,
        Outcome.BLOCKED: Failure.BLOCKED,
        Outcome.TEMPORARY: Failure.TEMPORARY,
        Outcome.RATE: Failure.RATE,
        Outcome.IN_DOUBT: Failure.IN_DOUBT,
        Outcome.CONTENT: Failure.CONTENT,
        Outcome.RECIPIENT_RATE: Failure.RATE,
    },
    Channel.EMAIL: {
        Outcome.TEMPORARY: Failure.TEMPORARY,
        Outcome.RATE: Failure.RATE,
        Outcome.IN_DOUBT: Failure.IN_DOUBT,
        Outcome.CONTENT: Failure.CONTENT,
        Outcome.RECIPIENT_RATE: Failure.RECIPIENT_RATE,
    },
}


@pytest.mark.parametrize("channel", Channel)
def test_each_made_up_address_has_its_failure(channel: Channel) -> None:
    failures = {}
    for outcome in NUMBERS.values():
        try:
            sandbox(channel).send(outgoing(at(channel, outcome)))
        except SendFailed as error:
            failures[outcome] = error.failure

    assert failures == REFUSED[channel]


@pytest.mark.parametrize(
    ("outcome", "events"),
    [
        (Outcome.UNREACHABLE, ["failed"]),
        (Outcome.BLOCKED, ["failed"]),
        (Outcome.NOT_NOW, ["failed"]),
        (Outcome.MARKETING_STOPPED, ["failed", "marketing_stopped"]),
        (Outcome.NEVER_READ, ["sent", "delivered"]),
        (Outcome.READ_ALONE, ["sent", "read"]),
        (Outcome.NEVER_DELIVERED, ["sent"]),
    ],
)
def test_each_made_up_number_has_its_story(outcome: Outcome, events: list[str]) -> None:
    message = outgoing(at(Channel.WHATSAPP, outcome), template=TEMPLATE)

    assert [event for _, event in told(message)] == events


def test_whatsapp_tells_why_a_message_failed_later() -> None:
    [(_, event)] = script(outgoing(at(Channel.WHATSAPP, Outcome.UNREACHABLE)), Accepted("sandbox:x", NOW))

    assert isinstance(event, Receipt)
    assert (event.failure, event.code, event.our_id) == (
        Failure.UNREACHABLE,
        "131026",
        UUID(int=ID.int + 1),
    )


def test_a_held_message_goes_out_after_its_minute() -> None:
    message = outgoing(at(Channel.WHATSAPP, Outcome.HELD))

    accepted = sandbox(Channel.WHATSAPP).send(message)

    assert accepted.is_held
    assert told(message, accepted)[0][0] > 60


def test_receipts_of_whatsapp_come_in_order_and_not_from_everybody() -> None:
    stories = [tuple(event for _, event in told(outgoing(number=number))) for number in range(400)]
    delays = [[delay for delay, _ in told(outgoing(number=number))] for number in range(400)]

    assert set(stories) == {("sent", "delivered"), ("sent", "delivered", "read"), ("sent", "read")}
    assert 60 <= stories.count(("sent", "delivered")) <= 140
    assert all(one == sorted(one) and 0.5 <= one[0] <= 2 for one in delays)
    arrived = [one[1] for one, story in zip(delays, stories, strict=True) if "delivered" in story]
    assert 0.05 <= sum(delay > 60 for delay in arrived) / len(arrived) <= 0.15


@pytest.mark.parametrize("channel", [Channel.TELEGRAM, Channel.EMAIL])
def test_telegram_and_mail_say_nothing_of_what_arrived(channel: Channel) -> None:
    assert all(told(outgoing(USUAL[channel], number=number)) == [] for number in range(50))


def test_a_mail_to_nobody_bounces_and_one_to_the_annoyed_is_complained_of() -> None:
    bounced = script(outgoing(at(Channel.EMAIL, Outcome.UNREACHABLE)), Accepted("sandbox:x", NOW))
    annoyed = script(outgoing(at(Channel.EMAIL, Outcome.BLOCKED)), Accepted("sandbox:x", NOW))

    assert [(one.kind, one.failure, one.code) for _, one in bounced if isinstance(one, Receipt)] == [
        ("failed", Failure.UNREACHABLE, "5.1.1")
    ]
    assert [one.choice for _, one in annoyed if isinstance(one, Preference)] == [Choice.COMPLAINED]


def test_a_message_in_doubt_is_settled_on_whatsapp_alone() -> None:
    [first, *_] = script(outgoing(at(Channel.WHATSAPP, Outcome.IN_DOUBT)), None, at=NOW)
    elsewhere = [
        script(outgoing(at(channel, Outcome.IN_DOUBT)), None, at=NOW)
        for channel in (Channel.TELEGRAM, Channel.EMAIL)
    ]

    assert isinstance(first[1], Receipt)
    assert (first[1].kind, first[1].our_id) == ("sent", UUID(int=ID.int + 1))
    assert elsewhere == [[], []]


@given(number=st.integers(0, 10_000), channel=st.sampled_from(list(Channel)))
def test_the_same_message_has_the_same_story(number: int, channel: Channel) -> None:
    message = outgoing(USUAL[channel], "Answer YES to join.", number=number)
    accepted = Accepted("sandbox:x", NOW)

    assert script(message, accepted) == script(message, accepted)
    assert answer(message) == answer(message)
    assert all(
        event.at == NOW + delay for delay, event in script(message, accepted) if isinstance(event, Receipt)
    )


HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("heard", "template", "code"),
    [
        (None, None, "131047"),
        (25 * HOURS, None, "131047"),
        (23 * HOURS, None, ""),
        (None, TEMPLATE, ""),
        (25 * HOURS, TEMPLATE, ""),
    ],
)
def test_outside_the_window_whatsapp_takes_templates_only(
    heard: timedelta | None, template: TemplateCall | None, code: str
) -> None:
    last = datetime.now(UTC) - heard if heard else None
    provider = sandbox(Channel.WHATSAPP, last_heard=lambda _: last)
    message = outgoing(template=template)

    if code:
        error = failing(provider, message)
        assert (error.failure, error.code) == (Failure.NEEDS_TEMPLATE, code)
    else:
        assert provider.send(message).provider_id == f"sandbox:{message.id}"


def test_a_template_must_be_approved_and_not_paused() -> None:
    kept = [KeptTemplate("welcome", "en", state, "utility", "Hello") for state in ("pending", "approved")]
    call = outgoing(template=TEMPLATE)

    unknown = failing(sandbox(Channel.WHATSAPP, kept=[]), call)
    pending = failing(sandbox(Channel.WHATSAPP, kept=kept[:1]), call)
    approved = sandbox(Channel.WHATSAPP, kept=kept[1:]).send(call)
    paused = failing(sandbox(Channel.WHATSAPP), outgoing(template=TemplateCall("old_paused", "en")))

    assert [one.code for one in (unknown, pending, paused)] == ["132001", "132001", "132015"]
    assert approved.provider_id == f"sandbox:{call.id}"


def test_the_templates_are_those_that_the_caller_keeps() -> None:
    kept = [KeptTemplate("welcome", "en", "approved", "utility", "Hello")]

    assert (sandbox(Channel.WHATSAPP, kept=kept).templates(), sandbox(Channel.WHATSAPP).templates()) == (
        kept,
        [],
    )


def test_who_stopped_marketing_still_gets_an_answer() -> None:
    message = outgoing(at(Channel.WHATSAPP, Outcome.MARKETING_STOPPED))

    assert told(message)[0][1] == "sent"


def test_a_message_that_was_never_tried_has_no_story() -> None:
    assert script(outgoing(), None) == []


def test_a_template_is_taken_in_and_decided_about() -> None:
    provider = sandbox(Channel.WHATSAPP)
    draft = Draft("reminder", "en", "utility", "Hello {{name}}", examples={"name": "Nomsa"}, buttons=("Yes",))

    kept = provider.submit(draft)
    delay, change = decision(draft, NOW)

    assert (kept.state, kept.variables, kept.buttons) == ("pending", ("name",), ("Yes",))
    assert (delay, change.state, change.category) == (timedelta(seconds=5), "approved", "utility")
    assert decision(Draft("bad_rejected", "en", "utility", "Hi"), NOW)[1].state == "rejected"
    assert decision(Draft("sale_marketing", "en", "utility", "Hi"), NOW)[1].category == "marketing"


@pytest.mark.parametrize(
    "draft",
    [
        Draft("Big Name", "en", "utility", "Hello"),
        Draft("reminder", "en", "utility", " "),
        Draft("reminder", "en", "utility", "Hello {{name}}"),
    ],
)
def test_a_template_that_whatsapp_would_refuse_is_refused(draft: Draft) -> None:
    with pytest.raises(NotReached) as caught:
        sandbox(Channel.WHATSAPP).submit(draft)

    assert caught.value.failure == Failure.CONTENT


@pytest.mark.parametrize(
    ("channel", "message", "failure"),
    [
        (Channel.TELEGRAM, outgoing(PHONE), Failure.UNREACHABLE),
        (Channel.TELEGRAM, outgoing(Address(AddressKind.TELEGRAM_CHAT, "@nomsa")), Failure.UNREACHABLE),
        (Channel.WHATSAPP, outgoing(Address(AddressKind.PHONE, "unknown")), Failure.UNREACHABLE),
        (Channel.EMAIL, outgoing(Address(AddressKind.EMAIL, "thandi")), Failure.UNREACHABLE),
        (Channel.WHATSAPP, outgoing(text="  "), Failure.CONTENT),
        (Channel.WHATSAPP, outgoing(text="a" * 4097), Failure.CONTENT),
        (Channel.TELEGRAM, outgoing(CHAT, "😀" * 2049), Failure.CONTENT),
        (
            Channel.TELEGRAM,
            outgoing(CHAT, "a" * 1025, attachments=(Attachment("a.pdf", "application/pdf", b"a"),)),
            Failure.CONTENT,
        ),
        (
            Channel.WHATSAPP,
            outgoing(attachments=(Attachment("a.jpg", "image/jpeg; q=1", b"a" * 5_242_881),)),
            Failure.CONTENT,
        ),
        (
            Channel.WHATSAPP,
            outgoing(attachments=(Attachment("a.png", "image/png", b"a"),) * 2),
            Failure.CONTENT,
        ),
    ],
)
def test_what_the_real_provider_cannot_carry_is_refused(
    channel: Channel, message: Outgoing, failure: Failure
) -> None:
    assert failing(sandbox(channel), message).failure == failure


@pytest.mark.parametrize(
    "address",
    [
        Address(AddressKind.WHATSAPP_ID, "27821234567"),
        Address(AddressKind.BUSINESS_SCOPED_ID, "ZA.13491208655302741918"),
        Address(AddressKind.PHONE, "+27700099900"),
        Address(AddressKind.EMAIL, "thandi+work@example.org"),
    ],
)
def test_other_addresses_are_usual(address: Address) -> None:
    assert outcome_of(address) == Outcome.USUAL


def test_the_manual_lists_every_made_up_address() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "channels" / "sandbox.md").read_text()

    rows = dict(re.findall(r"^\| (\d{3}) \| (\w+) \|", manual, re.MULTILINE))

    assert rows == {digits: str(outcome) for digits, outcome in NUMBERS.items()}


def answers(text: str, **more: Any) -> list[Answer]:
    found = [answer(outgoing(text=text, number=number, **more)) for number in range(600)]
    return [one for one in found if one]


def test_made_up_drivers_answer_as_drivers_do() -> None:
    to_yes = answers("Answer YES to get messages.")
    to_others = answers("Your May pay is out.")

    assert 300 <= len(to_yes) <= 420
    assert 150 <= len(to_others) <= 270
    assert sum(one.text in ("YES", "Yes") for one in to_yes) > len(to_yes) / 2
    assert {"YES", "STOP", "NO"} <= {one.text for one in to_yes}
    assert "YES" not in {one.text for one in to_others}
    assert all(timedelta(seconds=20) <= one.delay <= timedelta(hours=4) for one in to_yes)
    assert {one.is_quote for one in to_yes} == {True, False}


def test_made_up_drivers_press_buttons_and_quote_mails() -> None:
    template = TemplateCall("welcome", "en", button_payloads=("CONSENT_YES", "OPT_OUT"))

    pressed = answers("Answer YES to get messages.", template=template)

    assert sum(one.payload == "CONSENT_YES" for one in pressed) > len(pressed) / 2
    assert all(one.is_quote for one in answers("Hello", to=MAIL))


@pytest.mark.parametrize(
    "outcome", [Outcome.UNREACHABLE, Outcome.BLOCKED, Outcome.NEVER_DELIVERED, Outcome.NEVER_READ]
)
def test_nobody_answers_what_has_not_arrived(outcome: Outcome) -> None:
    assert answers("Answer YES", to=at(Channel.WHATSAPP, outcome)) == []


def test_words_from_the_simulated_phone_go_the_way_of_a_webhook() -> None:
    provider = sandbox(Channel.WHATSAPP)
    sender = Sender((PHONE,), "Nomsa Dube")

    said = spoken(sender, "YES", key="7:1", at=NOW, payload="CONSENT_YES", quotes=("sandbox:x",))
    block = switched(sender, Choice.BLOCKED, key="7:2", at=NOW)

    assert (said.said, said.key, said.payload) == (Said.BUTTON, "sandbox:7:1", "CONSENT_YES")
    assert [provider.parse(written.write(one), NOW) for one in (said, block)] == [[said], [block]]


def test_a_file_from_the_simulated_phone_comes_with_its_content() -> None:
    provider = sandbox(Channel.WHATSAPP)
    file = RemoteFile("1", "licence.jpg", "image/jpeg", content=bytes(range(256)))

    said = spoken(Sender((PHONE,)), "", key="8", at=NOW, files=(file,))
    [again] = provider.parse(written.write(said), NOW)

    assert isinstance(again, Inbound)
    assert (again.said, again.files) == (Said.FILE, (file,))
    assert provider.fetch(again.files[0], 1000).content == file.content


@pytest.mark.parametrize(
    "fields",
    [
        '{"key": "k", "words": 7}',
        '{"key": "k"}',
        '{"key": "k", "words": "w", "more": 1}',
        "[]",
    ],
)
def test_a_body_with_other_fields_is_unknown(fields: str) -> None:
    [event] = sandbox(Channel.EMAIL).parse(b'{"event": "Unknown", "fields": %s}' % fields.encode(), NOW)

    assert isinstance(event, Unknown)
    assert event.words == "not an event of the sandbox"


@pytest.mark.parametrize("moment", ["2026-11-16T09:00:00", "soon", 5])
def test_a_body_without_a_time_is_unknown(moment: object) -> None:
    body = json.dumps({"event": "AccountNotice", "fields": {"key": "k", "words": "w", "at": moment}})

    assert isinstance(sandbox(Channel.EMAIL).parse(body.encode(), NOW)[0], Unknown)


st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
EVENTS = st.one_of(*(st.from_type(kind) for kind in get_args(Event)))


@given(event=EVENTS)
def test_every_event_comes_back_as_it_was_written(event: Event) -> None:
    body = written.write(event)

    assert written.read(body) == event
    assert written.write(written.read(body)) == body


@given(
    body=st.binary()
    | st.sampled_from(
        [b"[]", b"null", b'{"event": "Receipt"}', b'{"event": "Inbound", "fields": {"files": {}}}']
    )
)
def test_other_bodies_are_unknown(body: bytes) -> None:
    [event] = sandbox(Channel.EMAIL).parse(body, NOW)

    assert isinstance(event, Unknown)


def test_nobody_knocks_and_a_file_comes_with_its_event() -> None:
    provider = sandbox(Channel.WHATSAPP)
    knock = Knock("POST", {}, {}, b"{}")
    file = RemoteFile("1", "a.txt", "text/plain", content=b"abc")

    assert (provider.is_genuine(knock), provider.greeting(knock)) == (False, None)
    assert provider.fetch(file, 3).content == b"abc"
    with pytest.raises(NotReached):
        provider.fetch(file, 2)
    assert (provider.check().limit, sandbox(Channel.EMAIL).check().limit) == (2000, None)


def test_a_simulated_inbound_is_a_text() -> None:
    said = spoken(Sender((MAIL,)), "Hello", key="1", at=NOW, reply_token="abc", subject="Re: Welcome")

    assert isinstance(said, Inbound)
    assert (said.said, said.text, said.full_text, said.reply_token) == (Said.TEXT, "Hello", "Hello", "abc")
