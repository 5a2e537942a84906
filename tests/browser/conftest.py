"""Headless Chromium against the real application, its worker beside it."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from drivercrm.jobs import workflow as jobs

# Playwright's own loop runs in this thread, where Django would otherwise refuse the database
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

SIZES = {"laptop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    arguments = [*flags.split(), "--disable-component-update", "--disable-sync"]
    return {**browser_type_launch_args, "executable_path": shutil.which("chromium"), "args": arguments}


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    """Laptop and phone."""
    return request.param


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], size: str) -> dict[str, Any]:
    return {
        **browser_context_args,
        "viewport": SIZES[size],
        "locale": "en-ZA",
        "timezone_id": "Africa/Johannesburg",
    }


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Does the background work while the browser looks on."""
    running = jobs.worker(threads=1, clockwork=False, poll=timedelta(seconds=0.2))
    running.start()
    yield
    running.stop()


@pytest.fixture
def site(live_server: Any, worker: None, page: Page) -> Iterator[str]:
    """The address of the running application; fails on an error that a page's scripts throw."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(10_000)
    yield live_server.url
    assert errors == []
