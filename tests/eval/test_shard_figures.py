"""Floors, intervals, moments and the DCR share by shards: the digits of one machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from llmsynth_eval.bootstrap import resample_weights
from llmsynth_eval.cli.program import main
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.correlations import Correlations
from llmsynth_eval.input_tables import as_frame, plan_columns
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy.nearest import Points, nearest_distances
from llmsynth_eval.runner import judge
from llmsynth_eval.shards import judge_shards, row_weights
from llmsynth_eval.shards.nearest_records import nearest_in_blocks
from llmsynth_eval.shards.row_weights import RowWeights
from llmsynth_eval.shards.sum_figures import SumFigures

from llmsynth.errors import SettingsError
from llmsynth.tables.parquet_shards import ParquetShards

CITIES = np.array(["Lima", "Oslo", "Rome", "Bonn", None], dtype=object)


def _rows(count: int, seed: int, num_cities: int = 4) -> pa.Table:
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 90, count)
    return pa.table(
        {
            "age": pa.array(age, mask=draw.random(count) < 0.04),
            "spent": np.round(draw.random(count) * age + 3 * seed, 2),
            "weight": draw.normal(70, 9, count),
            "city": pa.array(CITIES[-num_cities:][draw.integers(0, num_cities, count)]),
            "code": pa.array([f"c{number}" for number in draw.integers(0, 150, count)]),
        }
    )


TRAIN, HOLDOUT = _rows(900, 1), _rows(700, 2)
COPIED = pa.concat_tables([_rows(800, 3, 5), TRAIN.slice(0, 60)])


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ParquetShards:
    folder = tmp_path_factory.mktemp("rows")
    for index, (begin, end) in enumerate([(0, 130), (130, 131), (131, 600), (600, 860)]):
        pq.write_table(COPIED.slice(begin, end - begin), folder / f"{index}.parquet")
    return ParquetShards(folder)


@pytest.fixture(scope="module")
def figures(shards: ParquetShards) -> SumFigures:
    return judge_shards(TRAIN, shards, holdout=HOLDOUT, intervals=True, neighbours=True, seed=7)


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    return judge(TRAIN, COPIED, HOLDOUT, seed=7)


def test_figures_floors_and_intervals_are_those_of_one_machine(
    figures: SumFigures, judgement: Judgement
) -> None:
    found = {figure.name: figure for figure in judgement.figures}
    assert figures.floor is not None
    for name in ("shape", "trend"):
        ours, whole = getattr(figures, name), found[name]
        assert ours == pytest.approx(whole.value, abs=1e-12)
        assert getattr(figures, f"{name}_interval") == pytest.approx(whole.interval, abs=1e-12)
        assert getattr(figures.floor, name) == pytest.approx(whole.floor, abs=1e-12)
        floor_interval = getattr(figures.floor, f"{name}_interval")
        assert floor_interval == pytest.approx(whole.floor_interval, abs=1e-12)


def test_the_dcr_share_of_all_rows_is_that_of_one_machine(
    figures: SumFigures, judgement: Judgement, shards: ParquetShards
) -> None:
    whole = next(figure for figure in judgement.figures if figure.name == "dcr_share")
    assert figures.dcr_share == whole
    assert whole.value is not None
    assert whole.value > 0.5
    capped = judge(TRAIN, COPIED, HOLDOUT, seed=7, max_rows=860)
    few = judge_shards(
        TRAIN, shards, holdout=HOLDOUT, neighbours=True, seed=7, max_references=860
    ).dcr_share
    assert few == next(figure for figure in capped.figures if figure.name == "dcr_share")


def test_minima_of_blocks_are_the_minima_of_all() -> None:
    draw = np.random.default_rng(0)
    for width in (5, 90):
        rows, among = (
            Points(
                dense=draw.normal(size=(count, width)),
                wide=draw.integers(0, 9, (count, 2)).astype(np.int32),
            )
            for count in (40, 230)
        )
        whole = nearest_distances(rows, among)
        for block in (1, 7, 229, 230, 1000):
            parts = nearest_in_blocks(rows, among, block_rows=block)
            assert parts == pytest.approx(whole, rel=1e-12)


def test_moments_and_correlations_are_those_of_one_machine(figures: SumFigures) -> None:
    frames = {
        "train": as_frame(TRAIN, role="train"),
        "synthetic": as_frame(COPIED, role="synthetic"),
        "holdout": as_frame(HOLDOUT, role="holdout"),
    }
    comparison = Comparison(**encode(frames, plan_columns(frames["train"])))
    pearson = Correlations().compute(comparison).figures[0]
    assert figures.pearson == pytest.approx(pearson.value, rel=1e-12)
    assert figures.floor is not None
    assert figures.floor.pearson == pytest.approx(pearson.floor, rel=1e-12)
    assert list(figures.moments) == ["age", "spent", "weight"]
    for name, (mean, deviation) in figures.moments.items():
        cells = frames["synthetic"][name]
        assert mean == pytest.approx(cells.mean(), rel=1e-12)
        assert deviation == pytest.approx(cells.std(ddof=0), rel=1e-12)


def test_weights_of_few_rows_are_the_resamples_of_one_machine() -> None:
    rng = np.random.default_rng(3)
    first, second = (resample_weights(rows, rng) for rows in (50, 30))
    assert RowWeights(num_rows=50, seed=3).of(0, 50).tolist() == first.tolist()
    later = RowWeights(num_rows=30, seed=3, before=(50,))
    assert later.of(11, 9).tolist() == second[:, 11:20].tolist()


def test_weights_of_many_rows_follow_from_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_weights, "MOST_DRAWN", 10)
    weights = RowWeights(num_rows=60_000, seed=3, resamples=3)
    whole = weights.of(0, 60_000)
    for first, count in ((0, 5), (3, 5), (4, 1), (59_990, 10)):
        assert weights.of(first, count).tolist() == whole[:, first : first + count].tolist()
    assert (whole[0] == 1).all()
    assert np.abs(whole[1:].mean(axis=1) - 1).max() < 0.02
    assert np.abs(whole[1:].var(axis=1) - 1).max() < 0.03
    assert abs(np.corrcoef(whole[1:].astype(float))[0, 1]) < 0.02
    other = RowWeights(num_rows=60_000, seed=3, before=(9,), resamples=3).of(0, 60_000)
    assert not np.array_equal(other, whole)


def test_intervals_by_poisson_are_about_those_of_drawn_rows(
    figures: SumFigures, shards: ParquetShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_weights, "MOST_DRAWN", 10)
    found = judge_shards(TRAIN, shards, intervals=True, seed=7)
    for ours, drawn in (
        (found.shape_interval, figures.shape_interval),
        (found.trend_interval, figures.trend_interval),
    ):
        assert ours is not None
        assert drawn is not None
        assert 0.5 < (ours[1] - ours[0]) / (drawn[1] - drawn[0]) < 2
    assert found.shape == figures.shape


def test_neighbours_need_a_holdout(shards: ParquetShards) -> None:
    with pytest.raises(SettingsError, match="give a holdout"):
        judge_shards(TRAIN, shards, neighbours=True)
    with pytest.raises(SettingsError, match="max_references must be 1 or more"):
        judge_shards(TRAIN, shards, holdout=HOLDOUT, neighbours=True, max_references=0)


def test_the_command_tells_them_all(
    shards: ParquetShards, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, table in (("train", TRAIN), ("holdout", HOLDOUT)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    options = ["shards", "--train", str(tmp_path / "train.parquet")]
    options += ["--synthetic", shards.address, "--holdout", str(tmp_path / "holdout.parquet")]
    options += ["--intervals", "--neighbours", "--json", str(tmp_path / "figures.json")]
    assert main(options) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.rsplit(" ", 1)[0].split(" 0.")[0] for line in said[1:5]] == [
        "Shape error",
        "Trend error",
        "Pearson difference",
        "DCR share",
    ]
    assert said[4].endswith("floor 0.5000")
    facts = json.loads((tmp_path / "figures.json").read_text())
    assert facts["dcr_share"]["value"] > 0.5
    assert facts["floor"]["shape"] > 0
