"""Every column as a few bins: train deciles for numbers, categories as they are."""

from __future__ import annotations

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes

DECILES = np.arange(1, 10) / 10


def decile_edges(values: Floats) -> Floats:
    """The distinct inner deciles of the present values, by linear interpolation."""
    present = values[~np.isnan(values)]
    if not len(present):
        return np.empty(0)
    edges: Floats = np.unique(np.quantile(present, DECILES))
    return edges


def binned(values: Floats, edges: Floats) -> Codes:
    """Bin numbers: bin i holds edges[i-1] <= value < edges[i]; missing has the last bin."""
    codes: Codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    codes[np.isnan(values)] = len(edges) + 1
    return codes


def bin_tables(train: CodedTable, *others: CodedTable) -> tuple[list[Codes], list[int]]:
    """Bin tables of the same columns at the train table's deciles.

    Returns:
        For train and each other table an int64 array of shape (columns, rows), and the number
        of bins of each column.
    """
    tables = (train, *others)
    out: list[Codes] = [np.empty(table.cells.T.shape, dtype=np.int64) for table in tables]
    num_bins = []
    for number, column in enumerate(train.columns):
        edges = decile_edges(train.cells[:, number]) if column.is_numeric else np.empty(0)
        num_bins.append(len(edges) + 2 if column.is_numeric else len(column.levels))
        for codes, table in zip(out, tables, strict=True):
            values = table.cells[:, number]
            codes[number] = binned(values, edges) if column.is_numeric else values
    return out, num_bins
