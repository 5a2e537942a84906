import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import RequestFactory

from drivercrm.ui import assets
from drivercrm.ui.middleware import Toasts
from drivercrm.ui.shell import NavItem, Person, PinnedView, Shell

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session", autouse=True)
def built() -> dict[str, Path]:
    """The built files by name; builds them when nobody did."""
    if not (assets.BUILT / "manifest.json").exists():
        npm = shutil.which("npm")
        assert npm, "The styles and scripts are not built, and there is no npm to build them with"
        if not (ROOT / "node_modules/vite").exists():
            subprocess.run([npm, "ci"], cwd=ROOT, check=True)
        subprocess.run([npm, "run", "build"], cwd=ROOT, check=True)
        assets.forget()
    names = assets._names(assets.BUILT, (assets.BUILT / "manifest.json").stat().st_mtime_ns)
    return {name: assets.BUILT / file for name, file in names.items()}


@pytest.fixture
def show() -> Callable[..., str]:
    """Renders a piece of template source with a context."""

    def render(source: str, **context: object) -> str:
        return engines["django"].from_string(source).render(context)

    return render


@pytest.fixture
def answer(rf: RequestFactory) -> Callable[..., HttpResponse]:
    """What the middleware makes of a view's answer, asked for by htmx or as a page."""

    def through(
        view: Callable[[HttpRequest], HttpResponse], htmx: bool = True, **headers: str
    ) -> HttpResponse:
        request = rf.post("/", headers={"HX-Request": "true", **headers} if htmx else headers)
        request.session = {}  # type: ignore[assignment]
        return MessageMiddleware(Toasts(view))(request)

    return through


@pytest.fixture
def shell() -> Shell:
    today = NavItem("Today", "/", "today", key="t", current=True)
    inbox = NavItem("Inbox", "/inbox/", "inbox", key="i", count=1200, hot=True)
    return Shell(
        workspace="Umzila <Rides>",
        home_url="/",
        nav=(today, inbox),
        person=Person("Nandi Pillay", "Ops agent", "/account/", "/sign-out/"),
        views=(PinnedView("Stalled", "/drivers/?view=1", 38),),
        foot=(NavItem("Settings", "/settings/", "gear"),),
        mobile=(today,),
        search_url="/search/",
        palette_url="/palette/",
        theme_url="/theme/",
    )
