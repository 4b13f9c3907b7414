"""C2ST: can a classifier tell synthetic rows from train rows?"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.model_selection import StratifiedKFold

from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.figure import Figure, Goal, Interval
from llmsynth_eval.intervals import delong
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.learner import MAX_CATEGORIES, class_probabilities

FOLDS = 3


class C2st:
    """AUC of a classifier two-sample test, from out-of-fold predictions of three folds.

    Both sides have equally many rows (the larger is subsampled by the seed). Below .5 means
    that synthetic rows repeat train rows: a learned copy then votes for the wrong side.

    The interval is for the classifiers as fitted; they vary too (in small tables of equal rows
    the AUC spread about a quarter more than the interval says), so read it beside the floor.

    Source: Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests", ICLR.
    """

    name: ClassVar[str] = "c2st"
    goal: ClassVar[Goal] = "half"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        train, seed = comparison.train, comparison.seed
        value, interval = two_sample_auc(train, comparison.synthetic, seed=seed)
        floor: tuple[float | None, Interval | None] = (None, None)
        if comparison.with_floor:
            floor = two_sample_auc(train, comparison.holdout, seed=seed)
        figure = Figure(
            name=self.name,
            title="C2ST AUC",
            value=value,
            interval=interval,
            floor=floor[0],
            floor_interval=floor[1],
            goal=self.goal,
            meaning="How well a classifier tells synthetic rows from real ones; .5 is not at all.",
        )
        return Measurement(figures=(figure,), notes=tuple(_notes(comparison, value)))


def _notes(comparison: Comparison, value: float | None) -> list[str]:
    if value is None:
        return [f"C2ST needs at least {FOLDS} rows in every table; it was left out."]
    wide = [c.name for c in comparison.train.columns if len(c.levels) > MAX_CATEGORIES]
    if not wide:
        return []
    return [
        f"C2ST orders the categories of {', '.join(wide)} (more than {MAX_CATEGORIES}) by train "
        "frequency, which shows those that train lacks: fresh real rows are above .5 too, so read "
        "it against the floor."
    ]


def two_sample_auc(
    train: CodedTable, other: CodedTable, *, seed: int
) -> tuple[float | None, Interval | None]:
    """AUC of telling `other` from `train`, with its DeLong interval; None below three rows."""
    num_rows = min(train.num_rows, other.num_rows)
    if num_rows < FOLDS:
        return None, None
    sides = [t.sample(num_rows, np.random.default_rng(seed)).cells for t in (train, other)]
    cells = np.concatenate(sides)
    is_other = np.repeat([False, True], num_rows)
    scores = np.empty(2 * num_rows)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fit_rows, score_rows in folds.split(cells, is_other):
        _, probabilities = class_probabilities(
            train.columns,
            fit_cells=cells[fit_rows],
            labels=is_other[fit_rows].astype(np.float64),
            score_cells=cells[score_rows],
            seed=seed,
        )
        scores[score_rows] = probabilities[:, 1]
    return delong(is_other, scores)
