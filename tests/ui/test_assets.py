import gzip
import json
import os
import re
from pathlib import Path

import pytest

from drivercrm.ui import assets, icons

FIRST_LOAD = 60_000
FONT = 50_000


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty place for built files, instead of the real one."""
    monkeypatch.setattr(assets, "BUILT", tmp_path)
    assets.forget()
    yield tmp_path
    assets.forget()


def packed(file: Path) -> int:
    return len(gzip.compress(file.read_bytes(), 9))


def test_everything_a_page_asks_for_is_built(built):
    assert sorted(built) == ["app.js", "icon.svg", "icons.svg", "inter.woff2", "styles.css"]
    for file in built.values():
        assert re.search(r"-[\w-]{8}\.\w+$", file.name), "the server may only cache names that carry a hash"
        assert file.stat().st_size > 0


def test_first_load_is_small(built):
    size = packed(built["styles.css"]) + packed(built["app.js"]) + packed(built["icons.svg"])
    assert size <= FIRST_LOAD


def test_the_font_is_one_small_file(built):
    assert built["inter.woff2"].stat().st_size <= FONT
    assert len(list(assets.BUILT.glob("assets/*.woff2"))) == 1


def test_compressed_copies_lie_beside_the_files(built):
    for name in ("styles.css", "app.js", "icons.svg"):
        copy = built[name].with_name(built[name].name + ".gz")
        assert gzip.decompress(copy.read_bytes()) == built[name].read_bytes()
        assert built[name].with_name(built[name].name + ".br").exists()


def test_styles_find_their_font_and_nothing_outside(built):
    addresses = re.findall(r"url\(([^)]+)\)", built["styles.css"].read_text(encoding="utf-8"))
    assert [address.strip("\"'") for address in addresses] == [f"./{built['inter.woff2'].name}"]


def test_the_sprite_holds_every_drawing_and_no_style(built):
    sprite = built["icons.svg"].read_text(encoding="utf-8")
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == icons.drawn()
    assert "style" not in sprite


def test_an_address_carries_the_hash(built):
    assert assets.url("styles.css") == f"/static/built/assets/{built['styles.css'].name}"


def test_without_a_build_the_error_says_what_to_run(elsewhere):
    with pytest.raises(assets.NotBuilt, match="npm ci && npm run build"):
        assets.url("styles.css")


def test_a_file_that_was_never_built_is_named(elsewhere):
    (elsewhere / "manifest.json").write_text(json.dumps({"styles.css": "assets/styles-12345678.css"}))

    with pytest.raises(assets.NotBuilt, match=r"“other\.css”; there are: styles\.css"):
        assets.url("other.css")


def test_a_new_build_is_seen_while_developing(elsewhere, settings):
    settings.DEBUG = True
    manifest = elsewhere / "manifest.json"
    manifest.write_text(json.dumps({"app.js": "assets/app-11111111.js"}))
    before = assets.url("app.js")
    manifest.write_text(json.dumps({"app.js": "assets/app-22222222.js"}))
    os.utime(manifest, ns=(1, 1))

    assert (before, assets.url("app.js")) == (
        "/static/built/assets/app-11111111.js",
        "/static/built/assets/app-22222222.js",
    )


def test_a_running_server_reads_the_names_once(elsewhere, settings):
    settings.DEBUG = False
    manifest = elsewhere / "manifest.json"
    manifest.write_text(json.dumps({"app.js": "assets/app-11111111.js"}))
    assets.url("app.js")
    manifest.unlink()

    assert assets.url("app.js") == "/static/built/assets/app-11111111.js"


def test_the_tag_can_do_without(elsewhere, show):
    assert show('{% asset "styles.css" "" %}') == ""
    with pytest.raises(assets.NotBuilt):
        show('{% asset "styles.css" %}')
