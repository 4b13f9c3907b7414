"""Distances of two samples of one column: KS with its p-value, TV, Wasserstein, chi-squared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from llmsynth_eval.cells import Floats

RARE_COUNT = 10


@dataclass(frozen=True, kw_only=True)
class SampleGap:
    """How far two samples of numbers are apart."""

    ks: float
    """Largest difference of the two distribution functions, in [0, 1]."""
    wasserstein: float
    """Area between the two distribution functions, in the unit of the numbers."""


def sample_gap(first: Floats, second: Floats) -> SampleGap:
    """KS statistic and first Wasserstein distance of two sorted samples without NaN.

    Source: Massey (1951), JASA 46, 68-78; Vallender (1974), Theory of Probability 18, 784-786.
    """
    grid = np.concatenate([first, second])
    grid.sort(kind="stable")  # two sorted runs: merged in one pass
    gaps = np.searchsorted(first, grid, side="right") / len(first)
    gaps -= np.searchsorted(second, grid, side="right") / len(second)
    np.abs(gaps, out=gaps)
    return SampleGap(ks=float(gaps.max()), wasserstein=float(gaps[:-1] @ np.diff(grid)))


def ks_p_value(statistic: float, num_first: int, num_second: int) -> float:
    """Two-sided p-value of a two-sample KS statistic; too large where values are tied.

    Source: the one-sample law at n = n1 n2 / (n1 + n2), Smirnov (1939); Simard and L'Ecuyer
    (2011), Journal of Statistical Software 39(11).
    """
    size = round(num_first * num_second / (num_first + num_second))
    return float(np.clip(stats.kstwo.sf(statistic, max(1, size)), 0.0, 1.0))


def count_distance(first: Floats, second: Floats) -> Floats:
    """TV distance of counts along the last axis; 0 where either side is empty."""
    totals = first.sum(axis=-1, keepdims=True), second.sum(axis=-1, keepdims=True)
    gaps = first / np.maximum(totals[0], 1) - second / np.maximum(totals[1], 1)
    held = (totals[0][..., 0] > 0) & (totals[1][..., 0] > 0)
    distance: Floats = np.where(held, np.abs(gaps).sum(axis=-1) / 2, 0.0)
    return distance


def count_ks(first: Floats, second: Floats) -> Floats:
    """KS statistic of counts in ordered bins along the last axis; 0 where either is empty."""
    totals = first.sum(axis=-1, keepdims=True), second.sum(axis=-1, keepdims=True)
    gaps = first / np.maximum(totals[0], 1) - second / np.maximum(totals[1], 1)
    held = (totals[0][..., 0] > 0) & (totals[1][..., 0] > 0)
    return np.where(held, np.abs(np.cumsum(gaps, axis=-1)).max(axis=-1), 0.0)


def homogeneity_p_value(first: Floats, second: Floats) -> float:
    """p-value of Pearson's chi-squared test that two counts have one distribution.

    Categories held by fewer than `RARE_COUNT` rows of both samples together are counted as one.

    Source: Pearson (1911), Biometrika 8, 250-254.
    """
    both = first + second
    is_rare = both < RARE_COUNT
    table = np.stack([first[~is_rare], second[~is_rare]])
    rest = np.array([[first[is_rare].sum()], [second[is_rare].sum()]])
    if rest.sum() >= RARE_COUNT:
        table = np.hstack([table, rest])
    sizes = table.sum(axis=1, keepdims=True)
    if table.shape[1] < 2 or not sizes.all():
        return 1.0
    expected = sizes * table.sum(axis=0, keepdims=True) / sizes.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, table.shape[1] - 1))
