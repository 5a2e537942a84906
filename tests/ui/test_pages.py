import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django import forms
from django.template.loader import render_to_string

from drivercrm.core.errors import NotAllowed, Refused
from drivercrm.ui import assets, gallery
from drivercrm.ui.refusals import refused
from drivercrm.ui.shell import draw
from drivercrm.ui.templatetags.ui import register

TEMPLATES = Path(assets.__file__).resolve().parent / "templates" / "ui"

VOID = {"meta", "link", "input", "br", "col", "hr", "img"}
DRAWN = {"path", "circle", "rect", "line", "use"}


class Page(HTMLParser):
    """Reads a page, and complains about what the policy forbids and what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forbidden: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.forbidden.append(tag)
        self.forbidden += [name for name in attributes if name.startswith(("on", "hx-on"))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == wanted]


def check(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert page.forbidden == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for label in page.all("label"):
        if "for" in label:
            assert label["for"] in ids
    return page


@pytest.fixture
def in_shell(rf, shell):
    def render(template: str, **context) -> str:
        return render_to_string(
            template, {"request": rf.get("/"), "shell": shell, "csrf_token": "abc", **context}
        )

    return render


def test_frame(in_shell):
    text = in_shell("404.html", theme="dark")
    page = check(text)

    assert page.all("html") == [{"lang": "en-ZA", "data-theme": "dark"}]
    assert page.all("body") == [{"hx-headers": '{"X-CSRFToken": "abc"}'}]
    assert [main["id"] for main in page.all("main")] == ["main"]
    assert len(page.all("h1")) == 1
    assert "Umzila &lt;Rides&gt;" in text
    links = {link["href"]: link for link in reversed(page.all("a"))}
    assert {link["href"] for link in page.all("a") if "aria-current" in link} == {"/"}
    assert links["/inbox/"]["data-key"] == "g i"
    assert links["/inbox/"]["title"] == "Inbox (G then I)"
    assert '<span class="n hot">1\u00a0200</span>' in text


def test_theme_is_the_systems_until_chosen(in_shell):
    assert check(in_shell("404.html", theme="")).all("html") == [{"lang": "en-ZA"}]


def test_switch_offers_the_other_theme(in_shell):
    assert '<input type="hidden" name="theme" value="light">' in in_shell("404.html", theme="dark")
    assert '<input type="hidden" name="theme" value="dark">' in in_shell("404.html", theme="light")


def test_shortcuts_can_be_off(in_shell, shell):
    page = check(in_shell("404.html", shell=replace(shell, shortcuts=False)))
    assert page.all("html")[0]["data-keys"] == "off"


def test_phones_reach_what_the_tab_bar_has_no_room_for(in_shell):
    text = in_shell("404.html")
    more = text[text.index('id="tabbar"') :]
    assert 'href="/inbox/"' in more[more.index("<details") :]
    assert 'href="/settings/"' in more[more.index("<details") :]


@pytest.mark.parametrize("template", ["403.html", "403_csrf.html", "404.html"])
def test_error_pages_do_without_a_signed_in_person(rf, template):
    page = check(render_to_string(template, {"request": rf.get("/"), "shell": None, "theme": ""}))
    assert page.all("main") == [{"class": "main alone", "id": "main", "tabindex": "-1"}]
    assert page.all("nav") == []


def test_the_500_page_needs_no_context(built):
    page = check(render_to_string("500.html"))
    assert page.all("link") == [{"rel": "stylesheet", "href": assets.url("styles.css")}]


def test_the_500_page_needs_no_build(monkeypatch, tmp_path):
    monkeypatch.setattr(assets, "BUILT", tmp_path)
    assets.forget()
    try:
        assert "This page did not load" in render_to_string("500.html")
    finally:
        assets.forget()


def test_refusal_page_shows_the_sentence(in_shell):
    text = in_shell("ui/refused.html", refusal=Refused("opted_out", "Riaan <opted> out."))
    check(text)
    assert '<p class="soft mt8">Riaan &lt;opted&gt; out.</p>' in text
    assert "This was not done" in text


def test_a_missing_permission_has_its_own_title(in_shell):
    assert "You cannot do this" in in_shell("ui/refused.html", refusal=NotAllowed())


def test_refusal_for_htmx_is_a_sentence(rf):
    response = refused(rf.post("/", headers={"HX-Request": "true"}), Refused("x", "No."), status=422)
    assert (response.status_code, response.content) == (422, b"No.")


def test_the_gallery_draws(rf, shell, monkeypatch):
    seen = {}

    def render(request, template, context):
        seen["text"] = render_to_string(
            template, {"request": request, "shell": shell, "theme": "", **context}
        )

    monkeypatch.setattr(gallery, "render", render)
    gallery.gallery(rf.get("/"))

    page = check(seen["text"])
    assert len(page.all("figure")) == 4


def test_the_gallery_leaves_no_component_out():
    source = (TEMPLATES / "gallery.html").read_text(encoding="utf-8")
    through_python = {"bars", "stacked", "lines", "heat", "as_table"}
    of_the_frame = {"asset", "frame", "pending_toasts"}
    fragments = {"_empty", "_banner", "_dialog", "_pager", "_toast", "_theme_switch"}

    shown = set(re.findall(r"{%\s*(\w+)", source))
    included = set(re.findall(r'include "ui/(\w+).html"', source))

    assert set(register.tags) - shown - through_python - of_the_frame == set()
    assert fragments - included == set()


class Colour(forms.Form):
    name = forms.CharField(label="Full name", help_text="As on the licence.")
    note = forms.CharField(required=False)
    kind = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)


def test_a_field_ties_label_hint_and_error_together(show):
    form = Colour({"kind": "a"})
    text = show('{% include "ui/_field.html" with field=form.name %}', form=form)
    page = check(text)

    field = page.all("input")[0]
    assert field["aria-invalid"] == "true"
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert set(field["aria-describedby"].split()) <= ids
    assert "This field is required." in text
    assert page.all("label") == [{"class": "label", "for": "id_name"}]


def test_an_optional_field_says_so(show):
    text = show('{% include "ui/_field.html" with field=form.note %}', form=Colour({}))
    check(text)
    assert '<span class="mute optional">optional</span>' in text


def test_choices_are_a_group_with_a_legend(show):
    page = check(show('{% include "ui/_field.html" with field=form.kind %}', form=Colour()))
    assert page.all("legend") == [{"class": "label"}]


def test_pager_links_only_where_there_is_more(show):
    text = show('{% include "ui/_pager.html" with range="1-50" older="/?after=x&a=1" target="#list" %}')
    page = check(text)
    assert page.all("a") == [
        {
            "class": "btn sm",
            "href": "/?after=x&a=1",
            "rel": "next",
            "hx-get": "/?after=x&a=1",
            "hx-target": "#list",
            "hx-push-url": "true",
        }
    ]
    assert '<span class="btn sm" aria-disabled="true">' in text


def test_dialog_posts_its_answer(show):
    text = show(
        '{% include "ui/_dialog.html" with id="stop" title="Stop?" text="Nothing is sent." action="/stop/" '
        'verb="Stop" danger=True %}'
    )
    page = check(text)
    assert page.all("form") == [{"class": "in", "method": "post", "action": "/stop/"}]
    assert page.all("dialog") == [{"class": "dialog", "id": "stop", "aria-labelledby": "stop-title"}]
    assert '<button class="btn danger-fill">Stop</button>' in text


def test_empty_state_has_one_sentence_and_one_action(show):
    text = show(
        '{% include "ui/_empty.html" with drawing="inbox" title="Nothing waits" text="Rest." url="/x/" label="Go" %}'
    )
    check(text)
    assert "<h3>Nothing waits</h3><p>Rest.</p>" in text


def test_a_danger_banner_is_an_alert(show):
    page = check(show('{% include "ui/_banner.html" with level="danger" lead="Broken." text="Mend it." %}'))
    assert page.all("div")[0] == {"class": "banner danger", "role": "alert"}


def test_a_frame_is_drawn_once_and_never_with_another_pages_token(shell) -> None:
    first = draw("ui/_side.html", shell, "", "token-one")
    second = draw("ui/_side.html", shell, "", "token-two")
    renamed = draw("ui/_side.html", replace(shell, workspace="Another"), "", "token-two")

    assert re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', first) == ["token-one"] * 2
    assert re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', second) == ["token-two"] * 2
    assert second == first.replace("token-one", "token-two")
    assert "Another" in renamed
    assert "Another" not in second
