"""What conform casts, and which cells it refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from llmsynth.errors import TableError
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)
from llmsynth.tables import conform

UTC = "timestamp[us, tz=UTC]"


def cells(column: Column, values: pa.Array) -> pa.Array:
    return conform(pa.table({"x": values}), TableSchema(columns=(column,)))["x"]


GOOD: list[tuple[Column, list[str | None], list[object]]] = [
    (NumberColumn(name="x"), ["7", "-0", None, "+5", "5.0"], [7, 0, None, 5, 5]),
    (NumberColumn(name="x"), ["9223372036854775807"], [2**63 - 1]),
    (NumberColumn(name="x", storage="double", scale=12), ["1e-12", ".5", "-3"], [1e-12, 0.5, -3.0]),
    (NumberColumn(name="x", storage="decimal128(9, 2)", scale=2), ["1.5"], [Decimal("1.50")]),
    (CategoryColumn(name="x", categories=("1",), storage="int64"), ["1", "99"], [1, 99]),
    (CategoryColumn(name="x", categories=("a",)), ["a", "b", ""], ["a", "b", ""]),
    (BooleanColumn(name="x", true_text="Y", false_text="N"), ["Y", "N", None], [True, False, None]),
    (DateColumn(name="x", format="%d/%m/%Y"), ["31/01/2020"], [dt.date(2020, 1, 31)]),
    (DateColumn(name="x", format="%d %b %y"), ["31 Jan 20"], [dt.date(2020, 1, 31)]),
    (DatetimeColumn(name="x"), ["2020-01-31T01:02:03"], [dt.datetime(2020, 1, 31, 1, 2, 3)]),
    (
        DatetimeColumn(name="x", storage=UTC, format="%Y-%m-%d %H:%M:%S.%f%z"),
        ["2020-01-31 01:02:03.5+02:30", "2020-01-31 01:02:03Z"],
        [
            dt.datetime(2020, 1, 30, 22, 32, 3, 500000, dt.UTC),
            dt.datetime(2020, 1, 31, 1, 2, 3, 0, dt.UTC),
        ],
    ),
    (IdentifierColumn(name="x", storage="int64"), ["12"], [12]),
    (TextColumn(name="x"), ["NA", None], ["NA", None]),
]


@pytest.mark.parametrize(("column", "texts", "expected"), GOOD)
def test_texts_become_cells(column: Column, texts: list[str], expected: list[object]) -> None:
    out = cells(column, pa.array(texts, pa.string()))
    assert out.to_pylist() == expected
    assert str(out.type) == column.storage


BAD: list[tuple[Column, str, str]] = [
    (NumberColumn(name="x"), "1.5", "a whole number"),
    (NumberColumn(name="x"), "0x10", "a whole number"),
    (NumberColumn(name="x"), "9223372036854775808", "a whole number"),
    (NumberColumn(name="x", storage="int8"), "128", "int8"),
    (NumberColumn(name="x", storage="double"), "1,5", "a number"),
    (NumberColumn(name="x", storage="double"), "inf", "a number"),
    (NumberColumn(name="x", storage="double"), "1e400", "a number"),
    (NumberColumn(name="x", storage="decimal128(9, 2)"), "1.555", "at most 2 decimals"),
    (BooleanColumn(name="x"), "True", "'true' or 'false'"),
    (DateColumn(name="x"), "2021-02-29", "a date like %Y-%m-%d"),
    (DateColumn(name="x", format="%d %b %y"), "31 Foo 20", "a date like"),
    (DatetimeColumn(name="x"), "2020-01-01T24:00:00", "a datetime like"),
    (DatetimeColumn(name="x", format="%Y-%m-%dT%H:%M:%S.%f"), "2020-01-01T00:00:00.1234567", "dat"),
    (DatetimeColumn(name="x", storage=UTC, format="%Y-%m-%dT%H:%M%z"), "2020-01-01T00:00", "zone"),
]


@pytest.mark.parametrize(("column", "text", "expected"), BAD)
def test_a_cell_that_does_not_fit_is_named(column: Column, text: str, expected: str) -> None:
    with pytest.raises(TableError, match=f"Column 'x', data row 2: .*{expected}") as caught:
        cells(column, pa.array([None, text]))
    assert repr(text) in caught.value.message


TYPED: list[tuple[Column, pa.Array, list[object]]] = [
    (NumberColumn(name="x"), pa.array([41.0, None]), [41, None]),
    (NumberColumn(name="x", storage="double"), pa.array([41, None]), [41.0, None]),
    (NumberColumn(name="x", storage="double"), pa.array([float("nan")]), [None]),
    (NumberColumn(name="x", storage="decimal128(9, 2)"), pa.array([1.1]), [Decimal("1.10")]),
    (CategoryColumn(name="x"), pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    (CategoryColumn(name="x"), pa.array([1, None]), ["1", None]),
    (CategoryColumn(name="x"), pa.nulls(1), [None]),
    (DateColumn(name="x"), pa.array([dt.datetime(2020, 1, 2)]), [dt.date(2020, 1, 2)]),
    (DatetimeColumn(name="x"), pa.array([dt.date(2020, 1, 2)]), [dt.datetime(2020, 1, 2)]),
    (
        DatetimeColumn(name="x", storage=UTC),
        pa.array([dt.datetime(2020, 1, 2)]),
        [dt.datetime(2020, 1, 2, tzinfo=dt.UTC)],
    ),
]


@pytest.mark.parametrize(("column", "values", "expected"), TYPED)
def test_typed_cells_are_cast(column: Column, values: pa.Array, expected: list[object]) -> None:
    assert cells(column, values).to_pylist() == expected


LOSSY: list[tuple[Column, pa.Array]] = [
    (NumberColumn(name="x"), pa.array([1.0, 1.5])),
    (NumberColumn(name="x", storage="double"), pa.array([1, 2**53 + 1])),
    (NumberColumn(name="x", storage="decimal128(9, 2)"), pa.array([1.0, 1.001])),
    (NumberColumn(name="x"), pa.array([None, True])),
    (BooleanColumn(name="x"), pa.array([None, 1])),
    (DateColumn(name="x"), pa.array([None, dt.datetime(2020, 1, 2, 3)])),
    (
        DatetimeColumn(name="x", storage="timestamp[s]"),
        pa.array([None, dt.datetime(2020, 1, 1, 0, 0, 0, 5)]),
    ),
    (DatetimeColumn(name="x"), pa.array([None, dt.datetime(2020, 1, 1, tzinfo=dt.UTC)])),
]


@pytest.mark.parametrize(("column", "values"), LOSSY)
def test_a_cast_that_would_lose_something_is_refused(column: Column, values: pa.Array) -> None:
    with pytest.raises(TableError, match="Column 'x', data row 2"):
        cells(column, values)


def test_nested_cells_are_refused() -> None:
    with pytest.raises(TableError, match=r"Column 'x': expected .* found the type list"):
        cells(TextColumn(name="x"), pa.array([["a"]]))


def test_columns_come_in_schema_order() -> None:
    schema = TableSchema(columns=(TextColumn(name="b"), TextColumn(name="a")))
    assert conform(pa.table({"a": ["1"], "b": ["2"]}), schema).column_names == ["b", "a"]


def test_missing_extra_and_repeated_columns_are_named() -> None:
    schema = TableSchema(columns=(TextColumn(name="a"),))
    with pytest.raises(TableError, match="no column 'a'"):
        conform(pa.table({"b": ["1"]}), schema)
    with pytest.raises(TableError, match="the column 'b', which the schema does not know"):
        conform(pa.table({"a": ["1"], "b": ["1"]}), schema)
    with pytest.raises(TableError, match="twice"):
        conform(pa.table([["1"], ["1"]], names=["a", "a"]), schema)
