"""Which columns of the three given tables are judged, and as what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pandas as pd
import pyarrow as pa

from llmsynth.errors import SchemaError, SettingsError, TableError
from llmsynth.schema.columns import Column, DateColumn, DatetimeColumn, NumberColumn
from llmsynth.schema.number_views import spelling_of
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.cells import has_numeric_type

Table: TypeAlias = pd.DataFrame | pa.Table

NUMERIC_KINDS = ("number", "quantity", "date", "datetime")
LEFT_OUT_KINDS = ("identifier", "text")


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """How every column takes part in a judgement."""

    names: tuple[str, ...]
    """Judged columns, in the train table's order."""
    numeric: frozenset[str]
    date_formats: Mapping[str, str]
    """strftime format of the numeric columns that hold days or moments, where known."""
    left_out: tuple[str, ...] = ()
    """Identifier and text columns."""


def as_frame(table: Table, *, role: str) -> pd.DataFrame:
    """A given table as a pandas frame with unique text column names and at least one row.

    Raises:
        TableError: not a table, no rows, no columns, or a column name used twice.
    """
    if isinstance(table, pa.Table):
        frame = _from_arrow(table)
    elif isinstance(table, pd.DataFrame):
        frame = table.rename(columns=str).reset_index(drop=True)
    else:
        raise TableError(
            f"The {role} table must be a pandas DataFrame or a pyarrow Table, got {type(table)}."
        )
    if not len(frame.columns):
        raise TableError(f"The {role} table has no columns.")
    if not len(frame):
        raise TableError(f"The {role} table has no rows.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise TableError(f"The {role} table has two columns called {twice!r}.")
    return frame


def with_numbers(frame: pd.DataFrame, schema: TableSchema | None) -> pd.DataFrame:
    """The frame with numbers for texts that spell them: `$1,234.50`; words among them are missing.

    A text that is neither stays, for whoever reads the column to refuse by name.
    """
    if schema is None:
        return frame
    read = {}
    for column in schema.columns:
        if not isinstance(column, NumberColumn) or column.name not in frame.columns:
            continue
        cells = frame[column.name]
        if (column.spelling or column.words) and not pd.api.types.is_numeric_dtype(cells.dtype):
            read[column.name] = cells.map(partial(_number, column), na_action="ignore")
    return frame.assign(**read)


def _number(column: NumberColumn, cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    if cell in column.words:
        return float("nan")
    plain = spelling_of(column).read(cell)
    return cell if plain is None else float(plain)


def check_same_columns(frames: Mapping[str, pd.DataFrame]) -> None:
    """Refuse tables whose columns differ from the train table's (order is free).

    Raises:
        TableError: names the missing and the additional columns.
    """
    expected = set(frames["train"].columns)
    for role, frame in frames.items():
        missing = sorted(expected - set(frame.columns))
        more = sorted(set(frame.columns) - expected)
        if missing or more:
            raise TableError(
                f"The {role} table must have the train table's columns; "
                f"missing: {missing or 'none'}, not in train: {more or 'none'}.",
                hint="Give three tables of the same columns.",
            )


def plan_columns(
    train: pd.DataFrame,
    *,
    numeric: Sequence[str] | None = None,
    schema: TableSchema | None = None,
) -> ColumnPlan:
    """Decide the judged columns and which of them are numeric.

    An explicit `numeric` comes first, then the schema's kinds, then the train table's dtypes.

    Raises:
        SettingsError: `numeric` names an unknown column.
        SchemaError: a column of the table is not in the schema.
        TableError: no column is left to judge.
    """
    names = [str(name) for name in train.columns]
    kinds = _schema_kinds(names, schema) if schema is not None else {}
    left_out = tuple(n for n in names if n in kinds and kinds[n].kind in LEFT_OUT_KINDS)
    judged = tuple(n for n in names if n not in left_out)
    if not judged:
        raise TableError("Every column is an identifier or free text; there is nothing to judge.")
    return ColumnPlan(
        names=judged,
        numeric=frozenset(_numeric(train[list(judged)], numeric, kinds, names)),
        date_formats={n: f for n in judged if (f := _format(kinds.get(n), train[n])) is not None},
        left_out=left_out,
    )


def check_target(target: str | None, plan: ColumnPlan) -> None:
    """Refuse a target that is not a judged column.

    Raises:
        SettingsError: says which columns there are.
    """
    if target is None or target in plan.names:
        return
    if target in plan.left_out:
        raise SettingsError(f"The target {target!r} is an identifier or free text.")
    raise SettingsError(
        f"The target {target!r} is not a column; there are {', '.join(map(repr, plan.names))}."
    )


def _numeric(
    train: pd.DataFrame,
    numeric: Sequence[str] | None,
    kinds: Mapping[str, Column],
    names: Sequence[str],
) -> list[str]:
    if numeric is not None:
        unknown = sorted(set(numeric) - set(names))
        if unknown:
            raise SettingsError(f"`numeric` names unknown columns: {unknown}.")
        return [n for n in train.columns if n in set(numeric)]
    if kinds:
        return [n for n in train.columns if kinds[n].kind in NUMERIC_KINDS]
    return [n for n in train.columns if has_numeric_type(train[n])]


def _schema_kinds(names: Sequence[str], schema: TableSchema) -> dict[str, Column]:
    unknown = [name for name in names if name not in schema.names]
    if unknown:
        raise SchemaError(f"The schema does not describe the columns {unknown}.")
    return {name: schema.column(name) for name in names}


def _format(column: Column | None, cells: pd.Series) -> str | None:
    if isinstance(column, DateColumn | DatetimeColumn):
        return column.format
    return "%Y-%m-%d" if getattr(cells.dtype, "kind", "") == "M" else None


def _from_arrow(table: pa.Table) -> pd.DataFrame:
    if len(set(table.column_names)) < table.num_columns:
        raise TableError(f"Column names must differ, got {table.column_names}.")
    fields = [
        pa.field(f.name, pa.float64()) if pa.types.is_decimal(f.type) else f for f in table.schema
    ]
    frame: pd.DataFrame = table.cast(pa.schema(fields)).to_pandas(date_as_object=False)
    return frame
