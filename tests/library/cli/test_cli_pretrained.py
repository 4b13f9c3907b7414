"""The commands with a pretrained model: fit, inspect, sample."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth.cli import app


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("notes")
    jobs = ["baker", "clerk"] * 40
    words = ("tired", "well again", "in some pain")
    notes = [f"Day {day}: the {job} feels {words[day % 3]}." for day, job in enumerate(jobs)]
    pd.DataFrame({"job": jobs, "note": notes}).to_csv(base / "notes.csv", index=False)
    command = ["fit", str(base / "notes.csv"), "--out", str(base / "fitted")]
    command += ["--model", str(tiny_model), "--rank", "2", "--max-epochs", "1"]
    # So short that the first step is a share to speak of.
    command += ["--max-minutes", "0.05"]
    fitted = CliRunner().invoke(app, command)
    # Which of the two is the machine's affair.
    is_little = fitted.output.count("TOO LITTLE LEARNED") == 1
    assert fitted.exit_code == (4 if is_little else 0), fitted.output
    assert "Went on" not in fitted.output, "there was nothing to go on from"
    return base / "fitted"


def test_no_row_and_no_state_of_the_training_stays_behind(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "adapter",
        "config.json",
        "model.safetensors",
        "provenance.json",
        "schema.json",
        "tokenizer.json",
    }


def test_rows_are_sampled_under_conditions(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    command = ["sample", str(folder), "--rows", "4", "--out", str(out), "--where", "job=clerk"]
    sampled = CliRunner().invoke(app, command)
    assert sampled.exit_code == 0, sampled.output
    rows = pd.read_csv(out)
    assert rows["job"].tolist() == ["clerk"] * 4
    assert "the grammar masked" in sampled.output


def test_the_record_tells_model_and_text(folder: Path) -> None:
    told = CliRunner().invoke(app, ["inspect", str(folder)])
    assert told.exit_code == 0, told.output
    assert "Free text is learned as it is" in told.output
    assert "Learned 80 rows of 2 columns" in told.output
