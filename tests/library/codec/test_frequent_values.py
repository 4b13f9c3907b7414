"""Spikes, sentinels and heaps are found; smooth columns and single rows are not."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.codec.frequent_values import with_frequent_values
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.row_language import RowLanguage
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema, infer_schema

CHANCE = np.random.default_rng(5)


def found(cells: pa.Array, *, least_rows: int = 5) -> NumberColumn:
    table = pa.table({"x": cells})
    schema = with_frequent_values(table, infer_schema(table), least_rows=least_rows)
    language = RowLanguage(schema)
    assert language.decode(language.encode(table)).equals(table)
    column = schema.columns[0]
    assert isinstance(column, NumberColumn)
    return column


def test_a_column_that_is_mostly_zero_has_zero_as_a_unit() -> None:
    gains = np.where(CHANCE.random(5000) < 0.92, 0, CHANCE.integers(1, 99_999, 5000))
    assert found(pa.array(gains)).frequent == ("0",)


def test_a_sentinel_below_all_other_values_is_a_unit() -> None:
    days = np.where(CHANCE.random(5000) < 0.1, -1, CHANCE.integers(0, 40_000, 5000))
    assert found(pa.array(days)).frequent == ("-1",)


def test_values_that_people_round_are_units_and_the_others_are_not() -> None:
    exact = CHANCE.integers(10_000, 90_000, 6000)
    rounded = exact // 10_000 * 10_000
    column = found(pa.array(np.where(CHANCE.random(6000) < 0.5, rounded, exact)))
    assert column.frequent == tuple(str(10_000 * k) for k in range(1, 9))


def test_a_smooth_column_has_no_units() -> None:
    assert found(pa.array(CHANCE.normal(50_000, 9000, 5000).round(2))).frequent == ()
    assert found(pa.array(CHANCE.integers(0, 10**6, 5000))).frequent == ()


def test_a_short_column_needs_no_units() -> None:
    column = found(pa.array(np.where(CHANCE.random(3000) < 0.9, 0, CHANCE.integers(0, 900, 3000))))
    assert (column.frequent, column.trailing_zeros) == ((), 0)


@pytest.mark.parametrize(("least_rows", "frequent"), [(4, ("77777",)), (5, ())])
def test_a_value_that_too_few_rows_hold_is_no_unit(least_rows: int, frequent: object) -> None:
    smooth = np.concatenate([np.arange(10_000, 70_000, 30), np.full(4, 77_777)])
    assert found(pa.array(smooth), least_rows=least_rows).frequent == frequent


def test_a_value_must_be_held_by_one_row_in_two_thousand() -> None:
    smooth = np.concatenate([np.arange(100_000, 124_000), np.full(11, 777_777)])
    assert found(pa.array(smooth)).frequent == ()
    assert found(pa.array(np.append(smooth, [777_777] * 2))).frequent == ("777777",)


def test_at_most_512_values_of_a_column_are_units() -> None:
    heaps = np.repeat(np.arange(10_000, 90_000, 100), 8)
    column = found(pa.array(np.append(heaps, [10_001] * 9)))
    assert len(column.frequent) == 512
    assert "10001" in column.frequent


def test_decimal_places_and_many_digits_are_kept_exactly() -> None:
    prices = np.where(CHANCE.random(4000) < 0.5, 19.99, CHANCE.integers(0, 10**6, 4000) / 100)
    assert [Decimal(text) for text in found(pa.array(prices)).frequent] == [Decimal("19.99")]
    long = Decimal("12345678901234567890123456789.01")
    cells = [long] * 50 + [Decimal(k) for k in range(50)]
    assert found(pa.array(cells, pa.decimal128(38, 2))).frequent[-1] == str(long)


@pytest.mark.parametrize(
    ("cells", "zeros"),
    [
        (pa.array(CHANCE.integers(1, 900, 300) * 1000), 3),
        (pa.array([5000] * 20), 3),
        (pa.array([0] * 20), 0),
        (pa.array([1000, 2500, None, 0]), 2),
        (pa.array(["1.0", "2500.0", "7.0"] * 10), 1),
        (pa.array([1.5e20, 3e20]), 19),
        (pa.array([Decimal("1.50"), Decimal("120.00")], pa.decimal128(9, 2)), 1),
        (pa.array([10, -30]), 1),
        (pa.array([10, 11]), 0),
    ],
)
def test_digits_that_are_always_zero_are_counted(cells: pa.Array, zeros: int) -> None:
    schema = infer_schema(pa.table({"x": cells}))
    column = schema.columns[0]
    assert isinstance(column, NumberColumn)
    if pa.types.is_string(cells.type):
        cells = cells.cast(pa.float64())
    table = pa.table({"x": cells})
    filled = with_frequent_values(table, schema).columns[0]
    assert isinstance(filled, NumberColumn)
    assert filled.trailing_zeros == zeros
    code = NumberCode(filled)
    assert code.decode(code.encode(cells)).equals(cells)


def test_what_the_schema_already_says_stays_as_it_is() -> None:
    columns = (
        NumberColumn(name="a", minimum="0", maximum="9999", frequent=("5",)),
        NumberColumn(name="b", minimum="0", maximum="9000", trailing_zeros=1),
        CategoryColumn(name="c", categories=("0",)),
    )
    zeros = pa.array([0] * 50)
    table = pa.table({"a": zeros, "b": zeros, "c": pa.array(["0"] * 50)})
    schema = TableSchema(columns=columns)
    assert with_frequent_values(table, schema) == schema


def test_a_column_without_any_value_is_left_alone() -> None:
    schema = TableSchema(columns=(NumberColumn(name="x", nullable=True),))
    table = pa.table({"x": pa.nulls(9, pa.int64())})
    assert with_frequent_values(table, schema) == schema


def test_a_number_that_one_entity_repeats_is_no_unit() -> None:
    cells = [777_777] * 50 + CHANCE.integers(0, 10**6, 450).tolist()
    table = pa.table({"x": cells})
    own = with_frequent_values(table, infer_schema(table), entities=np.arange(500))
    shared = np.concatenate([np.zeros(50, dtype=np.int64), np.arange(1, 451)])
    of_one = with_frequent_values(table, infer_schema(table), entities=shared)
    assert [schema.columns[0].frequent for schema in (own, of_one)] == [("777777",), ()]  # type: ignore[attr-defined]
