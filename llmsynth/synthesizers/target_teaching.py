"""After training: the target's relation to the other columns, and its shares in drawn rows.

Boosting finds a rare class in a few hundred rows where the model may miss it. Whether it does is
measured: on rows that neither had learned. Only where boosting is clearly better does the model
learn its answers. Either way the shares of the target's values in drawn rows are set to those of
the table. All of it is bounded by the work of training.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from llmsynth.models.compact import CompactModel
from llmsynth.models.curves import CurvedModel
from llmsynth.synthesizers.lessons import made_up_rows
from llmsynth.synthesizers.preparation import Prepared
from llmsynth.training.compact_run import CompactRun
from llmsynth.training.cross_fitting import CrossFitted
from llmsynth.training.distillation import DistillationSettings, Lessons, distil
from llmsynth.training.loop import TrainingReport, split_rows
from llmsynth.training.target_offset import (
    last_states,
    offsets,
    probabilities,
    shift_to_shares,
)
from llmsynth.training.target_report import TargetReport
from llmsynth.training.teacher import Features

_FEWEST_HELD_OUT = 20
_LEAST = 1e-6
_DRAWN_SHARE, _TAUGHT_SHARE = 0.3, 0.25
"""Rows that are drawn, and made-up rows that are learned, for every row training took a step on:
a drawn row costs a third of a learned one, one that is learned with what the model said before a
half more."""
_FEWEST_DRAWN, _MOST_DRAWN = 3_000, 20_000
_ROUNDS_A_PASS = 40


@dataclass(frozen=True, kw_only=True)
class TargetTask:
    """What is taught, by what, and until when.

    place: the target's only place.
    deadline: `time.perf_counter()` when the fit's time is used up.
    """

    prepared: Prepared
    target: str
    place: int
    run: CompactRun
    trained: TrainingReport
    deadline: float = math.inf

    @property
    def row_steps(self) -> int:
        """Rows that training took a step on."""
        return self.trained.steps * min(self.run.settings.batch_rows, len(self.run.codes))

    @property
    def num_drawn(self) -> int:
        """How many rows are made up at a time."""
        by_work = int(_DRAWN_SHARE * self.row_steps)
        return min(max(by_work, _FEWEST_DRAWN), _MOST_DRAWN)


def teach_target(model: CurvedModel, task: TargetTask) -> tuple[CompactModel, TargetReport]:
    """The finished model: taught by boosting where that is better, the target's shares kept."""
    started = time.perf_counter()
    report, teacher = _compare(model, task)
    if teacher is not None:
        taught = copy.deepcopy(model)
        if _teach(taught, teacher, task):
            model, report = taught, replace(report, taught=True)
        else:
            report = replace(report, reason="time")
    plain = model.folded()
    if not task.prepared.is_to_fill:
        report = _keep_shares(plain, task, report)
    return plain, replace(report, seconds=round(time.perf_counter() - started, 2))


def _compare(model: CurvedModel, task: TargetTask) -> tuple[TargetReport, CrossFitted | None]:
    """Both on the held-out rows; boosting only where it is better by more than chance."""
    report = TargetReport(column=task.target)
    labels = task.prepared.codes[:, task.place].astype(np.int64)
    held_out, _ = split_rows(len(labels), task.run.settings)
    held_out = held_out[torch.from_numpy(labels)[held_out] >= 0]
    if len(held_out) < _FEWEST_HELD_OUT:
        return replace(report, reason="no held-out rows"), None
    if time.perf_counter() > task.deadline:
        return replace(report, reason="time"), None
    known = labels >= 0
    rows = task.prepared.protected.table.filter(pa.array(known))
    schema = task.prepared.language.schema
    if not Features(rows, schema, task.target).native:
        return replace(report, reason="no features"), None
    teacher = CrossFitted(
        rows,
        schema,
        task.target,
        labels[known],
        int(task.prepared.language.place_sizes[task.place]),
        most_rounds=int(_ROUNDS_A_PASS * max(task.trained.epochs, 0.5)),
        deadline=task.deadline,
    )
    numbers = np.cumsum(known) - 1  # of the teacher's rows
    wanted = torch.from_numpy(labels)[held_out]
    own = _of_rows(model, task.run.codes[held_out], task)
    by_teacher = torch.from_numpy(teacher.answers[numbers[held_out.numpy()]])
    losses = [
        -p.gather(1, wanted[:, None])[:, 0].clamp_min(_LEAST).log() for p in (own, by_teacher)
    ]
    gain = losses[0] - losses[1]
    is_better = _is_clear(gain)
    report = replace(
        report,
        held_out_rows=len(held_out),
        model_loss=round(float(losses[0].mean()), 5),
        teacher_loss=round(float(losses[1].mean()), 5),
        reason="better" if is_better else "not better",
    )
    return report, teacher if is_better else None


