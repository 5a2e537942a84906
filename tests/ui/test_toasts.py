import re

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

from drivercrm.core.errors import NotAllowed, Refused
from drivercrm.ui.middleware import Toasts
from drivercrm.ui.templatetags.ui import pending_toasts
from drivercrm.ui.toasts import toast


def says(text, **options):
    def view(request):
        toast(request, text, **options)
        return HttpResponse('<div id="row">new</div>')

    return view


def kept(rf, response):
    """What the browser brings back with its next request."""
    rf.cookies = response.cookies
    request = rf.get("/")
    request.session = {}
    MessageMiddleware(HttpResponse).process_request(request)
    return [message.message for message in get_messages(request)]


def test_a_toast_travels_beside_the_swapped_part(answer):
    body = answer(says("Set to Active")).content.decode()

    assert body.startswith(
        '<div id="row">new</div><div hx-swap-oob="beforeend:#toasts"><div class="toast ok"'
    )
    assert '<span class="t">Set to Active</span>' in body
    assert 'role="status" data-timed' in body


def test_undo_posts_with_a_token_and_the_key_z(answer):
    body = answer(says("Set to Active", undo_url="/undo/7/")).content.decode()

    assert '<form method="post" action="/undo/7/" hx-post="/undo/7/" hx-swap="none" data-undo>' in body
    assert re.search(r'name="csrfmiddlewaretoken" value="\w{64}"', body)
    assert '<button class="btn sm" data-key="z">Undo <kbd>Z</kbd></button>' in body


@pytest.mark.parametrize("target", ["", "//evil.example/", "https://evil.example/", "javascript:x"])
def test_undo_leads_nowhere_but_this_server(answer, target):
    assert "<form" not in answer(says("Done", undo_url=target)).content.decode()


def test_an_error_stays_and_is_an_alert(answer):
    body = answer(says("Not sent", level="danger")).content.decode()

    assert '<div class="toast danger still" role="alert">' in body
    assert "data-timed" not in body


def test_text_is_escaped(answer):
    assert '<span class="t">&lt;b&gt;</span>' in answer(says("<b>")).content.decode()


def test_an_empty_answer_is_made_one_that_is_read_but_replaces_nothing(answer):
    def view(request):
        toast(request, "Saved")
        return HttpResponse(status=204)

    response = answer(view)

    assert (response.status_code, response["HX-Reswap"]) == (200, "none")
    assert response.content.startswith(b'<div hx-swap-oob="beforeend:#toasts">')


def test_an_answer_without_toasts_is_left_alone(answer):
    response = answer(lambda request: HttpResponse(status=204))

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("header", ["HX-Redirect", "HX-Refresh", "HX-Location"])
def test_toasts_wait_for_the_page_the_browser_goes_to(rf, header):
    def view(request):
        toast(request, "Saved")
        return HttpResponse(headers={header: "/"})

    request = rf.post("/", headers={"HX-Request": "true"})
    request.session = {}
    response = MessageMiddleware(Toasts(view))(request)

    assert response.content == b""
    assert kept(rf, response) == ["Saved"]


@pytest.mark.parametrize(
    "made",
    [
        lambda: JsonResponse({}),
        lambda: StreamingHttpResponse(["x"]),
        lambda: HttpResponse("no", status=409),
    ],
)
def test_toasts_are_kept_where_they_cannot_be_shown(rf, answer, made):
    def view(request):
        toast(request, "Saved")
        return made()

    response = answer(view)

    assert kept(rf, response) == ["Saved"]


def test_a_full_page_shows_its_toasts_itself(rf):
    def view(request):
        toast(request, "Saved")
        return HttpResponse(pending_toasts({"request": request}))

    request = rf.get("/")
    request.session = {}
    response = MessageMiddleware(Toasts(view))(request)

    assert '<span class="t">Saved</span>' in response.content.decode()
    assert "messages" not in response.cookies


def test_a_fragment_leaves_its_toasts_to_the_middleware(answer):
    def view(request):
        toast(request, "Saved")
        return HttpResponse(pending_toasts({"request": request}))

    body = answer(view).content.decode()

    assert body.count("Saved") == 1
    assert body.startswith('<div hx-swap-oob="beforeend:#toasts">')


def test_a_boosted_page_shows_its_toasts_itself(answer):
    def view(request):
        toast(request, "Saved")
        return HttpResponse(pending_toasts({"request": request}))

    body = answer(view, **{"HX-Boosted": "true"}).content.decode()

    assert body.count("Saved") == 1
    assert "hx-swap-oob" not in body


def test_no_request_no_toasts():
    assert pending_toasts({}) == ""


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refused("opted_out", "Riaan opted out."), 409), (NotAllowed("Ask an admin."), 403)],
)
def test_a_refusal_nobody_caught_answers_its_sentence(rf, refusal, status):
    request = rf.post("/", headers={"HX-Request": "true"})

    response = Toasts(HttpResponse).process_exception(request, refusal)

    assert (response.status_code, response.content.decode()) == (status, refusal.sentence)
    assert response["Content-Type"] == "text/plain; charset=utf-8"


def test_other_exceptions_are_not_swallowed(rf):
    assert Toasts(HttpResponse).process_exception(rf.post("/"), ValueError("x")) is None


def test_pending_messages_are_counted_without_being_read(rf):
    request = rf.get("/")
    request.session = {}
    MessageMiddleware(HttpResponse).process_request(request)
    toast(request, "Saved")

    assert len(get_messages(request)) == 1
