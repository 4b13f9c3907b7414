"""The row language of days and moments: ISO 8601 text, one token per calendar field."""

from __future__ import annotations

import calendar
import datetime as dt
import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING
from llmsynth.codec.column_code import SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import DateColumn, DatetimeColumn
from llmsynth.schema.storage import arrow_type

_YEAR, _MONTH, _DAY = 0, 1, 2
_SIZES = (0, 12, 31, 24, 60, 60, 1000, 1000)
_FIRST = (0, 1, 1, 0, 0, 0, 0, 0)
_BEFORE = ("", "-", "-", "T", ":", ":", ".", "")
_FIELDS = {"minute": 5, "second": 6, "millisecond": 7, "microsecond": 8}
_UNITS = {3: "D", 5: "m", 6: "s", 7: "ms", 8: "us"}
_MOST_YEARS = 2000
_TOO_FINE = "is finer than the column's resolution"


class CalendarCode(ColumnCode):
    """Year, month and day, then as many clock fields as the resolution asks for."""

    def __init__(self, column: DateColumn | DatetimeColumn) -> None:
        self.column: DateColumn | DatetimeColumn = column
        self._num_fields = 3 if isinstance(column, DateColumn) else _FIELDS[column.resolution]
        self._kind = arrow_type(column.storage)
        self._ends = self._grid_ends()
        self._low, self._high = (tuple(f[: self._num_fields]) for f in _split(self._ends).tolist())
        self._first_year = self._low[_YEAR]
        years = self._high[_YEAR] - self._first_year + 1
        if years > _MOST_YEARS:
            raise SchemaError(
                f"Column {column.name!r}: {column.minimum} to {column.maximum} spans {years} "
                f"years; {_MOST_YEARS} is the most.",
                hint="Declare tighter bounds in the schema, or the stray date as missing.",
            )
        self._num_years = years
        self._sentinels = np.array(
            [np.datetime64(text, "us") for text in column.sentinels], dtype="M8[us]"
        )
        years += len(self._sentinels)
        self._missing = years if column.nullable else SKIPPED
        self.place_sizes = (years + column.nullable, *_SIZES[1 : self._num_fields])
        self.automaton = CellAutomaton.explore(
            (0, True, True, False, 0), self._moves, max(self.place_sizes)
        )

    def _grid_ends(self) -> npt.NDArray[np.datetime64]:
        """The first and last moment of the grid within the bounds; M8[us] (2,)."""
        name, bounds = self.column.name, self.column.bounds
        if any(isinstance(bound, dt.datetime) and bound.tzinfo for bound in bounds):
            raise SchemaError(
                f"Column {name!r}: bounds are written without an offset (in UTC where the column "
                f"has a zone), got {self.column.minimum} and {self.column.maximum}."
            )
        low, high = np.array(bounds, dtype="M8[us]")
        unit = f"M8[{_UNITS[self._num_fields]}]"
        first = low.astype(unit) + (low.astype(unit) < low)
        ends = np.array([first, high.astype(unit)]).astype("M8[us]")
        if ends[0] > ends[1]:
            raise SchemaError(
                f"Column {name!r}: no moment of its resolution lies between {self.column.minimum} "
                f"and {self.column.maximum}."
            )
        self._check_storage(ends, np.ones(1, dtype=unit))
        return ends

    def _check_storage(
        self, ends: npt.NDArray[np.datetime64], step: npt.NDArray[np.datetime64]
    ) -> None:
        is_date = isinstance(self.column, DateColumn)
        fits = pa.types.is_timestamp(self._kind) or (is_date and pa.types.is_date(self._kind))
        try:
            for moments in (ends, step) if fits else ():
                cells = pa.array(moments.astype("M8[us]"), pa.timestamp("us"))
                cells.cast(pa.timestamp(self._kind.unit) if not is_date else self._kind)
        except pa.ArrowInvalid:
            fits = False
        if not fits:
            raise SchemaError(
                f"Column {self.column.name!r}: its storage {self.column.storage} cannot hold "
                f"{self.column.kind}s from {self.column.minimum} to {self.column.maximum}."
            )

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
        if place == _YEAR:
            moves |= dict.fromkeys(range(self._num_years, self._num_years + len(self._sentinels)))
        if place == _YEAR and self.column.nullable:
            moves[self._missing] = None
        return place, moves

    @staticmethod
    def _last(place: int, leap: bool, month: int) -> int:
        if place == _DAY:
            return month + (leap and month == 28)
        return _FIRST[place] + _SIZES[place] - 1

    def encode(self, cells: pa.Array) -> Tokens:
        absent = self._absent(cells)
        moments = self._moments(cells)
        self._check(cells, moments, absent)
        fields = _split(moments)[:, : self._num_fields]
        tokens = fields - np.array([self._first_year, *_FIRST[1 : self._num_fields]])
        for at, sentinel in enumerate(self._sentinels):
            is_far = moments == sentinel
            tokens[is_far] = SKIPPED
            tokens[is_far, 0] = self._num_years + at
        tokens[absent] = SKIPPED
        tokens[absent, 0] = self._missing
        return np.asarray(tokens, dtype=np.int32)

    def _moments(self, cells: pa.Array) -> npt.NDArray[np.datetime64]:
        if pa.types.is_timestamp(cells.type):
            cells = cells.cast(pa.timestamp(cells.type.unit))
        moments = cells.cast(pa.timestamp("us"), safe=False)
        finer = pc.not_equal(moments.cast(cells.type, safe=False), cells).fill_null(False)
        self._refuse(cells, np.asarray(finer), _TOO_FINE)
        return np.asarray(moments.fill_null(0).to_numpy(zero_copy_only=False))

    def _check(
        self, cells: pa.Array, moments: npt.NDArray[np.datetime64], absent: npt.NDArray[np.bool_]
    ) -> None:
        grid = moments.astype(f"M8[{_UNITS[self._num_fields]}]").astype("M8[us]")
        self._refuse(cells, (grid != moments) & ~absent, _TOO_FINE)
        outside = (moments < self._ends[0]) | (moments > self._ends[1])
        outside &= ~absent & ~np.isin(moments, self._sentinels)
        self._refuse(cells, outside, self._outside)

    @property
    def _outside(self) -> str:
        return f"lies outside {self.column.minimum} to {self.column.maximum}"

    def _refuse(self, cells: pa.Array, wrong: npt.NDArray[np.bool_], fault: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {cells[row]} {fault}.",
                hint="Correct the bounds or the resolution in the schema, or the cell.",
            )

    def decode(self, tokens: Tokens) -> pa.Array:
        absent = (tokens[:, 0] == SKIPPED) | (tokens[:, 0] == self._missing)
        fields = np.maximum(tokens, 0).astype(np.int64)
        lead = np.minimum(fields[:, 0], self._num_years - 1)
        years = (lead + self._first_year - 1970).astype("M8[Y]")
        days = (years.astype("M8[M]") + fields[:, 1]).astype("M8[D]") + fields[:, 2]
        moments = days.astype("M8[us]")
        steps = (3_600_000_000, 60_000_000, 1_000_000, 1000, 1)
        for place in range(3, self._num_fields):
            moments = moments + (fields[:, place] * steps[place - 3]).astype("m8[us]")
        for at, sentinel in enumerate(self._sentinels):
            moments[tokens[:, 0] == self._num_years + at] = sentinel
        if isinstance(self.column, DateColumn):
            return pa.array(moments.astype("M8[D]"), pa.date32(), mask=absent).cast(self._kind)
        array = pa.array(moments, pa.timestamp("us"), mask=absent)
        if self._kind.tz:
            array = array.cast(pa.int64()).cast(pa.timestamp("us", self._kind.tz))
        return array.cast(self._kind)

    def text(self, cell: Cell) -> str:
        if cell is None:
            return self._missing_text()
        if not isinstance(cell, dt.date):
            raise SchemaError(f"Column {self.column.name!r}: expected a date, got {cell!r}.")
        if isinstance(cell, dt.datetime) and cell.tzinfo is not None:
            cell = cell.astimezone(dt.UTC)
        return self._text_of(cell)

    def _text_of(self, moment: dt.date) -> str:
        bare = moment.replace(tzinfo=None) if isinstance(moment, dt.datetime) else moment
        if np.datetime64(bare, "us") in self._sentinels:
            return json.dumps(bare.isoformat())
        fields = _fields_of(moment)
        kept, finer = fields[: self._num_fields], fields[self._num_fields :]
        if any(finer) or not self._low <= kept <= self._high:
            fault = _TOO_FINE if any(finer) else self._outside
            raise SchemaError(f"Column {self.column.name!r}: {moment} {fault}.")
        return "".join(self._field_text(place, value) for place, value in enumerate(kept))

    @staticmethod
    def _field_text(place: int, value: int) -> str:
        width = 4 if place == _YEAR else 3 if place > 5 else 2
        return _BEFORE[place] + str(value).zfill(width)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            self._missing_text()
            return None
        is_date = isinstance(self.column, DateColumn)
        try:
            moment = dt.date.fromisoformat(text) if is_date else dt.datetime.fromisoformat(text)
        except ValueError as error:
            raise SchemaError(
                f"Column {self.column.name!r}: {text!r} is not a moment: {error}."
            ) from error
        if self._text_of(moment) != (json.dumps(text) if quoted else text):
            raise SchemaError(f"Column {self.column.name!r}: {text!r} is not in its layout.")
        if isinstance(moment, dt.datetime) and self._kind.tz:
            moment = moment.replace(tzinfo=dt.UTC)
        return pa.scalar(moment).cast(self._kind).as_py()

    def token_text(self, place: int, token: int) -> str:
        if place == _YEAR:
            if token == self._missing:
                return MISSING
            if token >= self._num_years:
                sentinel = self._sentinels[token - self._num_years].item()
                is_date = isinstance(self.column, DateColumn)
                return json.dumps((sentinel.date() if is_date else sentinel).isoformat())
            return self._field_text(0, token + self._first_year)
        return self._field_text(place, token + _FIRST[place])

    def token_values(self, place: int) -> npt.NDArray[np.float64]:
        values = np.arange(self.place_sizes[place], dtype=np.float64)
        if place == _YEAR:
            values[self._num_years :] = np.nan
        return values


def _month_length_class(month: int) -> int:
    return 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31


def _fields_of(moment: dt.date) -> tuple[int, ...]:
    day = (moment.year, moment.month, moment.day)
    if not isinstance(moment, dt.datetime):
        return (*day, 0, 0, 0, 0, 0)
    clock = (moment.hour, moment.minute, moment.second)
    return (*day, *clock, moment.microsecond // 1000, moment.microsecond % 1000)


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
