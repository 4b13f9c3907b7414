"""Row resampling as weights: many bootstrap histograms of one code column."""

from __future__ import annotations

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes

RESAMPLES = 20


def resample_weights(
    num_rows: int, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Floats:
    """Weights of shape (1 + resamples, rows): first all ones, then bootstrap row counts."""
    weights = np.ones((1 + resamples, num_rows))
    for row in weights[1:]:
        drawn = rng.integers(0, num_rows, size=num_rows)
        row[:] = np.bincount(drawn, minlength=num_rows)
    return weights


def histograms(codes: Codes, weights: Floats, num_codes: int) -> Floats:
    """Distributions of shape (1 + resamples, num_codes); all zero where no row counts."""
    out = np.stack([np.bincount(codes, weights=w, minlength=num_codes) for w in weights])
    total = out.sum(axis=1, keepdims=True)
    return out / np.where(total > 0, total, 1.0)


def total_variation(first: Floats, second: Floats) -> Floats:
    """Half the summed absolute difference of distributions, one number per resample."""
    distances: Floats = np.abs(first - second).sum(axis=1) / 2
    return distances


def spread(replicates: Floats) -> float:
    """Bootstrap standard error of a figure whose first entry is the estimate itself."""
    return float(np.std(replicates[1:], ddof=1))
