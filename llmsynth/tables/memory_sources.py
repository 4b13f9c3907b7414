"""How tables that other libraries hold in memory become Arrow tables, importing none of them."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol, cast

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.declared_types import exact_cell
from llmsynth.tables.json_records import parse_records
from llmsynth.tables.reading_notes import ReadingNote, notes_of, with_notes

_MOST_DIGITS = 38


class _Index(Protocol):
    """The part of `pandas.Index` that is read here."""

    names: Iterable[object]
    dtype: object


class _Frame(Protocol):
    """The part of `pandas.DataFrame` that is read here."""

    columns: Iterable[object]
    index: _Index

    def items(self) -> Iterable[tuple[object, Iterable[object]]]: ...

    def reset_index(self) -> _Frame: ...


class _Series(Protocol):
    """The part of `pandas.Series` that is read here."""

    def to_frame(self) -> _Frame: ...


class _Dataset(Protocol):
    """The part of `datasets.Dataset` that is read here."""

    def with_format(self, type: str) -> _Dataset: ...

    def __getitem__(self, rows: slice) -> object: ...


def from_memory(source: object) -> tuple[pa.Table, str] | None:
    """An Arrow table and what to call it, or None where `source` is no table in memory.

    Declared types stay: a categorical is a dictionary in its order, intervals and periods become
    texts (a note says so).

    Raises:
        TableError: a column that mixes types or holds what Arrow cannot.
    """
    if isinstance(source, pa.Table):
        return source, "the table"
    if _is_a(source, "pandas", "DataFrame"):
        return _from_pandas(cast(_Frame, source)), "the DataFrame"
    if _is_a(source, "pandas", "Series"):
        return _from_pandas(cast(_Series, source).to_frame()), "the Series"
    if _is_a(source, "datasets", "Dataset"):
        rows = cast(_Dataset, source).with_format("arrow")[:]
        return cast(pa.Table, rows), "the dataset"
    if hasattr(source, "__arrow_c_stream__"):
        try:
            return pa.RecordBatchReader.from_stream(source).read_all(), "the table"
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise TableError(
                f"the {type(source).__name__} has no Arrow stream of records: {error}.",
                hint="Give a table, not a column.",
            ) from error
    if isinstance(source, Mapping) and all(isinstance(name, str) for name in source):
        return _from_columns(source), "the mapping"
    if isinstance(source, list) and source and all(isinstance(row, dict) for row in source):
        return parse_records(source, label="the records"), "the records"
    return None


def _is_a(source: object, module: str, name: str) -> bool:
    """Whether `source` is an instance of a class whose library was imported already."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(source, cls)


def _from_columns(source: Mapping[str, object]) -> pa.Table:
    try:
        return pa.table(dict(source))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise TableError(
            f"the mapping: {str(error).splitlines()[0].rstrip('.')}.",
            hint="Give a list of cells of one type for each name, all as long.",
        ) from error


def _from_pandas(frame: _Frame) -> pa.Table:
    notes = []
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
        notes.append(
            ReadingNote(
                code="index_kept",
                text="The DataFrame's index has a name and was read as a column.",
                change="Leave it out with .reset_index(drop=True).",
            )
        )
    elif not str(frame.index.dtype).startswith(("int", "uint")):
        notes.append(
            ReadingNote(
                code="index_left_out",
                text="The DataFrame's index has no name and was left out.",
                change="Keep it with .reset_index().",
            )
        )
    names, columns = [], []
    for name, cells in frame.items():
        names.append("_".join(map(str, name)) if isinstance(name, tuple) else str(name))
        column, what = _column(names[-1], cells)
        columns.append(column)
        if what:
            notes.append(
                ReadingNote(
                    code="type_as_text",
                    text=f"Column {names[-1]!r} holds {what}, read as texts.",
                    change="Convert it before reading to have it otherwise.",
                    column=names[-1],
                )
            )
    table = pa.table(columns, names=names) if columns else pa.table({})
    return with_notes(table, [*notes_of(table), *notes])


