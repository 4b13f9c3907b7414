"""The nearest few records of a table to each row, by blocked matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.privacy.nearest import CATEGORY_SCALE, DOUBLE_COORDINATES, Points

BLOCK_CELLS = 8_000_000


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest records of each row, nearest first."""

    distances: Floats
    """Shape (rows, neighbours): squared Euclidean distances, float64."""
    found: Codes
    """Shape (rows, neighbours): their positions among the references."""

    @property
    def nearest(self) -> Floats:
        """Euclidean distance to the nearest record, shape (rows,)."""
        out: Floats = np.sqrt(self.distances[:, 0])
        return out


def nearest_neighbours(
    rows: Points, references: Points, num: int, *, itself: Codes | None = None
) -> Neighbours:
    """The `num` nearest references of each row.

    Searched in float32 above 64 coordinates, like `nearest_distances`; the distances to what
    was found are computed anew in float64.

    Args:
        num: neighbours to find; at least as many references are needed.
        itself: position of each row among the references, which is not its neighbour; -1 where
            the row is not among them.
    """
    rows, references = _without_constants(rows, references)
    found = np.empty((len(rows.dense), num), dtype=np.int64)
    is_wide = references.dense.shape[1] > DOUBLE_COORDINATES
    precision: type[np.floating] = np.float32 if is_wide else np.float64
    lengths = (references.dense**2).sum(axis=1)
    turned = np.vstack([references.dense.T * -2, lengths]).astype(precision)
    step = max(1, BLOCK_CELLS // len(references.dense))
    for start in range(0, len(found), step):
        block = slice(start, start + step)
        dense = rows.dense[block]
        gaps = np.hstack([dense, np.ones((len(dense), 1))]).astype(precision) @ turned
        for ours, theirs in zip(rows.wide[block].T, references.wide.T, strict=True):
            gaps += precision(2 * CATEGORY_SCALE**2) * (ours[:, None] != theirs[None, :])
        line = np.arange(len(dense))
        if itself is not None:
            among = itself[block] >= 0
            gaps[line[among], itself[block][among]] = np.inf
        for place in range(num):
            found[block, place] = gaps.argmin(axis=1)
            gaps[line, found[block, place]] = np.inf
    return _ordered(rows, references, found)


def _without_constants(rows: Points, references: Points) -> tuple[Points, Points]:
    """Coordinates that are the same everywhere (no missing number) cost time and tell nothing."""
    first = references.dense[:1]
    varies = (references.dense != first).any(axis=0) | (rows.dense != first).any(axis=0)
    return (
        Points(dense=rows.dense[:, varies], wide=rows.wide),
        Points(dense=references.dense[:, varies], wide=references.wide),
    )


def _ordered(rows: Points, references: Points, found: Codes) -> Neighbours:
    distances = np.empty(found.shape)
    for place, chosen in enumerate(found.T):
        gaps = rows.dense - references.dense[chosen]
        unequal = (rows.wide != references.wide[chosen]).sum(axis=1)
        distances[:, place] = (gaps**2).sum(axis=1) + 2 * CATEGORY_SCALE**2 * unequal
    order = np.argsort(distances, axis=1, kind="stable")
    return Neighbours(
        distances=np.take_along_axis(distances, order, axis=1),
        found=np.take_along_axis(found, order, axis=1),
    )
