"""What a table's owner sees of each column at a glance: counts, ranges, shapes; never a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmsynth.schema.columns import Column, NumberColumn
from llmsynth.schema.table_schema import TableSchema

TOP_VALUES = 8
BINS = 24
_ORDERED = ("number", "date", "datetime")
Profile = dict[str, Any]


def profile(columns: Iterable[tuple[Column, pa.ChunkedArray]]) -> Profile:
    """The profile of a table, from its typed columns one after the other."""
    return {"columns": [_column(column, cells) for column, cells in columns]}


def of_file(file: IO[bytes], schema: TableSchema) -> Profile:
    """The profile of a Parquet file, which need not fit into memory: one column does."""
    source = pq.ParquetFile(file)
    return profile((c, source.read([c.name]).column(0)) for c in schema.columns)


def of_table(table: pa.Table, schema: TableSchema) -> Profile:
    """The profile of a table in memory."""
    return profile((column, table.column(column.name)) for column in schema.columns)


def _column(column: Column, cells: pa.ChunkedArray) -> Profile:
    summary: Profile = {"name": column.name, "kind": column.kind, "missing": cells.null_count}
    present = cells.combine_chunks().drop_null()
    if not len(present):
        return summary
    if column.kind in _ORDERED:
        summary |= _ordered(column, present)
    elif column.kind in ("category", "boolean"):
        counts = pc.value_counts(present)
        order = pc.array_sort_indices(counts.field("counts"), order="descending")
        top = counts.take(order[:TOP_VALUES]).to_pylist()
        summary["distinct"] = len(counts)
        summary["top"] = [[_spelled(item["values"]), item["counts"]] for item in top]
    else:
        lengths = pc.utf8_length(present.cast(pa.large_string())).to_numpy()
        summary["distinct"] = int(pc.count_distinct(present).as_py())
        summary["length"] = float(lengths.mean())
        summary["histogram"] = _histogram(lengths.astype(float), whole=True)
    return summary


def _ordered(column: Column, present: pa.Array) -> Profile:
    extremes = pc.min_max(present)
    summary = {"minimum": str(extremes["min"]), "maximum": str(extremes["max"])}
    if isinstance(column, NumberColumn):
        values = present.cast(pa.float64()).to_numpy()
        values = values[np.isfinite(values)]
        if not len(values):
            return summary
        quartiles = np.quantile(values, [0.25, 0.5, 0.75])
        about = {"mean": float(values.mean()), "quartiles": [float(q) for q in quartiles]}
        return summary | about | {"histogram": _histogram(values, whole=column.scale == 0)}
    # Days and moments as numbers of their own unit: only the shape is drawn.
    width = pa.int32() if pa.types.is_date32(present.type) else pa.int64()
    return summary | {"histogram": _histogram(present.cast(width).to_numpy().astype(float))}


def _histogram(values: np.ndarray[Any, Any], *, whole: bool = False) -> list[int]:
    """Counts in bins of equal width from the smallest to the largest value."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [len(values)]
    bins = BINS
    if whole and high - low < BINS:
        low, high, bins = low - 0.5, high + 0.5, int(high - low) + 1
    counts, _ = np.histogram(values, bins=bins, range=(low, high))
    return [int(count) for count in counts]


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
