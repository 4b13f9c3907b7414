"""Which rows are equal, cell by cell, within and across tables."""

from __future__ import annotations

import numpy as np

from llmsynth_eval.coded_table import CodedTable, Codes


def group_rows(*tables: CodedTable) -> list[Codes]:
    """One int64 group number per row; equal rows, in whichever table, share it.

    The comparison is exact (no hashing): two rows are equal when every judged cell is, and a
    missing cell equals a missing cell.
    """
    cells = np.concatenate([table.cells for table in tables])
    groups: Codes = np.zeros(len(cells), dtype=np.int64)
    for column in cells.T:
        _, codes = np.unique(column, return_inverse=True, equal_nan=True)
        _, groups = np.unique(groups * (int(codes.max()) + 1) + codes, return_inverse=True)
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return [part.astype(np.int64) for part in np.split(groups, ends)]


def num_duplicates(groups: Codes) -> int:
    """Rows beyond the first of each group."""
    return len(groups) - len(np.unique(groups))
