"""What pages draw, as inline SVG; colours are classes of the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 240, 56
CURVE_WIDTH, CURVE_HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 18, 26
TICKS = 4


def histogram(counts: Sequence[int], name: str) -> Markup:
    """Counts in bins of equal width."""
    peak, step = max(counts), WIDTH / len(counts)
    bars = [
        f'<rect x="{i * step + 0.5:.2f}" y="{HEIGHT - tall:.2f}" width="{max(step - 1, 0.5):.2f}" '
        f'height="{tall:.2f}"/>'
        for i, count in enumerate(counts)
        if (tall := _tall(count, peak))
    ]
    return _svg(WIDTH, HEIGHT, "".join(bars), f"Histogram of {name}", "histogram")


def bars(top: Sequence[tuple[str, int]], total: int) -> Markup:
    """Values with their shares of all cells, the most frequent first."""
    peak = max(count for _, count in top)
    lines = [
        Markup(
            '<li><span class="bar-name" title="{0}">{0}</span>'
            '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            '<rect width="{1:.2f}" height="8"/></svg><span class="bar-share">{2}</span></li>'
        ).format(value or "(empty)", 100 * count / peak, f"{100 * count / max(total, 1):.1f}%")
        for value, count in top
    ]
    return Markup('<ul class="bars">{}</ul>').format(Markup("").join(lines))


def loss_curve(points: Sequence[Sequence[float]]) -> Markup:
    """Training loss over the share of the fit that is done."""
    losses = [loss for _, loss in points]
    low, high, ticks = _scale(min(losses), max(losses))
    width, height = CURVE_WIDTH - LEFT - RIGHT, CURVE_HEIGHT - TOP - BOTTOM

    def across(done: float) -> float:
        return LEFT + width * min(max(done, 0), 1)

    def down(loss: float) -> float:
        return TOP + height * (high - loss) / (high - low)

    rules = "".join(
        f'<path class="rule" d="M{LEFT} {down(tick):.1f}H{CURVE_WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 7}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        for tick in ticks
    )
    shares = "".join(
        f'<text x="{across(share):.1f}" y="{CURVE_HEIGHT - 7}" text-anchor="{anchor}">'
        f"{100 * share:.0f}%</text>"
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    line = " ".join(f"{across(done):.1f},{down(loss):.1f}" for done, loss in points)
    done, loss = points[-1]
    end = f'<circle cx="{across(done):.1f}" cy="{down(loss):.1f}" r="4"/>'
    body = f'{rules}{shares}<polyline points="{line}"/>{end}'
    title = f"Training loss, {losses[0]:.4g} at the beginning, {loss:.4g} at {100 * done:.0f}%"
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, body, title, "curve")


def interval(
    value: float, ends: Sequence[float] | None, floor: float | None, low: float, high: float
) -> Markup:
    """A figure with its interval, and real rows' figure as a rule, on the scale `low` to `high`."""
    span = (high - low) or 1.0

    def across(number: float) -> float:
        return 4 + 132 * (number - low) / span

    left, right = ends if ends else (value, value)
    body = (
        f'<path class="axis" d="M4 10H136"/><path d="M{across(left):.1f} 10H{across(right):.1f}"/>'
    )
    if floor is not None:
        body += f'<path class="floor" d="M{across(floor):.1f} 3V17"/>'
    body += f'<circle cx="{across(value):.1f}" cy="10" r="4"/>'
    return _svg(140, 20, body, f"{value:.4g} beside real rows", "interval")


def _tall(count: int, peak: int) -> float:
    return max(HEIGHT * count / peak, 1.0) if count else 0.0


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * s for s in (1, 2, 2.5, 5, 10) if power * s >= rough * 0.999)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return low, high, [low + step * i for i in range(round((high - low) / step) + 1)]


def _svg(width: int, height: int, body: str, title: str, kind: str) -> Markup:
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg>'
    )
