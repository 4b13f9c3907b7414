"""What synthetic rows of a rare class are like: copied, varied, and of their class?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import DetailTable
from llmsynth_eval.row_groups import group_rows
from llmsynth_eval.utility.learners import fit
from llmsynth_eval.utility.rebalancing import RareTask, balanced_weights
from llmsynth_eval.utility.task import Task

NUM_PAIRS = 10_000


@dataclass(frozen=True, kw_only=True)
class RareRows:
    """The rare class's synthetic rows beside its train rows."""

    num_rows: int
    copy_share: float
    """Share of the synthetic rows that equal a train row of the class, cell by cell."""
    unique_share: float
    """Distinct rows over rows."""
    train_unique_share: float
    distance: float | None
    """Mean Gower distance of random pairs; None below two rows."""
    train_distance: float | None
    consistency: float
    """Mean probability of the class by a class-balanced learner taught by the test rows."""
    train_consistency: float

    def table(self, minority: str) -> DetailTable:
        """All of it as a table to show."""
        return DetailTable(
            name="rare_rows",
            title=f"Synthetic rows of {minority}",
            columns=("Question", "Synthetic", "Train"),
            rows=(
                ("copies of a train row, share", self.copy_share, None),
                (
                    "probability of the class by a learner of test",
                    self.consistency,
                    self.train_consistency,
                ),
                ("distinct rows, share", self.unique_share, self.train_unique_share),
                ("mean Gower distance of two rows", self.distance, self.train_distance),
            ),
            meaning="Good rows are no copies, as different from each other as train's, and as "
            "likely to be of the class by a learner that saw neither.",
        )


def rare_rows(task: RareTask, test: Task, *, seed: int) -> RareRows:
    """Describe the synthetic rows of the rare class.

    Source of the distance: J. C. Gower (1971), Biometrics 27, 857-871, with the ranges of train;
    a missing number differs from a value by 1.
    """
    rare, made = task.train.features[task.train.target == 1], task.synthetic
    groups = group_rows(*(CodedTable(columns=task.columns, cells=cells) for cells in (rare, made)))
    ranges = _ranges(task)
    judge = fit(
        "boosting",
        task.columns,
        test,
        labels=np.array([0.0, 1.0]),
        seed=seed,
        weights=balanced_weights(test.target),
    )
    return RareRows(
        num_rows=len(made),
        copy_share=float(np.isin(groups[1], groups[0]).mean()),
        unique_share=len(np.unique(groups[1])) / len(made),
        train_unique_share=len(np.unique(groups[0])) / len(rare),
        distance=_mean_distance(made, ranges, seed=seed),
        train_distance=_mean_distance(rare, ranges, seed=seed),
        consistency=float(judge.predict(made)[:, 1].mean()),
        train_consistency=float(judge.predict(rare)[:, 1].mean()),
    )


def _ranges(task: RareTask) -> Floats:
    """Range of each number in train, NaN for a category."""
    out = np.full(len(task.columns), np.nan)
    for number, column in enumerate(task.columns):
        values = task.train.features[:, number]
        if column.is_numeric:
            known = values[~np.isnan(values)]
            out[number] = (np.ptp(known) if len(known) else 0.0) or 1.0
    return out


def _mean_distance(cells: Floats, ranges: Floats, *, seed: int) -> float | None:
    if len(cells) < 2:
        return None
    rng = np.random.default_rng((seed, 15))
    first = rng.integers(0, len(cells), NUM_PAIRS)
    second = (first + rng.integers(1, len(cells), NUM_PAIRS)) % len(cells)
    a, b = cells[first], cells[second]
    apart = np.where(np.isnan(ranges), a != b, np.minimum(np.abs(a - b) / ranges, 1.0))
    gone = np.isnan(a), np.isnan(b)
    apart = np.where(gone[0] | gone[1], gone[0] != gone[1], apart)
    return float(apart.mean())
