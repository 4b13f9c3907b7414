"""Scores of predictions under many row weights at once: AUROC, AUPRC, F1, Brier, R2, RMSE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.figure import Interval
from llmsynth_eval.intervals import around

FEWEST_RESAMPLES = 10


def auroc(is_positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve, ties half, for weights of shape (resamples, rows).

    Returns:
        Shape (resamples,); NaN where a resample holds no row of one side.
    """
    positive, negative = _cumulated(is_positive, scores, weights)
    above = positive[:, :-1] + np.diff(positive, axis=1) / 2
    pairs = (np.diff(negative, axis=1) * above).sum(axis=1)
    return _divided(pairs, positive[:, -1] * negative[:, -1])


def average_precision(is_positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Mean precision at each positive row (AUPRC), ties taken together; shape as `auroc`."""
    positive, negative = _cumulated(is_positive, scores, weights)
    total = (positive + negative)[:, 1:]
    precision = np.divide(positive[:, 1:], total, out=np.zeros_like(total), where=total > 0)
    gained = (np.diff(positive, axis=1) * precision).sum(axis=1)
    return _divided(gained, positive[:, -1])


def brier(truth: Codes, probabilities: Floats, weights: Floats) -> Floats:
    """Mean of half the squared distance between probabilities and the class that is.

    For two classes it is Brier's score of one of them; 0 is best, 1 is worst.

    Args:
        truth: column of the true class, or -1 where `probabilities` has none, shape (rows,).
        probabilities: shape (rows, classes).
    """
    is_class = truth[:, None] == np.arange(probabilities.shape[1])
    errors = ((probabilities - is_class) ** 2).sum(axis=1) / 2
    return _divided(weights @ errors, weights.sum(axis=1))


def f1(is_positive: NDArray[np.bool_], is_called: NDArray[np.bool_], weights: Floats) -> Floats:
    """F1 of one class: twice the hits over called plus actual; 0 where it is never called."""
    hits = weights @ (is_positive & is_called)
    either = weights @ is_positive + weights @ is_called
    scores = _divided(2 * hits, either)
    scores[weights @ is_positive == 0] = np.nan
    return scores


def r2(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Share of the variance explained; NaN where a resample has no variance."""
    total = weights.sum(axis=1)
    mean = _divided(weights @ truth, total)
    variance = (weights * (truth - mean[:, None]) ** 2).sum(axis=1)
    return 1 - _divided(weights @ (truth - predicted) ** 2, variance)


def rmse(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Root of the mean squared error, in the target's unit."""
    return np.sqrt(_divided(weights @ (truth - predicted) ** 2, weights.sum(axis=1)))


def deviation(replicates: Floats) -> float | None:
    """Standard deviation over the resamples (all but the first); None with too few."""
    usable = replicates[1:][np.isfinite(replicates[1:])]
    return float(np.std(usable, ddof=1)) if len(usable) >= FEWEST_RESAMPLES else None


def interval(replicates: Floats, *, low: float, high: float) -> Interval | None:
    """95% interval of the first replicate by the spread of the others; None with too few."""
    error = deviation(replicates)
    if error is None or not np.isfinite(replicates[0]):
        return None
    return around(float(replicates[0]), error, low=low, high=high)


def _cumulated(
    is_positive: NDArray[np.bool_], scores: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Weight of positive and of negative rows at or above each distinct score, from 0 on."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ordered, flags = weights[:, order], is_positive[order]
    start = np.zeros((len(weights), 1))
    positive = np.cumsum(ordered * flags, axis=1)[:, ends]
    negative = np.cumsum(ordered * ~flags, axis=1)[:, ends]
    return np.hstack([start, positive]), np.hstack([start, negative])


def _divided(top: Floats, bottom: Floats) -> Floats:
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
