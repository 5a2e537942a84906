"""What the frame around every page shows; drivercrm.desk fills it in."""

from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex

from django.template.loader import render_to_string


@dataclass(frozen=True)
class NavItem:
    """A link of the sidebar or the tab bar. `key` is the letter after G, `hot` marks what waits for me."""

    label: str
    url: str
    icon: str
    key: str = ""
    count: int | None = None
    hot: bool = False
    current: bool = False

    @property
    def keys(self) -> str:
        """The key sequence in the form of data-key: `g t`."""
        return f"g {self.key.lower()}" if self.key else ""

    @property
    def title(self) -> str:
        """The tooltip, with the keys that lead there."""
        return f"{self.label} (G then {self.key.upper()})" if self.key else self.label


@dataclass(frozen=True)
class PinnedView:
    """A saved view kept in the sidebar. An unknown `count` is filled in later, into the place named by `key`."""

    label: str
    url: str
    count: int | str | None = None
    current: bool = False
    key: str = ""


@dataclass(frozen=True)
class Person:
    """Who is signed in; `sign_out_url` is POSTed to, `account_url` is a page."""

    name: str
    role: str
    account_url: str = ""
    sign_out_url: str = ""


@dataclass(frozen=True)
class Notice:
    """Something that everybody must know on every page, with the page where it is settled for those who may."""

    lead: str
    text: str
    url: str = ""
    label: str = ""


@dataclass(frozen=True)
class Shell:
    """The frame of a signed-in page.

    `mobile` holds up to four items for the tab bar of phones; everything else is behind “More” there.
    `search_url` is the search page that works without JavaScript, `palette_url` answers the palette's queries
    with groups of options (see the gallery). `theme_url`, when given, stores the chosen theme (POST `theme`).
    `counts_url`, when given, is asked once for counts that are not known yet; it answers with their places.
    `shortcuts` is off for people who turned single keys off (WCAG 2.1.4).
    `notice`, when given, stands above every page.
    """

    workspace: str
    home_url: str
    nav: tuple[NavItem, ...]
    person: Person
    views: tuple[PinnedView, ...] = ()
    foot: tuple[NavItem, ...] = ()
    mobile: tuple[NavItem, ...] = ()
    search_url: str = ""
    palette_url: str = ""
    theme_url: str = ""
    counts_url: str = ""
    shortcuts: bool = True
    notice: Notice | None = None


_TOKEN = token_hex()  # stands for a page's own token; no name or address can look like it


def draw(template: str, shell: Shell, theme: str, csrf_token: str) -> str:
    """A part of the frame, drawn anew only when something that it shows has changed: pages differ in their middle."""
    return _drawn(template, shell, theme).replace(_TOKEN, csrf_token)


@lru_cache(maxsize=200)
def _drawn(template: str, shell: Shell, theme: str) -> str:
    return render_to_string(template, {"shell": shell, "theme": theme, "csrf_token": _TOKEN})
