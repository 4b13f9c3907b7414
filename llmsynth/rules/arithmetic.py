"""Rules between numbers and dates: sums, products, ratios, parts of a date, what comes first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, permutations, product

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.rules.column_views import ColumnView, Numbers
from llmsynth.schema.constraints import Computed, Constraint, Inequality, Sum
from llmsynth.tables.computed_cells import formula_values, is_other_value

_MOST_NUMBERS = 60
_FEWEST_VALUES = 8
"""Different values a computed column has at least: fewer agree with many formulas."""
_FEWEST_ROWS = 30
_SAMPLE = 60
_STEPS = 5.0
"""Standard deviation of a computed column in steps of its rounding, at least."""
_CALENDAR = ("year", "month", "day", "weekday", "quarter", "hour", "day_of_year", "is_weekend")
_MOST_CHANCE = 1e-9
_NEAR = 0.02
"""An order is a rule where gaps come this near to nothing, in standard deviations, ..."""
_SHARE_NEAR = 0.005
"""... in this share of the rows or more."""


def sums(views: Sequence[ColumnView]) -> list[Sum]:
    """Columns that are the sum of two others, or of a run of neighbours, in every row."""
    measured = _measured(views)
    if len(measured) < 3:
        return []
    values = np.stack([_numbers(view) for view in measured], axis=1)
    whole = values[~np.isnan(values).any(1)]
    if len(whole) < _FEWEST_ROWS:
        return []
    rows = whole[np.linspace(0, len(whole) - 1, _SAMPLE).astype(int)]
    found: dict[str, Sum] = {}
    for parts in _part_sets(len(measured)):
        total = rows[:, parts].sum(1)
        for at in np.flatnonzero(np.isclose(rows, total[:, None], rtol=1e-9, atol=1e-9).all(0)):
            name = measured[int(at)].name
            if at in parts or name in found or not _tells(whole, parts, int(at)):
                continue
            rule = Sum(parts=tuple(measured[part].name for part in parts), total=name)
            if _adds_up(whole, parts, int(at)) and not _is_turned(rule, found.values()):
                found[name] = rule
    return list(found.values())


def _part_sets(count: int) -> Iterator[list[int]]:
    yield from (list(pair) for pair in combinations(range(count), 2))
    for first in range(count):
        for last in range(first + 3, count + 1):
            yield list(range(first, last))


def _tells(values: Numbers, parts: Sequence[int], total: int) -> bool:
    """Whether each part and the total say something: in many rows, and not always the same."""
    moved = (values[:, parts] != 0).sum(0)
    return bool(moved.min() >= _FEWEST_ROWS and len(np.unique(values[:, total])) >= _FEWEST_VALUES)


def _adds_up(values: Numbers, parts: Sequence[int], total: int) -> bool:
    summed = values[:, parts].sum(1)
    return bool(np.isclose(summed, values[:, total], rtol=1e-9, atol=1e-9).all())


def _is_turned(rule: Sum, known: Iterable[Sum]) -> bool:
    """Whether a known sum says the same about the same columns."""
    return any(set(rule.columns) == set(other.columns) for other in known)


def formulas(table: pa.Table, views: Sequence[ColumnView]) -> list[Computed]:
    """Columns that are a product, a ratio or a multiple of others, or a part of a date."""
    out: dict[str, Computed] = {}
    candidates = [*_calendar(table, views), *_numeric(views)]
    for rule in candidates:
        computed = {name for known in out.values() for name in known.columns}
        if rule.column in computed or any(name in out for name in rule.parts):
            continue
        if not is_other_value(table, rule).any():
            out[rule.column] = rule
    return list(out.values())


def _numeric(views: Sequence[ColumnView]) -> Iterator[Computed]:
    """Products of all columns first: a factor is the ratio of a product, too."""
    measured = _measured(views)
    told = [v for v in measured if np.nanstd(_numbers(v)) >= _STEPS * 10.0**-v.decimals]
    for column, one, two in _triples(told, measured):
        if _agrees(_numbers(column), _numbers(one) * _numbers(two), 10.0**-column.decimals):
            yield _rule(column, "product", (one.name, two.name))
    linear = [rule for one, other in product(told, measured) for rule in _linear(one, other)]
    # Of the two ways round, the one with the rounder factor is what a person wrote.
    yield from sorted(linear, key=lambda rule: sum(map(len, rule.arguments)))
    # The finest column first: a coarse one is the rounded ratio of the others, too.
    for column, one, two in _triples(sorted(told, key=lambda v: -v.decimals), measured):
        for above, below in ((one, two), (two, one)):
            with np.errstate(all="ignore"):
                ratio = _numbers(above) / _numbers(below)
            for factor in ("1", "100"):
                if _agrees(_numbers(column), float(factor) * ratio, 10.0**-column.decimals):
                    yield _rule(column, "ratio", (above.name, below.name), factor)


def _triples(
    told: Sequence[ColumnView], measured: Sequence[ColumnView]
) -> Iterator[tuple[ColumnView, ColumnView, ColumnView]]:
    for column in told:
        for one, two in combinations([view for view in measured if view is not column], 2):
            yield column, one, two


def _linear(column: ColumnView, other: ColumnView) -> Iterator[Computed]:
    if column is other:
        return
    found, given = _numbers(column), _numbers(other)
    both = ~np.isnan(found) & ~np.isnan(given)
    if both.sum() < _FEWEST_ROWS or len(np.unique(given[both])) < _FEWEST_VALUES:
        return
    low, high = np.argmin(given[both]), np.argmax(given[both])
    x, y = given[both], found[both]
    rough = (y[high] - y[low]) / (x[high] - x[low])
    step = 10.0**-column.decimals
    if not _agrees(y, rough * (x - x[low]) + y[low], 4 * step):
        return
    # The factor that a person would have written: the shortest one that gives every cell.
    for digits in range(1, 8):
        factor = float(f"{rough:.{digits}g}")
        rest = y - factor * x
        offset = float(f"{(rest.max() + rest.min()) / 2:.{digits}g}")
        if abs(offset) < step / 2:
            offset = 0.0
        if factor and _agrees(y, factor * x + offset, step):
            yield _rule(column, "linear", (other.name,), f"{factor:g}", f"{offset:g}")
            return


def _calendar(table: pa.Table, views: Sequence[ColumnView]) -> Iterator[Computed]:
    dates = [view for view in views if view.column.kind in ("date", "datetime")]
    numeric = [view for view in views if view.numbers is not None]
    for date in dates:
        for column in numeric:
            yield from _parts_of_date(table, date, column)
            yield from _ages(table, date, dates, column)
    for start, end in permutations(dates, 2):
        for column in numeric:
            if column.is_measured and column.num_values >= _FEWEST_VALUES:
                rule = Computed(column=column.name, formula="days", parts=(start.name, end.name))
                if _agrees(_numbers(column), formula_values(table, rule), 1.0):
                    yield rule


def _parts_of_date(table: pa.Table, date: ColumnView, column: ColumnView) -> Iterator[Computed]:
    found = _numbers(column)
    for part in _CALENDAR:
        rule = Computed(column=column.name, formula=part, parts=(date.name,))
        values = formula_values(table, rule)
        both = ~np.isnan(values) & ~np.isnan(found)
        if both.sum() < _FEWEST_ROWS or len(np.unique(values[both])) < 2:
            continue
        offset = found[both][0] - values[both][0]
        if part == "weekday":
            offset = np.mod(offset, 7)
        if offset and part == "is_weekend":
            continue
        arguments = (f"{offset:g}",) if offset else ()
        rule = Computed(column=column.name, formula=part, parts=(date.name,), arguments=arguments)
        if _agrees(found, formula_values(table, rule), 1.0) and _is_beyond_chance(found[both]):
            yield rule


def _ages(
    table: pa.Table, born: ColumnView, dates: Sequence[ColumnView], column: ColumnView
) -> Iterator[Computed]:
    """Full years from a date to another one, or to a day that all rows agree on."""
    found = _numbers(column)
    if column.decimals or column.num_values < _FEWEST_VALUES or np.nanmin(found) < 0:
        return
    for end in dates:
        if end is not born:
            parts = (born.name, end.name)
            rule = Computed(column=column.name, formula="age", parts=parts)
            if _agrees(found, formula_values(table, rule), 1.0):
                yield rule
    if (day := _common_day(table[born.name], found)) is not None:
        yield Computed(
            column=column.name, formula="age", parts=(born.name,), arguments=(day.isoformat(),)
        )


def _common_day(born: pa.ChunkedArray, ages: Numbers) -> dt.date | None:
    """A day on which everybody was as old as the table says; None where there is none."""
    days = born.combine_chunks().cast(pa.timestamp("s")).cast(pa.date32(), safe=False)
    latest_birthday, first_next = dt.date.min, dt.date.max
    for day, age in zip(days.to_pylist(), ages.tolist(), strict=True):
        if day is None or np.isnan(age):
            continue
        try:
            reached, passed = _birthday(day, int(age)), _birthday(day, int(age) + 1)
        except ValueError:
            return None
        latest_birthday, first_next = max(latest_birthday, reached), min(first_next, passed)
        if latest_birthday >= first_next:
            return None
    return None if latest_birthday == dt.date.min else latest_birthday


def _birthday(born: dt.date, age: int) -> dt.date:
    if (born.month, born.day) == (2, 29):
        # A year without that day counts the birthday on the first of March.
        return dt.date(born.year + age, 3, 1) if age % 4 else born.replace(year=born.year + age)
    return born.replace(year=born.year + age)


def orders(views: Sequence[ColumnView], known: Sequence[Constraint]) -> list[Inequality]:
    """Pairs of numbers or dates of which one is never above the other, where they come near.

    A pair whose ranges hardly overlap is in order anyway, and one that never comes near equality
    is so by its sizes: neither is a rule. What follows from two other orders, or from a formula of
    both, is left out.
    """
    found: set[tuple[str, str]] = set()
    comparable = [view for view in views if view.is_measured or _ticks(view) is not None]
    for low, high in permutations(comparable, 2):
        if low.column.kind == high.column.kind and _is_ordered(low, high):
            found.add((low.name, high.name))
    # Two columns that are equal in every row are a formula, and no order.
    found -= {(low, high) for low, high in found if (high, low) in found}
    found -= {pair for rule in known for pair in permutations(rule.columns, 2)}
    return [
        Inequality(low=low, high=high)
        for low, high in sorted(found)
        if not any((low, other) in found and (other, high) in found for _, other in found)
    ]


def _is_ordered(low: ColumnView, high: ColumnView) -> bool:
    a, b = (_ticks(view) if view.numbers is None else view.numbers for view in (low, high))
    if a is None or b is None:
        return False
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    if len(a) < _FEWEST_ROWS or (a > b).any():
        return False
    if min(len(np.unique(a)), len(np.unique(b))) < _FEWEST_VALUES:
        return False
    # Rows paired at random would break it so often that keeping it is no accident.
    broken = 1 - np.searchsorted(np.sort(a), b, side="right").mean() / len(a)
    if len(a) * np.log1p(-min(broken, 1 - 1e-12)) > np.log(_MOST_CHANCE):
        return False
    spread = max(a.std(), b.std())
    return bool((b - a <= _NEAR * spread).mean() >= _SHARE_NEAR)


def _ticks(view: ColumnView) -> Numbers | None:
    if view.column.kind not in ("date", "datetime"):
        return None
    moments = pa.array(view.texts, pa.string())
    kind = pa.timestamp("us")
    try:
        cells = moments.cast(pa.date32()).cast(kind) if view.column.kind == "date" else None
        cells = cells if cells is not None else moments.cast(kind)
    except pa.ArrowInvalid:
        return None
    ticks = cells.cast(pa.int64()).cast(pa.float64(), safe=False).fill_null(np.nan)
    return np.asarray(ticks.to_numpy(zero_copy_only=False))[view.codes]


def _measured(views: Sequence[ColumnView]) -> list[ColumnView]:
    wide = [v for v in views if v.is_measured and v.num_values >= _FEWEST_VALUES]
    return wide[:_MOST_NUMBERS]


def _numbers(view: ColumnView) -> Numbers:
    assert view.numbers is not None
    return view.numbers


def _rule(column: ColumnView, formula: str, parts: tuple[str, ...], *arguments: str) -> Computed:
    shown = () if arguments == ("1",) else arguments
    return Computed(
        column=column.name,
        formula=formula,
        parts=parts,
        arguments=shown,
        decimals=column.decimals,
    )


def _agrees(found: Numbers, expected: Numbers, step: float) -> bool:
    """Whether a formula gives every cell to within its rounding, a few first."""
    for rows in (slice(_SAMPLE), slice(None)):
        here, there = found[rows], expected[rows]
        if (np.isnan(here) != ~np.isfinite(there)).any():
            return False
        reach = 0.5 * step * (1 + 1e-9) + 1e-9 * np.abs(np.nan_to_num(there))
        if (np.abs(here - there) > reach).any():
            return False
    return bool((~np.isnan(found)).sum() >= _FEWEST_ROWS)


def _is_beyond_chance(found: npt.NDArray[np.float64]) -> bool:
    _, counts = np.unique(found, return_counts=True)
    shares = counts / counts.sum()
    return bool(len(found) * np.log((shares**2).sum()) < np.log(_MOST_CHANCE)) and len(counts) > 1
