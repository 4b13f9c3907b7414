"""What stands behind a figure: a table a reader may sort, a curve a reader may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | float | int | None


@dataclass(frozen=True, kw_only=True)
class DetailTable:
    """A table behind one or more figures, e.g. one row a column of the judged table."""

    name: str
    """Short key, e.g. `column_distances`."""
    title: str
    columns: tuple[str, ...]
    """Headings; the first column names what a row is about."""
    rows: tuple[tuple[Cell, ...], ...]
    """Worst first. None is a number that is undefined. Never a real row's cells."""
    meaning: str
    """One or two lines: what good looks like, and what the table cannot tell."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a curve: points in order."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One plot of lines over a shared pair of axes: ROC, calibration, distances."""

    name: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    meaning: str


def thinned(
    x: Sequence[float], y: Sequence[float], *, most: int = 200
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """At most `most` points of a line, evenly taken by position, both ends kept."""
    if len(x) <= most:
        return tuple(map(float, x)), tuple(map(float, y))
    chosen = [round(i * (len(x) - 1) / (most - 1)) for i in range(most)]
    return tuple(float(x[i]) for i in chosen), tuple(float(y[i]) for i in chosen)
