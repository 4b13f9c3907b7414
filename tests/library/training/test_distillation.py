"""Teaching the target: the teacher finds the rule, the model learns it, the rest stays put."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.schema import CategoryColumn, DateColumn, NumberColumn, TableSchema
from llmsynth.training.distillation import DistillationSettings, Lessons, distil
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings
from llmsynth.training.teacher import Teacher

_SHAPE = CompactShape(
    hidden_size=32, num_layers=2, num_heads=2, intermediate_size=64, place_sizes=(4, 3, 2)
)


def _shuffler(none_given_share: float) -> Shuffler:
    return Shuffler(
        _SHAPE.place_sizes,
        torch.arange(3),
        _SHAPE.begin_token,
        usual_order=torch.arange(3),
        none_given_share=none_given_share,
    )


def _logits(model: CompactModel, codes: torch.Tensor, place: int) -> torch.Tensor:
    batch = _shuffler(1.0)(codes, torch.Generator().manual_seed(0))
    states = model(batch.tokens, batch.places)[torch.arange(len(codes)), batch.position_of[place]]
    return (states @ model.place_head(place, torch.float32).t()).detach()


def test_the_model_learns_the_answers_and_keeps_every_other_column() -> None:
    torch.manual_seed(0)
    model = CompactModel(_SHAPE)
    model.start_at_marginals(
        [torch.tensor([0.1, 0.2, 0.3, 0.4]).log(), torch.zeros(3), torch.zeros(2)]
    )
    codes = torch.stack([torch.randint(size, (600,)) for size in _SHAPE.place_sizes], dim=1)
    is_rare = codes[:, 0] == 3
    answers = torch.stack([1.0 - 0.9 * is_rare, 0.9 * is_rare], dim=1).float()
    before = [_logits(model, codes, place).log_softmax(1) for place in range(2)]
    distil(
        model,
        Lessons(codes=codes, answers=answers),
        target_place=2,
        shuffler=_shuffler(0.5),
        training=TrainingSettings(seed=1),
        settings=DistillationSettings(passes=60, rate=0.5),
        dtype=torch.float32,
    )
    learned = _logits(model, codes, 2).softmax(1)
    assert (learned - answers).abs().mean() < 0.05
    for place, was in enumerate(before):
        moved = (_logits(model, codes, place).log_softmax(1).exp() - was.exp()).abs().sum(1) / 2
        assert moved.mean() < 0.03


def _table() -> tuple[pa.Table, TableSchema, np.ndarray]:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 100, 500)
    days = rng.integers(0, 1000, 500).astype("datetime64[D]")
    labels = (numbers > 70).astype(np.int64)
    table = pa.table(
        {
            "number": pa.array(numbers, mask=rng.random(500) < 0.1),
            "day": pa.array(days),
            "constant": pa.array(["x"] * 500),
            "label": pa.array(labels.astype(str)),
        }
    )
    schema = TableSchema(
        columns=(
            NumberColumn(name="number", maximum="99", nullable=True),
            DateColumn(name="day", maximum="1973-01-01"),
            CategoryColumn(name="constant", categories=("x",)),
            CategoryColumn(name="label", categories=("0", "1", "2")),
        )
    )
    return table, schema, labels


def test_the_teacher_finds_a_planted_rule_and_never_answers_an_unseen_class() -> None:
    table, schema, labels = _table()
    teacher = Teacher(table, schema, "label", labels, 3)
    answers = teacher.probabilities(table)
    present = table["number"].is_valid().to_numpy()
    assert (answers.argmax(1) == labels)[present].all()
    assert answers.sum(1) == pytest.approx(np.ones(500), abs=1e-5)
    assert not answers[:, 2].any()
