"""Colours of both themes: the same tokens, and enough contrast (WCAG 2.2 AA)."""

import re
from pathlib import Path

import pytest

from drivercrm.ui import assets, words

CSS = Path(assets.__file__).resolve().parent / "assets" / "css"
TOKENS = (CSS / "tokens.css").read_text(encoding="utf-8")
HEX = re.compile(r"--color-([\w-]+):\s*(#[0-9a-f]{6})\b")


def block(selector: str) -> str:
    start = TOKENS.index(selector) + len(selector)
    return TOKENS[start : TOKENS.index("}", start)]


LIGHT = dict(HEX.findall(block(":root {")))
DARK = LIGHT | dict(HEX.findall(block(':root[data-theme="dark"] {')))


def declarations(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split(";") if line.strip()]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def pairs() -> list[tuple[str, str, float]]:
    sheets = ["surface", "canvas", "sunken", "hover", "selected", "raised", "card"]
    found = [(ink, sheet, 4.5) for ink in ("ink", "ink-2", "ink-3") for sheet in sheets]
    found += [("ink", "active", 4.5), ("ink-2", "active", 4.5), ("ink", "pressed", 4.5)]
    found += [
        ("accent-ink", sheet, 4.5) for sheet in ("surface", "canvas", "sunken", "raised", "accent-soft")
    ]
    found += [("on-accent", "accent", 4.5), ("on-accent", "accent-hover", 4.5), ("ink", "accent-soft", 4.5)]
    for state in ("ok", "warn", "danger"):
        found += [(state, sheet, 4.5) for sheet in ("surface", "sunken", "selected", f"{state}-soft")]
        found += [("ink", f"{state}-soft", 4.5), ("ink-3", f"{state}-soft", 4.5)]
    found += [("control", sheet, 3.0) for sheet in ("surface", "raised", "canvas")]
    found += [
        (f"st-{status}", sheet, 3.0)
        for status in words.STATUSES
        for sheet in ("surface", "selected", "canvas")
    ]
    found += [(f"c{i}", "surface", 3.0) for i in range(1, 5)] + [("h5", "h0", 3.0)]
    return found


@pytest.mark.parametrize(("front", "back", "least"), pairs())
def test_text_and_marks_stand_out_in_both_themes(front, back, least):
    assert contrast(LIGHT[front], LIGHT[back]) >= least
    assert contrast(DARK[front], DARK[back]) >= least


def test_the_chosen_dark_theme_is_the_systems_dark_theme():
    assert declarations(block(':root[data-theme="dark"] {')) == declarations(
        block(":root:not([data-theme]) {")
    )


def test_no_rule_outside_the_tokens_asks_for_a_theme():
    asking = [
        file.name
        for file in CSS.rglob("*.css")
        if "data-theme" in file.read_text() and file.name != "tokens.css"
    ]
    assert asking == []


def test_every_token_in_use_is_defined():
    defined = set(re.findall(r"(--[\w-]+):", TOKENS)) | {"--under", "--w"}
    used = {
        f"{file.name}: {name}"
        for file in CSS.rglob("*.css")
        for name in re.findall(r"var\((--[\w-]+)", file.read_text(encoding="utf-8"))
        if name not in defined
    }
    assert used == set()


def test_every_style_is_in_a_layer():
    layers = set()
    for file in CSS.rglob("*.css"):
        if file.name != "app.css":
            layers.add(re.search(r"^@layer (\w+) \{", file.read_text(encoding="utf-8"), re.M)[1])
    assert layers == {"theme", "base", "components", "screens", "utilities"}
