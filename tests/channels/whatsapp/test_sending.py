"""Messages, files and marks over HTTP: the real client against the emulator."""

import hashlib
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from drivercrm.channels.provider import (
    Address,
    AddressKind,
    Attachment,
    Failure,
    NotReached,
    RemoteFile,
    SendFailed,
    TemplateCall,
)
from drivercrm.channels.whatsapp.adapter import WhatsApp
from tests.channels.whatsapp.conftest import OURS, SCOPED, outgoing, settings_for
from tests.emulators.graph import Fault, Graph

PICTURE = Attachment("badge.png", "image/png", b"\x89PNG" + bytes(2000))


def test_a_text_goes_out_with_our_id_and_the_answer_names_it(graph: Graph, whatsapp: WhatsApp) -> None:
    before = datetime.now(UTC)

    accepted = whatsapp.send(outgoing("Hello Nandi"))

    (taken,) = graph.taken
    assert taken.body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": "text",
        "to": "27821234567",
        "biz_opaque_callback_data": str(OURS),
        "text": {"body": "Hello Nandi", "preview_url": False},
    }
    assert accepted.provider_id == taken.wamid
    assert before <= accepted.at <= datetime.now(UTC)
    assert accepted.addresses == (Address(AddressKind.WHATSAPP_ID, "27821234567"),)
    assert not accepted.is_held
    assert graph.seen[0].path == f"/v25.0/{graph.phone_number_id}/messages"
    assert graph.seen[0].headers["host"] == graph.url.removeprefix("http://")


def test_a_scoped_id_goes_into_its_own_field(graph: Graph, whatsapp: WhatsApp) -> None:
    accepted = whatsapp.send(outgoing(to=SCOPED))

    assert graph.taken[0].body["recipient"] == SCOPED.value
    assert "to" not in graph.taken[0].body
    assert accepted.addresses == (SCOPED,)


def test_a_whatsapp_id_goes_out_as_it_came(graph: Graph, whatsapp: WhatsApp) -> None:
    whatsapp.send(outgoing(to=Address(AddressKind.WHATSAPP_ID, "5215512345678")))
    assert graph.taken[0].to == "5215512345678"


def test_an_answer_quotes_and_a_link_is_shown(graph: Graph, whatsapp: WhatsApp) -> None:
    whatsapp.send(outgoing("See https://example.org/app", quotes="wamid.IN1"))

    assert graph.taken[0].body["context"] == {"message_id": "wamid.IN1"}
    assert graph.taken[0].body["text"]["preview_url"] is True


def test_a_template_with_named_values_and_buttons(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template("welcome_1", "Hello {{given_name}}, join {{pilot}}.")
    call = TemplateCall(
        name="welcome_1",
        language="en",
        values={"given_name": "Nandi\n\tMkhize", "pilot": "the      pilot "},
        button_payloads=("YES", "OPT_OUT"),
    )

    accepted = whatsapp.send(outgoing(template=call))

    assert graph.taken[0].body["template"] == {
        "name": "welcome_1",
        "language": {"code": "en"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "given_name", "text": "Nandi Mkhize"},
                    {"type": "text", "parameter_name": "pilot", "text": "the pilot"},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "YES"}],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "1",
                "parameters": [{"type": "payload", "payload": "OPT_OUT"}],
            },
        ],
    }
    assert not accepted.is_held


