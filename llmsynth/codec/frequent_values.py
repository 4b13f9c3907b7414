"""Finds the numbers that a table repeats so often that each deserves a token of its own,
and the last digits that are zero throughout.

Spikes (92% zeros), sentinels (-1 for "never") and rounded measurements are learned exactly this
way, where bins would smear them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.number_code import NumberCode
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.table_schema import TableSchema

_MOST_VALUES = 512
_LEAST_HEAPING = 5.0


def with_frequent_values(
    table: pa.Table,
    schema: TableSchema,
    *,
    least_rows: int = 5,
    entities: npt.NDArray[np.int64] | None = None,
) -> TableSchema:
    """The schema with `frequent` and `trailing_zeros` filled in for every number column.

    Columns that have either keep both. A value is frequent when at least `least_rows` rows and one
    row in 2,000 hold it, and when it heaps: it has five times the rows that an even spread over its
    leading digit group would give it. At most 512 values a column. Columns whose every value is one
    token get none.

    Args:
        table: columns as the schema has them, in their storage types.
        least_rows: also what a value must have not to tell of single rows.
        entities: int64 (rows,), whose row each is: then `least_rows` of these must hold a value.
    """
    for column in schema.columns:
        if isinstance(column, NumberColumn) and not (column.frequent or column.trailing_zeros):
            cells = table.column(column.name).combine_chunks()
            holders = None if entities is None else entities[np.asarray(cells.is_valid())]
            cells = cells.drop_null()
            column = replace(column, trailing_zeros=_zeros(NumberCode(column), cells))
            code = NumberCode(column)
            if len(code.place_sizes) > 1 and len(cells):
                column = _filled(code, cells, holders, least_rows, table.num_rows / 2000)
            schema = schema.with_column(column)
    return schema


def _filled(
    code: NumberCode,
    cells: pa.Array,
    holders: npt.NDArray[np.int64] | None,
    least_holders: int,
    least_rows: float,
) -> NumberColumn:
    units = code.grid.units(cells)
    values, inverse, counts = np.unique(units, return_inverse=True, return_counts=True)
    _, group_of = np.unique(values // code.tail_unit, return_inverse=True)
    rows_in_group = np.bincount(group_of[inverse])
    heaping = counts * float(code.tail_unit) / rows_in_group[group_of]
    held_by = counts
    if holders is not None:
        held_by = np.bincount(np.unique(np.stack([inverse, holders]), axis=1)[0])
    is_common = (held_by >= least_holders) & (counts >= least_rows)
    chosen = np.flatnonzero(is_common & (heaping >= _LEAST_HEAPING))
    chosen = np.sort(chosen[np.argsort(-counts[chosen], kind="stable")][:_MOST_VALUES])
    frequent = tuple(code.grid.text(value) for value in values[chosen].tolist())
    return replace(code.column, frequent=frequent)


def _zeros(code: NumberCode, cells: pa.Array) -> int:
    units = np.unique(code.grid.units(cells))
    if not units.any():
        return 0
    zeros = 0
    while not (units % 10 ** (zeros + 1)).any():
        zeros += 1
    return zeros
