"""Whether more train rows than unseen rows are hit: an exact test and an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import beta, hypergeom

from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.intervals import Z95, wilson


@dataclass(frozen=True, kw_only=True)
class Excess:
    """Real rows that the synthetic table hits in some way, train against holdout."""

    train_hits: int
    train_rows: int
    holdout_hits: int
    holdout_rows: int

    @property
    def value(self) -> float:
        """Share of train rows hit less share of holdout rows hit."""
        return self.train_hits / self.train_rows - self.holdout_hits / self.holdout_rows

    @property
    def p_value(self) -> float:
        """One-sided probability of as many train hits if membership were shuffled.

        Fisher's exact test: which of the hit rows belong to train is hypergeometric when the
        synthetic table knows nothing of the split. Tables may differ in size, and rows may hit
        in clumps: the test conditions on which rows are hit.
        """
        pool = self.train_rows + self.holdout_rows
        hits = self.train_hits + self.holdout_hits
        return float(min(1.0, hypergeom.sf(self.train_hits - 1, pool, self.train_rows, hits)))

    @property
    def interval(self) -> Interval:
        """95% interval of `value`.

        Source: A. Agresti and B. Caffo (2000), The American Statistician 54, 280-288 (one hit
        and one miss are added to each table).
        """
        first = (self.train_hits + 1) / (self.train_rows + 2)
        second = (self.holdout_hits + 1) / (self.holdout_rows + 2)
        variance = first * (1 - first) / (self.train_rows + 2)
        variance += second * (1 - second) / (self.holdout_rows + 2)
        half = Z95 * math.sqrt(variance)
        return max(-1.0, first - second - half), min(1.0, first - second + half)


def excess_figures(
    excess: Excess,
    *,
    names: tuple[str, str],
    titles: tuple[str, str],
    meanings: tuple[str, str],
) -> tuple[Figure, Figure]:
    """The share of train rows hit beside the holdout's, and the difference of the two."""
    share = Figure(
        name=names[0],
        title=titles[0],
        value=excess.train_hits / excess.train_rows,
        interval=wilson(excess.train_hits, excess.train_rows),
        floor=excess.holdout_hits / excess.holdout_rows,
        floor_interval=wilson(excess.holdout_hits, excess.holdout_rows),
        goal="lower",
        meaning=meanings[0],
    )
    difference = Figure(
        name=names[1],
        title=titles[1],
        value=excess.value,
        interval=excess.interval,
        floor=0.0,
        goal="lower",
        meaning=meanings[1],
    )
    return share, difference


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Exact interval of a share.

    Source: C. Clopper and E. Pearson (1934), Biometrika 26, 404-413.
    """
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)
