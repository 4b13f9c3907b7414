"""One measured figure: its value, its interval, and the floor it is read against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interval = tuple[float, float]
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
