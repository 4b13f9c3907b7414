"""DCR share: are synthetic rows nearer to the rows the model saw than to rows it did not?"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.nearest import Space, nearest_distances

TIE = 1e-9


class DcrShare:
    """Share of synthetic rows whose nearest record in train is nearer than in the holdout.

    Train and holdout are cut to equal size; a tie counts half; the interval is Wilson's. The
    floor is .5 by definition. The share has little power (n rows detect a copied fraction of
    about 1.96 / sqrt(n)), so it is shown beside the count of exact copies.
    """

    name: ClassVar[str] = "dcr_share"
    goal: ClassVar[Goal] = "half"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        train, holdout = references(comparison)
        space = Space(comparison.train)
        rows = space.place(comparison.synthetic)
        to_train = nearest_distances(rows, space.place(train))
        to_holdout = nearest_distances(rows, space.place(holdout))
        nearer, tied = nearer_and_tied(to_train, to_holdout)
        num_rows = comparison.synthetic.num_rows
        figure = share_figure(nearer, tied, num_rows, with_floor=comparison.with_floor)
        counts = {
            "synthetic rows measured for the DCR share": num_rows,
            "rows in each DCR reference": train.num_rows,
            "synthetic rows nearer to train": nearer,
            "synthetic rows as near to both": tied,
        }
        return Measurement(figures=(figure,), counts=counts)


def references(comparison: Comparison) -> tuple[CodedTable, CodedTable]:
    """As many rows of train as of the holdout, drawn by the seed."""
    size = min(comparison.train.num_rows, comparison.holdout.num_rows)
    rng = np.random.default_rng(comparison.seed)
    return comparison.train.sample(size, rng), comparison.holdout.sample(size, rng)


def share_figure(nearer: int, tied: int, num_rows: int, *, with_floor: bool) -> Figure:
    """The figure of so many rows nearer to train, and as near to both."""
    successes = nearer + tied / 2
    return Figure(
        name=DcrShare.name,
        title="DCR share",
        value=successes / num_rows,
        interval=wilson(successes, num_rows),
        floor=0.5 if with_floor else None,
        goal=DcrShare.goal,
        meaning="Share of synthetic rows nearer to a train row than to an unseen real row.",
    )


def nearer_and_tied(to_train: Floats, to_holdout: Floats) -> tuple[int, int]:
    """How many rows are nearer to train, and how many as near to both, from squared distances."""
    tied = np.abs(to_train - to_holdout) <= TIE * to_holdout
    nearer = (to_train < to_holdout) & ~tied
    return int(nearer.sum()), int(tied.sum())
