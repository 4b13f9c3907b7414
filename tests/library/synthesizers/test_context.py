"""Context: columns that are only ever given, and rows that belong to entities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import ConditionError, SettingsError


def doubled(rows: int = 600) -> pd.DataFrame:
    """A first number, and a second that is its double but for one row in ten."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 5, rows)
    second = np.where(rng.random(rows) < 0.9, 2 * first, rng.integers(0, 9, rows))
    return pd.DataFrame({"second": second, "first": first, "noise": rng.integers(0, 9, rows)})


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    synthesizer = Synthesizer(context=("first",), max_epochs=30, hidden_size=32, num_layers=1)
    return synthesizer.fit(doubled())


def test_what_is_drawn_follows_its_context(fitted: Synthesizer) -> None:
    context = pd.DataFrame({"first": np.arange(400) % 5})
    drawn = fitted.sample(given=context).to_pandas()
    assert drawn["first"].tolist() == context["first"].tolist()
    assert (drawn["second"] == 2 * drawn["first"]).mean() > 0.8


def test_context_comes_first_and_the_rest_as_the_table_has_it(fitted: Synthesizer) -> None:
    assert fitted.learner_.order == [1, 0, 2]  # type: ignore[attr-defined]


def test_rows_without_their_context_are_refused(fitted: Synthesizer) -> None:
    with pytest.raises(ConditionError, match="'first' is not given"):
        fitted.sample(10)


def test_a_saved_synthesizer_knows_its_context(fitted: Synthesizer, tmp_path: Path) -> None:
    again = Synthesizer.load(fitted.save(tmp_path / "bundle"))
    context = pd.DataFrame({"first": [0, 1, 2, 3, 4]})
    assert again.context == ("first",)
    assert again.sample(given=context).table.equals(fitted.sample(given=context).table)


def test_context_with_privacy_or_a_language_model_is_refused() -> None:
    with pytest.raises(SettingsError, match="compact model"):
        Synthesizer(context=("first",), epsilon=1.0)
    with pytest.raises(SettingsError, match="compact model"):
        Synthesizer(context=("first",), model="smollm2-135m")


def test_what_one_entity_holds_in_many_rows_is_not_learned() -> None:
    table = pd.DataFrame(
        {
            "place": ["Ulm", "Bonn"] * 100 + ["Secretville"] * 20,
            "sum": [*range(200), *[4_321] * 20],
        }
    )
    entities = np.array([*range(200), *[500] * 20])
    synthesizer = Synthesizer(max_epochs=1, hidden_size=32, num_layers=1)
    schema = synthesizer.fit(table, entities=entities).schema_.to_json()
    assert "Secretville" not in schema
    assert "4321" not in schema
