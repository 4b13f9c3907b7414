"""What every table must be, wherever it came from, before its kinds are inferred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.schema.storage import is_number, is_supported, plain

_FIRST_DAY = -719_162
"""0001-01-01 in days since 1970, the first day Python and CSV can hold."""
_LAST_DAY = 2_932_896
"""9999-12-31 in days since 1970."""


def checked(table: pa.Table, *, label: str) -> pa.Table:
    """The table in plain columns (no dictionaries, NaN as null), without metadata.

    Raises:
        TableError: no columns, no rows, an empty or repeated column name, a column type that
            cannot be learned, an infinite number or a day outside the years 1 to 9999.
    """
    _check_names(table.column_names, label)
    if not table.num_rows:
        raise TableError(f"{label}: the table has columns but no rows.", hint="Give rows.")
    columns = [
        _checked_column(column, f"{label}, column {name!r}")
        for name, column in zip(table.column_names, table.itercolumns(), strict=True)
    ]
    return pa.table(columns, names=table.column_names)


def with_missing(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """The table with every cell that equals one of the `missing` markers as null.

    A column of numbers compares each marker that is a number by value; dates never match.
    """
    if not missing:
        return table
    columns = [_without(column, missing) for column in table.itercolumns()]
    return pa.table(columns, names=table.column_names)


def _check_names(names: list[str], label: str) -> None:
    if not names:
        raise TableError(f"{label}: the table has no columns.", hint="Give at least one.")
    if "" in names:
        raise TableError(
            f"{label}: column {names.index('') + 1} has no name.", hint="Name every column."
        )
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise TableError(
            f"{label}: {count} columns are named {name!r}.",
            hint="Give every column a name of its own.",
        )


def _checked_column(column: pa.ChunkedArray, place: str) -> pa.ChunkedArray:
    column = plain(column)
    kind = column.type
    if pa.types.is_nested(kind):
        raise TableError(
            f"{place}: cells of the nested type {kind} do not fit into a flat table.",
            hint="Unpack it into one column per value, or leave the column out.",
        )
    if not is_supported(kind):
        raise TableError(
            f"{place}: cells of the type {kind} cannot be learned.",
            hint="Turn it into text, numbers, dates or booleans first, or leave the column out.",
        )
    if pa.types.is_floating(kind):
        _check_all(pc.is_finite(column), column, place, "is not a finite number")
    if pa.types.is_temporal(kind):
        days = pc.floor(
            pc.divide(column.cast(pa.timestamp("s"), safe=False).cast(pa.int64()), 86400.0)
        )
        inside = pc.and_(pc.greater_equal(days, _FIRST_DAY), pc.less_equal(days, _LAST_DAY))
        _check_all(inside, days, place, "days since 1970 lie outside the years 1 to 9999")
    return column


def _check_all(good: pa.ChunkedArray, shown: pa.ChunkedArray, place: str, fault: str) -> None:
    row = pc.index(good, False).as_py()
    if row >= 0:
        raise TableError(
            f"{place}, data row {row + 1}: {shown[row].as_py():.0f} {fault}.",
            hint="Replace it, or leave the cell missing.",
        )


def _without(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    kind = column.type
    markers: list[pa.Scalar] = []
    if pa.types.is_string(kind):
        markers = [pa.scalar(marker) for marker in missing]
    elif is_number(kind):
        markers = [scalar for marker in missing if (scalar := _as_number(marker, kind))]
    if not markers:
        return column
    hit = pc.is_in(column, value_set=pa.array([m.as_py() for m in markers], kind))
    return pc.if_else(hit, pa.scalar(None, kind), column)


def _as_number(marker: str, kind: pa.DataType) -> pa.Scalar | None:
    try:
        return pa.scalar(marker).cast(kind)
    except pa.ArrowInvalid:
        return None
