"""The column that orders the rows of a group, as whole ticks and back, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.number_grid import NumberGrid
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
)
from llmsynth.schema.storage import arrow_type

Ticks = npt.NDArray[np.int64]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_RESOLUTION_SECONDS = {"minute": 60.0, "second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6}
_DAY_SECONDS = 86_400


class TimeAxis:
    """Ticks of an ordering column: days, units of a moment's resolution, or a number's last digit.

    Args:
        column: number, date or datetime; whole-number codes count as numbers.

    Raises:
        SchemaError: a column of another kind.
    """

    def __init__(self, column: Column) -> None:
        column = replace(_as_clock(column), nullable=False)
        self.column = column
        self._kind = arrow_type(column.storage)
        self._grid = NumberGrid(column) if isinstance(column, NumberColumn) else None
        self._step = _step(column, self._kind)

    def ticks(self, cells: pa.ChunkedArray) -> Ticks:
        """Whole ticks of every cell, which must all be present; int64 (cells,).

        Raises:
            TableError: a missing cell, or numbers of more digits than 64 bits hold.
        """
        if cells.null_count:
            raise TableError(
                f"Column {self.column.name!r} orders the rows, and {cells.null_count:,} of its "
                "cells are missing.",
                hint="Leave these rows out, or order by another column.",
            )
        whole = cells.combine_chunks()
        if self._grid is not None:
            units = self._grid.units(whole)
            if units.dtype == object:
                raise TableError(f"Column {self.column.name!r} has too many digits to order by.")
            return np.asarray(units, dtype=np.int64)
        return np.asarray(self._integers(whole), dtype=np.int64) // self._step

    def cells(self, ticks: Ticks) -> pa.Array:
        """Cells of the column's storage type; the inverse of `ticks`."""
        if self._grid is not None:
            return self._grid.cells(ticks, np.zeros(len(ticks), dtype=np.bool_))
        whole = pa.array(ticks * self._step, pa.int64())
        if pa.types.is_date32(self._kind):
            return whole.cast(pa.int32()).cast(self._kind)
        return whole.cast(self._kind)

    @property
    def last(self) -> int:
        """The tick of the column's upper bound."""
        return self._bounds[1]

    @property
    def first(self) -> int:
        """The tick of the column's lower bound."""
        return self._bounds[0]

    @property
    def _bounds(self) -> tuple[int, int]:
        if isinstance(self.column, NumberColumn):
            assert self._grid is not None
            return int(self._grid.low), int(self._grid.high)
        assert isinstance(self.column, (DateColumn, DatetimeColumn))
        per_tick = round(_seconds_a_tick(self.column) * 10**6)
        texts = (self.column.minimum, self.column.maximum)
        low, high = (np.datetime64(text, "us").astype(np.int64) // per_tick for text in texts)
        return int(low), int(high)

    def calendar(self, ticks: Ticks) -> dict[str, Ticks]:
        """Weekday (0 is Monday) and, below days, hour of each tick; nothing for numbers."""
        if isinstance(self.column, NumberColumn):
            return {}
        seconds = np.floor(ticks * _seconds_a_tick(self.column)).astype(np.int64)
        # 1970-01-01 was a Thursday.
        parts = {"weekday": (seconds // _DAY_SECONDS + 3) % 7}
        if isinstance(self.column, DatetimeColumn):
            parts["hour"] = seconds % _DAY_SECONDS // 3600
        return parts

    def _integers(self, cells: pa.Array) -> pa.Array:
        if pa.types.is_date32(self._kind):
            return cells.cast(pa.int32())
        return cells.cast(pa.int64())


def _as_clock(column: Column) -> NumberColumn | DateColumn | DatetimeColumn:
    if isinstance(column, (NumberColumn, DateColumn, DatetimeColumn)):
        return column
    if isinstance(column, CategoryColumn) and pa.types.is_integer(arrow_type(column.storage)):
        codes = [int(code) for code in column.categories]
        return NumberColumn(
            name=column.name,
            storage=column.storage,
            minimum=str(min(codes, default=0)),
            maximum=str(max(codes, default=0)),
        )
    raise SchemaError(
        f"Column {column.name!r} is {column.kind}; rows are ordered by numbers, dates or moments."
    )


def _seconds_a_tick(column: DateColumn | DatetimeColumn) -> float:
    if isinstance(column, DateColumn):
        return float(_DAY_SECONDS)
    return _RESOLUTION_SECONDS[column.resolution]


def _step(column: Column, kind: pa.DataType) -> int:
    """Units of the storage type in a tick."""
    if pa.types.is_date64(kind):
        return _DAY_SECONDS * 1000
    if isinstance(column, DatetimeColumn) and pa.types.is_timestamp(kind):
        return max(1, round(_PER_SECOND[kind.unit] * _RESOLUTION_SECONDS[column.resolution]))
    return 1
