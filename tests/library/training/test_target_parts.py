"""Cross-fitted answers are right of fresh rows, and an offset sets the shares of drawn ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema
from llmsynth.training.cross_fitting import CrossFitted
from llmsynth.training.sequences import Shuffler
from llmsynth.training.target_offset import (
    last_states,
    offsets,
    probabilities,
    shift_to_shares,
)

_SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="signal", minimum="-999", maximum="999"),
        NumberColumn(name="noise", maximum="999"),
        CategoryColumn(name="label", categories=("0", "1", "2", "3")),
    )
)


def _drawn(rows: int, seed: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Rows, labels and the true probability of label 1, whose share is about 6%."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 100, rows).round().astype(np.int64)
    truth = 1 / (1 + np.exp(4 - signal / 60))
    labels = (rng.random(rows) < truth).astype(np.int64)
    table = pa.table({"signal": signal, "noise": rng.integers(0, 1000, rows), "label": labels})
    table = table.set_column(2, "label", pa.array(labels.astype(str)))
    return table, labels, truth


def test_cross_fitted_answers_of_fresh_rows_have_the_share_of_the_rare_class() -> None:
    table, labels, _ = _drawn(2500, 0)
    teacher = CrossFitted(table, _SCHEMA, "label", labels, 4, most_rounds=200)
    fresh, _, truth = _drawn(8000, 1)
    said = teacher.probabilities(fresh)
    assert said.sum(1) == pytest.approx(np.ones(8000))
    assert not said[:, 2:].any()
    error = (labels.mean() * (1 - labels.mean()) / len(labels)) ** 0.5
    assert abs(said[:, 1].mean() - truth.mean()) < 2.5 * error
    assert teacher.answers[:, 1].mean() == pytest.approx(labels.mean(), abs=0.002)
    # Of noise no more is learned than of nothing: the rounds stop early.
    assert teacher.rounds < 100


def test_cross_fitted_answers_of_pure_noise_are_the_shares() -> None:
    table, labels, _ = _drawn(1200, 2)
    labels = np.random.default_rng(5).permutation(labels)
    teacher = CrossFitted(table, _SCHEMA, "label", labels, 4, most_rounds=200)
    assert teacher.answers[:, 1].max() < 0.5
    assert teacher.answers[:, 1].mean() == pytest.approx(labels.mean(), abs=0.003)


def test_a_class_of_two_rows_stops_nothing() -> None:
    table, labels, _ = _drawn(400, 3)
    labels[:2] = 3
    teacher = CrossFitted(table, _SCHEMA, "label", labels, 4, most_rounds=40)
    assert np.isfinite(teacher.answers).all()
    assert teacher.answers[:, 2].max() == 0
    assert 0 < teacher.probabilities(table)[:, 3].mean() < 0.05


def test_a_column_that_a_fold_knows_nothing_of_stops_nothing() -> None:
    table, labels, _ = _drawn(400, 3)
    noise = pa.array([7, 8] + [None] * 398, pa.int64())
    table = table.set_column(1, "noise", noise)
    teacher = CrossFitted(table, _SCHEMA, "label", labels, 4, most_rounds=20)
    assert np.isfinite(teacher.probabilities(table)).all()


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5),
    st.floats(0.1, 2.0),
    st.integers(0, 1000),
)
def test_offsets_bring_mean_probabilities_to_any_shares(
    weights: list[float], spread: float, seed: int
) -> None:
    shares = torch.tensor(weights, dtype=torch.float64)
    shares /= shares.sum()
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(500, len(weights), generator=generator, dtype=torch.float64)
    moved = (logits + offsets(logits, shares)).softmax(1).mean(0)
    assert moved.tolist() == pytest.approx(shares.tolist(), abs=1e-4)


def test_classes_told_apart_with_certainty_are_not_moved_without_bound() -> None:
    logits = torch.tensor([[40.0, -40.0], [-40.0, 40.0]], dtype=torch.float64)
    found = offsets(logits, torch.tensor([0.9, 0.1], dtype=torch.float64))
    assert found.abs().max() <= 4.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_output_rows_are_shifted_to_the_shares_and_nothing_else_is(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    shape = CompactShape(hidden_size=32, num_layers=1, intermediate_size=64, place_sizes=(5, 3, 2))
    model = CompactModel(shape)
    with torch.no_grad():
        model.head.normal_(std=0.1)
        model.norm.uniform_(0.5, 2.0)
    shuffler = Shuffler(
        shape.place_sizes,
        torch.arange(3),
        shape.begin_token,
        usual_order=torch.arange(3),
        none_given_share=1.0,
    )
    codes = torch.stack([torch.randint(size, (3000,)) for size in shape.place_sizes], dim=1)
    states = last_states(model, codes, 2, shuffler, dtype)
    assert len(states) == 3000
    others = [model.place_head(place, torch.float32) for place in (0, 1)]
    shares = torch.tensor([0.95, 0.05], dtype=torch.float64)
    shift_to_shares(model, states, 2, shares)
    assert probabilities(model, states, 2).mean(0).tolist() == pytest.approx([0.95, 0.05], abs=1e-3)
    assert all(
        torch.equal(model.place_head(place, torch.float32), others[place]) for place in (0, 1)
    )
