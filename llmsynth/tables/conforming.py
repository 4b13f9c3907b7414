"""Does a table fit a schema: its columns in order, each cell in the type the schema stores."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.schema import (
    BooleanColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
    TableSchema,
)
from llmsynth.schema.number_views import PLAIN
from llmsynth.schema.storage import arrow_type, is_number, is_supported, plain
from llmsynth.tables.cells import cast_or_null, default_column, format_cells, parse_cells


def conform(table: pa.Table, schema: TableSchema) -> pa.Table:
    """The table in the column order and Arrow types of a schema.

    Texts are read as their column's kind spells them; typed cells are cast where nothing is
    lost. Values outside a column's bounds or categories, and missing cells, pass: this is a
    matter of type alone.

    Raises:
        TableError: a column missing or left over, or a cell that is not of its column's kind;
            the message names the column, the data row counted from 1, and the cell.
    """
    _check_names(table.column_names, schema)
    columns = [_conformed(column, table.column(column.name)) for column in schema.columns]
    return pa.table(columns, names=list(schema.names))


def _check_names(names: list[str], schema: TableSchema) -> None:
    absent = [name for name in schema.names if name not in names]
    extra = [name for name in names if name not in schema.names]
    if absent:
        raise TableError(
            f"The table has no column {absent[0]!r} ({len(absent)} of {len(schema.names)} columns "
            f"are missing); it has {', '.join(map(repr, names))}.",
            hint="Add it, or take it out of the schema.",
        )
    if extra:
        raise TableError(
            f"The table has the column {extra[0]!r}, which the schema does not know "
            f"({len(extra)} such columns).",
            hint="Drop it, or add it to the schema.",
        )
    if len(names) > len(schema.names):
        raise TableError("The table uses a column name twice.", hint="Rename one of them.")


def fitting_cells(column: Column, cells: pa.ChunkedArray) -> pa.Array:
    """The cells in the column's storage type; null where one is not of the column's kind."""
    kind = arrow_type(column.storage)
    cells = plain(cells)
    if cells.type != kind or _has_texts(column):
        cells = pa.chunked_array([_converted(column, part, kind) for part in cells.chunks], kind)
    return pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.nulls(0, kind)


def _conformed(column: Column, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = arrow_type(column.storage)
    cells = plain(cells)
    if cells.type == kind and not _has_texts(column):
        return cells
    if not is_supported(cells.type):
        raise TableError(
            f"Column {column.name!r}: expected {_expected(column)}, found the type {cells.type}."
        )
    out = pa.chunked_array([_converted(column, chunk, kind) for chunk in cells.chunks], kind)
    lost = pc.and_(out.is_null(), cells.is_valid())
    row = pc.index(lost, True).as_py()
    if row >= 0:
        found = cells[row].as_py()
        raise TableError(
            f"Column {column.name!r}, data row {row + 1}: expected {_expected(column)}, "
            f"found {found!r}.",
            hint="Correct the cell, declare it a missing marker (missing=...), or correct the "
            "column's kind in the schema.",
        )
    return out


def _converted(column: Column, cells: pa.Array, kind: pa.DataType) -> pa.Array:
    """The cells as `kind`, null where a cell does not fit."""
    source = cells.type
    if pa.types.is_string(source):
        return parse_cells(column, cells)
    if isinstance(column, NumberColumn) and _has_texts(column):
        if not is_number(source):
            return pa.nulls(len(cells), kind)
        spelling = column.spelling or PLAIN
        return format_cells(
            replace(column, storage=str(source), words=(), spelling=spelling), cells
        )
    if pa.types.is_string(kind):
        return format_cells(default_column(column.name, source), cells)
    if is_number(source) and is_number(kind):
        if pa.types.is_decimal(kind):
            return parse_cells(column, cells.cast(pa.string()))
        return cast_or_null(cells, kind)
    if _is_clock(source) and _is_clock(kind):
        return _retimed(cells, kind)
    return pa.nulls(len(cells), kind)


def _has_texts(column: Column) -> bool:
    """Whether the column's cells are texts that not every text is one of."""
    return isinstance(column, NumberColumn) and column.storage == "string"


def _is_clock(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _retimed(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    was_zoned = pa.types.is_timestamp(cells.type) and cells.type.tz is not None
    if was_zoned and zone is None:
        return pa.nulls(len(cells), kind)
    if zone is not None and not was_zoned:
        cells = cast_or_null(cells.cast(pa.timestamp("us")), pa.timestamp(kind.unit))
        return cells.cast(kind)
    if pa.types.is_timestamp(kind):
        return cast_or_null(cells, kind)
    # Arrow drops the time of day without a word, so compare with what went in.
    days = cells.cast(kind, safe=False)
    return pc.if_else(pc.equal(days.cast(cells.type), cells), days, pa.scalar(None, kind))


def _expected(column: Column) -> str:
    kind = arrow_type(column.storage)
    if isinstance(column, NumberColumn) and (column.spelling or column.words):
        words = f" or one of {', '.join(map(repr, column.words))}" if column.words else ""
        return f"a number spelled like {column.spelling or PLAIN}{words}"
    if isinstance(column, BooleanColumn):
        return f"{column.true_text!r} or {column.false_text!r}"
    if isinstance(column, DateColumn | DatetimeColumn):
        zone = "" if column.storage.startswith("date") or not kind.tz else " with a time zone"
        return f"a {column.kind} like {column.format}{zone}"
    if pa.types.is_integer(kind):
        return f"a whole number ({column.storage})"
    if is_number(kind):
        decimals = f" of at most {kind.scale} decimals" if pa.types.is_decimal(kind) else ""
        return f"a number{decimals}"
    return f"a {column.kind}" if isinstance(column, NumberColumn) else f"{column.storage} cells"
