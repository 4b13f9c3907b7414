"""Every column as a few bins on train's scale, fine ones for figures and coarse ones for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.bins import DECILES
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable, Codes

BinCodes = NDArray[np.int16]

MAX_LEVELS = 40
SPIKE_SHARE = 0.05
COARSE_SHARE = 0.15
REST_SHARE = 0.03
COARSE_LEVELS = 5


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each column's bins stand side by side; a column's last bin is the missing cell."""

    sizes: Codes
    """Bins of each column, int64 (columns,)."""

    @property
    def starts(self) -> Codes:
        """First bin of each column."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)

    @property
    def width(self) -> int:
        """Bins of all columns together."""
        return int(self.sizes.sum())

    @property
    def owner(self) -> Codes:
        """Column of each bin."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def over_columns(self, cells: Floats) -> Floats:
        """Sums of shape (..., columns) from cells of shape (..., bins)."""
        out: Floats = np.add.reduceat(cells, self.starts, axis=-1)
        return out

    def over_pairs(self, cells: Floats) -> Floats:
        """Sums of shape (..., columns, columns) from cells of shape (..., bins, bins)."""
        out: Floats = np.add.reduceat(self.over_columns(cells), self.starts, axis=-2)
        return out

    def spread_columns(self, values: Floats) -> Floats:
        """Each column's value at each of its bins, along the last axis."""
        out: Floats = np.repeat(values, self.sizes, axis=-1)
        return out

    def spread_pairs(self, values: Floats) -> Floats:
        """Each pair's value at each of its cells, along the last two axes."""
        out: Floats = np.repeat(self.spread_columns(values), self.sizes, axis=-2)
        return out


def bin_for_pairs(train: CodedTable, *others: CodedTable) -> tuple[list[BinCodes], Layout]:
    """Bins of train and of other tables.

    Numbers are cut at train's deciles, a value that more than `SPIKE_SHARE` of its rows hold has
    a bin of its own; of more than `MAX_LEVELS` categories the rarer ones share a bin.

    Returns:
        int16 of shape (columns, rows) for each table, and the layout.
    """
    tables = (train, *others)
    out = [np.empty(table.cells.T.shape, dtype=np.int16) for table in tables]
    sizes = []
    for number, column in enumerate(train.columns):
        edges = number_edges(train.cells[:, number]) if column.is_numeric else np.empty(0)
        sizes.append(
            len(edges) + 2 if column.is_numeric else min(len(column.levels), MAX_LEVELS) + 1
        )
        for codes, table in zip(out, tables, strict=True):
            codes[number] = _bins(table.cells[:, number], column, edges, sizes[-1] - 1)
    return out, Layout(sizes=np.array(sizes, dtype=np.int64))


def number_edges(values: Floats) -> Floats:
    """Distinct inner deciles of present values, with both sides of every spike."""
    present = np.sort(values[~np.isnan(values)])
    if not len(present):
        return np.empty(0)
    edges = np.unique(np.quantile(present, DECILES))
    ends = [np.searchsorted(present, edges, side=side) for side in ("left", "right")]
    is_spike = (ends[1] - ends[0]) / len(present) > SPIKE_SHARE
    both: Floats = np.unique(np.concatenate([edges, np.nextafter(edges[is_spike], np.inf)]))
    return both


def _bins(values: Floats, column: CodedColumn, edges: Floats, missing: int) -> BinCodes:
    if column.is_numeric:
        codes = np.searchsorted(edges, values, side="right")
        codes[np.isnan(values)] = missing
    else:
        codes = np.minimum(values.astype(np.int64), missing - 1)
        if None in column.levels:
            codes[values == column.levels.index(None)] = missing
    return codes.astype(np.int16)


def coarse_bins(
    columns: tuple[CodedColumn, ...], layout: Layout, counts: Floats
) -> tuple[Codes, Layout]:
    """Fewer bins, each of enough rows for a chi-squared test.

    Args:
        counts: rows of both tables in each fine bin.

    Returns:
        The coarse bin of each fine bin, int64 (fine bins,), and the coarse layout.
    """
    mapped = np.empty(layout.width, dtype=np.int64)
    sizes, offset = [], 0
    for number, column in enumerate(columns):
        start, size = int(layout.starts[number]), int(layout.sizes[number])
        shares = counts[start : start + size - 1] / max(1.0, counts[start : start + size - 1].sum())
        groups = _neighbours(shares) if column.is_numeric else _commonest(shares)
        num_groups = int(groups.max(initial=-1)) + 1
        mapped[start : start + size - 1] = offset + groups
        mapped[start + size - 1] = offset + num_groups
        sizes.append(num_groups + 1)
        offset += sizes[-1]
    return mapped, Layout(sizes=np.array(sizes, dtype=np.int64))


def _neighbours(shares: Floats) -> Codes:
    """Adjacent bins joined until each group has `COARSE_SHARE` of the rows."""
    groups, group, held = np.zeros(len(shares), dtype=np.int64), 0, 0.0
    for number, share in enumerate(shares):
        groups[number] = group
        held += share
        if held >= COARSE_SHARE:
            group, held = group + 1, 0.0
    if 0 < group == groups.max(initial=0) and held < REST_SHARE:
        groups[groups == group] = group - 1
    return groups


def _commonest(shares: Floats) -> Codes:
    """The commonest levels apart, the others joined."""
    order = np.argsort(-shares, kind="stable")[:COARSE_LEVELS]
    kept = order[shares[order] >= REST_SHARE]
    groups = np.full(len(shares), len(kept), dtype=np.int64)
    groups[kept] = np.arange(len(kept))
    return groups
