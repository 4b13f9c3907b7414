"""Curves over a shared pair of axes, and a figure's interval beside its floor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from llmsynth_eval.details import Curve, Line
from llmsynth_eval.figure import Figure
from llmsynth_eval.pages.svg import label, svg

WIDTH, HEIGHT = 380, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 40
NUM_STYLES = 5
REFERENCES = ("chance", "equal", "guessing", "perfect")
"""Names of lines that are not measured but show where others should lie."""
TICKS = 4


def line_chart(curve: Curve) -> str:
    """The curve's lines with axes; lines differ by colour and by dashes."""
    drawable = [line for line in curve.lines if line.x]
    if not drawable:
        return "<p>There is no point to draw.</p>"
    x_axis = _Axis([x for line in drawable for x in line.x], LEFT, WIDTH - RIGHT)
    y_axis = _Axis([y for line in drawable for y in line.y], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>',
        *(
            f'<path class="rule" d="M{LEFT} {y_axis.place(tick):.1f}H{WIDTH - RIGHT}"/>'
            + label(LEFT - 5, y_axis.place(tick) + 4, _number(tick), anchor="end")
            for tick in y_axis.ticks
        ),
        *(
            label(x_axis.place(tick), HEIGHT - BOTTOM + 14, _number(tick), anchor="middle")
            for tick in x_axis.ticks
        ),
        *(
            _path(line, style, x_axis, y_axis)
            for line, style in zip(drawable, _styles(drawable), strict=True)
        ),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, curve.x_label, anchor="middle"),
    ]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text transform="translate(11 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(curve.y_label)}</text>"
    )
    return svg(WIDTH, HEIGHT, "".join(parts), title=curve.title)


def legend(curve: Curve) -> str:
    """The names of the lines, each beside a piece of it."""
    drawable = [line for line in curve.lines if line.x]
    keys = "".join(
        f'<span><svg class="key" viewBox="0 0 26 8" aria-hidden="true">'
        f'<path class="line {style}" d="M0 4H26"/></svg>{escape(line.name)}</span>'
        for line, style in zip(drawable, _styles(drawable), strict=True)
    )
    return f'<p class="legend">{keys}</p>'


def whisker(figure: Figure) -> str:
    """The value with its interval above the floor with its own, on one unlabelled scale."""
    if figure.value is None:
        return ""
    low, high = figure.interval or (figure.value, figure.value)
    points = [figure.value, low, high]
    if figure.floor is not None:
        points += [figure.floor, *(figure.floor_interval or ())]
    if not all(map(math.isfinite, points)) or max(points) == min(points):
        return ""
    axis = _Axis(points, 6, 134, ticks=False)
    parts = [_mark("synthetic", axis, figure.value, low, high, 6)]
    if figure.floor is not None:
        ends = figure.floor_interval or (figure.floor, figure.floor)
        parts.append(_mark("real", axis, figure.floor, *ends, 16))
    return svg(140, 22, "".join(parts), title=f"{figure.title} beside its floor")


class _Axis:
    """Numbers between two places of the drawing, with a few round ticks."""

    def __init__(
        self, values: list[float], start: float, end: float, *, ticks: bool = True
    ) -> None:
        low, high = min(values), max(values)
        if low == high:
            low, high = low - 0.5, high + 0.5
        self.ticks: list[float] = []
        if ticks:
            step = _round_step((high - low) / TICKS)
            low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
            self.ticks = [low + step * i for i in range(round((high - low) / step) + 1)]
        self._low, self._span = low, high - low
        self._start, self._length = start, end - start

    def place(self, value: float) -> float:
        return self._start + self._length * (value - self._low) / self._span


def _styles(lines: Sequence[Line]) -> list[str]:
    """A class for each line: measured ones in turn, so that the first has the strongest."""
    measured = [line.name for line in lines if line.name not in REFERENCES]
    return [
        "reference" if line.name in REFERENCES else f"s{measured.index(line.name) % NUM_STYLES}"
        for line in lines
    ]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= rough * 0.999)


def _path(line: Line, style: str, x_axis: _Axis, y_axis: _Axis) -> str:
    points = " ".join(
        f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in zip(line.x, line.y, strict=True)
    )
    return f'<polyline class="line {style}" points="{points}"/>'


def _mark(side: str, axis: _Axis, value: float, low: float, high: float, y: float) -> str:
    left, right, middle = axis.place(low), axis.place(high), axis.place(value)
    shape = (
        f'<circle class="{side}" cx="{middle:.1f}" cy="{y}" r="3.5"/>'
        if side == "synthetic"
        else f'<rect class="{side}" x="{middle - 3:.1f}" y="{y - 3}" width="6" height="6"/>'
    )
    return f'<path class="line {side}" d="M{left:.1f} {y}H{right:.1f}"/>{shape}'


def _number(value: float) -> str:
    if value and abs(value) < 1e-12:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
