"""Shares of values: declared by a user or told by a few examples, and the cells that meet them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.number_grid import NumberGrid
from llmsynth.errors import ConditionError, InputError
from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform

Shares = Mapping[Hashable, float]
"""Value to the share of rows that have it; None stands for a missing cell."""

_ROUNDING = 1e-9


def cells_of_shares(
    column: Column, declared: Shares, examples: pa.Array, n: int, generator: np.random.Generator
) -> pa.Array:
    """`n` cells whose counts are the declared shares, to the nearest row, in shuffled order.

    What the declared shares leave goes to the values they do not name, in the proportions that the
    examples tell (one more example is spread evenly over all values: Perks' prior).

    Raises:
        ConditionError: not a category or boolean column, a value it does not hold, or shares that
            are negative, pass 1, or name every value and do not reach 1.
    """
    values = _values(column)
    wanted = _declared(column, declared, values)
    left = 1.0 - sum(wanted.values())
    others = [value for value in values if value not in wanted]
    if left < -_ROUNDING or (not others and left > _ROUNDING):
        raise ConditionError(
            f"Column {column.name!r}: the shares add up to {1 - left:g}; expected "
            f"{'1' if not others else 'at most 1'}."
        )
    shares = dict(wanted)
    if others and left > _ROUNDING:
        told = _told(values, examples)
        rest = sum(told[value] for value in others)
        shares |= {value: left * told[value] / rest for value in others}
    return _dealt(column, shares, n, generator)


def cells_like(
    column: Column, examples: pa.Array, n: int, generator: np.random.Generator
) -> pa.Array | None:
    """`n` cells from the marginal that some examples tell; None where they tell too little.

    Categories: as `cells_of_shares`. Numbers, dates and moments: the quantile function that runs
    straight from one ordered example to the next, asked at `n` even steps. Two examples at least.
    """
    if len(examples) < 2:
        return None
    if isinstance(column, CategoryColumn | BooleanColumn):
        return cells_of_shares(column, {}, examples, n, generator)
    if not isinstance(column, NumberColumn | DateColumn | DatetimeColumn):
        return None
    present = examples.drop_null()
    if not len(present):
        return pa.nulls(n, arrow_type(column.storage))
    steps = (generator.permutation(n) + generator.random(n)) / n
    cells = _between(column, present, steps)
    is_missing = np.zeros(n, np.bool_)
    num_missing = round(n * examples.null_count / len(examples))
    is_missing[generator.permutation(n)[:num_missing]] = True
    return pa.array(cells.to_pylist(), cells.type, mask=is_missing)


def apportioned(shares: Sequence[float], n: int) -> npt.NDArray[np.int64]:
    """Whole numbers that add up to `n`, each within one of its share (largest remainders)."""
    exact = np.asarray(shares, np.float64)
    exact = exact / exact.sum() * n
    counts: npt.NDArray[np.int64] = np.floor(exact + _ROUNDING).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: n - counts.sum()]] += 1
    return counts


def _declared(column: Column, declared: Shares, values: list[object]) -> dict[object, float]:
    wanted: dict[object, float] = {}
    for key, share in declared.items():
        value = _cell(column, key)
        if value not in values:
            shown = ", ".join(map(repr, values[:20]))
            raise ConditionError(f"Column {column.name!r} holds {shown}; got {key!r}.")
        if not 0 <= share <= 1:
            raise ConditionError(
                f"Column {column.name!r}, {key!r}: a share lies between 0 and 1, got {share:g}."
            )
        if value in wanted:
            raise ConditionError(f"Column {column.name!r}: {key!r} is given a share twice.")
        wanted[value] = share
    return wanted


def _values(column: Column) -> list[object]:
    """All values of a category or boolean column as Python has them, None last if nullable."""
    kind = arrow_type(column.storage)
    if isinstance(column, CategoryColumn):
        values = pa.array(column.categories, pa.string()).cast(kind).to_pylist()
    elif isinstance(column, BooleanColumn):
        values = [False, True]
    else:
        raise ConditionError(
            f"Column {column.name!r} is {column.kind}; shares are for categories and booleans."
        )
    return [*values, None] if column.nullable else list(values)


def _cell(column: Column, key: Hashable) -> object:
    if key is None:
        return None
    one = TableSchema(columns=(column,))
    try:
        return conform(pa.table({column.name: pa.array([key])}), one).column(0)[0].as_py()
    except (InputError, pa.ArrowException) as error:
        told = error.message if isinstance(error, InputError) else str(error)
        raise ConditionError(told) from error


def _told(values: list[object], examples: pa.Array) -> dict[object, float]:
    counts = dict.fromkeys(values, 1 / len(values))
    for value in examples.to_pylist():
        if value in counts:
            counts[value] += 1
    return counts


def _dealt(
    column: Column, shares: Mapping[object, float], n: int, generator: np.random.Generator
) -> pa.Array:
    counts = apportioned(list(shares.values()), n)
    places = generator.permutation(np.repeat(np.arange(len(shares)), counts))
    values = list(shares)
    return pa.array([values[place] for place in places.tolist()], arrow_type(column.storage))


def _between(column: Column, present: pa.Array, steps: npt.NDArray[np.float64]) -> pa.Array:
    if isinstance(column, NumberColumn):
        grid = NumberGrid(column)
        units = np.rint(_quantiles(grid.units(present).astype(np.float64), steps))
        return grid.cells(units.astype(np.int64), np.zeros(len(steps), np.bool_))
    kind = arrow_type(column.storage)
    if isinstance(column, DateColumn):
        days = np.asarray(present.cast(pa.date32()).cast(pa.int32()), np.float64)
        drawn = np.rint(_quantiles(days, steps)).astype(np.int32)
        return pa.array(drawn).cast(pa.date32()).cast(kind)
    assert isinstance(column, DatetimeColumn)
    micro = pa.timestamp("us", kind.tz)
    ticks = np.asarray(present.cast(micro).cast(pa.int64()), np.float64)
    step = {"minute": 60_000_000, "second": 1_000_000, "millisecond": 1_000, "microsecond": 1}
    size = step[column.resolution]
    drawn = (_quantiles(ticks, steps) // size * size).astype(np.int64)
    return pa.array(drawn).cast(micro).cast(kind)


def _quantiles(
    values: npt.NDArray[np.float64], steps: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    ordered = np.sort(values)
    return np.interp(steps * (len(ordered) - 1), np.arange(len(ordered)), ordered)
