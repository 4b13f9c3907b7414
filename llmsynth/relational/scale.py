"""A number as one of a few ordered bins, the form in which rows before the current one are read.

Cut points are averages of at least five neighbouring cells, so that none is one row's own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_NEIGHBOURS = 2
"""Cells on either side that a cut point is averaged with."""


@dataclass(frozen=True)
class Scale:
    """Rising cut points; bin i holds what lies above i of them."""

    cuts: tuple[float, ...]

    @classmethod
    def of(cls, numbers: Numbers, *, most_bins: int) -> Self:
        """Cut at quantiles, so that bins hold about as many cells; a heap gets a bin of its own.

        Few distinct numbers get a bin each, but for those that fewer than five cells hold.

        Args:
            numbers: float64 (cells,); NaN where missing.
        """
        ordered = np.sort(numbers[~np.isnan(numbers)])
        values, counts = np.unique(ordered, return_counts=True)
        if len(values) <= most_bins:
            common = values[:-1][counts[:-1] > 2 * _NEIGHBOURS]
            return cls(tuple(float(cut) for cut in common))
        places = np.arange(1, most_bins) * len(ordered) // most_bins
        around = np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
        near = np.clip(places[:, None] + around, 0, len(ordered) - 1)
        heaped = ordered[near[:, 0]] == ordered[near[:, -1]]
        # Exactly the heap's number, not a mean that is a rounding above it.
        cuts = np.where(heaped, ordered[near[:, 0]], ordered[near].mean(axis=1))
        return cls(tuple(float(cut) for cut in np.unique(cuts)))

    def bins(self, numbers: Numbers) -> npt.NDArray[np.int64]:
        """Bin of each number, 0 to `size` - 1; what is missing falls anywhere."""
        return np.searchsorted(np.array(self.cuts), numbers, side="left").astype(np.int64)

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.cuts) + 1

    @classmethod
    def from_json(cls, data: Sequence[float]) -> Self:
        """A scale from its cut points."""
        return cls(tuple(float(cut) for cut in data))
