"""The drawn parts of a page, as inline SVG text; colours are classes that `style.css` fills."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from llmsynth_eval.cells import Floats

WIDTH, HEIGHT = 260, 150


def histogram(
    real: Floats, synthetic: Floats, *, low: str, high: str, missing: str, title: str
) -> str:
    """Two distributions over the same bins: real as an area, synthetic as a line.

    Args:
        real, synthetic: shares of the present values, one per bin.
        low, high: what the first and the last bin edge mean.
        missing: the missing rates, or nothing.
    """
    peak = max(float(real.max()), float(synthetic.max()), 1e-9)
    base = HEIGHT - 34
    body = (
        f'<path class="area" d="{_steps(real / peak, base)}V{base}H0Z"/>'
        f'<path class="line synthetic" d="{_steps(synthetic / peak, base)}"/>'
        f'<path class="axis" d="M0 {base}H{WIDTH}"/>'
        f"{label(0, base + 13, low)}{label(WIDTH, base + 13, high, anchor='end')}"
        f"{label(0, base + 28, missing)}"
    )
    return svg(WIDTH, HEIGHT, body, title=title)


def paired_bars(labels: Sequence[str], real: Floats, synthetic: Floats, *, title: str) -> str:
    """Shares of a few categories, a real and a synthetic bar for each."""
    peak = max(float(real.max()), float(synthetic.max()), 1e-9)
    pitch = (HEIGHT - 4) / max(len(labels), 6)
    left, room = 112, WIDTH - 112 - 40
    parts = []
    for number, name in enumerate(labels):
        top = number * pitch
        thick = (pitch - 4) / 2
        parts.append(label(left - 5, top + pitch / 2 + 2, shortened(name, 16), anchor="end"))
        for share, side, offset in (
            (real[number], "real", 0.0),
            (synthetic[number], "synthetic", thick),
        ):
            length = max(0.5, room * share / peak)
            parts.append(
                f'<rect class="{side}" x="{left}" y="{top + offset:.1f}" width="{length:.1f}" '
                f'height="{thick:.1f}"/>'
            )
        end = left + room * max(real[number], synthetic[number]) / peak + 4
        parts.append(label(end, top + pitch / 2 + 2, f"{100 * real[number]:.0f}%"))
    return svg(WIDTH, HEIGHT, "".join(parts), title=title)


def heat_map(names: Sequence[str], values: Floats, *, peak: float, title: str) -> str:
    """A symmetric matrix as shaded cells; NaN cells stay blank, the lower triangle is drawn.

    A cell's opacity alone carries the value, so it reads in any colour and on any ground.
    """
    size, margin = 16, 118
    parts = []
    for i, name in enumerate(names):
        parts.append(label(margin - 5, i * size + 12, shortened(name, 18), anchor="end"))
        for j in range(i):
            value = values[i, j]
            if np.isnan(value):
                continue
            tip = escape(f"{name} x {names[j]}: {value:.4f}")
            parts.append(
                f'<rect class="heat" x="{margin + j * size}" y="{i * size}" width="{size - 1}" '
                f'height="{size - 1}" fill-opacity="{_shade(float(value) / peak)}">'
                f"<title>{tip}</title></rect>"
            )
    floor = len(names) * size
    for j, name in enumerate(names[:-1]):
        x = margin + j * size + 11
        parts.append(
            f'<text x="{x}" y="{floor + 2}" transform="rotate(-60 {x} {floor + 2})" '
            f'text-anchor="end">{escape(shortened(name, 14))}</text>'
        )
    parts.append(_scale(margin + max(0.0, len(names) * size * 0.55), 6, peak))
    width = max(margin + len(names) * size + 20, margin + 110)
    return svg(width, max(floor + 84, 120), "".join(parts), title=title)


def density(shares: Floats, *, side: str, peak: float, title: str) -> str:
    """Shares of rows on a square grid, the first row lowest; opacity rises with the root."""
    size = 300 / shares.shape[1]
    height = size * shares.shape[0]
    cells = "".join(
        f'<rect class="{side}" x="{j * size:.2f}" y="{height - (i + 1) * size:.2f}" '
        f'width="{size:.2f}" height="{size:.2f}" '
        f'fill-opacity="{_shade(float(np.sqrt(shares[i, j] / peak)))}"/>'
        for i, j in zip(*np.nonzero(shares), strict=True)
    )
    ground = f'<rect class="ground" width="300" height="{height:.1f}"/>'
    return svg(300, height, ground + cells, title=title)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def label(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    """One line of text at a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def svg(width: float, height: float, body: str, *, title: str) -> str:
    """A drawing that shrinks with the page; `title` is its name for who cannot see it."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width * 1.5:.0f}px" '
        f'role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{body}</svg>'
    )


def _steps(shares: Floats, base: float) -> str:
    width = WIDTH / len(shares)
    path = f"M0 {base}"
    for number, share in enumerate(shares):
        path += f"V{base - share * (base - 6):.1f}H{(number + 1) * width:.1f}"
    return path


def _scale(x: float, y: float, peak: float) -> str:
    cells = "".join(
        f'<rect class="heat" x="{x + 10 * step:.0f}" y="{y}" width="10" height="10" '
        f'fill-opacity="{_shade(step / 7)}"/>'
        for step in range(8)
    )
    return f"{cells}{label(x, y + 23, '0')}{label(x + 80, y + 23, f'{peak:.2g}', anchor='end')}"


def _shade(share: float) -> str:
    """An opacity; the least is not nothing, so that a cell of 0 is seen to be a cell."""
    return f"{0.06 + 0.94 * min(1.0, max(0.0, share)):.3f}"
