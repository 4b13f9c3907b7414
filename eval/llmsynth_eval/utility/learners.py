"""The learners that a table is tried with: linear, random forest, boosted trees."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn
from llmsynth_eval.utility.learner import MAX_ITERATIONS, category_mask, learnable
from llmsynth_eval.utility.task import Task

LearnerName = Literal["linear", "forest", "boosting", "short"]
LEARNERS: tuple[LearnerName, ...] = ("linear", "forest", "boosting")
TITLES: dict[LearnerName, str] = {
    "linear": "logistic regression / ridge",
    "forest": "random forest",
    "boosting": "boosted trees",
    "short": "short boosted trees",
}
NUM_TREES = 100
LEAF_ROWS = 5
MAX_DUMMIES = 50
SHORT_ITERATIONS = 50
SHORT_LEAVES = 15
NEWTON_WEIGHTS = 2_000


class Encoder(Protocol):
    """What scikit-learn's transformers can do."""

    def fit_transform(self, cells: Floats) -> Floats: ...

    def transform(self, cells: Floats) -> Floats: ...


class Estimator(Protocol):
    """What scikit-learn's classifiers and regressors can do."""

    def fit(self, cells: Floats, target: Floats, sample_weight: Floats | None = None) -> object: ...

    def predict(self, cells: Floats) -> Floats: ...


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted learner, or a constant where there was nothing to learn."""

    labels: Floats | None
    """Classes in ascending order; None where a number is predicted."""
    constant: Floats | None = None
    """Class shares, or the mean; None where an estimator was fitted."""
    kept: NDArray[np.bool_]
    encoder: Encoder | None = None
    estimator: Estimator | None = None
    known: NDArray[np.bool_] | None = None
    """Which labels the estimator has seen."""

    def predict(self, features: Floats) -> Floats:
        """Probabilities of shape (rows, labels), or numbers of shape (rows,)."""
        if self.estimator is None:
            assert self.constant is not None
            return np.repeat(self.constant, len(features), axis=0)
        cells = features[:, self.kept]
        if self.encoder is not None:
            cells = self.encoder.transform(cells)
        if self.labels is None:
            return self.estimator.predict(cells)
        out = np.zeros((len(features), len(self.labels)))
        out[:, self.known] = self.estimator.predict_proba(cells)  # type: ignore[attr-defined]
        return out


def fit(
    name: LearnerName,
    columns: Sequence[CodedColumn],
    task: Task,
    *,
    labels: Floats | None,
    seed: int,
    weights: Floats | None = None,
) -> Model:
    """Teach one learner a task.

    `linear` is ridge or L2 logistic regression (C = 1) on dummies (the 50 most frequent
    categories, the rest as one) and standardised numbers, their median in place of missing ones
    beside a flag. `forest` is 100 trees with leaves of 5 rows or more on codes in order of train
    frequency. `boosting` is the learner of TSTR. The rest is scikit-learn's defaults.

    Args:
        labels: classes that are asked for, ascending; None to predict a number. Rows of other
            classes, and classes with a single row, teach nothing.
        weights: of the rows, shape (rows,).
    """
    chosen = np.ones(task.num_rows, dtype=bool)
    if labels is not None:
        seen, sizes = np.unique(task.target, return_counts=True)
        chosen = np.isin(task.target, seen[sizes >= 2]) & np.isin(task.target, labels)
    features, target = task.features[chosen], task.target[chosen]
    kept = learnable(features) if len(target) else np.zeros(len(columns), dtype=bool)
    if len(np.unique(target)) < 2 or not kept.any():
        return Model(labels=labels, constant=_constant(target, labels), kept=kept)
    used = [column for column, is_kept in zip(columns, kept, strict=True) if is_kept]
    encoder = _dummies(used) if name == "linear" else None
    cells = features[:, kept] if encoder is None else encoder.fit_transform(features[:, kept])
    seen = np.unique(target)
    estimator = _estimator(name, used, cells, seen if labels is not None else None, seed=seed)
    with warnings.catch_warnings():
        # a linear model short of its optimum is a weaker learner, the same for every table
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(cells, target, sample_weight=None if weights is None else weights[chosen])
    known = None if labels is None else np.isin(labels, seen)
    return Model(labels=labels, kept=kept, encoder=encoder, estimator=estimator, known=known)


def _constant(target: Floats, labels: Floats | None) -> Floats:
    if labels is None:
        return np.array([target.mean() if len(target) else 0.0])
    if not len(target):
        return np.full((1, len(labels)), 1 / len(labels))
    shares: Floats = np.mean(target[:, None] == labels, axis=0, keepdims=True)
    return shares


def _dummies(columns: Sequence[CodedColumn]) -> Encoder:
    numbers = [n for n, column in enumerate(columns) if column.is_numeric]
    categories = [n for n, column in enumerate(columns) if not column.is_numeric]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(
        max_categories=MAX_DUMMIES, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    encoder: Encoder = ColumnTransformer(
        [("numbers", scaled, numbers), ("categories", one_hot, categories)]
    )
    return encoder


def _estimator(
    name: LearnerName,
    columns: Sequence[CodedColumn],
    cells: Floats,
    classes: Floats | None,
    *,
    seed: int,
) -> Estimator:
    estimator: Estimator
    if name == "linear":
        estimator = Ridge() if classes is None else _logistic(cells.shape[1] * len(classes))
    elif name == "forest":
        kind = RandomForestRegressor if classes is None else RandomForestClassifier
        estimator = kind(n_estimators=NUM_TREES, min_samples_leaf=LEAF_ROWS, random_state=seed)
    else:
        boosted = (
            HistGradientBoostingRegressor if classes is None else HistGradientBoostingClassifier
        )
        short = {"max_leaf_nodes": SHORT_LEAVES, "early_stopping": False} if name == "short" else {}
        estimator = boosted(
            max_iter=SHORT_ITERATIONS if short else MAX_ITERATIONS,
            random_state=seed,
            categorical_features=category_mask(columns),
            **short,
        )
    return estimator


def _logistic(num_weights: int) -> Estimator:
    # the Hessian has num_weights squared cells
    solver = "newton-cholesky" if num_weights <= NEWTON_WEIGHTS else "lbfgs"
    estimator: Estimator = LogisticRegression(solver=solver, max_iter=1_000)
    return estimator
