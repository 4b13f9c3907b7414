"""Figures as an aligned plain-text table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmsynth_eval.figure import Figure, Interval

HEADER = ("figure", "synthetic", "95% interval", "floor", "meaning")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts as lines of left-aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def figure_table(figures: Iterable[Figure]) -> str:
    """One line per figure: value, interval, floor, meaning."""
    rows: list[Sequence[str]] = [HEADER]
    for figure in figures:
        interval = interval_text(figure.interval)
        floor = number_text(figure.floor)
        rows.append((figure.title, number_text(figure.value), interval, floor, figure.meaning))
    return aligned(rows)


def number_text(value: float | None) -> str:
    """Four decimals, fewer from 10 on, or a dash for no value."""
    if value is None:
        return "-"
    decimals = 4 if abs(value) < 10 else 2 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}"


def interval_text(interval: Interval | None) -> str:
    """`low to high`, or a dash for no interval."""
    if interval is None:
        return "-"
    return f"{number_text(interval[0])} to {number_text(interval[1])}"


def p_text(p_value: float) -> str:
    """A p-value in words of few digits."""
    return "p < 0.0001" if p_value < 1e-4 else f"p = {p_value:.4f}"
