"""A table's rows in an order drawn by the seed that only what they hold decides."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.scrambling import scrambled

NUM_BLOCKS = 20


def row_hashes(table: CodedTable, *, seed: int) -> NDArray[np.uint64]:
    """One 64-bit number per row, the same for equal rows, whatever the order of the columns."""
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for number, column in enumerate(table.columns):
        salt = blake2b(f"{seed}:{column.name}".encode(), digest_size=8).digest()
        cells = np.ascontiguousarray(table.cells[:, number]) + 0.0
        cells[np.isnan(cells)] = np.nan  # there are many bit patterns of NaN
        total += scrambled(cells.view(np.uint64) ^ np.uint64(int.from_bytes(salt, "little")))
    return scrambled(total)


def canonical_order(table: CodedTable, *, seed: int) -> Codes:
    """Row numbers, int64, in an order drawn by `seed` that only the rows' cells decide.

    Equal rows stand side by side. The first rows of the order are a random sample of the
    distinct rows, which is not a random sample of a table that repeats its rows.
    """
    order: Codes = np.argsort(row_hashes(table, seed=seed), kind="stable")
    return order


def row_blocks(table: CodedTable, *, seed: int, num_blocks: int = NUM_BLOCKS) -> Codes:
    """A block number per row, int64; blocks are of equal size, give or take one row.

    Equal rows fall into different blocks, so every block is a fair sample of the table.
    """
    blocks = np.empty(table.num_rows, dtype=np.int64)
    blocks[canonical_order(table, seed=seed)] = np.arange(table.num_rows) % num_blocks
    return blocks


def fair_sample(table: CodedTable, max_rows: int, *, seed: int) -> CodedTable:
    """At most `max_rows` rows, evenly spread over the canonical order, in that order."""
    order = canonical_order(table, seed=seed)
    if table.num_rows > max_rows:
        order = order[np.arange(max_rows) * table.num_rows // max_rows]
    return table.take(order)


def by_name(table: CodedTable) -> CodedTable:
    """The table with its columns in order of their names."""
    order = sorted(range(len(table.columns)), key=lambda n: table.columns[n].name)
    return CodedTable(columns=tuple(table.columns[n] for n in order), cells=table.cells[:, order])
