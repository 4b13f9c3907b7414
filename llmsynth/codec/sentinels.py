"""Finds values far from all others that stand for something else: -999, 9999-12-31.

Learned as numbers or days they would stretch the bounds over a gap that no cell lies in, and the
model would write values into it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.number_grid import NumberGrid, exact_text
from llmsynth.schema.columns import Column, DateColumn, DatetimeColumn, NumberColumn
from llmsynth.schema.number_views import words_among
from llmsynth.schema.table_schema import TableSchema

_MOST = 4
_LEAST_SHARE = 0.01
_WIDEST = 10**18

Counts = npt.NDArray[np.int64]


def with_sentinels(table: pa.Table, schema: TableSchema, *, least_rows: int = 5) -> TableSchema:
    """The schema with `sentinels` of numbers, days and moments apart from their bounds.

    Up to four of the smallest, or largest, values are sentinels where each is held by `least_rows`
    rows (of numbers also by one in a hundred) and the gap behind them is wider than the range of
    all that remain. Columns that have some keep them.

    Args:
        table: columns as the schema has them, in their storage types.
    """
    for column in schema.columns:
        if isinstance(column, NumberColumn | DateColumn | DatetimeColumn) and not column.sentinels:
            cells = table.column(column.name).combine_chunks()
            schema = schema.with_column(_apart(column, cells, least_rows))
    return schema


def _apart(
    column: NumberColumn | DateColumn | DatetimeColumn, cells: pa.Array, least_rows: int
) -> Column:
    if isinstance(column, NumberColumn):
        present = cells.filter(pc.and_(cells.is_valid(), words_among(column, cells).is_null()))
        units = NumberGrid(column).units(present)
        least = max(least_rows, _LEAST_SHARE * len(cells))
    else:
        present = cells.drop_null()
        units, least = _ticks(present), float(least_rows)
    values, counts = np.unique(units, return_counts=True)
    if not len(values) or max(abs(int(values[0])), abs(int(values[-1]))) >= _WIDEST:
        return column
    below, above = _num_far(values, counts, least), _num_far(-values[::-1], counts[::-1], least)
    if not below and not above:
        return column
    inside = values[below : len(values) - above]
    far = [*values[:below].tolist(), *values[len(values) - above :].tolist()]
    shown = [_shown(column, present, value) for value in (inside[0], inside[-1], *far)]
    return replace(column, minimum=shown[0], maximum=shown[1], sentinels=tuple(shown[2:]))


def _num_far(values: npt.NDArray[np.generic], counts: Counts, least: float) -> int:
    """How many of the first values are sentinels; `values` rise."""
    for number in range(min(_MOST, len(values) - 3), 0, -1):
        gap = int(values[number]) - int(values[number - 1])
        is_far = gap > int(values[-1]) - int(values[number])
        if is_far and gap > 1 and (counts[:number] >= least).all():
            return number
    return 0


def _ticks(cells: pa.Array) -> Counts:
    if pa.types.is_timestamp(cells.type):
        cells = cells.cast(pa.timestamp(cells.type.unit))
    moments = cells.cast(pa.timestamp("us"), safe=False)
    return np.asarray(moments.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _shown(column: Column, present: pa.Array, value: int) -> str:
    """A value as the schema writes it."""
    if isinstance(column, NumberColumn):
        return exact_text(int(value) * 10**column.trailing_zeros, column.scale)
    moment = np.datetime64(int(value), "us").item()
    return str(moment.date().isoformat() if isinstance(column, DateColumn) else moment.isoformat())
