"""Ways to make a rare class count: weights, repeated rows, interpolated rows, synthetic rows."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn
from llmsynth_eval.utility.task import Task

NEIGHBOURS = 5
ArmKind = Literal[
    "nothing",
    "class weights",
    "threshold tuning",
    "random oversampling",
    "SMOTE-NC",
    "ADASYN",
    "synthetic rows",
]
NEEDS_IMBALANCED_LEARN: tuple[ArmKind, ...] = ("SMOTE-NC", "ADASYN")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way, and how many rows it adds."""

    kind: ArmKind
    num_added: int = 0

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.num_added:,} added" if self.num_added else self.kind


@dataclass(frozen=True, kw_only=True)
class RareTask:
    """Train rows with target 1 for the rare class and 0 for the rest, and what could be added."""

    columns: tuple[CodedColumn, ...]
    train: Task
    synthetic: Floats
    """Features of the synthetic rows of the rare class, shape (rows, columns)."""

    @property
    def num_rare(self) -> int:
        return int(self.train.target.sum())

    def lesson(self, arm: Arm, *, seed: int) -> tuple[Task, Floats | None] | str:
        """What an arm teaches a learner by, with row weights; or why it cannot."""
        if arm.kind in ("nothing", "threshold tuning"):
            return self.train, None
        if arm.kind == "class weights":
            return self.train, balanced_weights(self.train.target)
        rng = np.random.default_rng((seed, arm.num_added))
        if arm.kind == "random oversampling":
            rare = self.train.features[self.train.target == 1]
            return self._with(rare[rng.integers(0, len(rare), arm.num_added)]), None
        if arm.kind == "synthetic rows":
            chosen = rng.permutation(len(self.synthetic))[: arm.num_added]
            return self._with(self.synthetic[np.sort(chosen)]), None
        if self.num_rare < 2:
            return "it needs two rows of the rare class."
        made = _interpolated(self, arm, seed=seed)
        return made if isinstance(made, str) else (self._with(made), None)

    def _with(self, features: Floats) -> Task:
        return Task(
            features=np.concatenate([self.train.features, features]),
            target=np.concatenate([self.train.target, np.ones(len(features))]),
        )


def balanced_weights(target: Floats) -> Floats:
    """Row weights that make the classes 0 and 1 weigh the same, mean 1."""
    share = target.mean()
    weights: Floats = np.where(target == 1, 0.5 / share, 0.5 / (1 - share))
    return weights


def has_imbalanced_learn() -> bool:
    """Whether the package of SMOTE-NC and ADASYN is installed."""
    return importlib.util.find_spec("imblearn") is not None


def _interpolated(task: RareTask, arm: Arm, *, seed: int) -> Floats | str:
    """Rows that SMOTE-NC or ADASYN makes up, in the table's own codes."""
    try:
        return _smote(task, arm, seed=seed) if arm.kind == "SMOTE-NC" else _adasyn(task, arm, seed)
    except (ValueError, RuntimeError) as error:
        return f"imbalanced-learn says: {str(error).splitlines()[0]}"


def _smote(task: RareTask, arm: Arm, *, seed: int) -> Floats:
    """SMOTE-NC; of numbers alone that is SMOTE, of categories alone SMOTE-N.

    Numbers are standardised for SMOTE; SMOTE-NC does so itself.
    """
    # a heavy package that only these arms need
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    space = _Dummies(task.columns, task.train.features)
    labels = task.train.target.astype(int)
    asked = {
        "sampling_strategy": {1: task.num_rare + arm.num_added},
        "k_neighbors": min(NEIGHBOURS, task.num_rare - 1),
        "random_state": seed,
    }
    if not space.categories:
        made, _ = SMOTE(**asked).fit_resample(space.encode(task.train.features), labels)
        return space.decode(made[len(labels) :])
    if len(space.categories) == len(task.columns):
        made, _ = SMOTEN(**asked).fit_resample(task.train.features.astype(np.int64), labels)
    else:
        sampler = SMOTENC(categorical_features=space.categories, **asked)
        made, _ = sampler.fit_resample(space.filled(task.train.features), labels)
    return np.asarray(made[len(labels) :], dtype=np.float64)


def _adasyn(task: RareTask, arm: Arm, seed: int) -> Floats:
    from imblearn.over_sampling import ADASYN

    space = _Dummies(task.columns, task.train.features)
    sampler = ADASYN(
        sampling_strategy={1: task.num_rare + arm.num_added},
        n_neighbors=min(NEIGHBOURS, task.num_rare - 1),
        random_state=seed,
    )
    encoded = space.encode(task.train.features)
    made, _ = sampler.fit_resample(encoded, task.train.target.astype(int))
    return space.decode(made[len(encoded) :])


class _Dummies:
    """Standardised numbers and one dummy a category, and the way back."""

    def __init__(self, columns: Sequence[CodedColumn], cells: Floats) -> None:
        self.categories = [n for n, column in enumerate(columns) if not column.is_numeric]
        self.numbers = [n for n, column in enumerate(columns) if column.is_numeric]
        self._sizes = [len(columns[n].levels) for n in self.categories]
        known = [cells[~np.isnan(cells[:, n]), n] for n in self.numbers]
        self._medians = np.array([np.median(c) if len(c) else 0.0 for c in known])
        self._deviations = np.array([(c.std() if len(c) else 0.0) or 1.0 for c in known])

    def filled(self, cells: Floats) -> Floats:
        """Missing numbers replaced by their median."""
        out = cells.copy()
        for place, number in enumerate(self.numbers):
            out[np.isnan(out[:, number]), number] = self._medians[place]
        return out

    def encode(self, cells: Floats) -> Floats:
        """Shape (rows, numbers + dummies)."""
        filled = self.filled(cells)
        parts = [(filled[:, self.numbers] - self._medians) / self._deviations]
        for number, size in zip(self.categories, self._sizes, strict=True):
            parts.append(np.eye(size)[filled[:, number].astype(np.int64)])
        return np.hstack(parts)

    def decode(self, encoded: Floats) -> Floats:
        """Codes again; of interpolated dummies the largest wins."""
        out = np.empty((len(encoded), len(self.numbers) + len(self.categories)))
        start = len(self.numbers)
        out[:, self.numbers] = encoded[:, :start] * self._deviations + self._medians
        for number, size in zip(self.categories, self._sizes, strict=True):
            out[:, number] = encoded[:, start : start + size].argmax(axis=1)
            start += size
        return out