def _is_clear(gain: Tensor) -> bool:
    """Whether the mean of paired differences lies a standard error above zero."""
    return float(gain.mean()) > float(gain.std()) / math.sqrt(len(gain))


def _losses(answers: Tensor, wanted: Tensor) -> Tensor:
    """-log of what was answered of the true value; (rows,)."""
    return -answers.gather(1, wanted[:, None])[:, 0].clamp_min(_LEAST).log()


def _of_rows(model: CompactModel, codes: Tensor, task: TargetTask) -> Tensor:
    """The model's own P(target | rest) of rows that hold a target; float64 (rows, tokens)."""
    return probabilities(model, _states(model, codes, task), task.place)


def _states(model: CompactModel, codes: Tensor, task: TargetTask) -> Tensor:
    usual = replace(task.run, none_given_share=1.0).shuffler()
    return last_states(model, codes, task.place, usual, task.run.dtype)


def _shares(task: TargetTask) -> Tensor:
    labels = task.prepared.codes[:, task.place]
    size = int(task.prepared.language.place_sizes[task.place])
    counts = np.bincount(labels[labels >= 0], minlength=size)
    return torch.from_numpy(counts / counts.sum())


def _draw(model: CompactModel, task: TargetTask, part: int) -> tuple[pa.Table, Tensor]:
    rows, codes = made_up_rows(
        model,
        task.prepared,
        task.target,
        task.num_drawn,
        seed=task.run.settings.seed + part,
        dtype=task.run.dtype,
    )
    known = codes[:, task.place] >= 0
    return rows.filter(pa.array(known.numpy())), codes[known]


def _teach(model: CurvedModel, teacher: CrossFitted, task: TargetTask) -> bool:
    """Have the model learn the teacher's answers; False where no time is left for it."""
    started = time.perf_counter()
    rows, codes = _draw(model.folded(), task, 99)
    drawing = time.perf_counter() - started
    # What is left, less the second drawing by which shares are kept.
    left = task.deadline - time.perf_counter() - drawing
    if left <= 0:
        return False
    logits = torch.from_numpy(teacher.probabilities(rows)).clamp_min(_LEAST).log()
    answers = (logits + offsets(logits, _shares(task))).softmax(1).float()
    passes = _TAUGHT_SHARE * task.row_steps / max(len(codes), 1)
    distil(
        model.train(),
        Lessons(codes=codes, answers=answers),
        target_place=task.place,
        shuffler=task.run.shuffler(),
        # The model is to stay where it is: no decay.
        training=replace(task.run.settings, weight_decay=0.0),
        settings=DistillationSettings(
            passes=passes, max_seconds=None if math.isinf(left) else left
        ),
        dtype=task.run.dtype,
    )
    return True


def _keep_shares(model: CompactModel, task: TargetTask, report: TargetReport) -> TargetReport:
    shares = _shares(task)
    _, codes = _draw(model, task, 98)
    states = _states(model, codes, task)
    before = probabilities(model, states, task.place).mean(0)
    shift_to_shares(model, states, task.place, shares)
    after = probabilities(model, states, task.place).mean(0)
    language = task.prepared.language
    code = language.codes[language.schema.names.index(task.target)]
    found = {
        code.token_text(0, token): {
            "table": round(float(shares[token]), 4),
            "before": round(float(before[token]), 4),
            "after": round(float(after[token]), 4),
        }
        for token in range(len(shares))
        if shares[token] > 0
    }
    return replace(report, rows_drawn=len(codes), shares=found)
