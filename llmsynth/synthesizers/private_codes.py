"""Encodes real cells in a schema that does not come from them: what does not fit is left out.

Numbers and days beyond the bounds are brought to the bounds; unknown categories, and missing cells
where none may be, become SKIPPED. No cell is refused, because a refusal would tell of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.category_code import CategoryCode
from llmsynth.codec.column_code import SKIPPED, ColumnCode, Tokens
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.row_language import RowLanguage
from llmsynth.schema.columns import BooleanColumn, CategoryColumn, DateColumn, DatetimeColumn
from llmsynth.tables.conforming import fitting_cells

Mask = npt.NDArray[np.bool_]


def encode_leniently(table: pa.Table, language: RowLanguage, rows: npt.NDArray[np.int64]) -> Tokens:
    """Tokens of some rows of a table; int32 (rows, places). See the module docstring."""
    taken = pa.array(rows)
    parts = []
    for code in language.codes:
        cells = fitting_cells(code.column, table.column(code.column.name)).take(taken)
        parts.append(_encoded(code, cells))
    return np.concatenate(parts, axis=1)


def _encoded(code: ColumnCode, cells: pa.Array) -> Tokens:
    if not code.place_sizes:
        return np.zeros((len(cells), 0), dtype=np.int32)
    column = code.column
    absent = np.asarray(cells.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)
    left_out = absent & (not column.nullable)
    if isinstance(code, NumberCode):
        cells = _numbers(code, cells, absent)
    elif isinstance(code, CategoryCode):
        cells, unknown = _categories(code, cells)
        left_out |= unknown & ~absent
    elif isinstance(column, DateColumn | DatetimeColumn):
        cells = _moments(column, cells)
    usable = pa.array(~left_out)
    tokens = np.full((len(cells), len(code.place_sizes)), SKIPPED, dtype=np.int32)
    tokens[~left_out] = code.encode(cells.filter(usable))
    return tokens


def _numbers(code: NumberCode, cells: pa.Array, absent: Mask) -> pa.Array:
    """The nearest multiples of the column's last digit within its bounds."""
    column, grid = code.column, code.grid
    values = np.asarray(cells.cast(pa.float64(), safe=False).fill_null(0), dtype=np.float64)
    units = np.rint(values * 10.0**column.scale / grid.zeros)
    units = np.clip(units, float(grid.low), float(grid.high))
    whole = np.array([int(unit) for unit in units], dtype=object)
    whole = np.clip(whole, grid.low, grid.high)
    return grid.cells(whole, absent)


def _categories(code: CategoryCode, cells: pa.Array) -> tuple[pa.Array, Mask]:
    column = code.column
    assert isinstance(column, CategoryColumn | BooleanColumn)
    if isinstance(column, BooleanColumn):
        return cells, np.zeros(len(cells), dtype=np.bool_)
    known = pc.is_in(cells.cast(pa.string()), value_set=pa.array(column.categories, pa.string()))
    return cells, ~np.asarray(known.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _moments(column: DateColumn | DatetimeColumn, cells: pa.Array) -> pa.Array:
    kind = cells.type
    low, high = (_bound(bound, kind) for bound in column.bounds)
    cells = pc.if_else(pc.less(cells, low), low, cells)
    cells = pc.if_else(pc.greater(cells, high), high, cells)
    if isinstance(column, DatetimeColumn):
        cells = pc.floor_temporal(cells, unit=column.resolution)
    return cells.cast(kind)


def _bound(bound: object, kind: pa.DataType) -> pa.Scalar:
    moment = pa.scalar(bound)
    if pa.types.is_timestamp(kind) and kind.tz:
        ticks = moment.cast(pa.timestamp(kind.unit)).cast(pa.int64())
        return ticks.cast(kind)
    return moment.cast(kind)
