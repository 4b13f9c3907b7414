"""A number column's decimal grid: cells as exact whole multiples of its last digit, and back.

The last digit is the last one that is not zero throughout: a column of thousands counts thousands.
"""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.column_code import Cell
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.number_spelling import canonical
from llmsynth.schema.number_views import (
    plain_numbers,
    spelled_numbers,
    spelling_of,
    words_among,
)
from llmsynth.schema.storage import arrow_type, is_number

Units = npt.NDArray[np.int64]
"""Multiples of the last digit; Python integers (dtype object) where 64 bits may not hold them."""

DIGITS_IN_INT64 = 18
_DIGITS_IN_DOUBLE = 15
_EXACT_POWERS_OF_TEN = 22
_EXACT_IN_DOUBLE = 2**51
_ROUNDING = 1e-15
# The default context rounds to 28 digits, and a decimal128 holds 38.
_EXACT = decimal.Context(prec=2000)


class NumberGrid:
    """The multiples of `10 ** (trailing_zeros - scale)` between a column's bounds.

    Attributes:
        low, high: the first and the last multiple.
        zeros: 10 ** trailing_zeros.

    Raises:
        SchemaError: no multiple lies between the bounds, or the storage cannot hold them all.
    """

    def __init__(self, column: NumberColumn) -> None:
        self._column = column
        self._kind = arrow_type(column.storage)
        self._is_text = pa.types.is_string(self._kind)
        self._power: int = 10**column.scale
        self.zeros: int = 10**column.trailing_zeros
        least, most = (bound.scaleb(column.scale, _EXACT) for bound in column.bounds)
        self.low = -(-math.ceil(least) // self.zeros)
        self.high = math.floor(most) // self.zeros
        if self.low > self.high:
            raise SchemaError(
                f"Column {column.name!r}: no multiple of {exact_text(self.zeros, column.scale)} "
                f"lies between its bounds {column.minimum} and {column.maximum}."
            )
        self.sentinels: tuple[int, ...] = tuple(
            int(Decimal(text).scaleb(column.scale, _EXACT)) // self.zeros
            for text in column.sentinels
        )
        largest = max(map(abs, (self.low, self.high, *self.sentinels))) * self.zeros
        self._check_storage(largest)
        digits = max(len(str(largest)), column.trailing_zeros + 1)
        self._is_wide = digits > DIGITS_IN_INT64
        self._is_short = digits <= _DIGITS_IN_DOUBLE and column.scale <= _EXACT_POWERS_OF_TEN

    def _check_storage(self, largest: int) -> None:
        kind, column = self._kind, self._column
        if pa.types.is_integer(kind):
            limits = np.iinfo(kind.to_pandas_dtype())
            first, last = self.low * self.zeros, self.high * self.zeros
            fits = column.scale == 0 and limits.min <= first and last <= limits.max
        elif pa.types.is_decimal(kind):
            room = kind.precision - kind.scale + column.scale
            fits = column.scale <= kind.scale and largest < 10**room
        else:
            fits = self._is_text or (
                is_number(kind)
                and largest <= self._power * int(np.finfo(kind.to_pandas_dtype()).max)
            )
        if not fits:
            raise SchemaError(
                f"Column {column.name!r}: its storage {column.storage} cannot hold numbers from "
                f"{column.minimum} to {column.maximum} with {column.scale} decimals."
            )

    def units(self, cells: pa.Array) -> Units:
        """Multiples of many cells; where a cell is missing or a word, the one nearest to zero.

        Raises:
            TableError: a cell outside the bounds or off the grid; names column and row.
        """
        if pa.types.is_string(cells.type):
            self._refuse(cells, self._is_no_number(cells), f"is no {self._column.kind}")
            shown, cells = cells, plain_numbers(self._column, cells)
        else:
            shown = cells
        absent = cells.is_null().to_numpy(zero_copy_only=False)
        whole, is_off = self._whole(cells)
        self._refuse(shown, is_off & ~absent, self._off_grid)
        self._refuse(shown, (whole % self.zeros != 0) & ~absent, self._off_grid)
        units: Units = whole // self.zeros
        units[absent] = min(max(self.low, 0), self.high)
        outside = (units < self.low) | (units > self.high)
        if self.sentinels:
            outside &= ~np.isin(units, self.sentinels)
        self._refuse(shown, outside, self._outside)
        return np.asarray(units, dtype=object if self._is_wide else np.int64)

    def _is_no_number(self, cells: pa.Array) -> npt.NDArray[np.bool_]:
        """Which texts are neither numbers nor words of the column."""
        known = pc.or_(
            plain_numbers(self._column, cells).is_valid(),
            words_among(self._column, cells).is_valid(),
        )
        return np.asarray(pc.and_not(cells.is_valid(), known).to_numpy(zero_copy_only=False))

    def _whole(self, cells: pa.Array) -> tuple[Units, npt.NDArray[np.bool_]]:
        """Cells times `10 ** scale`, rounded, and which of them had to be rounded."""
        if not self._is_wide and pa.types.is_integer(cells.type):
            values = cells.fill_null(0).to_numpy(zero_copy_only=False)
            return values.astype(np.int64), np.zeros(len(cells), dtype=np.bool_)
        if not self._is_wide and pa.types.is_string(cells.type):
            return self._whole_texts(cells)
        if self._is_short and pa.types.is_floating(cells.type):
            floats = cells.fill_null(0).to_numpy(zero_copy_only=False)
            scaled = np.rint(floats.astype(np.float64) * float(self._power))
            # Not true of infinities and NaN either.
            if np.abs(scaled).max(initial=0) < _EXACT_IN_DOUBLE:
                return scaled.astype(np.int64), self._is_rounded(floats, scaled)
        read = [self._read(cell) for cell in cells.to_pylist()]
        whole = np.array([unit for unit, _ in read], dtype=object)
        return cast(Units, whole), np.array([is_off for _, is_off in read], dtype=np.bool_)

    def _whole_texts(self, plain: pa.Array) -> tuple[Units, npt.NDArray[np.bool_]]:
        """The same of plain decimals; one too long for 64 bits lies outside the bounds."""
        scale = self._column.scale
        parts = pc.extract_regex(
            plain.fill_null("0"), r"^(?P<whole>-?[0-9]+)(?:\.(?P<fraction>[0-9]+))?$"
        )
        whole, fraction = parts.flatten()
        is_off = np.asarray(pc.greater(pc.utf8_length(fraction), scale))
        digits = pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, scale, padding="0"), 0, scale)
        texts = pc.binary_join_element_wise(whole, digits, "")
        far = str((self.high + 1) * self.zeros)
        fits = pc.less_equal(pc.utf8_length(texts), DIGITS_IN_INT64)
        units = pc.if_else(fits, texts, far).cast(pa.int64())
        return np.asarray(units), is_off

    def _is_rounded(
        self, floats: npt.NDArray[np.floating], scaled: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        # Both operands are exact doubles, so the quotient is the double nearest to the decimal.
        nearest = scaled / float(self._power)
        if floats.dtype == np.float32:
            return np.asarray(nearest.astype(np.float32) != floats)
        return np.asarray(np.abs(nearest - floats) > np.abs(floats) * _ROUNDING)

    def _read(self, cell: Cell) -> tuple[int, bool]:
        """One cell times `10 ** scale`, and whether it had to be rounded; far off if not finite."""
        number = self._decimal(cell)
        if not number.is_finite():
            return (self.high + 1) * self.zeros, False
        scaled = number.scaleb(self._column.scale, _EXACT)
        whole = scaled.to_integral_value(context=_EXACT)
        is_double = self._is_short and pa.types.is_float64(self._kind)
        spared = abs(scaled) * Decimal(_ROUNDING) if is_double else 0
        return int(whole), abs(whole - scaled) > spared

    def _decimal(self, cell: Cell) -> Decimal:
        if cell is None:
            return Decimal(0)
        if isinstance(cell, Decimal):
            return cell
        if isinstance(cell, str) and (plain := spelling_of(self._column).read(cell)) is not None:
            return Decimal(plain)
        if isinstance(cell, bool) or not isinstance(cell, (int, float)):
            raise SchemaError(f"Column {self._column.name!r}: expected a number, got {cell!r}.")
        return Decimal(str(np.float32(cell) if pa.types.is_float32(self._kind) else cell))

    def unit(self, cell: Cell) -> int:
        """The multiple of one cell that is not missing.

        Raises:
            SchemaError: the cell is no number, lies outside the bounds, or off the grid.
        """
        whole, is_off = self._read(cell)
        unit, rest = whole // self.zeros, whole % self.zeros
        is_inside = self.low <= unit <= self.high or unit in self.sentinels
        if is_off or rest or not is_inside:
            fault = self._off_grid if is_off or rest else self._outside
            raise SchemaError(f"Column {self._column.name!r}: {cell} {fault}.")
        return unit

    def cells(self, units: Units, absent: npt.NDArray[np.bool_]) -> pa.Array:
        """Cells of many multiples in the storage type; missing where `absent` says so."""
        if self._is_text:
            plain = [canonical(self.text(unit)) for unit in units.tolist()]
            texts = spelled_numbers(self._column, pa.array(plain, pa.string()))
            return pc.if_else(pa.array(absent), pa.scalar(None, pa.string()), texts)
        if self._is_wide or pa.types.is_decimal(self._kind):
            return pa.array([self.cell(unit) for unit in units.tolist()], self._kind, mask=absent)
        units = units.astype(np.int64)
        if pa.types.is_integer(self._kind):
            return pa.array(units * self.zeros, mask=absent).cast(self._kind)
        if self._is_short:
            floats = units * self.zeros / float(self._power)
        else:
            floats = np.array([float(Decimal(self.text(unit))) for unit in units.tolist()])
        return pa.array(floats, pa.float64(), mask=absent).cast(self._kind)

    def cell(self, unit: int) -> Cell:
        """The cell of one multiple, as `pyarrow.Scalar.as_py` gives it."""
        if pa.types.is_integer(self._kind):
            return unit * self.zeros
        if self._is_text:
            return spelling_of(self._column).write(canonical(self.text(unit)))
        number = Decimal(self.text(unit))
        if pa.types.is_decimal(self._kind):
            return number
        return float(np.float32(float(number)) if pa.types.is_float32(self._kind) else number)

    def text(self, unit: int) -> str:
        """A multiple as exact decimal text."""
        return exact_text(unit * self.zeros, self._column.scale)

    @property
    def _outside(self) -> str:
        return f"lies outside {self._column.minimum} to {self._column.maximum}"

    @property
    def _off_grid(self) -> str:
        return f"is no multiple of {exact_text(self.zeros, self._column.scale)}"

    def _refuse(self, cells: pa.Array, wrong: npt.NDArray[np.bool_], fault: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise TableError(
                f"Column {self._column.name!r}, row {row + 1}: {cells[row].as_py()} {fault}.",
                hint="Correct the bounds, scale or trailing_zeros in the schema, or the cell.",
            )


def exact_text(whole: int, scale: int) -> str:
    """`whole / 10 ** scale` as exact decimal text without exponent."""
    return format(Decimal(whole).scaleb(-scale, _EXACT), "f")
