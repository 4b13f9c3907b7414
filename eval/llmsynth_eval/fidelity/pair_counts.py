"""The contingency tables of all pairs of columns at once, as products of one-hot matrices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.fidelity.pair_bins import BinCodes, Layout

CHUNK_ROWS = 16_384
MAX_CELLS = 40_000_000
MIN_BLOCKS = 5
WORKERS = 2


def pair_counts(
    codes: BinCodes, layout: Layout, order: Codes, *, num_blocks: int
) -> NDArray[np.float32]:
    """How many rows of each block hold each two bins, float32 (blocks, bins, bins).

    The diagonal squares hold each column's own counts. Wide tables are cut into fewer blocks.

    Args:
        codes: bins of shape (columns, rows).
        order: rows in canonical order; every `num_blocks`-th row is of one block.
    """
    width = layout.width
    blocks = int(np.clip(MAX_CELLS // width**2, MIN_BLOCKS, num_blocks))
    out = np.zeros((blocks, width, width), dtype=np.float32)

    def count(block: int) -> None:
        rows = order[block::blocks]
        for start in range(0, len(rows), CHUNK_ROWS):
            cells = one_hot(codes[:, rows[start : start + CHUNK_ROWS]], layout)
            out[block] += cells.T @ cells  # whole numbers, exact in float32 up to 2**24 rows

    # threads of the matrix product inside these would wait for each other
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(count, range(blocks)))
    return out


def one_hot(codes: BinCodes, layout: Layout) -> NDArray[np.float32]:
    """Float32 of shape (rows, bins): 1 where the row's cell is in the bin."""
    num_rows = codes.shape[1]
    out = np.zeros((num_rows, layout.width), dtype=np.float32)
    places = codes.T.astype(np.int64) + layout.starts
    places += (np.arange(num_rows) * layout.width)[:, None]
    out.reshape(-1)[places.reshape(-1)] = 1.0
    return out


def merged(counts: Floats, mapped: Codes, num_bins: int) -> Floats:
    """Counts of coarser bins: shape (..., num_bins, num_bins)."""
    fold = np.zeros((counts.shape[-1], num_bins))
    fold[np.arange(len(mapped)), mapped] = 1.0
    out: Floats = fold.T @ counts @ fold
    return out
