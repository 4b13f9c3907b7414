"""Naming the target: its rare class keeps its share, and boosting is heard where it is better."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import TooLittleLearnedWarning
from llmsynth.synthesizers import target_teaching
from llmsynth.training.cross_fitting import CrossFitted


def _table(rows: int = 900, seed: int = 0) -> pd.DataFrame:
    """A class of 5%, told by two of three columns."""
    rng = np.random.default_rng(seed)
    amount, hour = rng.normal(0, 1, rows).round(2), rng.integers(0, 24, rows)
    kind = rng.choice(list("abc"), rows)
    odds = 1.6 * amount + 1.0 * (kind == "a") - 4.2
    fraud = rng.random(rows) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {"amount": amount, "hour": hour, "kind": kind, "fraud": np.where(fraud, "yes", "no")}
    )


def _quick(**settings: object) -> Synthesizer:
    small: dict[str, object] = {"max_epochs": 3, "hidden_size": 32, "num_layers": 1, "seed": 3}
    return Synthesizer(**(small | {"target": "fraud"} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("teach", [False, True])
def test_a_class_of_five_percent_keeps_its_share_in_20000_rows(
    teach: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if teach:
        monkeypatch.setattr(target_teaching, "_is_clear", lambda gain: True)
    table = _table()
    share = (table["fraud"] == "yes").mean()
    synthesizer = _quick().fit(table)
    told = synthesizer.training_.target
    assert told is not None
    assert told.taught or not teach
    assert told.shares["yes"]["after"] == pytest.approx(share, abs=0.002)
    drawn = (synthesizer.sample(20_000).to_pandas()["fraud"] == "yes").mean()
    assert abs(drawn - share) < 2 * (share * (1 - share) / len(table)) ** 0.5


def test_the_record_says_how_boosting_and_the_model_compared(tmp_path: Path) -> None:
    synthesizer = _quick(max_epochs=1).fit(_table(500))
    synthesizer.save(tmp_path)
    record = json.loads((tmp_path / "provenance.json").read_text())
    told = record["training"]["target"]
    assert told["column"] == "fraud"
    assert told["held_out_rows"] == 25
    assert told["reason"] in ("better", "not better")
    assert told["model_loss"] > 0
    assert told["teacher_loss"] > 0
    assert set(told["shares"]) == {"no", "yes"}


def test_the_same_seed_gives_the_same_rows_with_a_target() -> None:
    first, second = (_quick(max_epochs=1).fit(_table(400)).sample(200) for _ in range(2))
    assert first.to_pandas().equals(second.to_pandas())


def test_a_teacher_that_knows_nothing_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def ignorant(self: CrossFitted, probabilities: np.ndarray) -> np.ndarray:
        return np.full_like(probabilities, 0.5)

    monkeypatch.setattr(CrossFitted, "_calibrated", ignorant)
    told = _quick().fit(_table(500)).training_.target
    assert told is not None
    assert told.reason == "not better"
    assert not told.taught


def test_a_target_that_no_column_tells_keeps_its_shares() -> None:
    table = _table(500)[["kind", "fraud"]].assign(kind="a")
    told = _quick(max_epochs=1).fit(table).training_.target
    assert told is not None
    assert told.reason == "no features"
    assert told.rows_drawn


def test_a_spent_budget_teaches_nothing_but_keeps_the_shares() -> None:
    with pytest.warns(TooLittleLearnedWarning, match="passes over the rows"):
        fitted = _quick(max_minutes=0.0001, max_epochs=None).fit(_table(400))
    told = fitted.training_.target
    assert told is not None
    assert not told.taught
    assert told.rows_drawn
