"""How tables that other libraries hold in memory become Arrow tables, importing none of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Protocol, cast

import pyarrow as pa

from llmsynth.errors import TableError


class _Frame(Protocol):
    """The part of `pandas.DataFrame` that is read here."""

    columns: Iterable[object]

    def items(self) -> Iterable[tuple[object, Iterable[object]]]: ...


class _Dataset(Protocol):
    """The part of `datasets.Dataset` that is read here."""

    def with_format(self, type: str) -> _Dataset: ...

    def __getitem__(self, rows: slice) -> object: ...


def from_memory(source: object) -> tuple[pa.Table, str] | None:
    """An Arrow table and what to call it, or None where `source` is no table in memory.

    Raises:
        TableError: a pandas column that mixes types or holds what Arrow cannot.
    """
    if isinstance(source, pa.Table):
        return source, "the table"
    if _is_a(source, "pandas", "DataFrame"):
        return _from_pandas(cast(_Frame, source)), "the DataFrame"
    if _is_a(source, "datasets", "Dataset"):
        rows = cast(_Dataset, source).with_format("arrow")[:]
        return cast(pa.Table, rows), "the dataset"
    return None


def _is_a(source: object, module: str, name: str) -> bool:
    """Whether `source` is an instance of a class whose library was imported already."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(source, cls)


def _from_pandas(frame: _Frame) -> pa.Table:
    names, columns = [], []
    for name, cells in frame.items():
        names.append("_".join(map(str, name)) if isinstance(name, tuple) else str(name))
        columns.append(_column(names[-1], cells))
    return pa.table(columns, names=names) if columns else pa.table({})


def _column(name: str, cells: Iterable[object]) -> pa.Array:
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TableError(
            f"the DataFrame, column {name!r}: {_mixture(cells) or _first_line(error)}.",
            hint="Give the column one type, for example with .astype(str).",
        ) from error


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
