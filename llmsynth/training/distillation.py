"""Teaches a trained model a classifier's view of the target, on rows the model makes up itself.

One token in thirty says the target, and of a rare class there are few rows: the model's own
P(target | rest) is the weakest part of what it learned, while gradient boosting finds it easily.
Made-up rows are unlimited, so the classifier's probabilities can be learned without showing one
real row again (soft targets: Hinton et al. 2015, arXiv 1503.02531). Everything else is held in
place by the divergence from the model as it was. On half of sick_thyroid, real rows in its stead
were memorised (DCR share .59), and the plain loss of the made-up rows let the other columns drift
(shape error .011 to .012, trend error .029 to .032).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.compact import CompactModel
from llmsynth.training.loss import states_by_place
from llmsynth.training.optimizers import Optimizers
from llmsynth.training.schedule import Schedule
from llmsynth.training.sequences import Sequences, Shuffler
from llmsynth.training.settings import TrainingSettings

_FEWEST_BATCH_ROWS = 256
_WARM_UP_STEPS = 30


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

    passes: float = 6.0
    """Passes over the made-up rows."""
    strength: float = 10.0
    """Weight of the target's loss."""
    hold: float = 1.0
    """Weight of the divergence of all other columns from what they were."""
    rate: float = 0.2
    """Peak learning rates as a share of those of training."""
    max_seconds: float | None = None
    """Wall-clock budget; whichever of the two limits comes first shapes the schedule."""


def distil(
    model: CompactModel,
    lessons: Lessons,
    *,
    target_place: int,
    shuffler: Shuffler,
    training: TrainingSettings,
    settings: DistillationSettings,
    dtype: torch.dtype,
) -> None:
    """Train `model` in place, at a rate that ends at zero.

    Args:
        shuffler: orders rows as in training.
    """
    batch = min(max(training.batch_rows, _FEWEST_BATCH_ROWS), len(lessons.codes))
    steps = max(int(settings.passes * len(lessons.codes) / batch), 1)
    optimizers = Optimizers(model, training)
    before = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(training.seed + 17)
    schedule = Schedule(
        steps, settings.max_seconds, warm_up_steps=max(min(_WARM_UP_STEPS, steps // 5), 1)
    )
    step = 0
    while (share := schedule.share_done(step)) < 1.0:
        rows = torch.randint(len(lessons.codes), (batch,), generator=generator)
        codes = lessons.codes[rows]
        sequences = shuffler(codes, generator)
        hidden = model(sequences.tokens, sequences.places, dtype=dtype)
        with torch.no_grad():
            was = before(sequences.tokens, sequences.places, dtype=dtype)
        held = _held(model, before, hidden, was, sequences, codes, target_place)
        taught = _taught(model, hidden, sequences, codes, lessons.answers[rows], target_place)
        total = settings.hold * held / batch + settings.strength * taught
        total.backward()  # type: ignore[no-untyped-call]
        optimizers.step(settings.rate * schedule.factor(step, share))
        step += 1


def _held(
    model: CompactModel,
    before: CompactModel,
    hidden: Tensor,
    was: Tensor,
    sequences: Sequences,
    codes: Tensor,
    target_place: int,
) -> Tensor:
    """Summed cross-entropy of every other place to what the model predicted before."""
    heads = model.place_heads(hidden.dtype)
    with torch.no_grad():
        own = before.place_heads(was.dtype)
        answers = states_by_place(was, sequences, codes, skipped=(target_place,))
    total = hidden.new_zeros((), dtype=torch.float32)
    for place, (_, states) in states_by_place(
        hidden, sequences, codes, skipped=(target_place,)
    ).items():
        with torch.no_grad():
            wanted = functional.linear(answers[place][1], own[place]).float().softmax(1)
        logits = functional.linear(states, heads[place]).float()
        total = total + functional.cross_entropy(logits, wanted, reduction="sum")
    return total


def _taught(
    model: CompactModel,
    hidden: Tensor,
    sequences: Sequences,
    codes: Tensor,
    answers: Tensor,
    place: int,
) -> Tensor:
    """Cross-entropy to the answers in the rows whose target comes last, as the answers assume."""
    position = sequences.position_of[place]
    last = (position == (codes >= 0).sum(1) - 1).nonzero()[:, 0]
    states = hidden[last, position[last]]
    logits = functional.linear(states, model.place_head(place, hidden.dtype)).float()
    return functional.cross_entropy(logits, answers[last])
