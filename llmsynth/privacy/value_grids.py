"""Grids over all numbers and days, made without looking at data, on which bounds are found."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

_LARGEST_POWER = 15
_FINE_CELLS = 64
_FIRST_YEAR, _LAST_YEAR = 1800, 2200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NumberGridCells:
    """Half-open cells [edges[i], edges[i + 1]) of multiples of `unit`."""

    edges: tuple[Decimal, ...]
    unit: Decimal

    def __len__(self) -> int:
        return len(self.edges) - 1

    def cells(self, values: Floats) -> npt.NDArray[np.int64]:
        """Each value's cell; the first or last one for values beyond, -1 for NaN."""
        edges = np.array([float(edge) for edge in self.edges])
        # Half a unit off, so that rounding puts no value on the wrong side of an edge.
        index = np.searchsorted(edges - float(self.unit) / 2, values, side="right") - 1
        index = np.clip(index, 0, len(self) - 1)
        return np.where(np.isnan(values), -1, index)

    def bounds(self, first: int, last: int) -> tuple[Decimal, Decimal]:
        """First value of cell `first` and last value of cell `last`."""
        return self.edges[first], self.edges[last + 1] - self.unit


def coarse_cells(scale: int) -> NumberGridCells:
    """One cell for each leading digit and power of ten, on both sides of zero."""
    unit = Decimal(1).scaleb(-scale)
    positive = [
        Decimal(digit).scaleb(power)
        for power in range(-scale, _LARGEST_POWER + 1)
        for digit in range(1, 10)
    ]
    # A negative cell ends where its mirror image begins, one unit above its largest value.
    negative = [unit - edge for edge in reversed(positive)]
    return NumberGridCells((*negative, *positive), unit)


def fine_cells(low: Decimal, high: Decimal, unit: Decimal) -> NumberGridCells:
    """At most 64 even cells from `low` to `high`, both included."""
    steps = int((high - low) / unit) + 1
    width = math.ceil(steps / _FINE_CELLS)
    count = math.ceil(steps / width)
    edges = [min(low + unit * width * i, high + unit) for i in range(count + 1)]
    return NumberGridCells(tuple(edges), unit)


def year_cells(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """The cell of each day: its year from 1800 to 2200; -1 for NaT."""
    missing = np.isnat(days)
    years = np.where(missing, np.datetime64("1970"), days).astype("M8[Y]").astype(np.int64) + 1970
    return np.where(missing, -1, np.clip(years, _FIRST_YEAR, _LAST_YEAR) - _FIRST_YEAR)


NUM_YEARS = _LAST_YEAR - _FIRST_YEAR + 1


def year_bounds(first: int, last: int) -> tuple[dt.date, dt.date]:
    """First day of the year of cell `first` and last day of the year of cell `last`."""
    return dt.date(first + _FIRST_YEAR, 1, 1), dt.date(last + _FIRST_YEAR, 12, 31)