def _column(name: str, cells: Iterable[object]) -> tuple[pa.Array, str]:
    kind = str(getattr(cells, "dtype", ""))
    if kind.startswith("Sparse"):
        cells = list(cells)
    if kind.startswith("period"):
        return _spelled(cells), "periods"
    if kind.startswith("interval"):
        return _spelled(cells), "intervals"
    if kind == "category":
        return _categorical(name, cells)
    if kind == "object":
        held = [cell for cell in cells if cell is not None and cell == cell]
        if _zones(held) > 1:
            return _spelled(cells), "moments of several zones"
        if _are_wide(held):
            return _wide(cells)
    try:
        return pa.array(cells, from_pandas=True), ""
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TableError(
            f"the DataFrame, column {name!r}: {_mixture(cells) or _first_line(error)}.",
            hint=f"Give the column one type, for example frame[{name!r}] = "
            f'frame[{name!r}].map(str, na_action="ignore").',
        ) from error


def _categorical(name: str, cells: Iterable[object]) -> tuple[pa.Array, str]:
    dtype = getattr(cells, "dtype", None)
    levels = list(getattr(dtype, "categories", ()))
    values = pa.array([str(level) for level in levels], pa.string())
    what = str(getattr(getattr(dtype, "categories", None), "dtype", ""))
    is_spelled = what.startswith(("interval", "period", "timedelta", "category"))
    if not is_spelled:
        try:
            values = pa.array(levels, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise TableError(
                f"the DataFrame, column {name!r}: {_mixture(levels) or _first_line(error)}.",
                hint="Give the categories one type, such as .cat.rename_categories(str).",
            ) from error
    accessor = getattr(cells, "cat", None)
    codes = [None if code < 0 else int(code) for code in getattr(accessor, "codes", ())]
    is_ordered = bool(getattr(dtype, "ordered", False))
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), values, ordered=is_ordered)
    kind = what.partition("[")[0]
    return array, f"{kind}s as categories" if is_spelled else ""


def _spelled(cells: Iterable[object]) -> pa.Array:
    texts = [None if _is_missing(cell) else _text(cell) for cell in cells]
    return pa.array(texts, pa.string())


def _text(cell: object) -> str:
    return cell.isoformat() if isinstance(cell, dt.datetime | dt.date) else str(cell)


def _is_missing(cell: object) -> bool:
    return cell is None or cell != cell or str(cell) in ("NaT", "<NA>")


def _zones(cells: Iterable[object]) -> int:
    return len({str(cell.tzinfo) for cell in cells if isinstance(cell, dt.datetime)})


def _are_wide(cells: Iterable[object]) -> bool:
    """Whether cells are whole numbers, some of more than 63 bits."""
    held = list(cells)
    are_whole = all(isinstance(cell, int) and not isinstance(cell, bool) for cell in held)
    return (
        bool(held)
        and are_whole
        and any(not -(2**63) <= cell < 2**63 for cell in held if isinstance(cell, int))
    )


def _wide(cells: Iterable[object]) -> tuple[pa.Array, str]:
    held = [None if _is_missing(cell) else cell for cell in cells]
    if all(len(str(abs(c))) <= _MOST_DIGITS for c in held if isinstance(c, int)):
        numbers = [Decimal(cell) if isinstance(cell, int) else None for cell in held]
        return pa.array(numbers, pa.decimal128(_MOST_DIGITS, 0)), ""
    texts = [None if cell is None else exact_cell(cell) for cell in held]
    return pa.array(texts, pa.string()), "whole numbers of more than 38 digits"


def _mixture(cells: Iterable[object]) -> str | None:
    first: tuple[int, object] | None = None
    for row, cell in enumerate(cells, start=1):
        if cell is None or cell != cell:
            continue
        if first is None:
            first = (row, cell)
        elif type(cell) is not type(first[1]):
            return (
                f"cells must be of one type, but data row {first[0]} is "
                f"{type(first[1]).__name__} ({first[1]!r}) and data row {row} is "
                f"{type(cell).__name__} ({cell!r})"
            )
    return None


def _first_line(error: Exception) -> str:
    return f"cells cannot be read: {str(error).splitlines()[0].rstrip('.')}"
