"""The one learner that C2ST and TSTR share: gradient-boosted trees over a coded table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn

MAX_ITERATIONS = 200
MAX_CATEGORIES = 255
SPLIT_ROWS = 10_000
SCARCE_CELLS = 20


def class_probabilities(
    columns: Sequence[CodedColumn],
    *,
    fit_cells: Floats,
    labels: Floats,
    score_cells: Floats,
    seed: int,
) -> tuple[Floats, Floats]:
    """Learn labels and give the classes and their probabilities for other rows.

    The learner is scikit-learn's HistGradientBoostingClassifier with 200 iterations, its other
    defaults and the seed; up to 255 categories are split as sets, more by train frequency.

    Returns:
        Classes in ascending order, and probabilities of shape (rows, classes).
    """
    kept = learnable(fit_cells)
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < 2 or not kept.any():
        return classes, np.tile(sizes / sizes.sum(), (len(score_cells), 1))
    model = HistGradientBoostingClassifier(
        max_iter=MAX_ITERATIONS,
        random_state=seed,
        categorical_features=category_mask(columns)[kept],
    )
    model.fit(fit_cells[:, kept], labels)
    probabilities: Floats = model.predict_proba(score_cells[:, kept])
    return classes, probabilities


def predictions(
    columns: Sequence[CodedColumn],
    *,
    fit_cells: Floats,
    values: Floats,
    score_cells: Floats,
    seed: int,
) -> Floats:
    """Learn numbers and predict those of other rows, by HistGradientBoostingRegressor."""
    kept = learnable(fit_cells)
    if len(values) < 2 or not kept.any():
        return np.full(len(score_cells), values.mean())
    model = HistGradientBoostingRegressor(
        max_iter=MAX_ITERATIONS,
        random_state=seed,
        categorical_features=category_mask(columns)[kept],
    )
    predicted: Floats = model.fit(fit_cells[:, kept], values).predict(score_cells[:, kept])
    return predicted


def category_mask(columns: Sequence[CodedColumn]) -> NDArray[np.bool_]:
    """Columns whose codes the trees split as sets."""
    return np.array([not c.is_numeric and len(c.levels) <= MAX_CATEGORIES for c in columns])


def learnable(cells: Floats) -> NDArray[np.bool_]:
    """Columns with a value to learn from.

    The learner fails on a column without one, and above 10,000 rows it sets rows aside to stop
    early: a few values there may all be among those.
    """
    scarce = SCARCE_CELLS if len(cells) > SPLIT_ROWS else 1
    enough: NDArray[np.bool_] = (~np.isnan(cells)).sum(axis=0) >= scarce
    return enough
