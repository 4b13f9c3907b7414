"""A fit whose processes Ray Train starts: the loss curve of one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import ray
from typer.testing import CliRunner

from llmsynth import Synthesizer, demo_tables
from llmsynth.cli import app
from llmsynth.cluster.ray_training import RayLauncher
from llmsynth.errors import TrainingError
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.tables import write_table
from llmsynth.training.tuning_settings import TuningSettings

# Ray warns of its own settings when its data module is loaded, which Ray Train does.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore:`use_push_based_shuffle` is deprecated"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_workers_of_ray_train_give_the_loss_curve_of_one_process(
    cluster: None, tmp_path: Path
) -> None:
    table = demo_tables.load("adult").slice(0, 1500).select(["age", "sex", "education"])
    alone = Synthesizer(max_epochs=2, seed=1).fit(table).training_
    write_table(table, tmp_path / "people.parquet")
    options = ["fit", str(tmp_path / "people.parquet"), "--out", str(tmp_path / "bundle")]
    options += ["--on", "ray", "--processes", "2", "--max-epochs", "2", "--seed", "1"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert Synthesizer.load(tmp_path / "bundle").sample(20).table.num_rows == 20
    together = json.loads((tmp_path / "bundle" / "provenance.json").read_text())["training"]
    assert (together["processes"], together["steps"]) == (2, alone.steps)
    curves = [[check["held_out"] for check in h] for h in (alone.history, together["history"])]
    assert len(curves[0]) > 3
    assert curves[1] == pytest.approx(curves[0], abs=5e-3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ray_trains_a_pretrained_model_whose_weights_are_spread(
    cluster: None, tiny_model: Path
) -> None:
    table = pa.table(
        {
            "sex": ["female", "male", "male"] * 20,
            "age": [str(20 + number % 50) for number in range(60)],
        }
    )
    curves = []
    for processes, launcher in ((1, None), (2, RayLauncher())):
        tuning = TuningSettings(
            rank=4, learning_rate=1e-2, batch_tokens=512, shard_weights=processes > 1
        )
        text = TextSettings(path="pretrained", processes=processes, tuning=tuning)
        made = Synthesizer(model=str(tiny_model), text=text, max_epochs=2, seed=1)
        report = made.fit(table, launcher=launcher).training_
        assert report.processes == processes
        curves.append([check["held_out"] for check in report.history])
        assert made.sample(5).table.num_rows == 5
    assert len(curves[0]) > 3
    assert curves[1] == pytest.approx(curves[0], rel=5e-3)


@pytest.mark.slow
def test_an_error_of_a_worker_is_the_fits(cluster: None, tmp_path: Path) -> None:
    (tmp_path / "compact_run.json").write_text("{}")
    with pytest.raises(TrainingError, match="is no training run"):
        RayLauncher()(tmp_path, 2, False, lambda step: None)
