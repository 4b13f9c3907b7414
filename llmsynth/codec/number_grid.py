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

from llmsynth.codec.column_code import Cell
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import NumberColumn
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
        largest = max(abs(self.low), abs(self.high)) * self.zeros
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
            fits = is_number(kind) and largest <= self._power * int(
                np.finfo(kind.to_pandas_dtype()).max
            )
        if not fits:
            raise SchemaError(
                f"Column {column.name!r}: its storage {column.storage} cannot hold numbers from "
                f"{column.minimum} to {column.maximum} with {column.scale} decimals."
            )

    def units(self, cells: pa.Array) -> Units:
        """Multiples of many cells; where a cell is missing, the one nearest to zero.

        Raises:
            TableError: a cell outside the bounds or off the grid; names column and row.
        """
        absent = cells.is_null().to_numpy(zero_copy_only=False)
        whole, is_off = self._whole(cells)
        self._refuse(cells, is_off & ~absent, self._off_grid)
        self._refuse(cells, (whole % self.zeros != 0) & ~absent, self._off_grid)
        units: Units = whole // self.zeros
        units[absent] = min(max(self.low, 0), self.high)
        self._refuse(cells, (units < self.low) | (units > self.high), self._outside)
        return np.asarray(units, dtype=object if self._is_wide else np.int64)

    def _whole(self, cells: pa.Array) -> tuple[Units, npt.NDArray[np.bool_]]:
        """Cells times `10 ** scale`, rounded, and which of them had to be rounded."""
        if not self._is_wide and pa.types.is_integer(cells.type):
            values = cells.fill_null(0).to_numpy(zero_copy_only=False)
            return values.astype(np.int64), np.zeros(len(cells), dtype=np.bool_)
        if self._is_short and pa.types.is_floating(cells.type):
            floats = cells.fill_null(0).to_numpy(zero_copy_only=False)
            scaled = np.rint(floats.astype(np.float64) * float(self._power))
            # Not true of infinities and NaN either.
            if np.abs(scaled).max(initial=0) < _EXACT_IN_DOUBLE:
                return scaled.astype(np.int64), self._is_rounded(floats, scaled)
        read = [self._read(cell) for cell in cells.to_pylist()]
        whole = np.array([unit for unit, _ in read], dtype=object)
        return cast(Units, whole), np.array([is_off for _, is_off in read], dtype=np.bool_)

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
        if is_off or rest or not self.low <= unit <= self.high:
            fault = self._off_grid if is_off or rest else self._outside
            raise SchemaError(f"Column {self._column.name!r}: {cell} {fault}.")
        return unit

    def cells(self, units: Units, absent: npt.NDArray[np.bool_]) -> pa.Array:
        """Cells of many multiples in the storage type; missing where `absent` says so."""
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
