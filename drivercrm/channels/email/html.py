"""HTML of strangers: made safe to show, and read as text."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

import nh3

LONGEST = 1_000_000  # characters; no person writes more
MOST_WORK = 400_000

_TAGS = set(
    "a abbr b blockquote br caption cite code col colgroup dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins li"
    " ol p pre q s small span strike strong sub sup table tbody td tfoot th thead tr tt u ul".split()
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "align", "valign"},
    "th": {"colspan", "rowspan", "align", "valign"},
    "ol": {"start"},
    "*": {"dir", "lang"},
}
_BLOCKS = set(
    "address article blockquote br caption dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table tr ul".split()
)
_UNSEEN = {"script", "style", "head", "title", "noscript", "template", "svg", "math", "iframe", "object"}


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_DEEP = set("area br col hr img input link meta p li td th tr tbody thead tfoot dd dt".split())


def _bounded(html: str) -> str:
    """HTML that can be read in good time; tags go from one made to take hours (cost: how deep times how many)."""
    html = html[:LONGEST]
    depth = deepest = tags = 0
    for closing, name in _TAG.findall(html):
        tags += 1
        if name.lower() not in _NEVER_DEEP:
            depth = max(depth - 1, 0) if closing else depth + 1
            deepest = max(deepest, depth)
    return html if deepest * tags <= MOST_WORK else _TAG.sub(" ", html)


def safe_html(html: str, *, images: Mapping[str, str] | None = None, has_remote_images: bool = False) -> str:
    """A mail's HTML as a page may show it: no script, style, form or frame, links that tell nothing of us.

    `images` gives the address of each picture that came with the mail, by its content id. Pictures elsewhere are not
    loaded, unless the reader has asked for them: they tell the sender that the mail was opened.
    """
    own = images or {}

    def address(tag: str, attribute: str, value: str) -> str | None:
        if (tag, attribute) != ("img", "src"):
            return value
        if value[:4].lower() == "cid:":
            return own.get(value[4:].strip("<>"))
        return value if has_remote_images and value[:8].lower() == "https://" else None

    return nh3.clean(
        _bounded(html),
        tags=_TAGS,
        clean_content_tags=_UNSEEN,
        attributes=_ATTRIBUTES,
        attribute_filter=address,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        url_relative="deny" if not own else "pass_through",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def text_of_html(html: str) -> str:
    """What a person would read of it, line by line; what is quoted stands behind `> `, as in a plain mail."""
    reader = _Reader()
    # first made well-formed: the reader below trips over what browsers forgive
    reader.feed(
        nh3.clean(_bounded(html), tags=_TAGS, clean_content_tags=_UNSEEN, attributes={}, link_rel=None)
    )
    reader.close()
    return re.sub(r"(?:\n[> ]*(?=\n)){2,}", "\n", "\n".join(reader.lines())).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._done: list[str] = []
        self._line: list[str] = []
        self._quoted = 0
        self._preformatted = 0

    def lines(self) -> list[str]:
        self._end_line()
        return self._done

    def _end_line(self) -> None:
        text = "".join(self._line)
        text = text.rstrip() if self._preformatted else " ".join(text.split())
        self._line = []
        if text or (self._done and self._done[-1].strip("> ")):
            self._done.append(("> " * self._quoted + text).rstrip())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS and (self._line or tag == "br"):
            self._end_line()
        if tag in {"p", "blockquote", "h1", "h2", "h3"} and self._done and self._done[-1].strip("> "):
            self._end_line()
        if tag == "li":
            self._line.append("- ")
        elif tag in {"td", "th"}:
            self._line.append(" ")
        self._quoted += tag == "blockquote"
        self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS and self._line:
            self._end_line()
        self._quoted -= tag == "blockquote" and self._quoted > 0
        self._preformatted -= tag == "pre" and self._preformatted > 0

    def handle_data(self, data: str) -> None:
        if self._preformatted:
            first, *more = data.split("\n")
            self._line.append(first)
            for line in more:
                self._end_line()
                self._line.append(line)
        elif data.strip() or self._line:
            self._line.append(data)
