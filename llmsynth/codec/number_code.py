"""The row language of numbers: fixed-layout decimal digits, most significant first.

A number is written with its sign (where the column has negatives) and all its digits, padded with
zeros to the width of the column's bounds. The digits are cut into groups, one token each. A value
listed as frequent is one token instead, with the same text; so is a word among the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING
from llmsynth.codec.column_code import SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.codec.number_grid import DIGITS_IN_INT64, NumberGrid, Units
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.number_views import words_among

_WIDEST_SINGLE_PLACE = 1000
_WIDEST_LEADING_PLACE = 256
_MOST_DIGITS = 60


@dataclass(frozen=True)
class _Span:
    """Magnitudes that one sign may take, both ends included, in units of the last digit."""

    sign: int
    low: int
    high: int


class NumberCode(ColumnCode):
    """Digit groups over a column's bounds; see the module docstring.

    Attributes:
        grid: the multiples of the last digit that the digits spell.
        tail_unit: how many multiples share one leading group.
        widths: digits of each place.
        first_group: the token of the first leading group, behind those of frequent values.
    """

    def __init__(self, column: NumberColumn) -> None:
        self.column: NumberColumn = column
        self.grid = NumberGrid(column)
        low, high = self.grid.low, self.grid.high
        self._spans = _spans(low, high)
        scale = column.scale - column.trailing_zeros
        self._integer_digits = max(len(str(max(abs(low), abs(high)))) - scale, 1)
        self._digits = self._integer_digits + scale
        if self._digits > _MOST_DIGITS:
            raise SchemaError(
                f"Column {column.name!r}: values from {column.minimum} to {column.maximum} at "
                f"scale {column.scale} take {self._digits} digits; {_MOST_DIGITS} is the most.",
                hint="Lower `scale` in the schema, or store the column's logarithm.",
            )
        self.widths = _group_widths(self._spans, self._digits)
        self.tail_unit = 10 ** (self._digits - self.widths[0])
        self._leading = [
            (span.sign, group)
            for span in self._spans
            for group in range(span.low // self.tail_unit, span.high // self.tail_unit + 1)
        ]
        self._frequent = self._frequent_units()
        self.first_group = len(self._frequent)
        self._first_word = self.first_group + len(self._leading)
        self._first_sentinel = self._first_word + len(column.words)
        first = self._first_sentinel + len(self.grid.sentinels)
        self._missing = first if column.nullable else SKIPPED
        self.place_sizes = (
            first + column.nullable,
            *(10**width for width in self.widths[1:]),
        )
        self.automaton = CellAutomaton.explore("start", self._moves, max(self.place_sizes))

    @property
    def leading_groups(self) -> list[int]:
        """The leading digits that each token says, without sign, from `first_group` on."""
        return [group for _, group in self._leading]

    def _frequent_units(self) -> tuple[int, ...]:
        """Frequent values in order; none where every value is one token anyway."""
        if len(self.widths) == 1:
            return ()
        low, high = self.column.bounds
        values = [self._frequent_value(text) for text in self.column.frequent]
        # A list that outlived its bounds (a schema used again) costs tokens, never values.
        return tuple(sorted({self.grid.unit(value) for value in values if low <= value <= high}))

    def _frequent_value(self, text: str) -> Decimal:
        try:
            return Decimal(text)
        except ArithmeticError as error:
            raise SchemaError(
                f"Column {self.column.name!r}: frequent lists {text!r}, which is not a number."
            ) from error

    def _moves(self, state: object) -> tuple[int, Mapping[int, object]]:
        if state == "start":
            return 0, self._first_moves()
        assert isinstance(state, tuple)
        sign, place, at_low, at_high = state
        span = next(s for s in self._spans if s.sign == sign)
        rest = 10 ** sum(self.widths[place + 1 :])
        size = 10 ** self.widths[place]
        low = span.low // rest % size if at_low else 0
        high = span.high // rest % size if at_high else size - 1
        last = place == len(self.widths) - 1
        return place, {
            group: None
            if last
            else (sign, place + 1, at_low and group == low, at_high and group == high)
            for group in range(low, high + 1)
        }

    def _first_moves(self) -> dict[int, object]:
        moves: dict[int, object] = dict.fromkeys(range(self.first_group))
        for index, (sign, group) in enumerate(self._leading):
            span = next(s for s in self._spans if s.sign == sign)
            moves[self.first_group + index] = (
                None
                if len(self.widths) == 1
                else (
                    sign,
                    1,
                    group == span.low // self.tail_unit,
                    group == span.high // self.tail_unit,
                )
            )
        beyond = len(self.column.words) + len(self.grid.sentinels)
        moves |= dict.fromkeys(range(self._first_word, self._first_word + beyond))
        if self.column.nullable:
            moves[self._missing] = None
        return moves

    def encode(self, cells: pa.Array) -> Tokens:
        absent = self._absent(cells)
        units = self.grid.units(cells)
        far = [units == sentinel for sentinel in self.grid.sentinels]
        for is_far in far:
            units[is_far] = self.grid.low
        tokens = np.full((len(cells), len(self.widths)), SKIPPED, dtype=np.int32)
        grouped = np.abs(units)
        for place in range(len(self.widths) - 1, 0, -1):
            size = 10 ** self.widths[place]
            tokens[:, place] = (grouped % size).astype(np.int32)
            grouped = grouped // size
        tokens[:, 0] = self._leading_tokens(units < 0, grouped)
        self._use_frequent(units, tokens)
        for place, is_far in enumerate(far):
            tokens[is_far] = SKIPPED
            tokens[is_far, 0] = self._first_sentinel + place
        word = words_among(self.column, cells).fill_null(-1).to_numpy(zero_copy_only=False)
        tokens[word >= 0] = SKIPPED
        tokens[word >= 0, 0] = self._first_word + word[word >= 0]
        tokens[absent] = SKIPPED
        tokens[absent, 0] = self._missing
        return tokens

    def _leading_tokens(
        self, negative: npt.NDArray[np.bool_], groups: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.int32]:
        out = np.zeros(len(groups), dtype=np.int32)
        offset = self.first_group
        for span in self._spans:
            first, last = span.low // self.tail_unit, span.high // self.tail_unit
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
        absent = (tokens[:, 0] == SKIPPED) | (tokens[:, 0] == self._missing)
        cells = self.grid.cells(self._decode_units(tokens), absent)
        if not self.column.words:
            return cells
        word = tokens[:, 0] - self._first_word
        is_none = absent | (word < 0) | (word >= len(self.column.words))
        words = pa.array(self.column.words, pa.string())
        return pc.coalesce(words.take(pa.array(word, pa.int32(), mask=is_none)), cells)

    def _decode_units(self, tokens: Tokens) -> Units:
        kind = np.dtype(np.int64 if self._digits <= DIGITS_IN_INT64 else object)
        lead = tokens[:, 0]
        signs, groups = (np.array(part, dtype=kind) for part in zip(*self._leading, strict=True))
        index = np.clip(lead - self.first_group, 0, len(self._leading) - 1)
        units = groups[index]
        for place in range(1, len(self.widths)):
            digits = np.maximum(tokens[:, place], 0).astype(kind)
            units = units * 10 ** self.widths[place] + digits
        units = units * signs[index]
        if self._frequent:
            known = np.array(self._frequent, dtype=kind)
            units = np.where(
                lead < self.first_group, known[np.minimum(lead, len(known) - 1)], units
            )
        for place, sentinel in enumerate(self.grid.sentinels):
            units[lead == self._first_sentinel + place] = sentinel
        return units

    def text(self, cell: Cell) -> str:
        if cell in self.column.words:
            return _quoted(str(cell))
        if cell is None:
            return self._missing_text()
        unit = self.grid.unit(cell)
        return self._far_text(unit) if unit in self.grid.sentinels else self._unit_text(unit)

    def _far_text(self, sentinel: int) -> str:
        return _quoted(self.grid.text(sentinel))

    def _unit_text(self, units: int) -> str:
        digits = str(abs(units)).zfill(self._digits)
        sign = ("-" if units < 0 else "+") if self.grid.low < 0 else ""
        return sign + self._pointed(digits + "0" * self.column.trailing_zeros, 0)

    def _pointed(self, digits: str, start: int) -> str:
        cut = self._integer_digits - start
        return (
            digits[:cut] + "." + digits[cut:]
            if self.column.scale and 0 < cut < len(digits)
            else digits
        )

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            self._missing_text()
            return None
        if quoted and text in self.column.words:
            return text
        for sentinel in self.grid.sentinels if quoted else ():
            if text == self.grid.text(sentinel):
                return self.grid.cell(sentinel)
        layout = self._unit_text(self.grid.high)
        digits = text.lstrip("+-").replace(".", "")
        if len(text) == len(layout) and digits.isascii() and digits.isdigit() and not quoted:
            whole = int(digits) // self.grid.zeros
            unit = -whole if text.startswith("-") else whole
            if self.grid.low <= unit <= self.grid.high and self._unit_text(unit) == text:
                return self.grid.cell(unit)
        raise SchemaError(
            f"Column {self.column.name!r}: {text!r} is not in its number layout, such as "
            f"{layout!r}, or outside its bounds."
        )

    def token_text(self, place: int, token: int) -> str:
        if place == 0:
            if token == self._missing:
                return MISSING
            if token < self.first_group:
                return self._unit_text(self._frequent[token])
            if token >= self._first_sentinel:
                return self._far_text(self.grid.sentinels[token - self._first_sentinel])
            if token >= self._first_word:
                return _quoted(self.column.words[token - self._first_word])
            sign, group = self._leading[token - self.first_group]
            shown = ("-" if sign < 0 else "+") if self.grid.low < 0 else ""
            return shown + self._group_text(0, group)
        return self._group_text(place, token)

    def _group_text(self, place: int, group: int) -> str:
        start = sum(self.widths[:place])
        digits = str(group).zfill(self.widths[place])
        if place == len(self.widths) - 1:
            digits += "0" * self.column.trailing_zeros
        text = self._pointed(digits, start)
        # The point belongs to the group that ends at it, so that no group starts with one.
        ends_at_point = start + len(digits) == self._integer_digits
        return text + "." if ends_at_point and self.column.scale else text

    def token_values(self, place: int) -> npt.NDArray[np.float64]:
        if place > 0:
            size = self.place_sizes[place]
            return (np.arange(size) + 0.5) / size
        values = [float(unit) for unit in self._frequent]
        values += [sign * (float(group) + 0.5) * self.tail_unit for sign, group in self._leading]
        beyond = len(self.column.words) + len(self.grid.sentinels) + self.column.nullable
        return np.array(values + [np.nan] * beyond)


def _quoted(word: str) -> str:
    """A word in a row's text; always quoted, so that it is never taken for digits."""
    return json.dumps(word, ensure_ascii=False)


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
