"""The row language of numbers: fixed-layout decimal digits, most significant first.

A number is written with its sign (where the column has negatives) and all its digits, padded with
zeros to the width of the column's bounds. The digits are cut into groups, one token each. A value
listed as frequent is one token instead, with the same text.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.cell_text import MISSING
from llmsynth.codec.column_code import SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import NumberColumn

_WIDEST_SINGLE_PLACE = 1000
_WIDEST_LEADING_PLACE = 256
_MOST_DIGITS = 60
_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True)
class _Span:
    """Magnitudes that one sign may take, both ends included, in units of the last digit."""

    sign: int
    low: int
    high: int


from llmsynth.schema.storage import arrow_type


class NumberCode(ColumnCode):
    """Digit groups over a column's bounds; see the module docstring."""

    def __init__(self, column: NumberColumn) -> None:
        self.column: NumberColumn = column
        # Everything below counts in units of the last digit that is not always zero.
        self._zeros = 10**column.trailing_zeros
        least, most = (bound.scaleb(column.scale) / self._zeros for bound in column.bounds)
        low, high = math.ceil(least), math.floor(most)
        if low > high:
            raise SchemaError(
                f"Column {column.name!r}: no multiple of {self._zeros} units lies between its bounds."
            )
        self._low, self._high = low, high
        self._spans = _spans(low, high)
        scale = column.scale - column.trailing_zeros
        self._integer_digits = max(len(str(max(abs(low), abs(high)))) - scale, 1)
        self._digits = self._integer_digits + scale
        if self._digits > _MOST_DIGITS:
            raise SchemaError(
                f"Column {column.name!r}: values from {column.minimum} to {column.maximum} at scale "
                f"{column.scale} take {self._digits} digits; {_MOST_DIGITS} is the most.",
                hint="Lower `scale` in the schema, or store the column's logarithm.",
            )
        self._widths = _group_widths(self._spans, self._digits)
        self._object = self._digits > 18
        self._frequent = tuple(
            sorted(int(Decimal(text).scaleb(column.scale)) // self._zeros for text in column.frequent)
        )
        tail = self._digits - self._widths[0]
        self._tail_unit = 10**tail
        self._leading = [
            (span.sign, group)
            for span in self._spans
            for group in range(span.low // self._tail_unit, span.high // self._tail_unit + 1)
        ]
        self._first_group = len(self._frequent)
        self._missing = self._first_group + len(self._leading) if column.nullable else None
        first = self._first_group + len(self._leading) + column.nullable
        self.place_sizes = (first, *(10**width for width in self._widths[1:]))
        self.automaton = CellAutomaton.explore("start", self._moves, max(self.place_sizes))

    @property
    def tail_unit(self) -> int:
        """How many grid values share one leading group."""
        return self._tail_unit

    def units(self, cells: pa.Array) -> npt.NDArray[np.generic]:
        """Cells without missing ones as whole multiples of the last digit; int64 or object."""
        return self._units(cells, np.zeros(len(cells), dtype=np.bool_))

    def _moves(self, state: object) -> tuple[int, Mapping[int, object]]:
        if state == "start":
            return 0, self._first_moves()
        assert isinstance(state, tuple)
        sign, place, at_low, at_high = state
        span = next(s for s in self._spans if s.sign == sign)
        rest = 10 ** sum(self._widths[place + 1 :])
        size = 10 ** self._widths[place]
        low = span.low // rest % size if at_low else 0
        high = span.high // rest % size if at_high else size - 1
        last = place == len(self._widths) - 1
        return place, {
            group: None
            if last
            else (sign, place + 1, at_low and group == low, at_high and group == high)
            for group in range(low, high + 1)
        }

    def _first_moves(self) -> dict[int, object]:
        moves: dict[int, object] = dict.fromkeys(range(self._first_group))
        for index, (sign, group) in enumerate(self._leading):
            span = next(s for s in self._spans if s.sign == sign)
            moves[self._first_group + index] = (
                None
                if len(self._widths) == 1
                else (
                    sign,
                    1,
                    group == span.low // self._tail_unit,
                    group == span.high // self._tail_unit,
                )
            )
        if self._missing is not None:
            moves[self._missing] = None
        return moves

    def encode(self, cells: pa.Array) -> Tokens:
        absent = cells.is_null().to_numpy(zero_copy_only=False)
        if absent.any() and self._missing is None:
            raise TableError(
                f"Column {self.column.name!r}, row {int(np.argmax(absent)) + 1}: the cell is missing, "
                "and the schema says it never is.",
                hint="Set nullable to true in the schema.",
            )
        units = self._units(cells, absent)
        tokens = np.full((len(cells), len(self._widths)), SKIPPED, dtype=np.int32)
        grouped = np.abs(units)
        for place in range(len(self._widths) - 1, 0, -1):
            size = 10 ** self._widths[place]
            tokens[:, place] = (grouped % size).astype(np.int32)
            grouped = grouped // size
        tokens[:, 0] = self._leading_tokens(units < 0, grouped)
        self._use_frequent(units, tokens)
        if self._missing is not None:
            tokens[absent] = SKIPPED
            tokens[absent, 0] = self._missing
        return tokens

    def _units(self, cells: pa.Array, absent: npt.NDArray[np.bool_]) -> npt.NDArray[np.generic]:
        if self._object or pa.types.is_decimal(cells.type):
            units = self._exact_units(cells)
        else:
            values = cells.fill_null(0).to_numpy(zero_copy_only=False)
            units = self._fast_units(cells, values)
        if self._zeros > 1:
            self._check_scale(cells, (units % self._zeros != 0) & ~absent)
            units = units // self._zeros
        units[absent] = self._low if self._low > 0 else min(self._high, 0)
        outside = (units < self._low) | (units > self._high)
        if outside.any():
            row = int(np.argmax(outside))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {cells[row].as_py()} lies outside "
                f"{self.column.minimum} to {self.column.maximum}.",
                hint="Widen the bounds in the schema, or correct the cell.",
            )
        return units

    def _fast_units(
        self, cells: pa.Array, values: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.generic]:
        if values.dtype.kind in "iu":
            if self.column.scale == 0:
                return values.astype(np.int64)
            return self._exact_units(cells)
        scaled = values.astype(np.float64) * 10.0**self.column.scale
        if np.abs(scaled).max(initial=0) >= _EXACT_IN_FLOAT / 4:
            return self._exact_units(cells)
        units = np.rint(scaled)
        self._check_scale(
            cells, np.abs(units / 10.0**self.column.scale - values) > np.abs(values) * 1e-15
        )
        return units.astype(np.int64)

    def _exact_units(self, cells: pa.Array) -> npt.NDArray[np.generic]:
        exact = [_decimal(cell).scaleb(self.column.scale) for cell in cells.to_pylist()]
        wrong = np.array([d != d.to_integral_value() for d in exact], dtype=np.bool_)
        self._check_scale(cells, wrong)
        return np.array([int(d) for d in exact], dtype=object if self._object else np.int64)

    def _check_scale(self, cells: pa.Array, wrong: npt.NDArray[np.bool_]) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {cells[row].as_py()} has more than "
                f"{self.column.scale} decimals, or fewer than {self.column.trailing_zeros} zeros at "
                "its end.",
                hint="Raise `scale` or lower `trailing_zeros` in the schema, or round the column.",
            )

    def _leading_tokens(
        self, negative: npt.NDArray[np.bool_], groups: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.int32]:
        out = np.zeros(len(groups), dtype=np.int32)
        offset = self._first_group
        for span in self._spans:
            first, last = span.low // self._tail_unit, span.high // self._tail_unit
            mine = negative if span.sign < 0 else ~negative
            out[mine] = (groups[mine] - first).astype(np.int32) + offset
            offset += last - first + 1
        return out

    def _use_frequent(self, units: npt.NDArray[np.generic], tokens: Tokens) -> None:
        if not self._frequent:
            return
        known = np.array(self._frequent, dtype=units.dtype)
        at = np.minimum(np.searchsorted(known, units), len(known) - 1)
        hit = known[at] == units
        tokens[hit] = SKIPPED
        tokens[hit, 0] = at[hit]

    def decode(self, tokens: Tokens) -> pa.Array:
        units = self._decode_units(tokens) * self._zeros
        absent = tokens[:, 0] == self._missing if self._missing is not None else None
        kind = arrow_type(self.column.storage)
        if pa.types.is_decimal(kind):
            cells = [Decimal(int(u)).scaleb(-self.column.scale) for u in units]
            return pa.array(cells, kind, mask=absent)
        if self.column.scale == 0 and pa.types.is_integer(kind):
            return pa.array(units.astype(np.int64), mask=absent).cast(kind)
        return pa.array(self._floats(units), pa.float64(), mask=absent).cast(kind)

    def _decode_units(self, tokens: Tokens) -> npt.NDArray[np.generic]:
        kind = object if self._object else np.int64
        lead = tokens[:, 0]
        is_group = (lead >= self._first_group) & (
            lead != (-1 if self._missing is None else self._missing)
        )
        signs = np.array([sign for sign, _ in self._leading] or [1], dtype=kind)
        groups = np.array([group for _, group in self._leading] or [0], dtype=kind)
        index = np.clip(lead - self._first_group, 0, max(len(self._leading) - 1, 0))
        units = groups[index]
        for place in range(1, len(self._widths)):
            units = units * 10 ** self._widths[place] + np.maximum(tokens[:, place], 0).astype(kind)
        units = units * signs[index]
        if self._frequent:
            known = np.array(self._frequent, dtype=kind)
            units = np.where(
                lead < self._first_group, known[np.minimum(lead, len(known) - 1)], units
            )
        return np.where(is_group | (lead < self._first_group), units, 0)

    def _floats(self, units: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        if self._object or self.column.scale > 22 or self._digits > 15:
            return np.array([float(Decimal(int(u)).scaleb(-self.column.scale)) for u in units])
        # Both operands are exact doubles, so the quotient is the double nearest to the decimal.
        return units.astype(np.float64) / 10.0**self.column.scale

    def text(self, cell: Cell) -> str:
        return (
            MISSING
            if cell is None
            else self._unit_text(int(_decimal(cell).scaleb(self.column.scale)))
        )

    def _unit_text(self, units: int) -> str:
        digits = str(abs(units)).zfill(self._digits)
        sign = ("-" if units < 0 else "+") if self._low < 0 else ""
        return sign + self._pointed(digits + "0" * self.column.trailing_zeros, 0)

    def _pointed(self, digits: str, start: int) -> str:
        cut = self._integer_digits - start
        return (
            digits[:cut] + "." + digits[cut:]
            if self.column.scale and 0 < cut < len(digits)
            else digits
        )

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted and self._missing is not None:
            return None
        try:
            number = Decimal(text)
        except ArithmeticError as error:
            raise SchemaError(f"Column {self.column.name!r}: {text!r} is not a number.") from error
        if self._unit_text(int(number.scaleb(self.column.scale)) // self._zeros) != text or quoted:
            raise SchemaError(f"Column {self.column.name!r}: {text!r} is not in its number layout.")
        kind = arrow_type(self.column.storage)
        if pa.types.is_integer(kind):
            return int(number)
        return number if pa.types.is_decimal(kind) else float(number)

    def token_text(self, place: int, token: int) -> str:
        if place == 0:
            if token == self._missing:
                return MISSING
            if token < self._first_group:
                return self._unit_text(self._frequent[token])
            sign, group = self._leading[token - self._first_group]
            shown = ("-" if sign < 0 else "+") if self._low < 0 else ""
            return shown + self._group_text(0, group)
        return self._group_text(place, token)

    def _group_text(self, place: int, group: int) -> str:
        start = sum(self._widths[:place])
        digits = str(group).zfill(self._widths[place])
        if place == len(self._widths) - 1:
            digits += "0" * self.column.trailing_zeros
        text = self._pointed(digits, start)
        # The point belongs to the group that ends at it, so that no group starts with one.
        ends_at_point = start + len(digits) == self._integer_digits
        return text + "." if ends_at_point and self.column.scale else text

    def token_values(self, place: int) -> npt.NDArray[np.float64]:
        if place > 0:
            size = self.place_sizes[place]
            return (np.arange(size) + 0.5) / size
        middle = self._tail_unit / 2
        values = [float(u) for u in self._frequent]
        values += [
            sign * (float(group) * self._tail_unit + middle) for sign, group in self._leading
        ]
        return np.array(values + [np.nan] * self.column.nullable) / 10.0 ** min(
            self.column.scale, 300
        )


def _spans(low: int, high: int) -> tuple[_Span, ...]:
    spans = []
    if low < 0:
        spans.append(_Span(-1, max(1, -high), -low))
    if high >= 0:
        spans.append(_Span(1, max(low, 0), high))
    return tuple(spans)


def _group_widths(spans: tuple[_Span, ...], digits: int) -> tuple[int, ...]:
    """Cut the digits into groups: the first as wide as its tokens stay few, then pairs."""

    def leading_tokens(width: int) -> int:
        unit = 10 ** (digits - width)
        return sum(span.high // unit - span.low // unit + 1 for span in spans)

    if leading_tokens(digits) <= _WIDEST_SINGLE_PLACE:
        return (digits,)
    first = max(
        (w for w in range(1, digits) if leading_tokens(w) <= _WIDEST_LEADING_PLACE), default=1
    )
    rest = digits - first
    # An odd digit comes before the pairs: ten tokens refine the leading group cheaply, and pairs
    # further down are often noise that needs no model at all (see `flat_places`).
    return (first, *([1] if rest % 2 else []), *[2] * (rest // 2))


def _decimal(cell: Cell) -> Decimal:
    if cell is None:
        return Decimal(0)
    if isinstance(cell, Decimal):
        return cell
    if isinstance(cell, (int, float, str)) and not isinstance(cell, (bool, dt.date)):
        return Decimal(str(cell))
    raise SchemaError(f"Expected a number, got {cell!r}.")
