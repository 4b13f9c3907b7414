"""Every way to treat a rare class, taught with several seeds and scored on the same test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from llmsynth_eval.bootstrap import resample_weights
from llmsynth_eval.cells import Floats
from llmsynth_eval.details import Cell
from llmsynth_eval.figure import Interval
from llmsynth_eval.utility import row_scores
from llmsynth_eval.utility.learners import TITLES, LearnerName, fit
from llmsynth_eval.utility.rebalancing import Arm, RareTask
from llmsynth_eval.utility.task import Task

RESAMPLES = 200
LEVEL = 0.05
FOLDS = 3
FALSE_POSITIVES = 0.001
LABELS = np.array([0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """Scores of one learner under one arm, means over the seeds."""

    learner: LearnerName
    arm: Arm
    auprc: float
    auprc_interval: Interval | None
    difference: float
    """AUPRC less that of doing nothing."""
    difference_interval: Interval
    """95%, not corrected."""
    auroc: float
    f1: float
    recall: float | None
    """Recall at 0.1% false positives; None with fewer than 1,000 test rows of other classes."""
    brier: float
    """Brier score after the odds were put back to train's class shares."""

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "AUPRC",
        "Low",
        "High",
        "Less nothing",
        "Low of it",
        "High of it",
        "AUROC",
        "F1",
        "Recall at FPR .001",
        "Brier",
    )

    def cells(self) -> tuple[Cell, ...]:
        """The result as a table's row."""
        low, high = self.auprc_interval or (None, None)
        title = f"{TITLES[self.learner]}, {self.arm.title}"
        scores = (self.auroc, self.f1, self.recall, self.brier)
        return (title, self.auprc, low, high, self.difference, *self.difference_interval, *scores)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One learner under all arms."""

    rows: list[ArmResult]
    differences: dict[int, dict[str, tuple[float, Interval]]]
    """By synthetic rows added and by rival: AUPRC difference, interval corrected for amounts."""
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The test that all arms sit."""

    task: RareTask
    test: Task
    num_seeds: int
    seed: int

    def score(self, learner: LearnerName, arms: list[Arm]) -> Scored:
        """Teach and score all arms; one that cannot be taught is left out with a note."""
        predicted: dict[Arm, Floats] = {}
        notes = []
        for arm in arms:
            found = self._predicted(learner, arm)
            if isinstance(found, str):
                notes.append(f"{arm.kind} was left out: {found}")
            else:
                predicted[arm] = found
        is_rare = self.test.target == 1
        rng = np.random.default_rng((self.seed, 14))
        weights = resample_weights(len(is_rare), rng, resamples=RESAMPLES)
        auprcs = {
            arm: np.stack([row_scores.average_precision(is_rare, p, weights) for p in found])
            for arm, found in predicted.items()
        }
        nothing = Arm(kind="nothing")
        rows = [
            self._row(learner, arm, found, auprcs[arm], auprcs[nothing])
            for arm, found in predicted.items()
        ]
        return Scored(rows=rows, differences=_differences(auprcs), notes=notes)

    def _predicted(self, learner: LearnerName, arm: Arm) -> Floats | str:
        """Probability of the rare class for each test row, shape (seeds, rows)."""
        out = np.empty((self.num_seeds, self.test.num_rows))
        for n in range(self.num_seeds):
            lesson = self.task.lesson(arm, seed=self.seed + n)
            if isinstance(lesson, str):
                return lesson
            task, weights = lesson
            model = fit(
                learner,
                self.task.columns,
                task,
                labels=LABELS,
                seed=self.seed + n,
                weights=weights,
            )
            out[n] = model.predict(self.test.features)[:, 1]
        return out

    def _row(
        self, learner: LearnerName, arm: Arm, found: Floats, auprc: Floats, nothing: Floats
    ) -> ArmResult:
        is_rare, one = self.test.target == 1, np.ones((1, self.test.num_rows))
        threshold = self._threshold(learner) if arm.kind == "threshold tuning" else 0.5
        difference, interval = paired(auprc - nothing, level=LEVEL)
        corrected = [self._with_train_shares(p, arm) for p in found]
        truth = is_rare.astype(np.int64)
        return ArmResult(
            learner=learner,
            arm=arm,
            auprc=float(auprc[:, 0].mean()),
            auprc_interval=row_scores.interval(auprc.mean(axis=0), low=0.0, high=1.0),
            difference=difference,
            difference_interval=interval,
            auroc=float(np.mean([row_scores.auroc(is_rare, p, one)[0] for p in found])),
            f1=float(np.mean([row_scores.f1(is_rare, p >= threshold, one)[0] for p in found])),
            recall=_recall(is_rare, found),
            brier=float(
                np.mean(
                    [
                        row_scores.brier(truth, np.column_stack([1 - p, p]), one)[0]
                        for p in corrected
                    ]
                )
            ),
        )

    def _threshold(self, learner: LearnerName) -> float:
        """The cut that gives the best F1 on train, by out-of-fold probabilities."""
        train = self.task.train
        if self.task.num_rare < FOLDS:
            return 0.5
        scores = np.empty(train.num_rows)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        for taught, asked in folds.split(train.features, train.target):
            model = fit(
                learner, self.task.columns, train.take(taught), labels=LABELS, seed=self.seed
            )
            scores[asked] = model.predict(train.features[asked])[:, 1]
        order = np.argsort(-scores, kind="stable")
        hits = np.cumsum(train.target[order])
        f1s = 2 * hits / (np.arange(1, len(order) + 1) + train.target.sum())
        return float(scores[order][int(f1s.argmax())])

    def _with_train_shares(self, probabilities: Floats, arm: Arm) -> Floats:
        """Odds divided by how much likelier the arm made the rare class.

        Source: Saerens, Latinne and Decaestecker (2002), Neural Computation 14, 21-41, eq. 2.4.
        """
        train = self.task.train.target
        odds = train.sum() / (len(train) - train.sum())
        taught = 1.0 if arm.kind == "class weights" else None
        if taught is None:
            taught = (train.sum() + arm.num_added) / (len(train) - train.sum())
        factor = odds / taught
        corrected: Floats = probabilities * factor
        return corrected / (corrected + 1 - probabilities)


