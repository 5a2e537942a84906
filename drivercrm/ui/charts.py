"""Charts as SVG drawn on the server: no script, and print, mail and PDF show them too.

Colours are tokens, so a chart follows the theme. Every text that comes from data is escaped. A chart is one
image with a sentence (`title`); `as_table` gives the same numbers as a table beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString

from drivercrm.ui.formats import DASH, number

Values = Sequence[float]
Form = Callable[[float], str]

BOTTOM, TOP = 24, 12
FIRST = "var(--color-c1)"


def _percent(value: float) -> str:
    return f"{value:.0f}%"


@dataclass(frozen=True)
class Line:
    """One line of a chart: its marker is `dot`, `square`, `triangle` or none; gaps are None."""

    name: str
    values: Sequence[float | None]
    colour: str = FIRST
    dashed: bool = False
    marker: str = "dot"


@dataclass(frozen=True)
class Layer:
    """One layer of stacked bars."""

    name: str
    values: Values
    colour: str = FIRST


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{escape(text)}</text>'


def _image(width: float, height: float, title: str, drawn: list[str]) -> SafeString:
    return SafeString(
        f'<svg class="chart" style="--w:{width:g}" viewBox="0 0 {width:g} {height:g}" role="img"'
        f' aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    )


def _scale(
    low: float, high: float, steps: int, left: float, right: float, height: float, form: Form
) -> list[str]:
    """Grid lines with their values, from the axis up."""
    drawn = []
    for step in range(steps + 1):
        y = height - BOTTOM - (height - BOTTOM - TOP) * step / steps
        kind = "gl" if step else "ax"
        drawn.append(f'<line class="{kind}" x1="{left:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(_text(left - 8, y + 4, form(low + (high - low) * step / steps), "end"))
    return drawn


def spark(
    values: Values, width: int = 96, height: int = 24, fill: bool = True, colour: str = FIRST
) -> SafeString:
    """A small line beside a figure; the figure says it in words. Empty for fewer than two values."""
    if len(values) < 2:
        return SafeString("")
    low, high = float(min(values)), float(max(values))
    reach = (high - low) or 1.0
    step = (width - 4) / (len(values) - 1)
    points = [
        (i * step + 2, height - 3 - (float(v) - low) / reach * (height - 6)) for i, v in enumerate(values)
    ]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    (first, _), (last, end) = points[0], points[-1]
    area = ""
    if fill:
        area = f'<path d="{path} L{last:.1f} {height} L{first:.1f} {height}Z" fill="{colour}" opacity=".1"/>'
    return SafeString(
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" fill="none" aria-hidden="true">{area}'
        f'<path d="{path}" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"/>'
        f'<circle cx="{last:.1f}" cy="{end:.1f}" r="2" fill="{colour}"/></svg>'
    )


def bars(
    values: Values,
    labels: Sequence[str],
    *,
    title: str,
    compare: Values | None = None,
    highlight: Sequence[int] | None = None,
    show_values: bool = False,
    top: float | None = None,
    steps: int = 4,
    form: Form = number,
    every: int = 1,
    width: int = 560,
    height: int = 200,
    left: int = 40,
    colour: str = FIRST,
) -> SafeString:
    """Upright bars; `compare` draws the other period as a line over each, `highlight` mutes the others."""
    top = top or max([*values, *(compare or [])], default=0) or 1
    room, right = height - BOTTOM - TOP, width - 4
    step = (right - left) / max(1, len(values))
    wide = step * 0.65
    drawn = _scale(0, top, steps, left, right, height, form)
    for i, value in enumerate(values):
        x, tall = left + i * step + step * 0.175, room * float(value) / top
        fill = colour if highlight is None or i in highlight else "var(--color-c-mute)"
        side = max(tall - 2, 0)
        name = f"{escape(labels[i])}: {escape(form(value))}"
        drawn.append(
            f'<path d="M{x:.1f} {height - BOTTOM} v{-side:.1f} q0 -2 2 -2 h{wide - 4:.1f} q2 0 2 2 v{side:.1f}z"'
            f' fill="{fill}"><title>{name}</title></path>'
        )
        if compare is not None:
            line = f"M{x - 2:.1f} {height - BOTTOM - room * float(compare[i]) / top:.1f}h{wide + 4:.1f}"
            drawn.append(f'<path d="{line}" stroke="var(--color-surface)" stroke-width="4"/>')
            drawn.append(f'<path d="{line}" stroke="var(--color-ink-3)" stroke-width="1.75"/>')
        if show_values:
            drawn.append(_text(x + wide / 2, height - BOTTOM - tall - 5, form(value), "middle", "v"))
        if i % every == 0:
            drawn.append(_text(x + wide / 2, height - 6, labels[i], "middle"))
    return _image(width, height, title, drawn)


def stacked(
    layers: Sequence[Layer],
    labels: Sequence[str],
    *,
    title: str,
    top: float | None = None,
    steps: int = 4,
    form: Form = number,
    every: int = 1,
    width: int = 560,
    height: int = 200,
    left: int = 48,
) -> SafeString:
    """Bars made of layers that add up."""
    sums = [sum(float(layer.values[i]) for layer in layers) for i in range(len(labels))]
    top = top or max(sums, default=0) or 1
    room, right = height - BOTTOM - TOP, width - 4
    step = (right - left) / max(1, len(labels))
    drawn = _scale(0, top, steps, left, right, height, form)
    for i, label in enumerate(labels):
        x, y = left + i * step + step * 0.175, float(height - BOTTOM)
        for layer in layers:
            tall = room * float(layer.values[i]) / top
            if tall > 0:
                name = f"{escape(label)}, {escape(layer.name)}: {escape(form(layer.values[i]))}"
                drawn.append(
                    f'<rect x="{x:.1f}" y="{y - tall + 1:.1f}" width="{step * 0.65:.1f}"'
                    f' height="{max(tall - 1, 0.5):.1f}" rx="1" fill="{layer.colour}"><title>{name}</title></rect>'
                )
            y -= tall
        if i % every == 0:
            drawn.append(_text(x + step * 0.325, height - 6, label, "middle"))
    return _image(width, height, title, drawn)


def _marker(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "square":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
    if kind == "triangle":
        return f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z" fill="{colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>' if kind == "dot" else ""


def lines(
    series: Sequence[Line],
    labels: Sequence[str],
    *,
    title: str,
    top: float = 100,
    low: float = 0,
    steps: int = 4,
    form: Form = _percent,
    every: int = 1,
    target: tuple[float, str] | None = None,
    width: int = 560,
    height: int = 200,
    left: int = 40,
    right_room: int = 64,
) -> SafeString:
    """Lines over time, told apart by dash and marker as well as colour; `target` is a dotted level with a word."""
    right = width - right_room
    reach = (top - low) or 1

    def across(i: int) -> float:
        return left + (right - left) * i / max(1, len(labels) - 1)

    def up(value: float) -> float:
        return height - BOTTOM - (height - BOTTOM - TOP) * (float(value) - low) / reach

    drawn = _scale(low, top, steps, left, right, height, form)
    drawn += [_text(across(i), height - 6, labels[i], "middle") for i in range(0, len(labels), every)]
    if target is not None:
        y = up(target[0])
        drawn.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--color-ink-3)"'
            ' stroke-dasharray="2 3"/>'
        )
        drawn.append(_text(left + 4, y - 5, target[1]))
    for line in series:
        points = [(across(i), up(value)) for i, value in enumerate(line.values) if value is not None]
        if not points:
            continue
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        stroke = '1.5" stroke-dasharray="4 3' if line.dashed else "2"
        drawn.append(
            f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="{stroke}" stroke-linejoin="round"'
            ' stroke-linecap="round"/>'
        )
        x, y = points[-1]
        drawn.append(_marker(line.marker, x, y, line.colour))
        drawn.append(_text(x + 8, y + 4, line.name, "start", "v"))
    return _image(width, height, title, drawn)


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Values],
    *,
    title: str,
    every: int = 2,
    width: int = 560,
    cell: int = 22,
    left: int = 36,
) -> SafeString:
    """A map of small cells in five steps of one colour; nothing at all is the empty step."""
    height = 4 + 22 + cell * len(rows)
    wide = (width - left) / max(1, len(columns))
    flat = [float(value) for row in values for value in row]
    low, high = min(flat, default=0.0), max(flat, default=0.0)
    reach = (high - low) or 1.0
    drawn = []
    for j, row in enumerate(rows):
        drawn.append(_text(left - 8, 4 + j * cell + cell / 2 + 4, row, "end"))
        for i, value in enumerate(values[j]):
            step = 0 if value <= 0 else min(5, 1 + int((float(value) - low) / reach * 4.99))
            name = f"{escape(row)} {escape(columns[i])}: {value:g}"
            drawn.append(
                f'<rect x="{left + i * wide + 1:.1f}" y="{4 + j * cell + 1}" width="{wide - 2:.1f}"'
                f' height="{cell - 2}" rx="2" fill="var(--color-h{step})"><title>{name}</title></rect>'
            )
    drawn += [
        _text(left + i * wide + wide / 2, height - 6, columns[i], "middle")
        for i in range(0, len(columns), every)
    ]
    return _image(width, height, title, drawn)


def as_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> SafeString:
    """The chart's numbers behind “Show as table”; the first cell of a row names it."""
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = []
    for name, *values in rows:
        shown = "".join(f'<td class="r">{escape(DASH if value is None else value)}</td>' for value in values)
        body.append(f'<tr><th scope="row">{escape(name)}</th>{shown}</tr>')
    return SafeString(
        '<details class="as-table"><summary>Show as table</summary><table class="tbl plain">'
        f'<caption class="sr">{escape(caption)}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></details>"
    )
