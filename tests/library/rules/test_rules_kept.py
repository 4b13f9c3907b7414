"""A fit finds a table's rules, and every synthetic row keeps them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from llmsynth import Synthesizer, infer_schema
from llmsynth.generation.computed_columns import with_computed, with_solved
from llmsynth.schema import Computed, ConstantWhen, Lookup, NumberColumn, Sum, TableSchema
from llmsynth.schema.constraints import in_words
from llmsynth.tables.broken_rows import broken_rows, violations

ROWS = 400


@pytest.fixture(scope="module")
def orders() -> pa.Table:
    random = np.random.default_rng(3)
    town, quantity = random.integers(0, 8, ROWS), random.integers(1, 9, ROWS)
    cents = random.integers(100, 2000, ROWS)
    days = random.integers(0, 700, ROWS)
    paid = random.random(ROWS) < 0.6
    return pa.table(
        {
            "town": [f"town {n}" for n in town],
            "state": [f"state {n // 3}" for n in town],
            "quantity": quantity,
            "price": cents / 100,
            "total": (quantity * cents / 100).round(2),
            "day": [dt.date(2022, 1, 1) + dt.timedelta(days=int(n)) for n in days],
            "year": [(dt.date(2022, 1, 1) + dt.timedelta(days=int(n))).year for n in days],
            "status": ["paid" if p else "open" for p in paid],
            "method": [("card" if n % 2 else "cash") if p else "none" for n, p in enumerate(paid)],
        }
    )


@pytest.fixture(scope="module")
def synthesizer(orders: pa.Table) -> Synthesizer:
    return Synthesizer(max_epochs=3, hidden_size=32, num_layers=1).fit(orders)


def test_every_row_keeps_the_rules_that_were_found(synthesizer: Synthesizer) -> None:
    sample = synthesizer.sample(3000)
    rules = synthesizer.schema_.constraints
    assert {in_words(rule) for rule in rules} == {
        "total = product of quantity, price",
        "year = year of day",
        "known combinations of town, state",
        "known combinations of method, status",
    }
    assert not broken_rows(sample.table, rules).any()
    assert sample.report.rows == 3000
    assert synthesizer.provenance_["rules"]["found"] == len(rules)  # type: ignore[index]


def test_a_given_total_is_met_by_its_parts(synthesizer: Synthesizer) -> None:
    sample = synthesizer.sample(200, where={"total": 24})
    assert sample.report.rows > 150
    assert set(sample.table["total"].to_pylist()) == {24}
    assert not broken_rows(sample.table, synthesizer.schema_.constraints).any()


def test_rules_are_not_looked_for_where_that_was_asked_or_a_schema_is_given(
    orders: pa.Table,
) -> None:
    small = {"max_epochs": 0.5, "hidden_size": 32, "num_layers": 1}
    for settings in ({"find_rules": False}, {"schema": infer_schema(orders)}):
        fitted = Synthesizer(**small, **settings).fit(orders)  # type: ignore[arg-type]
        assert fitted.schema_.constraints == ()


def test_formulas_and_lookups_give_cells_worked_by_hand() -> None:
    table = pa.table({"a": [2, 3, None], "b": [4, 4, 1], "c": pa.array([1.0, 12.0, None])})
    rule = Computed(column="c", formula="product", parts=("a", "b"), decimals=1)
    assert violations(table, rule).tolist() == [True, False, False]
    lookup = Lookup(key="a", column="b", entries=(("2", "7"), ("3", "4")))
    assert violations(table, lookup).tolist() == [True, False, False]
    numbers = tuple(
        NumberColumn(name=n, maximum="99", nullable=True, storage="double" if n == "c" else "int64")
        for n in "abc"
    )
    schema = TableSchema(columns=numbers, constraints=(rule, lookup))
    filled = with_computed(table, schema, ())
    assert filled.to_pydict() == {"a": [2, 3, None], "b": [7, 4, 1], "c": [14.0, 12.0, None]}
    when = ConstantWhen(column="b", value="4", when="a", equals="2")
    assert violations(table, when).tolist() == [False, False, False]
    assert violations(filled, when).tolist() == [True, False, False]


def test_a_part_is_solved_for_only_where_its_column_holds_the_answer() -> None:
    numbers = tuple(NumberColumn(name=n, minimum="0", maximum="50") for n in "abt")
    schema = TableSchema(columns=numbers, constraints=(Sum(parts=("a", "b"), total="t"),))
    table = pa.table({"a": [1, 2, 3], "b": [1, 1, 1], "t": [10, 40, 0]})
    assert with_solved(table, schema, ("t",))["a"].to_pylist() == [9, 39, 3]
    assert with_solved(table, schema, ("t", "a"))["b"].to_pylist() == [9, 38, 1]
    assert with_solved(table, schema, ("a",)).equals(table)
