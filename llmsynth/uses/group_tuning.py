"""A few more training steps on the rows of a group alone, for what is to be drawn of it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch

from llmsynth.models.compact import CompactModel
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.learning import NONE_GIVEN_SHARE
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.training.loss import place_losses
from llmsynth.training.sequences import Shuffler

_FEWEST_ROWS, _MOST_ROWS = 10, 1_000
_HELD_OUT = 0.2
_RATE = 3e-4
_MOST_STEPS, _STEPS_A_CHECK, _PATIENCE = 60, 5, 3
_BATCH_ROWS = 64
_ORDERS = 8
"""Orders of columns in which each held-out row is looked at."""


def tuned(synthesizer: Synthesizer, members: pa.Table, *, seed: int) -> Synthesizer:
    """A copy of the synthesizer that has learned more of some rows; the given one stays as it is.

    Under differential privacy, and where columns are only ever given, the given one comes back. A
    fifth of the rows is held out; where these are told no better, nothing is learned. On 20 rows
    of sick_thyroid ten steps were best: more of them learn the rows by heart.

    Args:
        members: train rows of the group, in the columns that were learned.
    """
    if synthesizer.privacy is not None or synthesizer.context:
        return synthesizer
    learner = synthesizer.learner_
    if not isinstance(learner, CompactLearner) or members.num_rows < _FEWEST_ROWS:
        return synthesizer
    members = members.slice(0, _MOST_ROWS)
    codes = encode_leniently(members, learner.language, np.arange(members.num_rows))
    codes[:, sorted(learner.flat)] = -1
    model = _Lesson(learner, torch.from_numpy(codes).long(), seed).learned()
    out = copy.copy(synthesizer)
    out.learner_ = replace(learner, model=model)
    return out


class _Lesson:
    """The rows of one tuning: those to learn, and those that say when to stop."""

    def __init__(self, learner: CompactLearner, codes: torch.Tensor, seed: int) -> None:
        self._model: CompactModel = copy.deepcopy(learner.model).requires_grad_(True)
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(codes), generator=self._generator)
        held = max(int(_HELD_OUT * len(codes)), 2)
        self._held_out, self._rows = codes[order[:held]], codes[order[held:]]
        self._shuffler = Shuffler(
            learner.model.shape.place_sizes,
            torch.from_numpy(learner.language.place_columns),
            learner.model.shape.begin_token,
            usual_order=torch.tensor(learner.order),
            none_given_share=NONE_GIVEN_SHARE,
            token_starts=learner.model.shape.token_starts,
        )

    def learned(self) -> CompactModel:
        """The weights that told the held-out rows best."""
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=_RATE, weight_decay=0.0)
        best, kept, stale = self._checked(), copy.deepcopy(self._model.state_dict()), 0
        for step in range(1, _MOST_STEPS + 1):
            size = (min(_BATCH_ROWS, 3 * len(self._rows)),)
            rows = self._rows[torch.randint(len(self._rows), size, generator=self._generator)]
            (self._loss(rows, self._generator) / len(rows)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            if step % _STEPS_A_CHECK:
                continue
            stale += 1
            if (found := self._checked()) < best:
                best, kept, stale = found, copy.deepcopy(self._model.state_dict()), 0
            if stale == _PATIENCE:
                break
        self._model.load_state_dict(kept)
        return self._model.requires_grad_(False).eval()

    @torch.no_grad()
    def _checked(self) -> float:
        generator = torch.Generator().manual_seed(1)
        return sum(float(self._loss(self._held_out, generator)) for _ in range(_ORDERS))

    def _loss(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        shuffled = self._shuffler(rows, generator)
        losses = place_losses(self._model, shuffled, rows, dtype=torch.float32)
        return torch.stack(losses).sum()
