"""Tables as pandas DataFrames, in the types that keep every cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pandas as pd
import pyarrow as pa

from llmsynth.schema import TableSchema
from llmsynth.tables.conforming import conform

_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def to_pandas(table: pa.Table, schema: TableSchema | None = None) -> pd.DataFrame:
    """The table as a DataFrame that `read_table` turns back into the same cells.

    Whole numbers and booleans take numpy types (`int64`, `bool`), and pandas' nullable ones
    (`Int64`, `boolean`) where a cell is missing; floats take `float64` with NaN; texts pandas'
    default string type; days `datetime64[s]` and moments `datetime64` of their unit, both with
    NaT; decimals stay `decimal.Decimal` objects.

    Args:
        table: any table; conformed to the schema first where one is given.

    Raises:
        TableError: the table does not fit the schema.
    """
    if schema is not None:
        table = conform(table, schema)
    columns = zip(table.column_names, table.itercolumns(), strict=True)
    return pd.DataFrame({name: _series(cells) for name, cells in columns})


def _series(cells: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_date(cells.type):
        cells = cells.cast(pa.timestamp("s"))
    nullable = _NULLABLE.get(cells.type) if cells.null_count else None
    mapper = cast(Callable[[object], object] | None, nullable and (lambda _: nullable))
    series: pd.Series = cells.to_pandas(types_mapper=mapper)
    return series
