"""The drawn parts of the report page, as inline SVG text in two colour-blind-safe colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from llmsynth_eval.cells import Floats

REAL = "#0072B2"
SYNTHETIC = "#D55E00"
WIDTH, HEIGHT = 260, 150


def histogram(real: Floats, synthetic: Floats, *, low: str, high: str, missing: str) -> str:
    """Two distributions over the same bins: real as an area, synthetic as a line.

    Args:
        real, synthetic: shares of the present values, one per bin.
        low, high: what the first and the last bin edge mean.
        missing: the missing rates, or nothing.
    """
    peak = max(float(real.max()), float(synthetic.max()), 1e-9)
    base = HEIGHT - 34
    body = (
        f'<path d="{_steps(real / peak, base)}V{base}H0Z" fill="{REAL}" fill-opacity=".35"/>'
        f'<path d="{_steps(synthetic / peak, base)}" fill="none" stroke="{SYNTHETIC}" '
        'stroke-width="2"/>'
        f'<path d="M0 {base}H{WIDTH}" stroke="#999"/>'
        f"{_label(0, base + 13, low)}{_label(WIDTH, base + 13, high, anchor='end')}"
        f"{_label(0, base + 28, missing)}"
    )
    return _svg(WIDTH, HEIGHT, body)


def paired_bars(labels: Sequence[str], real: Floats, synthetic: Floats) -> str:
    """Shares of a few categories, a real and a synthetic bar for each."""
    peak = max(float(real.max()), float(synthetic.max()), 1e-9)
    pitch = (HEIGHT - 4) / max(len(labels), 6)
    left, room = 112, WIDTH - 112 - 40
    parts = []
    for number, label in enumerate(labels):
        top = number * pitch
        thick = (pitch - 4) / 2
        parts.append(_label(left - 5, top + pitch / 2 + 2, shortened(label, 16), anchor="end"))
        for share, colour, offset in (
            (real[number], REAL, 0.0),
            (synthetic[number], SYNTHETIC, thick),
        ):
            length = max(0.5, room * share / peak)
            parts.append(
                f'<rect x="{left}" y="{top + offset:.1f}" width="{length:.1f}" '
                f'height="{thick:.1f}" fill="{colour}"/>'
            )
        end = left + room * max(real[number], synthetic[number]) / peak + 4
        parts.append(_label(end, top + pitch / 2 + 2, f"{100 * real[number]:.0f}%"))
    return _svg(WIDTH, HEIGHT, "".join(parts))


def heat_map(names: Sequence[str], values: Floats, *, peak: float, title: str) -> str:
    """A symmetric matrix as shaded cells; NaN cells stay blank, the lower triangle is drawn."""
    size, margin = 16, 118
    parts = []
    for i, name in enumerate(names):
        parts.append(_label(margin - 5, i * size + 12, shortened(name, 18), anchor="end"))
        for j in range(i):
            value = values[i, j]
            if np.isnan(value):
                continue
            tip = escape(f"{name} x {names[j]}: {value:.4f}")
            shade = min(1.0, max(0.0, float(value) / peak))
            parts.append(
                f'<rect x="{margin + j * size}" y="{i * size}" width="{size - 1}" '
                f'height="{size - 1}" fill="{_shade(shade)}"><title>{tip}</title></rect>'
            )
    floor = len(names) * size
    for j, name in enumerate(names[:-1]):
        x = margin + j * size + 11
        parts.append(
            f'<text x="{x}" y="{floor + 2}" transform="rotate(-60 {x} {floor + 2})" '
            f'text-anchor="end">{escape(shortened(name, 14))}</text>'
        )
    parts.append(_scale(margin + len(names) * size * 0.55, 6, peak))
    return _svg(margin + len(names) * size + 20, floor + 84, "".join(parts), title=title)


def scatter(points: Floats, *, colour: str, low: Floats, high: Floats, title: str) -> str:
    """Points of shape (rows, 2) between the corners `low` and `high`; others are cut off."""
    width, height = 300, 260
    inside = ((points >= low) & (points <= high)).all(axis=1)
    scaled = (points[inside] - low) / np.where(high > low, high - low, 1.0)
    places = "".join(f"M{x * width:.1f} {(1 - y) * height:.1f}h0" for x, y in scaled)
    body = (
        f'<rect width="{width}" height="{height}" fill="#fafafa" stroke="#ddd"/>'
        f'<path d="{places}" stroke="{colour}" stroke-width="3" stroke-linecap="round" '
        'stroke-opacity=".45"/>'
    )
    return _svg(width, height, body, title=title)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _steps(shares: Floats, base: float) -> str:
    width = WIDTH / len(shares)
    path = f"M0 {base}"
    for number, share in enumerate(shares):
        path += f"V{base - share * (base - 6):.1f}H{(number + 1) * width:.1f}"
    return path


def _scale(x: float, y: float, peak: float) -> str:
    cells = "".join(
        f'<rect x="{x + 10 * step:.0f}" y="{y}" width="10" height="10" fill="{_shade(step / 7)}"/>'
        for step in range(8)
    )
    return f"{cells}{_label(x, y + 23, '0')}{_label(x + 80, y + 23, f'{peak:.2g}', anchor='end')}"


def _shade(share: float) -> str:
    """White-grey to dark violet; lightness alone carries the value."""
    light, dark = (240, 240, 245), (60, 10, 90)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(light, dark, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _label(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, body: str, *, title: str = "") -> str:
    name = f' role="img" aria-label="{escape(title)}"' if title else ""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width * 1.5:.0f}px"{name} '
        f'xmlns="http://www.w3.org/2000/svg">{body}</svg>'
    )
