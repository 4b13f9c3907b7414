"""Free text in groups: written by a pretrained model, under the typed cells of its row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import GroupedSynthesizer
from llmsynth.errors import SchemaError
from llmsynth.relational.group_sample import GroupSample
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings


def visits(patients: int = 60, seed: int = 0) -> pd.DataFrame:
    """Visits with a note each that tells of the pain, and one address of the patient's."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        day, sex = dt.date(2021, 1, 1), str(rng.choice(["f", "m"]))
        story = f"Came to us at {int(rng.integers(20, 90))} years, by {rng.choice(['car', 'bus'])}."
        for visit in range(int(rng.integers(1, 4))):
            pain = str(rng.choice(["weak", "strong"]))
            note = f"Visit {visit}: the pain is {pain}, day {int(rng.integers(100))} of the cure."
            rows.append((f"P{patient:03d}", note, day, sex, pain, story))
            day += dt.timedelta(days=int(rng.integers(3, 9)))
    return pd.DataFrame(rows, columns=["patient", "note", "day", "sex", "pain", "story"])


def synthesizer(model: Path | str) -> GroupedSynthesizer:
    tuning = TuningSettings(rank=4, learning_rate=1e-2, batch_tokens=512)
    return GroupedSynthesizer(
        group_by="patient",
        order_by="day",
        model=str(model),
        text=TextSettings(copy_guard=None, tuning=tuning),
        max_epochs=1,
        hidden_size=32,
        num_layers=1,
    )


@pytest.fixture(scope="module")
def fitted(tiny_model: Path) -> GroupedSynthesizer:
    return synthesizer(tiny_model).fit(visits())


@pytest.fixture(scope="module")
def sample(fitted: GroupedSynthesizer) -> GroupSample:
    return fitted.sample(6, seed=1)


def test_every_row_has_its_text_where_it_stood(sample: GroupSample) -> None:
    assert sample.table.column_names == list(visits().columns)
    assert sample.schema.names == tuple(visits().columns)
    rows = sample.to_pandas()
    assert rows["note"].notna().all()
    assert len(rows) == sample.report.rows > 0
    days = pd.to_datetime(rows["day"])
    assert days.groupby(rows["patient"]).diff().dropna().dt.days.ge(0).all()


def test_a_text_of_the_group_is_the_same_in_all_its_rows(
    fitted: GroupedSynthesizer, sample: GroupSample
) -> None:
    assert fitted.texts_ is not None
    assert fitted.texts_.static == ("story",)
    assert sample.to_pandas().groupby("patient")["story"].nunique().max() == 1


def test_a_saved_synthesizer_writes_the_same_rows(
    fitted: GroupedSynthesizer, sample: GroupSample, tmp_path: Path
) -> None:
    again = GroupedSynthesizer.load(fitted.save(tmp_path / "bundle"))
    assert again.sample(6, seed=1).table.equals(sample.table)


def test_a_time_limit_leaves_rows_without_text_out(fitted: GroupedSynthesizer) -> None:
    late = fitted.sample(200, seed=1, max_seconds=0.3)
    assert late.report.is_partial
    assert late.report.stopped == "time"
    assert late.to_pandas()["note"].notna().all()


def test_without_a_pretrained_model_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(SchemaError, match="Free text in 'note', 'story'") as refused:
        synthesizer("compact").fit(visits())
    assert "--model smollm2-135m" in str(refused.value.hint)
