"""How well predicted class probabilities find the labels of the holdout: AUC and AUPRC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from llmsynth_eval.bootstrap import resample_weights
from llmsynth_eval.cells import Floats
from llmsynth_eval.figure import Interval
from llmsynth_eval.intervals import around, delong

RESAMPLES = 50
Score = tuple[float, Interval | None]
WeightedScore = Callable[[Floats], float]


def binary_auc(truth: Floats, positive: float, scores: Floats) -> Score:
    """AUC of the positive class with its DeLong interval."""
    return delong(truth == positive, scores)


def macro_auc(truth: Floats, classes: Floats, scores: Floats, *, seed: int) -> Score:
    """Unweighted mean over the holdout's classes of the one-vs-rest AUC.

    Args:
        truth: labels, shape (rows,).
        classes: labels that occur in `truth`, shape (classes,).
        scores: predicted probabilities, shape (rows, classes).
    """

    def score(weights: Floats) -> float:
        aucs = [
            roc_auc_score(truth == label, scores[:, number], sample_weight=weights)
            for number, label in enumerate(classes)
        ]
        return float(np.mean(aucs))

    labels = [truth == label for label in classes]
    return bootstrapped(score, len(truth), labels=labels, low=0.0, seed=seed)


def auprc(truth: Floats, positive: float, scores: Floats, *, seed: int) -> Score:
    """Average precision of the positive class with a bootstrap interval over holdout rows."""
    is_positive = truth == positive

    def score(weights: Floats) -> float:
        return float(average_precision_score(is_positive, scores, sample_weight=weights))

    return bootstrapped(score, len(truth), labels=[is_positive], low=0.0, seed=seed)


def bootstrapped(
    score: WeightedScore, num_rows: int, *, labels: list[np.ndarray], low: float, seed: int
) -> Score:
    """A score of row weights, with its estimate plus and minus 1.96 bootstrap deviations.

    Resamples in which one of `labels` has no row (or every row) are passed over; the interval
    is None where fewer than ten remain.
    """
    rng = np.random.default_rng(seed)
    weights = resample_weights(num_rows, rng, resamples=RESAMPLES)
    value = score(weights[0])
    usable = [w for w in weights[1:] if all(0 < w[label].sum() < w.sum() for label in labels)]
    if len(usable) < 10:
        return value, None
    error = float(np.std([score(w) for w in usable], ddof=1))
    return value, around(value, error, low=low, high=1.0)
