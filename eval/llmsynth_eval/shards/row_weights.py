"""How often each row counts in each resample of a table, found anew wherever its rows are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.bootstrap import RESAMPLES
from llmsynth_eval.cells import Floats

Weights = NDArray[np.uint8]
MOST_DRAWN = 1_000_000
"""Rows up to which a resample is that of `judge`, digit for digit: each process draws it whole."""
_WORD_ROWS = 4
"""Numbers that Philox makes from one count."""
_LARGEST = 20
"""A Poisson variable of mean 1 is above it once in 10**20 rows."""


@dataclass(frozen=True, kw_only=True)
class RowWeights:
    """Bootstrap weights of one table's rows, by their numbers.

    Up to `MOST_DRAWN` rows a resample draws rows with replacement, as `resample_weights` does.
    Of a larger table each row counts by a Poisson variable of mean 1, which follows from seed,
    resample and row number alone (Hanley and MacGibbon 2006, Computer Methods and Programs in
    Biomedicine 83, 57-62).

    Args:
        before: rows of the tables whose resamples the seed draws first, in their order.
        resamples: 0 for the table itself and no more.
    """

    num_rows: int
    seed: int = 0
    before: tuple[int, ...] = ()
    resamples: int = RESAMPLES

    def of(self, first: int, count: int) -> Weights:
        """Weights of some rows, shape (1 + resamples, count): ones, then the resamples."""
        out = np.ones((1 + self.resamples, count), np.uint8)
        if not self.resamples:
            return out
        if self.num_rows <= MOST_DRAWN:
            drawn = _drawn(self.num_rows, self.seed, self.before, self.resamples)
            out[1:] = drawn[:, first : first + count]
        else:
            for resample, row in enumerate(out[1:]):
                row[:] = _poisson((self.seed, len(self.before), resample), first, count)
        return out


@lru_cache(maxsize=4)
def _drawn(num_rows: int, seed: int, before: tuple[int, ...], resamples: int) -> Weights:
    rng = np.random.default_rng(seed)
    for rows in before:
        for _ in range(resamples):
            rng.integers(0, rows, size=rows)
    drawn = (rng.integers(0, num_rows, size=num_rows) for _ in range(resamples))
    counts = [np.bincount(rows, minlength=num_rows).astype(np.uint8) for rows in drawn]
    return np.stack(counts)


def _poisson(key: tuple[int, ...], first: int, count: int) -> NDArray[np.int64]:
    bits = np.random.Philox(np.random.SeedSequence(key))
    bits.advance(first // _WORD_ROWS)
    begin = first % _WORD_ROWS
    uniform = np.random.Generator(bits).random(begin + count)[begin:]
    return np.searchsorted(_cumulative(), uniform, side="right")


def _cumulative() -> Floats:
    """Probabilities of at most 0, 1, 2, ... by Poisson's law of mean 1."""
    whole = np.arange(1, _LARGEST + 1, dtype=np.float64)
    shares = np.exp(-1.0) / np.concatenate([[1.0], np.cumprod(whole)])
    out: Floats = np.cumsum(shares)
    return out
