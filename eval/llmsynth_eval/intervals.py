"""95% intervals: for a share, a paired difference of shares, an AUC, and a bootstrapped figure."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from llmsynth_eval.cells import Floats
from llmsynth_eval.figure import Interval

Z95 = 1.959963984540054


def wilson(successes: float, trials: int) -> Interval:
    """Wilson score interval of a share; halves (ties) may be counted as half a success.

    Source: E. B. Wilson (1927), JASA 22, 209-212.
    """
    share = successes / trials
    weight = Z95**2 / trials
    centre = (share + weight / 2) / (1 + weight)
    half = Z95 / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_difference(first_only: int, second_only: int, trials: int) -> Interval:
    """Interval of the difference of two shares seen on the same rows.

    Source: A. Agresti and Y. Min (2005), Statistics in Medicine 24, 729-740 (adjusted Wald:
    half a row is added to each of the four cells).
    """
    n = trials + 2
    b, c = first_only + 0.5, second_only + 0.5
    difference = (b - c) / n
    half = Z95 * math.sqrt(max(0.0, (b + c) / n - difference**2) / n)
    return max(-1.0, difference - half), min(1.0, difference + half)


def delong(is_positive: np.ndarray, scores: Floats) -> tuple[float, Interval | None]:
    """AUC (ties half) and its DeLong interval; None with fewer than two rows of either class.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845, in the midrank
    form of Sun and Xu (2014), IEEE Signal Processing Letters 21, 1389-1393.
    """
    positives, negatives = scores[is_positive], scores[~is_positive]
    ranks = _midranks(scores)
    above = (ranks[is_positive] - _midranks(positives)) / len(negatives)
    below = 1 - (ranks[~is_positive] - _midranks(negatives)) / len(positives)
    auc = float(above.mean())
    if min(len(positives), len(negatives)) < 2:
        return auc, None
    variance = above.var(ddof=1) / len(positives) + below.var(ddof=1) / len(negatives)
    return auc, around(auc, math.sqrt(variance), low=0.0, high=1.0)


def around(value: float, standard_error: float, *, low: float, high: float) -> Interval:
    """`value` plus and minus 1.96 standard errors, cut to [low, high].

    Bootstrap replicates of a distance are used through their spread only: a resample adds
    noise, so their own quantiles lie above the value they should surround.
    """
    half = Z95 * standard_error
    return max(low, value - half), min(high, value + half)


def _midranks(values: Floats) -> Floats:
    ranks: Floats = np.asarray(pd.Series(values).rank(method="average"), dtype=np.float64)
    return ranks
