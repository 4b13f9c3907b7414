"""Releases what a private fit may know of a number column: bounds, repeated values, or codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.number_code import NumberCode
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.value_grids import NumberGridCells, coarse_cells, fine_cells
from llmsynth.schema.columns import CategoryColumn, Column, NumberColumn
from llmsynth.schema.number_texts import plain_decimal

_MOST_CODES = 12
_MOST_TARGET_CLASSES = 20
_CODES_SHARE = 0.95
_MOST_FREQUENT = 512


def absent(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Which cells are missing."""
    return np.asarray(cells.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def release_number(
    column: NumberColumn,
    cells: pa.Array,
    counts: NoisyCounts,
    fine: NoisyCounts,
    *,
    is_target: bool,
) -> Column | None:
    """The column with noisy bounds and repeated numbers, or as codes; None where nothing shows.

    Args:
        counts: for values, missing cells (both closed) and repeated numbers (open).
        fine: for the finer bounds.
    """
    missing = absent(cells)
    values = np.asarray(cells.cast(pa.float64(), safe=False).fill_null(math.nan), dtype=np.float64)
    grid = coarse_cells(column.scale)
    noisy = counts.closed(np.where(missing, len(grid), grid.cells(values)), len(grid) + 1)
    span = counts.used_span(noisy[:-1])
    keys = counts.open(cell_texts(column, cells))
    nullable = column.nullable or bool(noisy[-1] > counts.cell_threshold(1))
    if span is None:
        return None
    used = np.flatnonzero(noisy[:-1] > counts.cell_threshold(len(grid)))
    if pa.types.is_integer(cells.type) and _are_codes(keys, grid, used, noisy, is_target=is_target):
        return CategoryColumn(
            name=column.name,
            nullable=nullable,
            storage=column.storage,
            description=column.description,
            categories=tuple(sorted(keys, key=Decimal)),
        )
    bounds = grid.bounds(*span)
    finer = fine_cells(*bounds, grid.unit)
    noisy = fine.closed(finer.cells(values), len(finer))
    span = fine.used_span(noisy)
    low, high = bounds if span is None else finer.bounds(*span)
    column = replace(
        column,
        nullable=nullable,
        minimum=plain_decimal(str(low)),
        maximum=plain_decimal(str(high)),
    )
    return with_spikes(column, keys)


def may_have_spikes(column: NumberColumn) -> bool:
    """Whether a column of known bounds has values that share a token and names none frequent."""
    return not column.frequent and len(NumberCode(column).place_sizes) > 1


def with_spikes(column: NumberColumn, keys: Mapping[str, float]) -> NumberColumn:
    """The column with the most frequent of released values, each a token of its own."""
    low, high = column.bounds
    frequent = [text for text in keys if low <= Decimal(text) <= high][:_MOST_FREQUENT]
    return replace(column, frequent=tuple(sorted(frequent, key=Decimal)))


def _are_codes(
    keys: Mapping[str, float],
    grid: NumberGridCells,
    used: npt.NDArray[np.int64],
    noisy: npt.NDArray[np.float64],
    *,
    is_target: bool,
) -> bool:
    """Whether a few released values are nearly all that the column holds."""
    if not 2 <= len(keys) <= (_MOST_TARGET_CLASSES if is_target else _MOST_CODES):
        return False
    own = grid.cells(np.array([float(text) for text in keys]))
    held = sum(keys.values()) / max(float(noisy[used].sum()), 1.0)
    return held >= _CODES_SHARE and set(used.tolist()) <= set(own.tolist())


def cell_texts(column: NumberColumn, cells: pa.Array) -> pa.Array:
    """Numbers as plain decimal texts on the column's grid, one text for one value."""
    scale = column.scale
    if pa.types.is_integer(cells.type):
        return cells.cast(pa.string())
    rounded = pc.round(cells.cast(pa.float64(), safe=False), ndigits=scale)
    distinct = rounded.unique()
    texts = [None if v is None else plain_decimal(f"{v:.{scale}f}") for v in distinct.to_pylist()]
    return pa.array(texts, pa.string()).take(pc.index_in(rounded, value_set=distinct))
