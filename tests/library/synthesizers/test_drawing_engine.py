"""A table's rows by another engine: same columns, conditions and guard, one engine for all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth import Synthesizer
from llmsynth.cli import app
from llmsynth.engines.engine import FinishedRow, RowRequest
from llmsynth.engines.engine_choice import EngineChoice
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.served_rows import closed_row
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import EngineError, SettingsError
from llmsynth.models.pretrained import load_pretrained
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings


def notes(num_rows: int = 60) -> pd.DataFrame:
    jobs = ["baker", "clerk"] * (num_rows // 2)
    words = ("tired", "well again", "in some pain")
    told = [f"Day {day}: the {job} feels {words[day % 3]}." for day, job in enumerate(jobs)]
    return pd.DataFrame({"job": jobs, "note": told})


def fitted_on(model: Path, **settings: object) -> Synthesizer:
    tuning = TuningSettings(rank=4, learning_rate=1e-2, batch_tokens=512)
    chosen = {"copy_guard": 8, "tuning": tuning, **settings}
    text = TextSettings(**chosen)  # type: ignore[arg-type]
    return Synthesizer(model=str(model), text=text, max_epochs=1, num_layers=1).fit(notes())


@pytest.fixture(scope="module")
def saved(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted_on(tiny_model).save(tmp_path_factory.mktemp("saved"))


class Elsewhere:
    """The local engine on a base model of its own, as a server has it; counts what it is asked."""

    def __init__(self, model: Path) -> None:
        import torch

        self._engine = LocalEngine(load_pretrained(str(model), dtype=torch.float32).model)
        self.name, self.context_length = "elsewhere", self._engine.context_length
        self.requests: list[RowRequest] = []
        self.is_closed = False

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        assert not self.is_closed
        self.requests.append(request)
        return self._engine.rows(request)

    def close(self) -> None:
        self.is_closed = True


def test_an_open_engine_draws_with_the_tables_adapter_and_stays_open(
    saved: Path, tiny_model: Path
) -> None:
    engine = Elsewhere(tiny_model)
    rows = Synthesizer.load(saved).sample(8, where={"job": "clerk"}, engine=engine).to_pandas()
    assert rows["job"].tolist() == ["clerk"] * 8
    assert rows["note"].notna().all()
    assert {request.adapter.path for request in engine.requests if request.adapter} == {
        saved / "adapter"
    }
    assert not engine.is_closed


def test_one_engine_serves_two_tables_each_with_its_own_adapter(
    saved: Path, tiny_model: Path
) -> None:
    engine, other = Elsewhere(tiny_model), fitted_on(tiny_model, path="pretrained")
    first = Synthesizer.load(saved)
    before = first.sample(6, seed=1, engine=engine).table
    other.sample(6, seed=1, engine=engine)
    assert first.sample(6, seed=1, engine=engine).table.equals(before)
    assert len({request.adapter.path for request in engine.requests if request.adapter}) == 2


def test_the_weights_stay_on_disk_where_another_engine_draws(saved: Path, tiny_model: Path) -> None:
    synthesizer = Synthesizer.load(saved)
    synthesizer.sample(2, engine=Elsewhere(tiny_model))
    assert synthesizer.learner_.tuned._model is None  # type: ignore[attr-defined]


class Parrot(Elsewhere):
    """Writes a training note at the first attempt at each row, and its own words afterwards."""

    def __init__(self, model: Path, note: list[int]) -> None:
        super().__init__(model)
        self._note = note

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        if self.requests:
            yield from super().rows(request)
            return
        self.requests.append(request)
        for place in range(len(request.prefix_ids)):
            yield closed_row(request, place, self._note, StopReason.FINISHED)


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_texts_that_hold_a_span_of_a_training_text_are_drawn_again(
    saved: Path, tiny_model: Path, max_attempts: int
) -> None:
    synthesizer = Synthesizer.load(saved)
    tokens = synthesizer.learner_.row_tokens  # type: ignore[attr-defined]
    (note,) = tokens._encoded([f'"{notes()["note"][7]}"\n'])
    sample = synthesizer.sample(5, engine=Parrot(tiny_model, note), max_attempts=max_attempts)
    if max_attempts == 1:
        assert sample.report.dropped == {"span of a training text": 5}
        return
    assert sample.report.redrawn == 5
    assert sample.report.copied_rows == 0
    assert len(sample.to_pandas()) == 5


def test_a_compact_model_draws_its_own_rows() -> None:
    synthesizer = Synthesizer(max_epochs=1, hidden_size=32).fit(notes()[["job"]])
    with pytest.raises(SettingsError, match="a compact model draws its own"):
        synthesizer.sample(2, engine="vllm")
    assert len(synthesizer.sample(2, engine="local").to_pandas()) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "remote"}, "must be one of local, vllm, openai"),
        ({"kind": "openai"}, "needs a base_url"),
        ({"kind": "vllm", "base_url": "http://x/v1"}, "base_url is for the engine 'openai'"),
        ({"rows_at_once": 0}, "at least 1"),
    ],
)
def test_settings_of_another_engine_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        EngineChoice(**settings)  # type: ignore[arg-type]


def test_a_server_that_is_down_is_named(saved: Path) -> None:
    choice = EngineChoice(kind="openai", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9"):
        Synthesizer.load(saved).sample(2, engine=choice)


@pytest.fixture
def small_server(saved: Path) -> Iterator[str]:
    """A real server that gives everybody one and the same note behind the job."""
    tokens = Synthesizer.load(saved).learner_.row_tokens  # type: ignore[attr-defined]
    row = tokens._encoded(['"A note."\n'])[0]
    script = Path(__file__).parents[1] / "engines" / "small_endpoint.py"
    with subprocess.Popen(
        [sys.executable, str(script), "serves", str(row)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield f"http://127.0.0.1:{port}/v1"
        process.kill()


def test_the_command_asks_a_server(saved: Path, small_server: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    command = ["sample", str(saved), "--rows", "5", "--out", str(out), "--engine", "openai"]
    told = CliRunner().invoke(app, [*command, "--base-url", small_server], env=dict(os.environ))
    assert told.exit_code == 0, told.output
    rows = pd.read_csv(out)
    assert rows["note"].tolist() == ["A note."] * 5
    assert set(rows["job"]) <= {"baker", "clerk"}


def test_the_command_refuses_a_served_model_without_a_server(saved: Path, tmp_path: Path) -> None:
    command = ["sample", str(saved), "--rows", "5", "--out", str(tmp_path / "rows.csv")]
    told = CliRunner().invoke(app, [*command, "--served-model", "m"])
    assert told.exit_code == 2
    assert "for the engine 'openai'" in told.output