def test_a_template_with_counted_values_keeps_their_order(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template("old", "{{1}} and {{2}}", parameter_format="POSITIONAL")
    call = TemplateCall("old", "en", {"first": "b", "second": "a"}, are_named=False)

    whatsapp.send(outgoing(template=call))

    assert graph.taken[0].body["template"]["components"] == [
        {"type": "body", "parameters": [{"type": "text", "text": "b"}, {"type": "text", "text": "a"}]}
    ]


def test_a_template_that_meta_keeps_back_is_held(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template("welcome_1", "Hello")
    graph.holds_for_quality = True
    assert whatsapp.send(outgoing(template=TemplateCall("welcome_1", "en"))).is_held


@pytest.mark.parametrize(
    ("file", "text", "kind", "fields"),
    [
        (PICTURE, "Your badge", "image", {"caption": "Your badge"}),
        (Attachment("a.mp4", "video/mp4", b"film"), "", "video", {}),
        (Attachment("a.ogg", "audio/ogg; codecs=opus", b"sound"), "", "audio", {}),
        (
            Attachment("a.ogg", "audio/ogg", b"sound"),
            "Listen",
            "document",
            {"caption": "Listen", "filename": "a.ogg"},
        ),
        (
            Attachment("guide.pdf", "application/pdf", b"%PDF"),
            "",
            "document",
            {"filename": "guide.pdf"},
        ),
    ],
)
def test_a_file_is_uploaded_and_sent_by_its_id(
    graph: Graph, whatsapp: WhatsApp, file: Attachment, text: str, kind: str, fields: dict[str, str]
) -> None:
    whatsapp.send(outgoing(text, attachments=(file,)))

    body = graph.taken[0].body
    ((media_id, kept),) = graph.media.items()
    assert (body["type"], body[kind]) == (kind, {"id": media_id, **fields})
    assert kept == (file.content, file.media_type)


def test_a_template_may_carry_a_picture(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template("welcome_1", "Hello")
    whatsapp.send(outgoing(template=TemplateCall("welcome_1", "en"), attachments=(PICTURE,)))

    (media_id,) = graph.media
    header = {"type": "header", "parameters": [{"type": "image", "image": {"id": media_id}}]}
    assert graph.taken[0].body["template"]["components"] == [header]


def test_a_template_may_carry_a_document(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.keep_template("guide", "Hello")
    guide = Attachment("guide.pdf", "application/pdf", b"%PDF")
    whatsapp.send(outgoing(template=TemplateCall("guide", "en"), attachments=(guide,)))

    (media_id,) = graph.media
    document = {"type": "document", "document": {"id": media_id, "filename": "guide.pdf"}}
    assert graph.taken[0].body["template"]["components"] == [{"type": "header", "parameters": [document]}]


def test_a_file_whose_address_has_run_out_is_refused(graph: Graph, whatsapp: WhatsApp) -> None:
    media_id = graph.keep_media(b"x", "image/png")
    graph.fault(Fault(status=404, path="_files"))
    with pytest.raises(NotReached) as failed:
        whatsapp.fetch(RemoteFile(media_id), 100)
    assert (failed.value.failure, failed.value.code) == (Failure.UNKNOWN_CODE, "HTTP 404")


@pytest.mark.parametrize(
    "message",
    [
        outgoing(""),
        outgoing("x" * 4097),
        outgoing("x" * 1025, attachments=(PICTURE,)),
        outgoing(attachments=(PICTURE, PICTURE)),
        outgoing(to=Address(AddressKind.EMAIL, "nandi@example.org")),
        outgoing(template=TemplateCall("welcome_1", "en", {"given_name": " \n "})),
        outgoing(template=TemplateCall("\ud800", "en")),
        outgoing(
            template=TemplateCall("welcome_1", "en"), attachments=(Attachment("a.ogg", "audio/ogg", b"x"),)
        ),
    ],
)
def test_what_whatsapp_cannot_carry_is_refused_before_it_leaves(
    graph: Graph, whatsapp: WhatsApp, message: object
) -> None:
    with pytest.raises(SendFailed) as failed:
        whatsapp.send(message)

    assert (failed.value.failure, graph.taken) == (Failure.CONTENT, [])


def test_halves_of_letters_and_zeros_do_not_stop_a_message(graph: Graph, whatsapp: WhatsApp) -> None:
    whatsapp.send(outgoing("a\x00b\ud83dc"))
    assert graph.taken[0].body["text"]["body"] == "ab?c"


def test_outside_the_window_a_text_needs_a_template(graph: Graph, whatsapp: WhatsApp) -> None:
    graph.has_window = True
    graph.keep_template("welcome_1", "Hello")

    with pytest.raises(SendFailed) as failed:
        whatsapp.send(outgoing())
    whatsapp.send(outgoing(template=TemplateCall("welcome_1", "en")))
    graph.says("27821234567", "Hi")
    whatsapp.send(outgoing())

    assert (failed.value.failure, failed.value.code) == (Failure.NEEDS_TEMPLATE, "131047")
    assert [one.kind for one in graph.taken] == ["template", "text"]


def test_marking_read(graph: Graph, whatsapp: WhatsApp) -> None:
    whatsapp.mark_read("wamid.IN1")
    assert (graph.read, graph.taken) == (["wamid.IN1"], [])


def test_a_file_that_came_in_is_fetched_and_checked(graph: Graph, whatsapp: WhatsApp) -> None:
    media_id = graph.keep_media(PICTURE.content, "image/png")
    digest = hashlib.sha256(PICTURE.content).hexdigest()

    fetched = whatsapp.fetch(
        RemoteFile(media_id, name="badge.png", media_type="image/png", sha256=digest), 5000
    )
    unnamed = whatsapp.fetch(RemoteFile(media_id), 5000)

    assert fetched == PICTURE
    assert unnamed == replace(PICTURE, name=f"{media_id}.png")


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_is_too_large_is_given_up(graph: Graph, whatsapp: WhatsApp, told: bool) -> None:
    media_id = graph.keep_media(PICTURE.content, "image/png")
    if not told:  # the size that is named is not the size that comes
        about = f'{{"url":"{graph.url}/_files/key","mime_type":"image/png","id":"{media_id}"}}'
        graph.urls["key"] = (media_id, 1e12)
        graph.fault(Fault(body=about, path=media_id))

    with pytest.raises(NotReached) as failed:
        whatsapp.fetch(RemoteFile(media_id), 1999)

    assert failed.value.failure == Failure.CONTENT


def test_a_file_that_was_changed_on_the_way_is_not_taken(graph: Graph, whatsapp: WhatsApp) -> None:
    media_id = graph.keep_media(b"other", "image/png")
    with pytest.raises(NotReached) as failed:
        whatsapp.fetch(RemoteFile(media_id, sha256=hashlib.sha256(b"sent").hexdigest()), 5000)
    assert failed.value.failure == Failure.TEMPORARY


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/file",
        "http://lookaside.fbsbx.com/file",
        "https://lookaside.fbsbx.com.evil.example/file",
        "https://lookaside.fbsbx.com:8443/file",
        "https://me@lookaside.fbsbx.com/file",
        "https://evilfbcdn.net/file",
        "http://127.0.0.1:1/file",
        "http://[::1/file",
        "",
    ],
)
def test_the_token_goes_to_no_other_host(graph: Graph, whatsapp: WhatsApp, url: str) -> None:
    with pytest.raises(NotReached) as failed:
        whatsapp.fetch(RemoteFile("", url=url), 5000)

    assert (failed.value.failure, graph.seen) == (Failure.CONTENT, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.facebook.com/x",
        "https://lookaside.fbsbx.com/x?mid=1",
        "https://scontent.xx.fbcdn.net/x",
        "https://lookaside.fbsbx.com:443/x",
    ],
)
def test_metas_hosts_are_trusted(whatsapp: WhatsApp, url: str) -> None:
    assert whatsapp._graph.is_trusted(url)


def test_a_redirect_is_not_followed(graph: Graph, whatsapp: WhatsApp) -> None:
    media_id = graph.keep_media(b"x", "image/png")
    graph.fault(Fault(status=302, headers={"Location": "http://127.0.0.1:1/x"}, path="_files"))
    with pytest.raises(NotReached):
        whatsapp.fetch(RemoteFile(media_id), 5000)
    assert len(graph.seen) == 2


def test_an_id_that_would_lead_elsewhere_is_refused(graph: Graph, whatsapp: WhatsApp) -> None:
    with pytest.raises(NotReached):
        whatsapp.fetch(RemoteFile("../me/accounts"), 5000)
    assert graph.seen == []


def test_two_accounts_do_not_share_a_token(graph: Graph, whatsapp: WhatsApp) -> None:
    other = WhatsApp(settings_for(graph, token="another"))
    with pytest.raises(SendFailed) as failed:
        other.send(outgoing())
    other.close()
    whatsapp.send(outgoing())

    assert (failed.value.failure, failed.value.code) == (Failure.ACCOUNT, "190")
    assert len(graph.taken) == 1


def test_a_token_pasted_with_a_line_break_still_works(graph: Graph) -> None:
    provider = WhatsApp(settings_for(graph, token=f"{graph.token}\n"))
    provider.send(outgoing())
    provider.close()
    assert len(graph.taken) == 1


def test_threads_share_an_account_without_mixing_answers(graph: Graph, whatsapp: WhatsApp) -> None:
    found: dict[str, str] = {}

    def work(start: int) -> None:
        for number in range(start, start + 20):
            to = Address(AddressKind.WHATSAPP_ID, f"2782{number:07}")
            found[to.value] = whatsapp.send(outgoing(to=to)).provider_id

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {one.to: one.wamid for one in graph.taken} == found
    assert len(found) == 80


def test_a_closed_account_opens_again(graph: Graph, whatsapp: WhatsApp) -> None:
    whatsapp.close()
    whatsapp.send(outgoing())
    whatsapp.close()
    whatsapp.close()
    assert len(graph.taken) == 1


def test_nothing_personal_or_secret_is_logged_or_shown(
    graph: Graph, whatsapp: WhatsApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    whatsapp.send(outgoing("Private words"))
    graph.fault(Fault(status=400, code=131026, words="To 27821234567: Private words"))
    with pytest.raises(SendFailed) as failed:
        whatsapp.send(outgoing("Private words"))
    graph.fault(Fault(drop=True))
    with pytest.raises(SendFailed) as dropped:
        whatsapp.send(outgoing("Private words"))

    shown = caplog.text + str(failed.value) + str(dropped.value) + repr(whatsapp.settings)
    for secret in ("27821234567", "Private", graph.token, graph.app_secret, graph.verify_token):
        assert secret not in shown
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


@pytest.mark.parametrize(
    "change", [{"phone_number_id": "1/../2"}, {"waba_id": ""}, {"graph_version": "latest"}]
)
def test_settings_that_would_break_an_address_are_refused(graph: Graph, change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        replace(settings_for(graph), **change)
