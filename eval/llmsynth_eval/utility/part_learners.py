"""Sixteen small learners of equally many rows each, half of them taught by synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.utility.exchange_test import PARTS
from llmsynth_eval.utility.importance import permutation_importance
from llmsynth_eval.utility.learners import Model, fit
from llmsynth_eval.utility.task import TargetTasks, Task

PART_ROWS = 2_000
FEWEST_PART_ROWS = 50
EXAM_ROWS = 10_000
SHUFFLED_ROWS = 1_000


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Sixteen learners of equally many rows each, eight of them taught by synthetic rows."""

    real: tuple[Model, ...]
    synthetic: tuple[Model, ...]
    tasks: TargetTasks
    """With the classes that are compared, and the holdout rows that are asked about."""
    part_rows: int

    def explained(self, models: tuple[Model, ...]) -> Floats:
        """Explained share of every model on the holdout, shape (models,)."""
        holdout, base = self.tasks.holdout, self._base()
        return np.array([1 - self._losses(m, holdout, holdout.features)[0] / base for m in models])

    def importances(self, models: tuple[Model, ...], *, seed: int) -> Floats:
        """Explained share that each column's shuffling costs, shape (models, columns)."""
        rows = self.tasks.holdout.sample(SHUFFLED_ROWS, np.random.default_rng((seed, 6)))
        columns, base = self.tasks.columns, self._base()
        found = [
            permutation_importance(
                partial(self._losses, model, rows), rows.features, columns, seed=seed
            )
            for model in models
        ]
        return np.stack(found) / base

    def _losses(self, model: Model, exam: Task, features: Floats) -> Floats:
        """Loss of each block of as many rows as the exam has, shape (blocks,).

        Half the squared distance of the probabilities (Brier), or the squared error of a number.
        """
        predicted = model.predict(features)
        shape = (-1, exam.num_rows, *predicted.shape[1:])
        blocks = predicted.reshape(shape)
        if self.tasks.is_number:
            losses: Floats = np.mean((blocks - exam.target) ** 2, axis=1)
        else:
            actual = exam.target[:, None] == self.tasks.labels
            losses = np.mean(((blocks - actual) ** 2).sum(axis=2), axis=1) / 2
        return losses

    def _base(self) -> float:
        """Loss of the best constant."""
        truth = self.tasks.holdout.target
        if self.tasks.is_number:
            return float(truth.var())
        shares = np.mean(truth[:, None] == self.tasks.labels, axis=0)
        return float((1 - (shares**2).sum()) / 2)


def teach(tasks: TargetTasks, *, seed: int) -> tuple[Lessons | None, list[str]]:
    """Teach eight learners by disjoint parts of train and eight by parts of the synthetic table.

    Returns:
        The learners, or None, and notes; the last note says why there are none.
    """
    notes: list[str] = []
    if not tasks.is_number:
        tasks, notes = _shared_classes(tasks)
        if len(np.unique(tasks.holdout.target)) < 2:
            return None, ["the synthetic table holds fewer than two of the target's classes."]
    part_rows = min(PART_ROWS, tasks.train.num_rows // PARTS, tasks.synthetic.num_rows // PARTS)
    if part_rows < FEWEST_PART_ROWS:
        return None, [
            f"train and synthetic need {PARTS * FEWEST_PART_ROWS} rows with a target each."
        ]
    holdout = tasks.holdout.sample(EXAM_ROWS, np.random.default_rng((seed, 5)))
    asked = replace(tasks, holdout=holdout)
    notes += _sample_notes(tasks, part_rows, seed=seed)
    return Lessons(
        real=_taught(asked, asked.train, part_rows, seed=seed),
        synthetic=_taught(asked, asked.synthetic, part_rows, seed=seed),
        tasks=asked,
        part_rows=part_rows,
    ), notes


def _shared_classes(tasks: TargetTasks) -> tuple[TargetTasks, list[str]]:
    """The tasks over the classes that all three tables hold."""
    held = [np.isin(tasks.labels, task.target) for task in (tasks.train, tasks.synthetic)]
    is_shared = held[0] & held[1]
    labels = tasks.labels[is_shared]
    if is_shared.all():
        return tasks, []
    lost = ", ".join(tasks.label_text(label) for label in tasks.labels[~is_shared])
    train, synthetic, holdout = (
        task.take(np.flatnonzero(np.isin(task.target, labels)))
        for task in (tasks.train, tasks.synthetic, tasks.holdout)
    )
    shared = replace(tasks, train=train, synthetic=synthetic, holdout=holdout, labels=labels)
    return shared, [f"Target: classes missing from a table are not compared: {lost}."]


def _taught(tasks: TargetTasks, source: Task, part_rows: int, *, seed: int) -> tuple[Model, ...]:
    order = np.random.default_rng((seed, 4)).permutation(source.num_rows)
    labels = None if tasks.is_number else tasks.labels
    models = []
    for part in order[: PARTS * part_rows].reshape(PARTS, part_rows):
        task = source.take(np.sort(part))
        weights = None if labels is None else _class_weights(task, tasks.holdout, labels)
        models.append(fit("short", tasks.columns, task, labels=labels, seed=seed, weights=weights))
    return tuple(models)


def _class_weights(task: Task, holdout: Task, labels: Floats) -> Floats:
    """Row weights that give a part the holdout's class shares."""
    wanted = np.mean(holdout.target[:, None] == labels, axis=0)
    is_class = task.target[:, None] == labels
    found = is_class.mean(axis=0)
    factor = np.divide(wanted, found, out=np.zeros_like(found), where=found > 0)
    weights: Floats = is_class @ factor
    return weights


def _sample_notes(tasks: TargetTasks, part_rows: int, *, seed: int) -> list[str]:
    used = PARTS * part_rows
    notes = []
    if used < max(tasks.train.num_rows, tasks.synthetic.num_rows):
        notes.append(
            f"Target: {PARTS} parts of {part_rows:,} rows of train and of synthetic teach, "
            f"drawn by seed {seed}."
        )
    if tasks.holdout.num_rows > EXAM_ROWS:
        notes.append(f"Target: {EXAM_ROWS:,} holdout rows are asked, drawn by seed {seed}.")
    return notes
