import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivercrm.ui import charts

SVG = "http://www.w3.org/2000/svg"
PRINTABLE = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"])
)
COUNTS = st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=12)


def read(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def every_kind(values: list[int], text: str) -> list[str]:
    labels = [text] * len(values)
    return [
        charts.bars(values, labels, title=text, compare=values, show_values=True),
        charts.stacked([charts.Layer(text, values)], labels, title=text),
        charts.lines([charts.Line(text, values)], labels, title=text, top=10**6, target=(5, text)),
        charts.heat([text], labels, [values], title=text),
    ]


@given(values=COUNTS, text=PRINTABLE)
def test_every_chart_is_well_formed_whatever_the_data(values, text):
    for drawn in every_kind(values, text):
        image = read(drawn)
        assert image.attrib["role"] == "img"
        assert image.attrib["aria-label"] == text
        assert "nan" not in drawn


@pytest.mark.parametrize("values", [[0], [0, 0, 0], [5], [5, 5]])
def test_flat_and_empty_values_draw(values):
    for drawn in every_kind(values, "x"):
        read(drawn)


def test_charts_without_any_value_draw():
    for drawn in every_kind([], "x"):
        read(drawn)


def test_bars_grow_with_their_values():
    image = read(charts.bars([5, 10], ["a", "b"], title="t", height=136))
    paths = [path.attrib["d"] for path in image.iter("path")]

    tall = [float(re.search(r"v(-[\d.]+)", path)[1]) for path in paths]

    assert tall == [-48.0, -98.0]  # of 100 px, 2 px of each are the rounded corners


def test_each_bar_names_its_value():
    image = read(charts.bars([1234], ["Nov"], title="t"))
    assert [title.text for title in image.iter("title")] == ["Nov: 1\u00a0234"]


def test_bars_outside_the_highlight_are_muted():
    image = read(charts.bars([1, 2], ["a", "b"], title="t", highlight=[1]))
    assert [path.attrib["fill"] for path in image.iter("path")] == ["var(--color-c-mute)", "var(--color-c1)"]


def test_a_line_skips_its_gaps():
    image = read(
        charts.lines([charts.Line("r", [0, None, 100])], ["a", "b", "c"], title="t", width=204, right_room=64)
    )
    path = next(image.iter("path")).attrib["d"]
    assert path == "M40.0 176.0 L140.0 12.0"


def test_a_line_of_gaps_only_is_left_out():
    image = read(charts.lines([charts.Line("r", [None, None])], ["a", "b"], title="t"))
    assert list(image.iter("path")) == []


@pytest.mark.parametrize(
    ("marker", "shape"), [("dot", "circle"), ("square", "rect"), ("triangle", "path"), ("", None)]
)
def test_lines_differ_by_marker(marker, shape):
    image = read(charts.lines([charts.Line("r", [1, 2], marker=marker)], ["a", "b"], title="t"))
    shapes = [element.tag for element in image if element.tag in {"circle", "rect"}]
    if shape == "path":
        assert len(list(image.iter("path"))) == 2
    else:
        assert shapes == ([shape] if shape else [])


def test_nothing_is_the_empty_step_of_a_heat_map():
    image = read(charts.heat(["Mon"], ["06", "07", "08"], [[0, 1, 10]], title="t"))
    assert [cell.attrib["fill"] for cell in image.iter("rect")] == [
        "var(--color-h0)",
        "var(--color-h1)",
        "var(--color-h5)",
    ]


def test_spark_ends_in_a_dot():
    image = read(charts.spark([1, 2, 3]))
    dot = next(image.iter("circle"))
    assert (dot.attrib["cx"], dot.attrib["cy"]) == ("94.0", "3.0")


@pytest.mark.parametrize("values", [[], [4]])
def test_spark_of_fewer_than_two_values_is_empty(values):
    assert charts.spark(values) == ""


def test_spark_without_its_area(show):
    assert show("{% spark values fill=False %}", values=[1, 1]).count("<path") == 1


def test_numbers_of_a_chart_as_a_table():
    assert charts.as_table("Replies", ["Day", "N"], [("<Mon>", 3), ("Tue", None)]) == (
        '<details class="as-table"><summary>Show as table</summary><table class="tbl plain">'
        '<caption class="sr">Replies</caption><thead><tr><th scope="col">Day</th><th scope="col">N</th></tr></thead>'
        '<tbody><tr><th scope="row">&lt;Mon&gt;</th><td class="r">3</td></tr>'
        '<tr><th scope="row">Tue</th><td class="r">\u2013</td></tr></tbody></table></details>'
    )
