import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.privacy.accounting import gaussian_noise
from llmsynth.privacy.column_kinds import blank_schema
from llmsynth.privacy.metadata import MetadataBudget, release_schema
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.unit_sampler import by_entity, every_row
from llmsynth.schema.columns import (
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema

DELTA = 1e-5


def released(table, *, epsilon=1.0, seed=0, schema=None, target=None, units=None):
    source = NoiseSource(insecure_seed=seed)
    budget = MetadataBudget(noise_multiplier=gaussian_noise(epsilon, DELTA), key_delta=DELTA / 10)
    return release_schema(
        table,
        schema or blank_schema(table),
        units or every_row(table.num_rows),
        budget,
        source,
        kinds_known=schema is not None,
        target=target,
    )


def test_two_hundred_singletons_in_fifteen_columns_stay_in_over_two_hundred_releases():
    rng = np.random.default_rng(0)
    columns = {f"c{i}": pa.array(rng.choice(["x", "y"], 1000)) for i in range(14)}
    texts = np.array(["common"] * 800 + [f"secret-{i}" for i in range(200)])
    table = pa.table({**columns, "who": pa.array(texts)})
    schema = TableSchema(columns=tuple(CategoryColumn(name=n) for n in table.column_names))
    found = sum(
        len([c for c in column.categories if c.startswith("secret")])
        for seed in range(200)
        for column in released(table, seed=seed, schema=schema).schema.columns
        if isinstance(column, CategoryColumn)
    )
    # Delta allows 200 * 200 * 1e-6 = .04 on average over all repetitions.
    assert found == 0


def test_the_threshold_lets_a_singleton_through_with_just_the_chance_of_delta():
    counts = NoisyCounts(
        num_histograms=4,
        noise_multiplier=3.0,
        most_rows=1,
        source=NoiseSource(insecure_seed=3),
        key_delta=0.02,
        num_open=4,
    )
    trials = 40_000
    passed = sum(
        len(counts.open(pa.array([f"k{i}" for i in range(1000)]))) for _ in range(trials // 1000)
    )
    expected = trials * 0.02 / 4
    assert abs(passed - expected) < 4 * math.sqrt(expected)


def test_a_category_of_many_rows_of_one_entity_is_held_back_like_a_singleton():
    table = pa.table(
        {
            "who": ["one"] * 500 + [f"p{i}" for i in range(5000)],
            "code": ["mine"] * 500 + ["common"] * 5000,
        }
    )
    schema = TableSchema(columns=(CategoryColumn(name="code"),))
    units = by_entity(table.column("who"), 2, NoiseSource(insecure_seed=1))
    kept = table.take(pa.array(units.rows)).select(["code"])
    column = released(kept, epsilon=2.0, schema=schema, units=units).schema.column("code")
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("common",)


def test_dates_of_five_years_are_bounded_by_those_years():
    rng = np.random.default_rng(1)
    first = dt.date(2015, 3, 2).toordinal()
    days = [dt.date.fromordinal(first + int(d)) for d in rng.integers(0, 1700, 4000)]
    for seed in range(20):
        table = pa.table({"day": pa.array([day.isoformat() for day in days])})
        column = released(table, seed=seed).schema.column("day")
        assert isinstance(column, DateColumn)
        assert "2014-01-01" <= column.minimum <= "2015-01-01"
        assert "2019-12-31" <= column.maximum <= "2020-12-31"


@pytest.mark.parametrize("seed", range(5))
def test_a_heavy_tail_keeps_bounds_near_its_bulk(seed):
    rng = np.random.default_rng(2)
    values = np.round(rng.lognormal(7, 1.2, 20_000), 2)
    column = released(pa.table({"pay": values}), seed=seed).schema.column("pay")
    assert isinstance(column, NumberColumn)
    low, high = map(float, column.bounds)
    assert low <= np.quantile(values, 0.02)
    assert np.quantile(values, 0.97) <= high <= 2 * values.max()
    assert column.scale == 2


def test_kinds_are_told_by_votes_and_texts_of_single_people_are_left_out():
    rng = np.random.default_rng(3)
    n = 4000
    table = pa.table(
        {
            "number": pa.array([str(v) for v in rng.integers(0, 500, n)]),
            "price": pa.array([f"{v:.2f}" for v in rng.uniform(0, 90, n)]),
            "code": pa.array([str(v) for v in rng.integers(1, 4, n)]),
            "word": pa.array(rng.choice(["red", "blue"], n)),
            "note": pa.array([f"note of person {i}" for i in range(n)]),
            "gap": pa.array([None if i % 3 else "5" for i in range(n)]),
        }
    )
    found = released(table, epsilon=2.0)
    kinds = {column.name: column.kind for column in found.schema.columns}
    assert found.left_out == ("note",)
    assert kinds["number"] == kinds["price"] == "number"
    assert kinds["word"] == kinds["code"] == "category"
    assert found.schema.column("gap").nullable
    assert not found.schema.column("word").nullable
    price = found.schema.column("price")
    assert isinstance(price, NumberColumn)
    assert (price.scale, price.fixed_scale) == (2, True)


def test_what_the_schema_declares_is_taken_as_it_is_and_costs_nothing():
    table = pa.table({"a": ["x", "z"] * 50, "n": [1, 500] * 50, "id": ["k1"] * 100})
    schema = TableSchema(
        columns=(
            CategoryColumn(name="a", categories=("x", "y")),
            NumberColumn(name="n", minimum="0", maximum="10"),
            IdentifierColumn(name="id", pattern=r"k\d{3}"),
        )
    )
    found = released(table, schema=schema)
    assert found.schema == schema
    assert found.declared == ("a", "n", "id")
    assert found.released == ()


def test_spikes_are_released_and_rare_numbers_are_not():
    rng = np.random.default_rng(4)
    values = np.concatenate([np.zeros(6000), np.full(2000, 15024), rng.integers(1, 90_000, 2000)])
    table = pa.table({"gain": values.astype(np.int64)})
    column = released(table, epsilon=2.0).schema.column("gain")
    assert isinstance(column, NumberColumn)
    assert set(column.frequent) == {"0", "15024"}


def test_a_number_of_declared_bounds_has_its_spikes_released_unless_it_names_some():
    rng = np.random.default_rng(4)
    gain = np.concatenate([np.zeros(6000), [777], rng.integers(1, 90_000, 3000)]).astype(np.int64)
    table = pa.table({"gain": gain, "named": gain})
    schema = TableSchema(
        columns=(
            NumberColumn(name="gain", minimum="0", maximum="90000"),
            NumberColumn(name="named", minimum="0", maximum="90000", frequent=("5",)),
        )
    )
    found = released(table, epsilon=2.0, schema=schema)
    assert found.schema.column("gain") == replace(schema.column("gain"), frequent=("0",))
    assert found.schema.column("named") == schema.column("named")
    assert found.declared == ("gain", "named")


def test_free_text_that_is_declared_is_left_out():
    table = pa.table({"a": ["x"] * 200, "t": ["some words"] * 200})
    schema = TableSchema(
        columns=(CategoryColumn(name="a", categories=("x",)), TextColumn(name="t"))
    )
    assert released(table, schema=schema).left_out == ("t",)


def test_the_number_of_rows_is_noisy():
    table = pa.table({"a": ["x"] * 3000})
    found = {released(table, seed=seed).num_rows for seed in range(5)}
    assert len(found) > 1
    assert all(2700 < rows < 3300 for rows in found)
