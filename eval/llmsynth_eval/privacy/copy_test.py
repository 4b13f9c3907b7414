"""Exact copies as a test: are train rows reproduced more often than rows nobody showed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.excess import Excess, excess_figures
from llmsynth_eval.privacy.row_keys import Keys, row_keys, row_label

LEVEL = 0.01
MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class CopyTest:
    """Share of real rows that occur in the synthetic table, train less holdout.

    Counted by real row, not by synthetic row: the question is how many people's rows came out.
    All rows of all tables are used.
    """

    name: ClassVar[str] = "reproduced_excess"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    level: float = LEVEL
    """Level of the headline `copies`."""

    def compute(self, comparison: Comparison) -> Measurement:
        train, holdout = row_keys(comparison.train), row_keys(comparison.holdout)
        values, times = np.unique(row_keys(comparison.synthetic), return_counts=True)
        repeats = occurrences(train, values, times)
        in_holdout = occurrences(holdout, values, times)
        excess = Excess(
            train_hits=int((repeats > 0).sum()),
            train_rows=len(train),
            holdout_hits=int((in_holdout > 0).sum()),
            holdout_rows=len(holdout),
        )
        return Measurement(
            figures=_figures(excess),
            tables=_listing(comparison.train, train, holdout, repeats),
            headlines=(_headline(excess, self.level),),
            counts={
                "train rows that occur in synthetic": excess.train_hits,
                "holdout rows that occur in synthetic": excess.holdout_hits,
            },
        )


def occurrences(rows: Keys, values: Keys, times: Codes) -> Codes:
    """How often each row's key is among sorted `values` that occur `times`."""
    place = np.minimum(np.searchsorted(values, rows), len(values) - 1)
    found: Codes = np.where(values[place] == rows, times[place], 0)
    return found


def _figures(excess: Excess) -> tuple[Figure, Figure]:
    return excess_figures(
        excess,
        names=("reproduced_rows", "reproduced_excess"),
        titles=("Reproduced train rows", "Reproduced rows beyond chance"),
        meanings=(
            "Share of train rows that occur in the synthetic table; the floor is the share "
            "of holdout rows that do.",
            "Share of train rows that occur in the synthetic table less that of holdout rows.",
        ),
    )


def _headline(excess: Excess, level: float) -> Headline:
    alarm = excess.p_value < level
    words = (
        f"{excess.train_hits:,} of {excess.train_rows:,} train rows occur in the synthetic table, "
        f"{excess.holdout_hits:,} of {excess.holdout_rows:,} unseen rows do: "
        f"{'more than chance explains' if alarm else 'no more than chance explains'}."
    )
    return Headline(
        name="copies",
        topic="privacy",
        question="Are rows of the training table copied?",
        answer="alarm" if alarm else "good",
        words=words,
        p_value=excess.p_value,
        level=level,
        effect=excess.value,
    )


def _listing(
    table: CodedTable, train: Keys, holdout: Keys, repeats: Codes
) -> tuple[DetailTable, ...]:
    """Train rows that came out though no holdout row is like them, most often first."""
    alone = np.flatnonzero((repeats > 0) & ~np.isin(train, holdout))
    if not len(alone):
        return ()
    worst = alone[np.lexsort((alone, -repeats[alone]))][:MOST_LISTED]
    rows = tuple((row_label(table, "train", n), int(repeats[n])) for n in worst)
    listing = DetailTable(
        name="copied_rows",
        title="Train rows that were copied most",
        columns=("row", "times in synthetic"),
        rows=rows,
        meaning="Row numbers of the given train table, first row 1, of rows that no holdout row "
        "equals. An empty list is good; a listed row may still be a coincidence of a small table.",
    )
    return (listing,)
