"""The order in which rows are measured: by what they hold, never by where they stood."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth_eval.cells import coded_texts
from llmsynth_eval.coded_table import CodedColumn, CodedTable, Codes
from llmsynth_eval.scrambling import scrambled

Hashes = NDArray[np.uint64]


def row_hashes(table: CodedTable, others: pd.DataFrame | None = None) -> Hashes:
    """A 64-bit hash of each row's cells, the same whatever the order of columns.

    Cells are hashed by value, not by code, so the hash of a row does not depend on the tables
    it is compared with.

    Args:
        others: columns that are not coded (identifiers, texts), in the same order of rows.
    """
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for name, hashes in _column_hashes(table, others):
        salt = pd.util.hash_array(np.array([name], dtype=object))
        total += scrambled(hashes ^ salt)
    return total


def row_order(hashes: Hashes) -> Codes:
    """The rows by rising hash: an arbitrary order, but always the same for the same rows."""
    order: Codes = np.argsort(hashes, kind="stable").astype(np.int64)
    return order


def _column_hashes(table: CodedTable, others: pd.DataFrame | None) -> Iterator[tuple[str, Hashes]]:
    for column, cells in zip(table.columns, table.cells.T, strict=True):
        if column.is_numeric:
            yield column.name, pd.util.hash_array(np.where(np.isnan(cells), np.nan, cells))
        else:
            yield column.name, _level_hashes(column)[cells.astype(np.int64)]
    for name, series in () if others is None else others.items():
        codes, words = coded_texts(series)
        yield str(name), _text_hashes(words)[codes]


def _level_hashes(column: CodedColumn) -> Hashes:
    return _text_hashes(np.array([*column.levels, None], dtype=object))


def _text_hashes(words: NDArray[np.object_]) -> Hashes:
    marked = ["" if word is None else f"={word}" for word in words]
    hashes: Hashes = pd.util.hash_array(np.array(marked, dtype=object))
    return hashes
