"""The target to predict and the columns to predict it from, in tables put into one fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable, Codes
from llmsynth_eval.metric import Comparison

MAX_CLASSES = 50


@dataclass(frozen=True, kw_only=True)
class Task:
    """One table as features and a target; rows without a target are gone."""

    features: Floats
    target: Floats

    @property
    def num_rows(self) -> int:
        return len(self.target)

    def take(self, rows: Codes) -> Task:
        """The task's chosen rows."""
        return Task(features=self.features[rows], target=self.target[rows])

    def sample(self, num_rows: int, rng: np.random.Generator) -> Task:
        """At most `num_rows` rows, drawn without replacement and kept in order."""
        if self.num_rows <= num_rows:
            return self
        return self.take(np.sort(rng.choice(self.num_rows, size=num_rows, replace=False)))


@dataclass(frozen=True, kw_only=True)
class TargetTasks:
    """The same question asked of the three tables of a comparison."""

    train: Task
    synthetic: Task
    holdout: Task
    columns: tuple[CodedColumn, ...]
    """What the features stand for, by name."""
    target: CodedColumn
    labels: Floats
    """Distinct target values of train and holdout, ascending."""

    @property
    def is_number(self) -> bool:
        """Whether a number is predicted; two values are classes, whatever their type."""
        return self.target.is_numeric and len(self.labels) > 2

    def label_text(self, label: float) -> str:
        """What a person calls a class."""
        if self.target.is_numeric:
            return f"{label:g}"
        return str(self.target.levels[int(label)])


def target_tasks(comparison: Comparison) -> TargetTasks | str:
    """The comparison's target and features, or why there is nothing to predict.

    Columns are put in the order of their names and rows in the order of their cells, so that
    every figure is the same in whichever order they came.
    """
    if comparison.target is None:
        return "no target was named."
    columns = comparison.train.columns
    number = comparison.train.index(comparison.target)
    order = sorted((c.name, n) for n, c in enumerate(columns) if n != number)
    numbers = [n for _, n in order]
    synthetic, train, holdout = (
        _in_order(task_of(table, number, numbers))
        for table in (comparison.synthetic, comparison.train, comparison.holdout)
    )
    features = [columns[n] for n in numbers]
    labels = np.unique(np.concatenate([train.target, holdout.target]))
    problem = problem_of(features, columns[number], labels, train=train, holdout=holdout)
    if problem:
        return problem
    return TargetTasks(
        train=train,
        synthetic=synthetic,
        holdout=holdout,
        columns=tuple(features),
        target=columns[number],
        labels=labels,
    )


def task_of(table: CodedTable, number: int, features: Sequence[int]) -> Task:
    """The table's rows that hold a target in column `number`, with the chosen features."""
    target = table.cells[:, number]
    known = ~np.isnan(target)
    levels = table.columns[number].levels
    if None in levels:
        known &= target != levels.index(None)
    return Task(features=table.cells[known][:, list(features)], target=np.array(target[known]))


def problem_of(
    features: Sequence[CodedColumn],
    target: CodedColumn,
    labels: Floats,
    *,
    train: Task,
    holdout: Task,
) -> str:
    """Why a target cannot be predicted from these tables; empty if it can."""
    if not features:
        return "the target is the only column."
    if train.num_rows < 2 or holdout.num_rows < 2:
        return "train and holdout need two rows with a target each."
    if len(np.unique(holdout.target)) < 2:
        return "the target has one value in the holdout."
    if not target.is_numeric and len(labels) > MAX_CLASSES:
        return f"the target has {len(labels)} categories, more than {MAX_CLASSES}."
    return ""


def _in_order(task: Task) -> Task:
    return task.take(np.lexsort((task.target, *task.features.T)).astype(np.int64))
