"""Icons and drawings: each is a `<use>` of one cached sprite, drawn in assets/icons.svg.

One external file instead of symbols in the page: 17 kB of drawings would be sent with every page and
fragment, the file is sent once. A table of 50 rows refers to it some 400 times, which costs 16 kB more
than local references would but packs to almost nothing.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

from django.utils.html import escape
from django.utils.safestring import SafeString

from drivercrm.ui import assets

SOURCE = Path(__file__).resolve().parent / "assets" / "icons.svg"


@cache
def drawn() -> frozenset[str]:
    """The ids of all drawings: `i-` icons, `s-` statuses, `p-` priorities, `l-` line drawings, `c-` marks."""
    return frozenset(re.findall(r'<symbol id="([\w-]+)"', SOURCE.read_text(encoding="utf-8")))


def names(prefix: str) -> list[str]:
    """The names behind one prefix, in order of drawing: `names("i-")` lists the icons."""
    found = re.findall(r'<symbol id="([\w-]+)"', SOURCE.read_text(encoding="utf-8"))
    return [name.removeprefix(prefix) for name in found if name.startswith(prefix)]


@lru_cache(maxsize=2048)
def _svg(sprite: str, drawing: str, size: int, extra: str) -> SafeString:
    if drawing not in drawn():
        raise KeyError(f"No drawing “{drawing}” in {SOURCE.name}")
    return SafeString(
        f'<svg{extra} width="{size}" height="{size}" aria-hidden="true">'
        f'<use href="{sprite}#{drawing}"/></svg>'
    )


def draw(drawing: str, size: int, classes: str = "", style: str = "") -> SafeString:
    """One drawing of the sprite by its full id, hidden from screen readers. Raises KeyError when unknown."""
    extra = f' class="{escape(classes)}"' if classes else ""
    if style:
        extra += f' style="{escape(style)}"'
    return _svg(assets.url("icons.svg"), drawing, size, extra)


def icon(name: str, size: int = 16, classes: str = "") -> SafeString:
    """An icon in the text's colour."""
    return draw(f"i-{name}", size, classes)


def glyph(status: str, size: int = 14) -> SafeString:
    """The ring of a driver status in its own colour; an unknown status leaves an empty place."""
    if f"s-{status}" not in drawn():
        return SafeString("")
    return draw(f"s-{status}", size, style=f"color:var(--color-st-{status})")
