"""A time limit that comes too soon: told first, by exit status 4 and in the record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth.cli import app


def _table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "who": np.repeat(np.arange(60), 4),
            "age": rng.integers(18, 80, 240),
            "job": rng.choice(["baker", "clerk"], 240),
        }
    )
    table.to_csv(folder / "people.csv", index=False)
    return folder / "people.csv"


@pytest.mark.parametrize("grouped", [[], ["--group-by", "who"]], ids=["rows", "groups"])
def test_a_limit_that_comes_too_soon_is_told_first_and_by_the_exit_status(
    tmp_path: Path, grouped: list[str]
) -> None:
    out = tmp_path / "fitted"
    command = ["fit", str(_table(tmp_path)), "--out", str(out), "--max-minutes", "0.0001"]
    done = CliRunner().invoke(app, [*command, *grouped])
    assert done.exit_code == 4, done.output
    lines = done.output.splitlines()
    first = next(n for n, line in enumerate(lines) if "TOO LITTLE LEARNED" in line)
    assert first < next(n for n, line in enumerate(lines) if line.startswith("Learned "))
    assert "--max-minutes" in lines[first]
    if not grouped:
        record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
        assert record["training"]["trained"] == "too_little"