def paired(differences: Floats, *, level: float) -> tuple[float, Interval]:
    """Mean over seeds of a difference and its interval.

    Args:
        differences: shape (seeds, 1 + resamples), the estimates first.
    """
    value = float(differences[:, 0].mean())
    bootstrap = float(np.nanstd(differences[:, 1:].mean(axis=0), ddof=1))
    seeds = float(differences[:, 0].std(ddof=1)) / math.sqrt(len(differences))
    half = float(norm.ppf(1 - level / 2)) * math.hypot(bootstrap, seeds)
    return value, (value - half, value + half)


def _differences(auprcs: dict[Arm, Floats]) -> dict[int, dict[str, tuple[float, Interval]]]:
    added = [arm for arm in auprcs if arm.kind == "synthetic rows"]
    out: dict[int, dict[str, tuple[float, Interval]]] = {}
    for arm in added:
        rivals = [
            rival
            for rival in auprcs
            if rival.kind not in ("synthetic rows", "threshold tuning")
            and (rival.kind != "random oversampling" or rival.num_added == arm.num_added)
        ]
        out[arm.num_added] = {
            rival.kind: paired(auprcs[arm] - auprcs[rival], level=LEVEL / len(added))
            for rival in rivals
        }
    return out


def _recall(is_rare: np.ndarray, found: Floats) -> float | None:
    others = int((~is_rare).sum())
    if others * FALSE_POSITIVES < 1:
        return None
    allowed = int(others * FALSE_POSITIVES)
    # a positive counts when it lies above the first negative that is not allowed
    limits = -np.partition(-found[:, ~is_rare], allowed, axis=1)[:, allowed]
    return float(np.mean(found[:, is_rare] > limits[:, None]))
