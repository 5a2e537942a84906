"""Names of the built stylesheet, script, font and icon sprite (`npm run build` writes them)."""

import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static

BUILT = Path(__file__).resolve().parent / "static" / "built"


class NotBuilt(Exception):
    """The pages' styles and scripts were never built, or lack the file asked for."""


@cache
def _names(built: Path, changed: int) -> dict[str, str]:
    names: dict[str, str] = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    return names


@cache
def _once(name: str) -> str:
    return _address(name)


def _address(name: str) -> str:
    manifest = BUILT / "manifest.json"
    try:
        names = _names(BUILT, manifest.stat().st_mtime_ns)
    except FileNotFoundError:
        raise NotBuilt("The pages' styles and scripts are not built. Run: npm ci && npm run build") from None
    if name not in names:
        raise NotBuilt(f"There is no built file “{name}”; there are: {', '.join(sorted(names))}.")
    return static(f"built/{names[name]}")


def url(name: str) -> str:
    """The address of a built file, such as `styles.css`, with its content's hash in it.

    Read once per process, and again after every build while DEBUG is on. Raises NotBuilt.
    """
    return _address(name) if settings.DEBUG else _once(name)


def forget() -> None:
    """Drops what was read, for tests that build or hide the files."""
    _names.cache_clear()
    _once.cache_clear()
