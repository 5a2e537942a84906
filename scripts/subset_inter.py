"""Makes drivercrm/ui/assets/fonts/inter.woff2 from Inter's variable font.

Needs fonttools and brotli, which nothing else here needs:

    npm pack inter-ui@4.1.1   # holds package/variable/InterVariable.woff2
    python scripts/subset_inter.py package/variable/InterVariable.woff2

It keeps weights 400 to 700, the optical sizes, tabular figures, and the letters of English, isiZulu,
Afrikaans, Sesotho, Tshivenda and most of western Europe. Other letters fall back to the system's font.
"""

import sys
from io import BytesIO
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

TARGET = Path(__file__).resolve().parent.parent / "drivercrm/ui/assets/fonts/inter.woff2"
LETTERS = {*range(0x20, 0x7F), *range(0xA0, 0x100)}
MORE_LETTERS = "ıŒœŠšŽžŸḒḓḼḽṄṅṊṋṰṱŊŋ"
# dashes, quotes, bullet, ellipsis, primes, euro, trademark, arrows, minus, comparisons, tick, spaces
SIGNS = {
    0x2013,
    0x2014,
    0x2018,
    0x2019,
    0x201A,
    0x201C,
    0x201D,
    0x201E,
    0x2022,
    0x2026,
    0x2032,
    0x2033,
    0x2039,
    0x203A,
    0x20AC,
    0x2122,
    0x2190,
    0x2191,
    0x2192,
    0x2193,
    0x21B5,
    0x2212,
    0x2248,
    0x2260,
    0x2264,
    0x2265,
    0x2044,
    0x2713,
    0x2318,
    0x2009,
    0x202F,
}
FEATURES = ["kern", "tnum", "ccmp", "mark", "mkmk", "locl", "calt", "case", "rvrn", "rclt"]


def make(source: Path) -> int:
    """Writes the subset and returns its size in bytes."""
    font = TTFont(source)
    font["glyf"]  # read before the subsetter renames glyphs
    options = subset.Options()
    options.layout_features = FEATURES
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.hinting = False
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=LETTERS | {ord(letter) for letter in MORE_LETTERS} | SIGNS)
    subsetter.subset(font)
    font.flavor = None
    plain = BytesIO()
    font.save(plain)
    plain.seek(0)
    narrowed = instancer.instantiateVariableFont(TTFont(plain), {"wght": (400, 700)})
    narrowed.flavor = "woff2"
    narrowed.save(TARGET)
    return TARGET.stat().st_size


if __name__ == "__main__":
    print(f"{TARGET.name}: {make(Path(sys.argv[1]))} bytes")
