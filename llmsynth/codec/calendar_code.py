"""The row language of days and moments: ISO 8601 text, one token per calendar field."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.cell_text import MISSING
from llmsynth.codec.column_code import SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import DateColumn, DatetimeColumn

_YEAR, _MONTH, _DAY = 0, 1, 2
_SIZES = (0, 12, 31, 24, 60, 60, 1000, 1000)
_FIRST = (0, 1, 1, 0, 0, 0, 0, 0)
_BEFORE = ("", "-", "-", "T", ":", ":", ".", "")
_FIELDS = {"minute": 5, "second": 6, "millisecond": 7, "microsecond": 8}
_MOST_YEARS = 2000
from llmsynth.schema.storage import arrow_type


class CalendarCode(ColumnCode):
    """Year, month and day, then as many clock fields as the resolution asks for."""

    def __init__(self, column: DateColumn | DatetimeColumn) -> None:
        self.column: DateColumn | DatetimeColumn = column
        is_date = isinstance(column, DateColumn)
        self._num_fields = 3 if isinstance(column, DateColumn) else _FIELDS[column.resolution]
        self._is_date = is_date
        low, high = column.bounds
        self._low, self._high = self._fields_of(low), self._fields_of(high)
        self._first_year = self._low[_YEAR]
        years = self._high[_YEAR] - self._first_year + 1
        if years > _MOST_YEARS:
            raise SchemaError(
                f"Column {column.name!r}: {column.minimum} to {column.maximum} spans {years} years; "
                f"{_MOST_YEARS} is the most.",
                hint="Declare tighter bounds in the schema, or the stray date as missing.",
            )
        self._missing = years if column.nullable else None
        self.place_sizes = (years + column.nullable, *_SIZES[1 : self._num_fields])
        self.automaton = CellAutomaton.explore(
            (0, True, True, False, 0), self._moves, max(self.place_sizes)
        )

    def _fields_of(self, moment: dt.date) -> tuple[int, ...]:
        fields = [moment.year, moment.month, moment.day]
        if isinstance(moment, dt.datetime):
            fields += [moment.hour, moment.minute, moment.second]
            fields += [moment.microsecond // 1000, moment.microsecond % 1000]
        return tuple(fields[: self._num_fields])

    def _moves(self, state: object) -> tuple[int, Mapping[int, object]]:
        assert isinstance(state, tuple)
        place, at_low, at_high, leap, month = state
        first = self._first_year if place == _YEAR else _FIRST[place]
        low = self._low[place] if at_low else first
        high = self._high[place] if at_high else self._last(place, leap, month)
        moves: dict[int, object] = {}
        for value in range(low, high + 1):
            following: object = None
            if place + 1 < self._num_fields:
                following = (
                    place + 1,
                    at_low and value == self._low[place],
                    at_high and value == self._high[place],
                    calendar.isleap(value)
                    if place == _YEAR
                    else leap and place == _MONTH and value == 2,
                    _month_length_class(value) if place == _MONTH else 0,
                )
            moves[value - first] = following
        if place == _YEAR and self._missing is not None:
            moves[self._missing] = None
        return place, moves

    @staticmethod
    def _last(place: int, leap: bool, month: int) -> int:
        if place == _DAY:
            return month + (leap and month == 28)
        return _FIRST[place] + _SIZES[place] - 1

    def encode(self, cells: pa.Array) -> Tokens:
        absent = cells.is_null().to_numpy(zero_copy_only=False)
        if absent.any() and self._missing is None:
            raise TableError(
                f"Column {self.column.name!r}, row {int(np.argmax(absent)) + 1}: the cell is missing, "
                "and the schema says it never is.",
                hint="Set nullable to true in the schema.",
            )
        moments = self._moments(cells)
        fields = _split(moments)[:, : self._num_fields]
        self._check(cells, moments, absent)
        tokens = fields - np.array([self._first_year, *_FIRST[1 : self._num_fields]])
        tokens[absent] = SKIPPED
        tokens[absent, 0] = -1 if self._missing is None else self._missing
        return tokens.astype(np.int32)

    def _moments(self, cells: pa.Array) -> npt.NDArray[np.datetime64]:
        filler = pa.scalar(self.column.bounds[0]).cast(_naive(cells.type))
        naive = cells.cast(_naive(cells.type)).fill_null(filler)
        return naive.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)

    def _check(
        self, cells: pa.Array, moments: npt.NDArray[np.datetime64], absent: npt.NDArray[np.bool_]
    ) -> None:
        low, high = (np.datetime64(bound, "us") for bound in self.column.bounds)
        units = {3: "D", 5: "m", 6: "s", 7: "ms", 8: "us"}
        grid = moments.astype(f"datetime64[{units[self._num_fields]}]")
        for wrong, what in (
            (
                (moments < low) | (moments > high),
                f"outside {self.column.minimum} to {self.column.maximum}",
            ),
            (grid.astype("datetime64[us]") != moments, "finer than the column's resolution"),
        ):
            bad = wrong & ~absent
            if bad.any():
                row = int(np.argmax(bad))
                raise TableError(
                    f"Column {self.column.name!r}, row {row + 1}: {moments[row]} is {what}.",
                    hint="Correct the schema, or the cell.",
                )

    def decode(self, tokens: Tokens) -> pa.Array:
        absent = tokens[:, 0] == self._missing if self._missing is not None else None
        fields = np.maximum(tokens, 0).astype(np.int64)
        years = (
            np.minimum(fields[:, 0], self.place_sizes[0] - 1) + self._first_year - 1970
        ).astype("M8[Y]")
        days = (years.astype("M8[M]") + fields[:, 1]).astype("M8[D]") + fields[:, 2]
        moments = days.astype("M8[us]")
        steps = (3_600_000_000, 60_000_000, 1_000_000, 1000, 1)
        for place in range(3, self._num_fields):
            moments = moments + (fields[:, place] * steps[place - 3]).astype("m8[us]")
        kind = arrow_type(self.column.storage)
        if self._is_date:
            return pa.array(moments.astype("M8[D]"), pa.date32(), mask=absent).cast(kind)
        array = pa.array(moments, pa.timestamp("us"), mask=absent)
        if kind.tz:
            array = array.cast(pa.int64()).cast(pa.timestamp("us", kind.tz))
        return array.cast(kind)

    def text(self, cell: Cell) -> str:
        if cell is None:
            return MISSING
        if not isinstance(cell, dt.date):
            raise SchemaError(f"Column {self.column.name!r}: expected a date, got {cell!r}.")
        if isinstance(cell, dt.datetime) and cell.tzinfo is not None:
            cell = cell.astimezone(dt.UTC)
        return self._text_of(self._fields_of(cell))

    def _text_of(self, fields: tuple[int, ...]) -> str:
        return "".join(self._field_text(place, value) for place, value in enumerate(fields))

    @staticmethod
    def _field_text(place: int, value: int) -> str:
        width = 4 if place == _YEAR else 3 if place > 5 else 2
        return _BEFORE[place] + str(value).zfill(width)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted and self._missing is not None:
            return None
        try:
            moment = (
                dt.date.fromisoformat(text) if self._is_date else dt.datetime.fromisoformat(text)
            )
        except ValueError as error:
            raise SchemaError(
                f"Column {self.column.name!r}: {text!r} is not a moment: {error}."
            ) from error
        if self._text_of(self._fields_of(moment)) != text or quoted:
            raise SchemaError(f"Column {self.column.name!r}: {text!r} is not in its layout.")
        kind = arrow_type(self.column.storage)
        if isinstance(moment, dt.datetime) and not self._is_date and kind.tz:
            moment = moment.replace(tzinfo=dt.UTC)
        return pa.scalar(moment).cast(kind).as_py()

    def token_text(self, place: int, token: int) -> str:
        if place == _YEAR:
            return (
                MISSING if token == self._missing else self._field_text(0, token + self._first_year)
            )
        return self._field_text(place, token + _FIRST[place])

    def token_values(self, place: int) -> npt.NDArray[np.float64]:
        values = np.arange(self.place_sizes[place], dtype=np.float64)
        if place == _YEAR and self._missing is not None:
            values[self._missing] = np.nan
        return values


def _month_length_class(month: int) -> int:
    return 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31


def _naive(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind


def _split(moments: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    years = moments.astype("M8[Y]")
    months = moments.astype("M8[M]")
    days = moments.astype("M8[D]")
    clock = (moments - days).astype(np.int64)
    return np.stack(
        [
            years.astype(np.int64) + 1970,
            (months - years).astype(np.int64) + 1,
            (days - months).astype(np.int64) + 1,
            clock // 3_600_000_000,
            clock // 60_000_000 % 60,
            clock // 1_000_000 % 60,
            clock // 1000 % 1000,
            clock % 1000,
        ],
        axis=1,
    )
