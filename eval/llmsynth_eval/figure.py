"""One measured figure: its value, its interval, and the floor it is read against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Interval = tuple[float, float]
Measured = tuple[float | None, Interval | None]
"""A value and its 95% interval; None where it is undefined."""
Goal = Literal["lower", "higher", "half", "reference"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a judgement, beside the same number for real rows."""

    name: str
    """Short key, e.g. `dcr_share`."""
    title: str
    """What a person reads, e.g. `DCR share`."""
    value: float | None
    """The number for the synthetic table; None where it is undefined (a note says why)."""
    interval: Interval | None = None
    """95% interval of `value`."""
    floor: float | None = None
    """The same number with the holdout in the synthetic table's place (TRTR for TSTR)."""
    floor_interval: Interval | None = None
    """95% interval of `floor`."""
    goal: Goal
    """Which way is better; `half` is nearest to .5, `reference` is no judgement by itself."""
    meaning: str
    """One line for a reader who does not know the term."""


def beside_floor(
    found: Mapping[str, Measured], *, name: str, title: str, meaning: str, goal: Goal = "lower"
) -> Figure:
    """The synthetic table's figure beside the holdout's, its floor.

    Args:
        found: role to what was measured of it; a role that is not there was not measured.
    """
    value, interval = found.get("synthetic", (None, None))
    floor, floor_interval = found.get("holdout", (None, None))
    return Figure(
        name=name,
        title=title,
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal=goal,
        meaning=meaning,
    )


@dataclass(frozen=True, kw_only=True)
class ColumnError:
    """How far one column's distribution is from the train table's."""

    name: str
    is_numeric: bool
    date_format: str | None = None
    error: float
    floor: float | None = None


@dataclass(frozen=True, kw_only=True)
class PairError:
    """How far the joint distribution of two columns is from the train table's."""

    first: str
    second: str
    error: float
    floor: float | None = None
