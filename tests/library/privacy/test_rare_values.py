"""Values that few rows hold leave the table, the schema and what a model can learn."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.codec.column_code import SKIPPED
from llmsynth.codec.row_language import RowLanguage
from llmsynth.privacy.rare_values import Protected, protect_rare_values
from llmsynth.schema import (
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
    infer_schema,
)
from llmsynth.synthesizers.preparation import prepare


def protect(cells: pa.Array, *, floor: int = 5) -> Protected:
    table = pa.table({"x": cells})
    return protect_rare_values(table, infer_schema(table), floor=floor)


def test_a_category_of_four_rows_is_gone_and_one_of_five_stays() -> None:
    protected = protect(pa.array(["a"] * 9 + ["five"] * 5 + ["four"] * 4))
    column = protected.schema.columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("a", "five")
    assert "four" not in protected.table["x"].to_pylist()
    assert protected.left_out["x"].tolist() == [False] * 14 + [True] * 4
    assert protected.counts() == {
        "categories": {"x": 1},
        "cells_left_out": {"x": 4},
        "extreme_cells": {},
    }


def test_a_planted_value_is_nowhere_in_what_is_learned() -> None:
    chance = np.random.default_rng(1)
    places = chance.choice(["Ulm", "Bonn"], 400).tolist()
    places[7:11] = ["Secretville"] * 4
    incomes = chance.integers(20_000, 60_000, 400).tolist()
    incomes[3] = 9_876_543
    table = pa.table({"place": places, "income": incomes})
    prepared = prepare(table, None, target=None, keep_rare=False, drop_text=False)
    schema = prepared.language.schema.to_json()
    vocabulary = " ".join(prepared.language.vocabulary())
    assert "Secretville" not in schema + vocabulary
    assert "9876543" not in schema + vocabulary
    assert (prepared.codes[7:11, 0] == SKIPPED).all()
    rest = np.delete(prepared.codes[:, 0], range(7, 11))
    assert set(rest.tolist()) == {0, 1}
    decoded = prepared.language.decode(prepared.codes)
    assert "Secretville" not in decoded["place"].to_pylist()
    assert max(decoded["income"].to_pylist()) == sorted(incomes)[-5]


def test_codes_and_missing_cells_are_treated_like_texts() -> None:
    column = CategoryColumn(name="x", storage="int64", nullable=True, categories=("1", "2", "3"))
    cells = pa.array([1] * 6 + [2] * 2 + [None] * 2)
    table = pa.table({"x": cells})
    protected = protect_rare_values(table, TableSchema(columns=(column,)))
    assert protected.schema.columns[0].to_json()["categories"] == ["1"]
    assert protected.left_out["x"].tolist() == [False] * 6 + [True] * 2 + [False] * 2
    assert protected.table["x"].to_pylist() == [1] * 8 + [None] * 2


def test_a_column_of_rare_categories_alone_becomes_missing() -> None:
    protected = protect(pa.array([f"name {i}" for i in range(9)]))
    column = protected.schema.columns[0]
    assert isinstance(column, CategoryColumn)
    assert (column.categories, column.nullable) == ((), True)
    assert protected.left_out["x"].all()
    assert protected.table["x"].null_count == 9
    language = RowLanguage(protected.schema)
    assert language.decode(language.encode(protected.table)).equals(protected.table)


def test_numbers_stop_at_the_fifth_smallest_and_largest() -> None:
    protected = protect(pa.array([3, 1, 4, 2, 5, 6, 7, 8, 9, 10, 11, 100, None, 13, 14, 15, 16]))
    column = protected.schema.columns[0]
    assert isinstance(column, NumberColumn)
    assert (column.minimum, column.maximum) == ("5", "13")
    expected = [5, 5, 5, 5, 5, 6, 7, 8, 9, 10, 11, 13, None, 13, 13, 13, 13]
    assert protected.table["x"].to_pylist() == expected
    assert protected.counts()["extreme_cells"] == {"x": 8}


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        ([dt.date(999, 1, d) for d in range(1, 12)], pa.date32(), "0999-01-05", "0999-01-07"),
        ([dt.date(2020, 1, d) for d in range(1, 12)], pa.date64(), "2020-01-05", "2020-01-07"),
        (
            [dt.datetime(2020, 1, d, 12, tzinfo=dt.UTC) for d in range(1, 12)],
            pa.timestamp("ms", "Europe/Berlin"),
            "2020-01-05T12:00:00.000000",
            "2020-01-07T12:00:00.000000",
        ),
        (
            list(range(10**9, 11 * 10**9 + 1, 10**9)),
            pa.timestamp("ns"),
            "1970-01-01T00:00:05",
            ":07",
        ),
        ([k / 10 for k in range(11)], pa.float32(), "0.4", "0.6"),
        ([k * 1e-7 for k in range(11)], pa.float64(), "0.0000004", "0.0000006"),
        ([Decimal(k).scaleb(-2) for k in range(-5, 6)], pa.decimal128(38, 2), "-0.01", "0.01"),
        ([2**64 - 1 - k for k in range(11)], pa.uint64(), str(2**64 - 7), str(2**64 - 5)),
    ],
)
def test_bounds_of_every_storage_are_written_exactly(
    values: list[object], kind: pa.DataType, low: str, high: str
) -> None:
    protected = protect(pa.array(values, kind))
    bounds = protected.schema.columns[0].to_json()
    assert str(bounds["minimum"]).startswith(low)
    assert high in str(bounds["maximum"])
    language = RowLanguage(protected.schema)
    assert language.decode(language.encode(protected.table)).equals(protected.table)


@pytest.mark.parametrize("count", [1, 4])
def test_where_fewer_rows_than_the_floor_have_a_value_none_is_learned(count: int) -> None:
    for value, minimum in ((4321, "0"), (dt.date(1999, 9, 9), "1970-01-01")):
        protected = protect(pa.array([value] * count + [None] * 30))
        column = protected.schema.columns[0]
        assert isinstance(column, NumberColumn | DateColumn)
        assert (column.minimum, column.maximum) == (minimum, minimum)
        assert protected.table["x"].null_count == 30 + count
        assert protected.left_out["x"].sum() == count
        assert RowLanguage(protected.schema).encode(protected.table).shape[0] == 30 + count


def test_a_floor_of_one_protects_nothing() -> None:
    columns = (
        CategoryColumn(name="a", categories=("x", "y", "unseen")),
        NumberColumn(name="b", minimum="-100", maximum="100"),
    )
    schema, table = TableSchema(columns=columns), pa.table({"a": ["x", "y"], "b": [1, 2]})
    protected = protect_rare_values(table, schema, floor=1)
    assert (protected.schema, protected.table) == (schema, table)
    assert protected.counts() == {"categories": {}, "cells_left_out": {}, "extreme_cells": {}}


def test_names_and_free_texts_are_not_its_business() -> None:
    columns = (IdentifierColumn(name="id"), TextColumn(name="note"))
    schema = TableSchema(columns=columns)
    table = pa.table({"id": ["12345678", "87654321"], "note": ["once", "twice"]})
    protected = protect_rare_values(table, schema)
    assert (protected.schema, protected.table) == (schema, table)


@given(
    st.lists(st.integers(-20, 20) | st.none(), min_size=1, max_size=60),
    st.lists(st.sampled_from("abcdef"), min_size=60, max_size=60),
    st.integers(2, 7),
)
@settings(max_examples=60)
def test_whatever_remains_is_held_by_enough_rows(
    numbers: list[int | None], letters: list[str], floor: int
) -> None:
    table = pa.table({"n": pa.array(numbers, pa.int64()), "c": letters[: len(numbers)]})
    columns = (
        NumberColumn(name="n", minimum="-20", maximum="20", nullable=True),
        CategoryColumn(name="c", categories=tuple("abcdef")),
    )
    protected = protect_rare_values(table, TableSchema(columns=columns), floor=floor)
    kept = [n for n in numbers if n is not None]
    number, letter = protected.schema.columns
    assert isinstance(number, NumberColumn)
    assert isinstance(letter, CategoryColumn)
    if len(kept) >= floor:
        at_low = sum(n <= int(number.minimum) for n in kept)
        at_high = sum(n >= int(number.maximum) for n in kept)
        assert min(at_low, at_high) >= min(floor, (len(kept) + 1) // 2)
    seen = protected.table["c"].filter(pa.array(~_left_out(protected, "c", len(numbers))))
    assert all(seen.to_pylist().count(c) >= floor for c in letter.categories)
    assert set(seen.to_pylist()) <= set(letter.categories)
    RowLanguage(protected.schema).encode(protected.table)


def _left_out(protected: Protected, name: str, num_rows: int) -> np.ndarray:
    return protected.left_out.get(name, np.zeros(num_rows, dtype=np.bool_))


def test_entities_are_counted_where_they_are_known() -> None:
    cells = pa.array(["a"] * 9 + ["five"] * 5 + ["one"] * 9)
    numbers = pa.array([*range(14), *[99] * 9])
    table = pa.table({"x": cells, "y": numbers})
    entities = np.array([*range(14), *[20] * 9])
    protected = protect_rare_values(table, infer_schema(table), entities=entities)
    column = protected.schema.columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("a", "five")
    # fifteen entities: the fifth smallest and the fifth largest of their own ends
    assert (min(protected.table["y"].to_pylist()), max(protected.table["y"].to_pylist())) == (4, 10)
