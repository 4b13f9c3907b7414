"""Whose rows are whose: units, bounded in their rows, and true Poisson samples of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.privacy.noise_source import NoiseSource

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Which rows of a table are read, and to which unit each belongs.

    rows: int64 (kept rows,), indices into the table, ascending.
    unit_of: int64 (kept rows,), 0 to count - 1.
    """

    rows: Indices
    unit_of: Indices
    count: int
    most_rows: int
    """Bound on the rows of one unit."""


def every_row(num_rows: int) -> Units:
    """Each row its own unit."""
    rows = np.arange(num_rows)
    return Units(rows, rows, num_rows, 1)


def by_entity(entities: pa.ChunkedArray | pa.Array, most_rows: int, source: NoiseSource) -> Units:
    """All rows of one entity are one unit, of which at most `most_rows`, drawn at random, are kept.

    Rows whose entity is missing each are a unit of their own.
    """
    cells = entities.combine_chunks() if isinstance(entities, pa.ChunkedArray) else entities
    codes = pc.dictionary_encode(cells).indices
    unit = np.array(codes.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    orphans = unit < 0
    unit[orphans] = unit.max(initial=-1) + 1 + np.arange(int(orphans.sum()))
    shuffled = np.lexsort((source.uniform(len(unit)), unit))
    ordered = unit[shuffled]
    first = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, np.bool_)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(ordered)), 0))
    kept = np.sort(shuffled[np.arange(len(ordered)) - starts < most_rows])
    return Units(kept, unit[kept], int(unit.max(initial=-1)) + 1, most_rows)


class PoissonSampler:
    """Batches in which each unit takes part independently with the same probability."""

    def __init__(self, units: Units, rate: float, source: NoiseSource) -> None:
        self._units, self._rate, self._source = units, rate, source

    def sample(self) -> Indices:
        """Positions (into `Units.rows`) of all rows of the units drawn; may be none."""
        drawn = self._source.flips(self._units.count, self._rate)
        return np.flatnonzero(drawn[self._units.unit_of])
