"""Counts with noise: histograms over declared cells, and over keys that only the data name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.noise_source import NoiseSource

_FALSE_CELLS = 1e-4
"""Chance that noise alone makes any empty cell of a closed histogram look used."""


@dataclass(frozen=True, kw_only=True)
class NoisyCounts:
    """Histograms that are released together, as one Gaussian mechanism.

    A row counts in one cell of each histogram and a unit has at most `most_rows` rows, so a unit
    moves the vector of all cells by at most most_rows * sqrt(num_histograms) in L2.

    Args:
        key_delta: chance that any key held by one unit alone comes out, over all open histograms.
        num_open: how many of the histograms are open.
    """

    num_histograms: int
    noise_multiplier: float
    most_rows: int
    source: NoiseSource
    key_delta: float = 0.0
    num_open: int = 0

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on each count, in rows."""
        return self.noise_multiplier * self.most_rows * math.sqrt(self.num_histograms)

    @property
    def mechanism(self) -> Mechanism:
        """What the accountant is told."""
        return Mechanism(noise_multiplier=self.noise_multiplier)

    @property
    def key_threshold(self) -> float:
        """Noisy count from which a key of an open histogram is released.

        A unit may bring `most_rows` new keys to each open histogram, and each of them counts
        `most_rows` rows at most (stability-based thresholding with Gaussian noise; Desfontaines,
        Voss, Gipson & Mandayam 2022, arXiv 2006.03684, section 4).
        """
        keys = max(self.num_open, 1) * self.most_rows
        return self.most_rows + self.deviation * NormalDist().inv_cdf(1 - self.key_delta / keys)

    def cell_threshold(self, cells: int) -> float:
        """Noisy count from which a cell of a closed histogram is taken to be used."""
        return self.deviation * NormalDist().inv_cdf(1 - _FALSE_CELLS / max(cells, 1))

    def used_span(self, noisy: npt.NDArray[np.float64]) -> tuple[int, int] | None:
        """First and last cell between which all rows seem to lie; None where none does.

        An end is where a cell passes `cell_threshold` or where the cells up to it together pass
        what noise alone would not reach, so that a thin tail over many cells is seen, too.
        """
        ends = []
        reach = self.cell_threshold(2 * len(noisy))
        for counts in (noisy, noisy[::-1]):
            together = np.cumsum(counts) / np.sqrt(np.arange(1, len(counts) + 1))
            passed = np.flatnonzero((counts > reach) | (together > reach))
            if not len(passed):
                return None
            ends.append(int(passed[0]))
        low, high = ends[0], len(noisy) - 1 - ends[1]
        return (low, high) if low <= high else (high, low)

    def closed(self, cells: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.float64]:
        """Noisy rows in each of `size` cells that are known without the data; float64 (size,).

        Args:
            cells: (rows,), the cell of each row; negative where it is in none.
        """
        return self.noisy(np.bincount(cells[cells >= 0], minlength=size).astype(np.float64))

    def noisy(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """One closed histogram of any shape, already counted."""
        noise = self.source.gaussian(counts.size, self.deviation)
        return np.rint(counts + noise.reshape(counts.shape))

    def sums(self, exact: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Statistics in place of histograms, each of which one row moves by at most one."""
        return self.noisy(exact)

    def open(self, texts: pa.Array) -> dict[str, float]:
        """The texts that enough rows hold, with their noisy counts; by falling count."""
        counted = pc.value_counts(texts.drop_null())
        keys = counted.field("values").to_pylist()
        exact = np.asarray(counted.field("counts"), dtype=np.float64)
        noisy = np.rint(exact + self.source.gaussian(len(exact), self.deviation))
        kept = np.flatnonzero(noisy > self.key_threshold)
        # The order of the table's rows must not show.
        return {
            str(keys[i]): float(noisy[i])
            for i in sorted(kept.tolist(), key=lambda i: (-noisy[i], keys[i]))
        }
