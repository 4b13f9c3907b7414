"""How far each row is from its nearest record in a reference table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes

CATEGORY_SCALE = 0.7071
ONE_HOT_LEVELS = 128
BLOCK_CELLS = 16_000_000
DOUBLE_COORDINATES = 64


@dataclass(frozen=True, kw_only=True)
class Points:
    """Rows in the space of the DCR: `dense` coordinates, and codes of very wide categories.

    A wide category would need thousands of one-hot coordinates; its share of the squared
    distance is known without them: 0 when equal, twice the squared scale when not.
    """

    dense: Floats
    """Shape (rows, coordinates)."""
    wide: NDArray[np.int32]
    """Shape (rows, wide categories)."""


class Space:
    """Numbers standardised by the train table, one-hot categories scaled to unit mismatch.

    A missing number is 0 (the train mean) with an indicator coordinate at the category scale;
    a missing category is a category.
    """

    def __init__(self, train: CodedTable) -> None:
        numeric = np.array([column.is_numeric for column in train.columns])
        values = train.cells[:, numeric]
        present = np.maximum(1, (~np.isnan(values)).sum(axis=0))
        self._numeric = numeric
        self._mean = np.nansum(values, axis=0) / present
        deviation = np.sqrt(np.nansum((values - self._mean) ** 2, axis=0) / present)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        levels = [(n, len(c.levels)) for n, c in enumerate(train.columns) if not c.is_numeric]
        self._narrow = [(n, size) for n, size in levels if size <= ONE_HOT_LEVELS]
        self._wide = [n for n, size in levels if size > ONE_HOT_LEVELS]

    def place(self, table: CodedTable) -> Points:
        """The table's rows as points."""
        values = (table.cells[:, self._numeric] - self._mean) / self._deviation
        missing = np.isnan(values)
        parts = [np.where(missing, 0.0, values), missing * CATEGORY_SCALE]
        for number, size in self._narrow:
            codes = table.cells[:, number].astype(np.int64)
            parts.append(np.eye(size)[codes] * CATEGORY_SCALE)
        return Points(
            dense=np.concatenate(parts, axis=1), wide=table.cells[:, self._wide].astype(np.int32)
        )


def nearest_distances(rows: Points, references: Points) -> Floats:
    """Squared Euclidean distance of each row to its nearest reference, float64.

    Above 64 coordinates the search runs in float32, where neighbours are far apart against its
    rounding. The distance to the record it finds is computed anew in float64, so that an exact
    copy is at 0 and equal distances are equal.
    """
    found = np.empty(len(rows.dense), dtype=np.int64)
    is_wide = references.dense.shape[1] > DOUBLE_COORDINATES
    precision: type[np.floating] = np.float32 if is_wide else np.float64
    lengths = (references.dense**2).sum(axis=1)
    turned = np.vstack([references.dense.T * -2, lengths]).astype(precision)
    step = max(1, BLOCK_CELLS // len(references.dense))
    for start in range(0, len(found), step):
        block = slice(start, start + step)
        dense = rows.dense[block]
        extended = np.hstack([dense, np.ones((len(dense), 1))]).astype(precision)
        gaps = extended @ turned
        for ours, theirs in zip(rows.wide[block].T, references.wide.T, strict=True):
            gaps += precision(2 * CATEGORY_SCALE**2) * (ours[:, None] != theirs[None, :])
        found[block] = gaps.argmin(axis=1)
    return _distances(rows, references, found)


def _distances(rows: Points, references: Points, found: Codes) -> Floats:
    gaps = rows.dense - references.dense[found]
    unequal = (rows.wide != references.wide[found]).sum(axis=1)
    squared: Floats = (gaps**2).sum(axis=1) + 2 * CATEGORY_SCALE**2 * unequal
    return squared
