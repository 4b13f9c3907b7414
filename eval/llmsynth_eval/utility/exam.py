"""What a learner is asked, and its marks: scores over seeds and holdout resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.utility import row_scores
from llmsynth_eval.utility.learners import LearnerName, fit
from llmsynth_eval.utility.task import TargetTasks, Task

BINS = 10


@dataclass(frozen=True, kw_only=True)
class ScoreMeaning:
    """What a score is called, where it may lie, and which way is better."""

    title: str
    goal: Literal["higher", "lower"]
    low: float
    high: float
    meaning: str


SCORES = {
    "auroc": ScoreMeaning(
        title="AUROC",
        goal="higher",
        low=0.0,
        high=1.0,
        meaning="Ranking quality, one class against the rest, mean over the classes",
    ),
    "auprc": ScoreMeaning(
        title="AUPRC",
        goal="higher",
        low=0.0,
        high=1.0,
        meaning="Average precision, of the rarer of two classes or the mean over more",
    ),
    "macro_f1": ScoreMeaning(
        title="macro F1",
        goal="higher",
        low=0.0,
        high=1.0,
        meaning="F1 of the most probable class, mean over the classes",
    ),
    "brier": ScoreMeaning(
        title="Brier score",
        goal="lower",
        low=0.0,
        high=1.0,
        meaning="Half the mean squared error of the class probabilities",
    ),
    "calibration": ScoreMeaning(
        title="calibration error",
        goal="lower",
        low=0.0,
        high=1.0,
        meaning="Mean gap between probability and frequency in ten equally filled bins",
    ),
    "r2": ScoreMeaning(
        title="R2", goal="higher", low=-np.inf, high=1.0, meaning="Explained variance"
    ),
    "rmse": ScoreMeaning(
        title="RMSE",
        goal="lower",
        low=0.0,
        high=np.inf,
        meaning="Root mean squared error, in the target's unit,",
    ),
}
MAIN = {"number": ("r2", "rmse"), "classes": ("auroc", "auprc", "macro_f1", "brier", "calibration")}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Scores of one learner taught by one table, averaged over seeds."""

    scores: dict[str, Floats]
    """By score: shape (1 + resamples,), the estimate first."""
    seed_deviation: dict[str, float | None]
    """Standard deviation of the estimates over the seeds."""
    class_f1: Floats
    """Shape (labels, 1 + resamples)."""
    probabilities: Floats | None
    """Of the holdout rows, mean over the seeds, shape (rows, labels); None for a number."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """The holdout's questions, with the row weights that all learners share."""

    tasks: TargetTasks
    weights: Floats
    """Shape (1 + resamples, holdout rows); the first is all ones."""
    seed: int

    @property
    def truth(self) -> Codes:
        """Class number of every holdout row."""
        return np.searchsorted(self.tasks.labels, self.tasks.holdout.target).astype(np.int64)

    @property
    def rarer(self) -> int:
        """The class that train holds fewest rows of."""
        target = self.tasks.train.target
        return int(np.argmin([(target == label).sum() for label in self.tasks.labels]))

    def marks(self, learner: LearnerName, task: Task, *, num_seeds: int) -> Marks:
        """Teach a learner a task with several seeds and score it on the holdout."""
        labels = None if self.tasks.is_number else self.tasks.labels
        predicted = [
            fit(learner, self.tasks.columns, task, labels=labels, seed=self.seed + n).predict(
                self.tasks.holdout.features
            )
            # a linear model has no luck of its own
            for n in range(1 if learner == "linear" else num_seeds)
        ]
        if labels is None:
            truth = self.tasks.holdout.target
            found = [
                {
                    "r2": row_scores.r2(truth, values, self.weights),
                    "rmse": row_scores.rmse(truth, values, self.weights),
                }
                for values in predicted
            ]
            return _mean_marks(found, np.empty((0, len(self.weights))), None)
        f1s = np.stack([self._class_f1(p) for p in predicted])
        found = [self._class_scores(p, f1) for p, f1 in zip(predicted, f1s, strict=True)]
        return _mean_marks(found, f1s.mean(axis=0), np.mean(predicted, axis=0))

    def _class_f1(self, probabilities: Floats) -> Floats:
        called = probabilities.argmax(axis=1)
        return np.stack(
            [
                row_scores.f1(self.truth == number, called == number, self.weights)
                for number in range(len(self.tasks.labels))
            ]
        )

    def _class_scores(self, probabilities: Floats, class_f1: Floats) -> dict[str, Floats]:
        truth = self.truth
        present = np.unique(truth)
        ranked = [self.rarer] if len(self.tasks.labels) == 2 else list(present)
        pairs = [(truth == number, probabilities[:, number]) for number in ranked]
        return {
            "auroc": np.mean([row_scores.auroc(*p, self.weights) for p in pairs], axis=0),
            "auprc": np.mean(
                [row_scores.average_precision(*p, self.weights) for p in pairs], axis=0
            ),
            "macro_f1": class_f1[present].mean(axis=0),
            "brier": row_scores.brier(truth, probabilities, self.weights),
            "calibration": calibration_error(truth, probabilities, self.weights),
        }


def calibration_error(truth: Codes, probabilities: Floats, weights: Floats) -> Floats:
    """Expected calibration error in ten equally filled bins, shape (resamples,).

    Of two classes it looks at the second's probability, of more at that of the most probable.

    Source: Naeini, Cooper and Hauskrecht (2015), AAAI, 2901-2907 (with equal frequencies).
    """
    stated, happened = stated_and_happened(truth, probabilities)
    order = np.argsort(stated, kind="stable")
    gaps = np.zeros(len(weights))
    for rows in np.array_split(order, BINS):
        gaps += np.abs(weights[:, rows] @ (stated[rows] - happened[rows]))
    error: Floats = gaps / weights.sum(axis=1)
    return error


def stated_and_happened(truth: Codes, probabilities: Floats) -> tuple[Floats, Floats]:
    """Probability of an event and whether it happened, each of shape (rows,)."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], (truth == 1).astype(np.float64)
    called = probabilities.argmax(axis=1)
    return probabilities[np.arange(len(truth)), called], (truth == called).astype(np.float64)


def _mean_marks(
    found: list[dict[str, Floats]], class_f1: Floats, probabilities: Floats | None
) -> Marks:
    stacked = {score: np.stack([f[score] for f in found]) for score in found[0]}
    return Marks(
        scores={score: values.mean(axis=0) for score, values in stacked.items()},
        seed_deviation={
            score: float(values[:, 0].std(ddof=1)) if len(values) > 1 else None
            for score, values in stacked.items()
        },
        class_f1=class_f1,
        probabilities=probabilities,
    )
