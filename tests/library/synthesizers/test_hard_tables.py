"""Tables at the edge: one row, one column, constants, many categories or columns."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from llmsynth import Synthesizer, TableSchema, infer_schema
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.constraints import FixedCombinations, Inequality, MissingExactlyWhen, Sum


def quick(**settings: object) -> Synthesizer:
    """A synthesizer small enough for a second."""
    small: dict[str, object] = {"max_epochs": 3, "hidden_size": 32, "num_layers": 1}
    return Synthesizer(**(small | settings))  # type: ignore[arg-type]


def _numbers(rows: int = 200) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(1).integers(0, 7, rows)


def test_a_constant_column_stays_constant() -> None:
    table = pd.DataFrame({"same": "always", "number": 4.25, "x": _numbers()})
    rows = quick().fit(table).sample(100).to_pandas()
    assert set(rows["same"]) == {"always"}
    assert set(rows["number"]) == {4.25}
    assert rows["x"].nunique() > 1


def test_a_column_that_is_all_missing_stays_so() -> None:
    table = pa.table({"gone": pa.nulls(200, pa.string()), "x": _numbers()})
    rows = quick().fit(table).sample(100).table
    assert rows["gone"].null_count == 100
    assert rows["x"].null_count == 0


def test_one_row_is_refused_unless_rare_values_may_be_kept() -> None:
    table = pd.DataFrame({"name": ["Ada"], "age": [36], "pay": [1843.5]})
    with pytest.raises(TableError, match=r"1 rows; at least 20.*keep_rare"):
        quick().fit(table)
    rows = quick(keep_rare=True).fit(table).sample(3).to_pandas()
    assert rows.to_dict("records") == [{"name": "Ada", "age": 36, "pay": 1843.5}] * 3


def test_no_rows_are_refused() -> None:
    with pytest.raises(TableError):
        quick(keep_rare=True).fit(pd.DataFrame({"x": pd.Series([], dtype="int64")}))


@pytest.mark.parametrize("cells", [["a", "b", "b", "c"] * 50, list(range(1000, 1200))])
def test_one_column_is_a_table(cells: list[object]) -> None:
    rows = quick().fit(pd.DataFrame({"only": cells})).sample(200).to_pandas()
    assert rows["only"].nunique() > 2
    assert rows["only"].min() >= min(cells)  # type: ignore[type-var]
    assert rows["only"].max() <= max(cells)  # type: ignore[type-var]


def test_two_thousand_categories_are_learned() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"town {number}" for number in range(2000)])
    table = pd.DataFrame({"town": np.repeat(names, 6), "x": rng.integers(0, 4, 12_000)})
    synthesizer = quick(max_epochs=1).fit(table)
    rows = synthesizer.sample(8000).to_pandas()
    assert set(rows["town"]) <= set(names)
    assert rows["town"].nunique() > 1800
    assert synthesizer.sample(5, where={"town": "town 1234"}).to_pandas()["town"].nunique() == 1


def test_three_hundred_columns_are_learned() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.integers(0, 3, 400).astype(str) for i in range(300)})
    synthesizer = quick(max_epochs=1, hidden_size=16).fit(table)
    rows = synthesizer.sample(20, where={"c299": "1"}).to_pandas()
    assert rows.shape == (20, 300)
    assert (rows["c299"] == 1).all()


def test_five_columns_can_be_given() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.integers(0, 5, 600) for i in range(7)})
    rows = quick(max_epochs=1).fit(table).sample(200, where={f"c{i}": i for i in range(5)})
    frame = rows.to_pandas().astype(int)
    assert all((frame[f"c{i}"] == i).all() for i in range(5))
    assert frame["c5"].nunique() == frame["c6"].nunique() == 5


def test_numbers_of_far_apart_sizes_are_kept_apart() -> None:
    cells = np.repeat([1e-12, 1.0, 2.5e6, 1e15], 50)
    table = pd.DataFrame({"x": cells, "kind": np.repeat(["tiny", "one", "million", "vast"], 50)})
    synthesizer = quick(max_epochs=20, hidden_size=64).fit(table)
    rows = synthesizer.sample(300).to_pandas()
    assert rows["x"].min() >= 1e-12
    assert rows["x"].max() <= 1e15
    assert rows["x"].isin(cells).mean() > 0.8
    assert (synthesizer.sample(20, where={"x": 1e-12}).to_pandas()["x"] == 1e-12).all()


def test_integers_beyond_the_exact_doubles_come_back_exact() -> None:
    cells = 2**62 + np.arange(100) // 5
    rows = quick().fit(pd.DataFrame({"x": np.tile(cells, 3)})).sample(200).table
    assert rows["x"].type == pa.int64()
    assert 2**62 <= pc.min(rows["x"]).as_py() <= pc.max(rows["x"]).as_py() < 2**62 + 20


def test_identifiers_are_invented_anew() -> None:
    rng = np.random.default_rng(3)
    codes = [f"AB-{number:07d}" for number in rng.choice(10**7, 300, replace=False)]
    table = pd.DataFrame({"customer_id": codes, "x": rng.integers(0, 9, 300)})
    rows = quick().fit(table).sample(1000).to_pandas()
    assert rows["customer_id"].is_unique
    assert all(re.fullmatch(r"[A-Z]{2}-\d{7}", text) for text in rows["customer_id"])
    assert len(set(rows["customer_id"]) & set(codes)) <= 3  # by chance: 1000 * 300 / 10^7


def test_a_table_of_identifiers_alone_is_refused() -> None:
    codes = pd.DataFrame(
        {"customer_id": [f"AB-{number * 7919 % 10**7:07d}" for number in range(99)]}
    )
    with pytest.raises(SchemaError, match="identifiers alone"):
        quick().fit(codes)


def test_categories_that_are_all_rare_are_spelled_instead_of_emptied() -> None:
    table = pd.DataFrame({"x": _numbers(100), "y": [f"v{i % 50}" for i in range(100)]})
    synthesizer = quick().fit(table)
    assert synthesizer.schema_.column("y").kind == "text"
    rows = synthesizer.sample(50).to_pandas()
    assert rows["y"].notna().all()
    assert rows["y"].str.fullmatch("[v0-9]{1,3}").all()


def test_categories_that_are_all_rare_are_left_out_with_texts() -> None:
    table = pd.DataFrame({"x": _numbers(100), "y": [f"v{i % 50}" for i in range(100)]})
    rows = quick(drop_text=True).fit(table).sample(50).to_pandas()
    assert rows["y"].isna().all()


def test_free_text_is_spelled_or_dropped() -> None:
    rng = np.random.default_rng(0)
    words = ["red", "wide", "old", "house", "river", "stands", "near", "slowly", "walks", "sings"]
    notes = [f"The {' '.join(rng.choice(words, 9))} number {i}." for i in range(120)]
    table = pd.DataFrame({"note": notes, "x": rng.integers(0, 9, 120)})
    whole = quick().fit(table).sample(5).to_pandas()
    assert whole["note"].str.len().between(1, max(map(len, notes))).all()
    synthesizer = quick(drop_text=True).fit(table)
    assert list(synthesizer.sample(5).to_pandas().columns) == ["x"]
    assert synthesizer.provenance_["data"]["dropped_text"] == ["note"]  # type: ignore[index]
    with pytest.raises(SchemaError, match="none is left"):
        quick(drop_text=True).fit(table[["note"]])


def _ruled_table(rows: int = 500) -> pa.Table:
    rng = np.random.default_rng(0)
    start = np.datetime64("2020-01-01") + rng.integers(0, 700, rows)
    cities = np.array(["Bonn", "Lyon", "Nice", "Köln"])
    city = rng.integers(0, 4, rows)
    left = rng.integers(0, 200, rows) / 10
    right = rng.integers(0, 300, rows) / 10
    status = rng.choice(["open", "done", "lost"], rows)
    closed = [None if s == "open" else int(d) for s, d in zip(status, rng.integers(1, 60, rows))]  # noqa: B905
    return pa.table(
        {
            "city": cities[city],
            "country": np.array(["DE", "FR", "FR", "DE"])[city],
            "start": pa.array(start.astype("datetime64[D]")),
            "end": pa.array((start + rng.integers(0, 90, rows)).astype("datetime64[D]")),
            "left": left,
            "right": right,
            "total": np.round(left + right, 1),
            "status": status,
            "closed": pa.array(closed, pa.int64()),
        }
    )


def _ruled_schema(table: pa.Table) -> TableSchema:
    rules = (
        Inequality(low="start", high="end"),
        Sum(parts=("left", "right"), total="total"),
        FixedCombinations(columns=("city", "country")),
        MissingExactlyWhen(column="closed", when="status", equals="open"),
    )
    return dataclasses.replace(infer_schema(table), constraints=rules)


def test_declared_rules_hold_in_every_row() -> None:
    table = _ruled_table()
    synthesizer = quick(schema=_ruled_schema(table), max_epochs=12, hidden_size=48).fit(table)
    for where in ({}, {"country": "FR"}, {"status": "open"}):
        sample = synthesizer.sample(2000, where=where, max_attempts=60)
        rows = sample.to_pandas()
        assert len(rows) == 2000 - sum(sample.report.dropped.values())
        assert len(rows) > 1990
        assert (rows["start"] <= rows["end"]).all()
        assert np.allclose(rows["left"] + rows["right"], rows["total"], rtol=0, atol=1e-9)
        pairs = set(zip(rows["city"], rows["country"], strict=True))
        assert pairs <= {("Bonn", "DE"), ("Köln", "DE"), ("Lyon", "FR"), ("Nice", "FR")}
        assert (rows["closed"].isna() == (rows["status"] == "open")).all()
        assert rows["city"].nunique() > 1
