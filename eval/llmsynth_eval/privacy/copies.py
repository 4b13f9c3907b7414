"""Copies: how many synthetic rows are train rows, beyond what chance repeats."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.intervals import paired_difference, wilson
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_groups import group_rows, num_duplicates


class Copies:
    """Share of synthetic rows equal to a train row in every judged column.

    Tables of few columns repeat rows by chance; therefore the excess is given as well: the
    share equal to a train row less the share equal to a holdout row, where the larger of
    train and holdout is first subsampled to the size of the smaller.
    """

    name: ClassVar[str] = "copies"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        train, synthetic, holdout = group_rows(
            comparison.train, comparison.synthetic, comparison.holdout
        )
        size = min(len(train), len(holdout))
        rng = np.random.default_rng(comparison.seed)
        in_train = np.isin(synthetic, rng.choice(train, size=size, replace=False))
        in_holdout = np.isin(synthetic, rng.choice(holdout, size=size, replace=False))
        copied = int(np.isin(synthetic, train).sum())
        only_train = int((in_train & ~in_holdout).sum())
        only_holdout = int((in_holdout & ~in_train).sum())
        repeated = int(np.isin(holdout, train).sum())
        rows = len(synthetic)
        with_floor = comparison.with_floor
        share = Figure(
            name=self.name,
            title="Exact copies",
            value=copied / rows,
            interval=wilson(copied, rows),
            floor=repeated / len(holdout) if with_floor else None,
            floor_interval=wilson(repeated, len(holdout)) if with_floor else None,
            goal=self.goal,
            meaning="Share of synthetic rows that are equal to a train row.",
        )
        excess = Figure(
            name="copy_excess",
            title="Copy excess",
            value=(only_train - only_holdout) / rows,
            interval=paired_difference(only_train, only_holdout, rows),
            floor=0.0 if with_floor else None,
            goal="lower",
            meaning="Copies of train rows beyond copies of as many unseen rows; 0 is none.",
        )
        counts = {
            "synthetic rows equal to a train row": copied,
            "holdout rows equal to a train row": repeated,
            "rows in the equal-sized train and holdout samples": size,
            "synthetic rows equal to a row of the train sample": int(in_train.sum()),
            "synthetic rows equal to a row of the holdout sample": int(in_holdout.sum()),
            "repeated rows within synthetic": num_duplicates(synthetic),
            "repeated rows within train": num_duplicates(train),
        }
        return Measurement(figures=(share, excess), counts=counts)
