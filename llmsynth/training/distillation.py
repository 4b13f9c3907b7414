"""Teaches a trained model a classifier's view of the target, on rows the model makes up itself.

One token in thirty says the target, and of a rare class there are few rows: the model's own
P(target | rest) is the weakest part of what it learned, while gradient boosting finds it easily.
Made-up rows are unlimited, so the classifier's probabilities can be learned without showing one
real row again (soft targets: Hinton et al. 2015, arXiv 1503.02531). The loss of the whole made-up
rows keeps everything else in place; real rows in its stead were memorised (on half of sick_thyroid
the DCR share rose to .59).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.compact import CompactModel
from llmsynth.training.loss import place_losses
from llmsynth.training.optimizers import Optimizers
from llmsynth.training.schedule import Schedule
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Made-up rows with the teacher's answers.

    codes: int64 (rows, places); the target's own token is there and not looked at.
    answers: float32 (rows, tokens of the target's place).
    """

    codes: Tensor
    answers: Tensor


@dataclass(frozen=True, kw_only=True)
class DistillationSettings:
    """How long and how strongly the target is taught."""

    passes: float = 3.0
    """Passes over the made-up rows."""
    strength: float = 3.0
    """Weight of the target's loss beside the loss of the whole row."""
    rate: float = 0.1
    """Peak learning rates as a share of those of training."""
    max_seconds: float | None = None
    """Wall-clock budget; whichever of the two limits comes first shapes the schedule."""


def distil(
    model: CompactModel,
    lessons: Lessons,
    *,
    target_place: int,
    last: Shuffler,
    shuffler: Shuffler,
    training: TrainingSettings,
    settings: DistillationSettings,
    dtype: torch.dtype,
    share_done: Callable[[float], None] = lambda share: None,
) -> None:
    """Train `model` in place, at a rate that ends at zero.

    Args:
        last: puts the target after every other column.
        shuffler: orders rows as in training.
    """
    batch = min(training.batch_rows * 2, len(lessons.codes))
    steps = max(int(settings.passes * len(lessons.codes) / batch), 1)
    optimizers = Optimizers(model, training)
    generator = torch.Generator().manual_seed(training.seed + 17)
    schedule = Schedule(steps, settings.max_seconds)
    step = 0
    while (share := schedule.share_done(step)) < 1.0:
        rows = torch.randint(len(lessons.codes), (batch,), generator=generator)
        codes = lessons.codes[rows]
        sequences = last(codes, generator)
        hidden = model(sequences.tokens, sequences.places, dtype=dtype)
        at = hidden[torch.arange(batch), sequences.position_of[target_place]]
        logits = functional.linear(at, model.place_head(target_place, dtype)).float()
        loss = settings.strength * functional.cross_entropy(logits, lessons.answers[rows])
        kept = codes[: training.batch_rows]
        losses = place_losses(model, shuffler(kept, generator), kept, dtype=dtype)
        (loss + torch.stack(losses).sum() / len(kept)).backward()  # type: ignore[no-untyped-call]
        optimizers.step(settings.rate * schedule.factor(step, share))
        share_done(share)
        step += 1
