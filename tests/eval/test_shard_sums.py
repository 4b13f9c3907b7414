"""Shape and trend errors from merged counts: the digits of all rows in one memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from llmsynth_eval.cli.program import main
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.shape import Shape
from llmsynth_eval.fidelity.trend import Trend
from llmsynth_eval.input_tables import as_frame, plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.shards import Reference, TableSums, judge_shards
from llmsynth_eval.shards.shard_judge import OnRay
from llmsynth_eval.shards.sum_figures import sum_figures

from llmsynth.errors import TableError
from llmsynth.schema.columns import CategoryColumn, DateColumn, IdentifierColumn, NumberColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.parquet_shards import ParquetShards

SCHEMA = TableSchema(
    columns=(
        IdentifierColumn(name="key", pattern=r"\d{1,6}"),
        NumberColumn(name="age", storage="int64", minimum="0", maximum="99", nullable=True),
        NumberColumn(name="spent", storage="double", scale=2, minimum="0", maximum="999"),
        CategoryColumn(name="city", categories=("Lima", "Oslo", "Rome", "Bonn"), nullable=True),
        DateColumn(name="day", storage="date32[day]", minimum="2020-01-01", maximum="2020-12-31"),
    )
)


def _rows(count: int, seed: int, cities: tuple[str | None, ...]) -> pa.Table:
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 90, count)
    days = np.datetime64("2020-01-01") + draw.integers(0, 300 + seed, count)
    return pa.table(
        {
            "key": pa.array(range(count)).cast(pa.string()),
            "age": pa.array(age, mask=draw.random(count) < 0.05 * seed),
            "spent": np.round(draw.random(count) * age, 2),
            "city": pa.array(draw.choice(np.array(cities, dtype=object), count), pa.string()),
            "day": pa.array(days.astype("datetime64[D]")),
        }
    )


TRAIN = _rows(700, 1, ("Lima", "Oslo", "Rome", None))
OTHER = _rows(1000, 2, ("Lima", "Oslo", "Bonn"))
HOLDOUT = _rows(500, 3, ("Lima", "Oslo", "Rome"))


def _whole(train: pa.Table, other: pa.Table) -> tuple[float, float, dict[str, float]]:
    """The figures of all rows in memory."""
    frames = {"train": as_frame(train, role="train"), "synthetic": as_frame(other, role="other")}
    frames["holdout"] = frames["synthetic"]
    tables = encode(frames, plan_columns(frames["train"], schema=SCHEMA))
    comparison = Comparison(**tables, target=None, seed=0, with_floor=False)
    shape, trend = Shape().compute(comparison), Trend().compute(comparison)
    values = shape.figures[0].value, trend.figures[0].value
    assert values[0] is not None
    assert values[1] is not None
    return values[0], values[1], {column.name: column.error for column in shape.columns}


def _written(table: pa.Table, folder: Path, cuts: list[int]) -> ParquetShards:
    folder.mkdir()
    for index, (begin, end) in enumerate(zip([0, *cuts], [*cuts, table.num_rows], strict=True)):
        pq.write_table(table.slice(begin, end - begin), folder / f"{index}.parquet")
    return ParquetShards(folder)


def test_the_digits_are_those_of_all_rows_at_once(tmp_path: Path) -> None:
    shape, trend, columns = _whole(TRAIN, OTHER)
    shards = _written(OTHER, tmp_path / "rows", [100, 101, 640])
    found = judge_shards(TRAIN, shards, schema=SCHEMA)
    assert found.num_rows == 1000
    assert found.shape == pytest.approx(shape, abs=1e-12)
    assert found.trend == pytest.approx(trend, abs=1e-12)
    assert found.columns == pytest.approx(columns, abs=1e-12)
    assert set(found.columns) == {"age", "spent", "city", "day"}


def test_however_the_rows_are_cut_the_bits_are_the_same(tmp_path: Path) -> None:
    one = judge_shards(TRAIN, _written(OTHER, tmp_path / "one", []), schema=SCHEMA)
    many = judge_shards(TRAIN, _written(OTHER, tmp_path / "many", [1, 2, 500]), schema=SCHEMA)
    assert replace(one, pearson=None, moments={}) == replace(many, pearson=None, moments={})
    assert one.pearson == pytest.approx(many.pearson, rel=1e-12)
    assert one.moments["age"] == pytest.approx(many.moments["age"], rel=1e-12)


def test_a_table_is_no_distance_from_itself(tmp_path: Path) -> None:
    found = judge_shards(TRAIN, _written(TRAIN, tmp_path / "rows", [300]), schema=SCHEMA)
    assert (found.shape, found.trend) == (0.0, 0.0)


def test_counts_by_hand() -> None:
    train = pd.DataFrame({"n": [1.0, 2.0, 2.0, np.nan], "w": ["a", "a", "b", None]})
    plan = plan_columns(train, numeric=["n"])
    reference = Reference.of(train, plan)
    own, left, right = (TableSums(reference) for _ in range(3))
    own.add(train, role="train")
    left.add(pd.DataFrame({"n": [0.5, 1.5], "w": ["b", "c"]}), role="synthetic")
    right.add(pd.DataFrame({"n": [2.0, 9.0], "w": ["c", "a"]}), role="synthetic")
    # below 1, at 1, between, at 2, above 2
    assert own.steps["n"].tolist() == [[0, 1, 0, 2, 0]]
    left.merge(right)
    assert left.steps["n"].tolist() == [[1, 0, 1, 1, 1]]
    assert left.frequencies("w") == {"b": 1, "c": 2, "a": 1}
    found = sum_figures(own, left)
    # Distribution functions at 1 and 2: 1/3 and 1, 1/4 and 3/4, just below 2: 1/3 and 2/4;
    # a quarter of the train cells is missing, too.
    assert found.columns["n"] == pytest.approx(0.25)
    # a 2/4 and 1/4, b 1/4 and 1/4, c 0 and 2/4, missing 1/4 and 0
    assert found.columns["w"] == pytest.approx((0.25 + 0.5 + 0.25) / 2)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    shards = _written(OTHER.drop_columns("day"), tmp_path / "rows", [])
    with pytest.raises(TableError, match="missing: \\['day'\\]"):
        judge_shards(TRAIN, shards, schema=SCHEMA)


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = _written(OTHER, tmp_path / "rows", [200])
    pq.write_table(TRAIN, tmp_path / "train.parquet")
    (tmp_path / "schema.json").write_text(SCHEMA.to_json())
    options = ["shards", "--train", str(tmp_path / "train.parquet"), "--synthetic"]
    options += [shards.address, "--schema", str(tmp_path / "schema.json")]
    assert main([*options, "--json", str(tmp_path / "figures.json")]) == 0
    found = judge_shards(TRAIN, shards, schema=SCHEMA)
    said = capsys.readouterr().out
    assert said.startswith(f"1,000 rows\nShape error {found.shape:.4f}\n")
    assert json.loads((tmp_path / "figures.json").read_text())["trend"] == found.trend


@pytest.mark.slow
def test_workers_on_ray_count_to_the_same_bits(tmp_path: Path) -> None:
    shards = _written(OTHER, tmp_path / "rows", [200, 400, 700])
    asked = {"holdout": HOLDOUT, "schema": SCHEMA, "intervals": True, "neighbours": True}
    here = judge_shards(TRAIN, shards, **asked)
    assert judge_shards(TRAIN, shards, ray=OnRay(), **asked) == here
