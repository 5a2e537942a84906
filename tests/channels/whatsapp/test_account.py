"""The door, the account's standing, and its templates."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pywa import WhatsApp as Pywa
from pywa import types

from drivercrm.channels.provider import (
    Address,
    AddressChanged,
    AddressKind,
    Draft,
    Failure,
    Inbound,
    KeptTemplate,
    Knock,
    NotReached,
    Receipt,
    Standing,
    TemplateChanged,
)
from drivercrm.channels.whatsapp.adapter import WhatsApp
from tests.channels.whatsapp.conftest import OURS, RECEIVED, outgoing, settings_for
from tests.emulators.graph import Fault, Graph, signature

BODY = '{"entry": [{"text": "Molo, é"}]}'.encode()


def knock(body: bytes = BODY, **headers: str) -> Knock:
    return Knock("POST", {}, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_a_body_signed_with_the_apps_secret_is_genuine(graph: Graph, whatsapp: WhatsApp) -> None:
    signed = signature(BODY, graph.app_secret)

    assert len(signed) == 71
    assert whatsapp.is_genuine(knock(x_hub_signature_256=signed))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "sha256=",
        signature(BODY, "another"),
        signature(BODY + b" ", "app-secret"),
        signature(BODY, "app-secret").upper(),
        signature(BODY, "app-secret").removeprefix("sha256="),
        "sha1=0000",
        "sha256=\ud800é" + "0" * 62,
    ],
)
def test_any_other_body_is_not(whatsapp: WhatsApp, given: str) -> None:
    assert not whatsapp.is_genuine(knock(x_hub_signature_256=given))
    assert not whatsapp.is_genuine(knock())


def test_without_a_secret_nothing_is_genuine(graph: Graph) -> None:
    assert not WhatsApp(settings_for(graph, app_secret="")).is_genuine(
        knock(x_hub_signature_256=signature(BODY, ""))
    )


def greeting(token: str = "verify-me", mode: str = "subscribe", challenge: str = "1158201444") -> Knock:
    query = {"hub.mode": mode, "hub.challenge": challenge, "hub.verify_token": token}
    return Knock("GET", query, {}, b"")


def test_the_challenge_is_answered_to_who_knows_the_verify_token(graph: Graph, whatsapp: WhatsApp) -> None:
    assert whatsapp.greeting(greeting()) == "1158201444"
    for other in (greeting("other"), greeting(""), greeting("é"), greeting(mode="unsubscribe"), knock()):
        assert whatsapp.greeting(other) is None
    assert whatsapp.greeting(greeting(challenge="<script>")) is None
    assert WhatsApp(settings_for(graph, verify_token="")).greeting(greeting("")) is None


def test_the_standing_names_the_number_its_limit_and_its_quality(whatsapp: WhatsApp) -> None:
    assert whatsapp.check() == Standing("TimoRides", "+27 31 555 0100", limit=250, quality="green")


def test_an_unlimited_account_has_no_limit(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.phone["whatsapp_business_manager_messaging_limit"] = "TIER_UNLIMITED"
    assert (whatsapp.check().limit, whatsapp.check().words) == (None, "")


def test_the_standing_says_what_is_wrong(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.apps = []
    graph.phone["status"] = "FLAGGED"
    del graph.phone["whatsapp_business_manager_messaging_limit"]
    assert whatsapp.check().words == (
        "No app is subscribed to the WhatsApp business account, so nothing can come in. "
        "WhatsApp says of the number: flagged. WhatsApp did not tell the messaging limit."
    )


@pytest.mark.parametrize("name", ["phone_number_id", "waba_id"])
def test_a_wrong_id_is_said_by_the_check(graph: Graph, name: str) -> None:
    provider = WhatsApp(settings_for(graph, **{name: "1"}))
    with pytest.raises(NotReached) as failed:
        provider.check()
    provider.close()
    assert (failed.value.failure, failed.value.code) == (Failure.CONTENT, "100")
    assert "does not exist" in failed.value.words


def test_every_page_of_templates_is_read(graph: Graph, whatsapp: WhatsApp) -> None:
    for number in range(230):
        graph.keep_template(f"t{number}", "Hello {{name}}, {{name}} and {{ day }}")

    kept = whatsapp.templates()

    assert [one.name for one in kept] == [f"t{number}" for number in range(230)]
    assert kept[0] == KeptTemplate(
        name="t0",
        language="en",
        state="approved",
        category="utility",
        body="Hello {{name}}, {{name}} and {{ day }}",
        variables=("name", "day"),
        quality="unknown",
        id=kept[0].id,
    )
    assert len([one for one in graph.seen if one.path.endswith("message_templates")]) == 3


def test_templates_of_all_shapes_are_listed(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template(
        "rich",
        "Hi {{1}}",
        status="REJECTED",
        category="MARKETING",
        parameter_format="POSITIONAL",
        rejected_reason="INVALID_FORMAT",
        quality_score={"score": "YELLOW"},
        components=[
            {"type": "HEADER", "format": "TEXT", "text": "For {{1}}"},
            {"type": "BODY", "text": "Hi {{1}}"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Yes"},
                    {"type": "QUICK_REPLY", "text": "No"},
                    {"type": "URL", "text": "Open", "url": "https://example.org/{{1}}"},
                ],
            },
        ],
    )
    graph.templates.append({"name": "bare", "components": None})

    rich, bare = whatsapp.templates()

    assert (rich.state, rich.category, rich.are_named, rich.variables, rich.buttons, rich.quality) == (
        "rejected",
        "marketing",
        False,
        ("1",),
        ("Yes", "No"),
        "yellow",
    )
    assert rich.reason == (
        "INVALID_FORMAT. Its heading has a variable, which cannot be filled from here. "
        "A button's link has a variable, which cannot be filled from here"
    )
    assert (bare.name, bare.state, bare.body) == ("bare", "", "")


def test_a_list_that_never_ends_ends(graph: Graph, whatsapp: WhatsApp) -> None:
    page = '{"data":[{"name":"a"}],"paging":{"cursors":{"after":"x"},"next":"https://again"}}'
    graph.fault(*(Fault(body=page, path="message_templates") for _ in range(3)))
    assert [one.name for one in whatsapp.templates()] == ["a", "a"]


def test_a_draft_is_handed_in_with_its_examples_and_buttons(graph: Graph, whatsapp: WhatsApp) -> None:
    draft = Draft(
        name="welcome_2",
        language="en",
        category="marketing",
        body="Hello {{given_name}}, drive on {{day}}.",
        examples={"given_name": "Nandi", "day": "Monday"},
        buttons=("Yes", "Stop"),
        lives_for=timedelta(hours=12),
    )

    kept = whatsapp.submit(draft)

    assert kept == KeptTemplate(
        name="welcome_2",
        language="en",
        state="pending",
        category="marketing",
        body=draft.body,
        variables=("given_name", "day"),
        buttons=("Yes", "Stop"),
        id=graph.templates[0]["id"],
    )
    assert graph.seen[-1].json == {
        "name": "welcome_2",
        "language": "en",
        "category": "MARKETING",
        "parameter_format": "NAMED",
        "message_send_ttl_seconds": 43_200,
        "components": [
            {
                "type": "BODY",
                "text": draft.body,
                "example": {
                    "body_text_named_params": [
                        {"param_name": "given_name", "example": "Nandi"},
                        {"param_name": "day", "example": "Monday"},
                    ]
                },
            },
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Yes"},
                    {"type": "QUICK_REPLY", "text": "Stop"},
                ],
            },
        ],
    }


def test_meta_says_why_a_draft_is_not_taken(graph: Graph, whatsapp: WhatsApp) -> None:
    with pytest.raises(NotReached) as failed:
        whatsapp.submit(Draft("No Such Name", "en", "utility", "Hello"))
    assert (failed.value.failure, failed.value.words) == (
        Failure.CONTENT,
        "The name has signs that are not allowed.",
    )


@contextmanager
def door(provider: WhatsApp, answers: list[int] | None = None) -> Iterator[tuple[str, list[Knock]]]:
    """A webhook of ours: the checks and nothing else. `answers` come first, then 200."""
    knocks: list[Knock] = []

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            said = provider.greeting(Knock("GET", query, {}, b""))
            self.answer(200 if said else 403, (said or "").encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            knocked = Knock("POST", {}, headers, body)
            if not provider.is_genuine(knocked):
                self.answer(401, b"")
                return
            knocks.append(knocked)
            self.answer(answers.pop(0) if answers else 200, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks/whatsapp", knocks
    finally:
        server.shutdown()
        server.server_close()


def test_meta_is_told_where_to_knock_and_greets_at_once(graph: Graph, whatsapp: WhatsApp) -> None:
    with door(whatsapp) as (url, knocks):
        whatsapp.set_webhook(url)
        assert graph.callback == url
        assert graph.knock(graph.body(graph.says("27821234567", "Hi"))) == 200
        assert graph.knock(b"{}", secret="another") == 401
        assert graph.knock(b"{}", secret="") == 401
    assert len(knocks) == 1

    whatsapp.drop_webhook()
    assert graph.callback == ""
    with pytest.raises(NotReached) as failed:
        whatsapp.set_webhook("http://127.0.0.1:1/hooks/whatsapp")
    assert failed.value.code == "2200"


def test_deliveries_repeated_shuffled_and_batched_say_the_same(graph: Graph, whatsapp: WhatsApp) -> None:
    sent = whatsapp.send(outgoing())
    (taken,) = graph.taken
    changes = [
        graph.says("27821234567", "One", name="Nandi"),
        graph.says("ZA.13491208655302741918", "Two"),
        graph.status(taken, "sent"),
        graph.status(taken, "delivered"),
        graph.status(taken, "failed", code=131026),
    ]

    with door(whatsapp, answers=[500, 503]) as (url, knocks):
        graph.webhook_url = url
        assert graph.deliver(changes, copies=3, batch=4, shuffle=Random(7), tries=5) == [200] * 4
        assert graph.knock(graph.body(*graph.merged(changes))) == 200

    events = [event for knock in knocks for event in whatsapp.parse(knock.body, RECEIVED)]
    assert len(knocks) == 7  # four batches, two of them again, and the merged one
    assert len({event.key for event in events}) == len({repr(event) for event in events}) == 5
    receipts = [event for event in events if isinstance(event, Receipt)]
    assert {(one.provider_id, one.our_id) for one in receipts} == {(sent.provider_id, OURS)}
    assert {one.text for one in events if isinstance(one, Inbound)} == {"One", "Two"}


def test_receipts_follow_by_themselves(graph: Graph, whatsapp: WhatsApp) -> None:
    with door(whatsapp) as (url, knocks):
        graph.webhook_url, graph.receipts = url, ("sent", "delivered", "read")
        graph.fates["27830000001"] = (131026,)
        whatsapp.send(outgoing())
        whatsapp.send(outgoing(to=Address(AddressKind.WHATSAPP_ID, "27830000001")))
        for _ in range(200):
            if len(knocks) == 4:
                break
            threading.Event().wait(0.02)

    events = [event for knock in knocks for event in whatsapp.parse(knock.body, RECEIVED)]
    first, second = graph.taken
    assert [str(e.kind) for e in events if e.provider_id == first.wamid] == ["sent", "delivered", "read"]
    assert [(str(e.kind), e.failure) for e in events if e.provider_id == second.wamid] == [
        ("failed", Failure.UNREACHABLE)
    ]


# The emulator judged by models that we did not write


@pytest.fixture
def pywa(graph: Graph) -> Iterator[Pywa]:
    provider = WhatsApp(settings_for(graph))
    yield Pywa(
        phone_id=graph.phone_number_id,
        waba_id=graph.waba_id,
        token=graph.token,
        session=_session(provider),
    )
    provider.close()


def _session(provider: WhatsApp) -> object:
    client = provider._graph.client
    del client.headers["Authorization"]  # pywa wants a session of its own
    return client


def test_pywa_reads_the_emulators_answers(graph: Graph, pywa: Pywa) -> None:
    graph.keep_template("welcome_1", "Hello {{name}}")
    media = graph.keep_media(b"x" * 10, "image/png")

    sent = pywa.send_message(to="27821234567", text="Hi", tracker="ours")
    scoped = pywa.send_message(to="ZA.13491208655302741918", text="Hi")
    templates = pywa.get_templates()
    number = pywa.get_business_phone_number()
    url = pywa.get_media_url(media)

    assert (sent.id, sent.chat.id) == (graph.taken[0].wamid, "27821234567")
    assert scoped.chat.id == "ZA.13491208655302741918"
    assert [(one.name, one.status.value, one.components[0].text) for one in templates] == [
        ("welcome_1", "APPROVED", "Hello {{name}}")
    ]
    assert number.whatsapp_business_manager_messaging_limit == "TIER_250"
    assert (url.mime_type, url.file_size, pywa.get_media_bytes(url.url)) == ("image/png", 10, b"x" * 10)
    assert pywa.mark_message_as_read("wamid.IN1")


def test_addresses_of_files_are_good_for_five_minutes_and_want_the_token(graph: Graph, pywa: Pywa) -> None:
    url = pywa.get_media_url(graph.keep_media(b"x", "image/png"))
    graph.later(299)
    assert pywa.get_media_bytes(url.url) == b"x"
    graph.later(2)
    with pytest.raises(Exception, match="404"):
        pywa.get_media_bytes(url.url)


def test_pywa_reads_the_emulators_webhooks(graph: Graph, pywa: Pywa) -> None:
    pywa.send_message(to="27821234567", text="Hi", tracker="ours")
    written = json.loads(graph.body(graph.says("27821234567", "Hello", name="Nandi")))
    status = graph.status(graph.taken[0], "delivered")
    status["value"]["contacts"] = [{"wa_id": "27821234567"}]

    message = types.Message.from_update(pywa, written)
    receipt = types.MessageStatus.from_update(pywa, json.loads(graph.body(status)))

    assert (message.text, message.from_user.name, message.metadata.phone_number_id) == (
        "Hello",
        "Nandi",
        graph.phone_number_id,
    )
    assert (receipt.id, receipt.status.value, receipt.tracker) == (
        graph.taken[0].wamid,
        "delivered",
        "ours",
    )


PAYLOADS = Path(__file__).resolve().parents[2] / "payloads" / "whatsapp"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("text", types.Message),
        ("quote", types.Message),
        ("forwarded", types.Message),
        ("advertisement", types.Message),
        ("bsuid_only", types.Message),
        ("media", types.Message),
        ("location", types.Message),
        ("reactions", types.Message),
        ("edits", types.EditedMessage),
        ("system_number", types.PhoneNumberChange),
        ("statuses", types.MessageStatus),
        ("preferences", types.UserMarketingPreferences),
        ("template_approved", types.TemplateStatusUpdate),
        ("template_rejected", types.TemplateStatusUpdate),
        ("template_quality", types.TemplateQualityUpdate),
        ("template_category", types.TemplateCategoryUpdate),
        ("template_components", types.TemplateComponentsUpdate),
        ("account_reinstated", types.AccountUpdate),
    ],
)
def test_the_payloads_that_we_typed_are_ones_that_pywa_can_read(
    graph: Graph, whatsapp: WhatsApp, pywa: Pywa, name: str, model: Any
) -> None:
    """pywa reads the first message of a body only, which is why we read them ourselves; of that it is a judge."""
    body = (PAYLOADS / f"{name}.json").read_bytes()

    theirs = model.from_update(pywa, json.loads(body))
    ours = whatsapp.parse(body, RECEIVED)[0]

    assert theirs.timestamp == ours.at
    if isinstance(ours, Inbound):
        quoted = theirs.original_message_id if name == "edits" else None
        quoted = quoted or (theirs.reaction.message_id if name == "reactions" else None)
        quoted = quoted or (theirs.reply_to_message.id if name == "quote" else None)
        assert (theirs.id, theirs.from_user.name) == (ours.provider_id, ours.sender.name)
        assert [theirs.from_user.bsuid, theirs.from_user.wa_id][: len(ours.sender.addresses)] == [
            one.value for one in ours.sender.addresses
        ]
        assert ([quoted] if quoted else []) == list(ours.quotes)
    if isinstance(ours, AddressChanged):
        assert (theirs.old_wa_id, theirs.new_wa_id) == (ours.before.value, ours.after.value)
    if isinstance(ours, Receipt):
        assert (theirs.id, theirs.status.value, theirs.tracker) == (
            ours.provider_id,
            ours.kind,
            str(ours.our_id),
        )
    if isinstance(ours, TemplateChanged):
        assert (theirs.template_name, theirs.template_language.value) == (ours.name, ours.language)
