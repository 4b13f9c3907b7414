"""P(target | rest) by boosting that is judged, stopped and calibrated on rows it did not learn.

A classifier that has seen a row is nearly sure of it: on sick_thyroid 200 rounds had an AUC of
1.000 on their own rows and gave the class of 6.2% a mean of 3.6% on fresh ones. Here every row is
answered by a classifier of the other folds. These answers choose the number of rounds, and set a
temperature and one bias a class (vector scaling: Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import math
import time

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch.nn import functional

from llmsynth.schema.table_schema import TableSchema
from llmsynth.training.teacher import Features

_FOLDS = 4
_ROUNDS_AT_ONCE = 10
_LEARNING_RATE = 0.1
_MOST_LEAVES = 15
_MOST_TREES = 400
"""Of one fold: a round takes a tree for every class, where there are more than two."""
_MOST_ROWS = 40_000
_LEAST = 1e-6

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class CrossFitted:
    """Boosting by four folds of the rows; the mean of the four answers a new row.

    Args:
        table: the protected training table, in storage types.
        labels: int64 (rows,), the target's token in each row.
        num_tokens: how many tokens the target's place has.
        most_rounds: rounds at most; fewer where more stop helping the rows left out.
        deadline: `time.perf_counter()` after which no further rounds are begun.

    Raises:
        ValueError: no column but the target has two values.

    Attributes:
        answers: float64 (rows, tokens), calibrated, each row by a classifier that did not see it.
        rounds: how many were best.
    """

    def __init__(
        self,
        table: pa.Table,
        schema: TableSchema,
        target: str,
        labels: Labels,
        num_tokens: int,
        *,
        most_rounds: int,
        deadline: float = math.inf,
    ) -> None:
        self._features = Features(table, schema, target)
        if not self._features.native:
            raise ValueError("No column tells anything of the target.")
        self._num_tokens = num_tokens
        self._used = np.unique(labels)
        values = self._features(table)
        fold_of = _folds(labels)
        classes = np.searchsorted(self._used, labels)
        trees = 1 if len(self._used) == 2 else len(self._used)
        most_rounds = max(min(most_rounds, _MOST_TREES // trees), _ROUNDS_AT_ONCE)
        self._models = [self._new_model() for _ in range(_FOLDS)]
        learned = [_at_most(np.flatnonzero(fold_of != fold)) for fold in range(_FOLDS)]
        inputs = [_with_something(values[rows]) for rows in learned]
        best = math.inf
        probabilities = np.tile(_shares(classes, len(self._used)), (len(labels), 1))
        self.rounds = 0
        for rounds in range(_ROUNDS_AT_ONCE, most_rounds + 1, _ROUNDS_AT_ONCE):
            now = np.empty_like(probabilities)
            for fold, model in enumerate(self._models):
                model.set_params(max_iter=rounds)
                model.fit(inputs[fold], classes[learned[fold]])
                left_out = fold_of == fold
                now[left_out] = self._full(model, model.predict_proba(values[left_out]))
            loss = _log_loss(now, classes)
            if loss < best:
                best, probabilities, self.rounds = loss, now, rounds
            elif rounds >= self.rounds + 2 * _ROUNDS_AT_ONCE:
                break
            if time.perf_counter() > deadline:
                break
        self._scale, self._bias = _calibration(probabilities, classes)
        self.answers = self._over_tokens(self._calibrated(probabilities))

    def probabilities(self, table: pa.Table) -> Floats:
        """float64 (rows, tokens), over the tokens of the target's place; none it has not seen."""
        values = self._features(table)
        total = np.zeros((table.num_rows, len(self._used)))
        for model in self._models:
            stages = model.staged_predict_proba(values)
            stage = next(s for n, s in enumerate(stages, 1) if n == self.rounds)
            total += self._full(model, stage)
        return self._over_tokens(self._calibrated(total / len(self._models)))

    def _new_model(self) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=_LEARNING_RATE,
            max_leaf_nodes=_MOST_LEAVES,
            l2_regularization=1.0,
            categorical_features=self._features.native,
            early_stopping=False,
            warm_start=True,
            random_state=0,
        )

    def _full(self, model: HistGradientBoostingClassifier, found: Floats) -> Floats:
        """Answers over all classes; a fold may have had no row of one."""
        out = np.full((len(found), len(self._used)), _LEAST)
        out[:, model.classes_] = found
        return np.asarray(out / out.sum(1, keepdims=True))

    def _calibrated(self, probabilities: Floats) -> Floats:
        logits = self._scale * np.log(probabilities.clip(_LEAST)) + self._bias
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))

    def _over_tokens(self, probabilities: Floats) -> Floats:
        out = np.zeros((len(probabilities), self._num_tokens))
        out[:, self._used] = probabilities
        return out


def _folds(labels: Labels) -> Labels:
    """int64 (rows,), each row's fold; the rows of every class are dealt evenly."""
    order = np.lexsort((np.random.default_rng(0).permutation(len(labels)), labels))
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % _FOLDS
    return folds


def _with_something(values: Floats) -> Floats:
    """A column without any value, which scikit-learn's binning cannot take, becomes constant."""
    values[:, np.isnan(values).all(0)] = 0.0
    return values


def _at_most(rows: Labels) -> Labels:
    if len(rows) <= _MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))


def _shares(classes: Labels, count: int) -> Floats:
    return np.asarray(np.bincount(classes, minlength=count) / len(classes))


def _log_loss(probabilities: Floats, classes: Labels) -> float:
    return float(-np.log(probabilities[np.arange(len(classes)), classes].clip(_LEAST)).mean())


def _calibration(probabilities: Floats, classes: Labels) -> tuple[float, Floats]:
    """The scale and the biases of log-probabilities that fit the labels best."""
    logs = torch.from_numpy(np.log(probabilities.clip(_LEAST)))
    wanted = torch.from_numpy(classes)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(logs.shape[1], dtype=torch.float64, requires_grad=True)
    # A weak pull to no change, which a class of three rows would otherwise leave without limit.
    pull = 1.0 / len(classes)
    optimizer = torch.optim.LBFGS([scale, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(scale * logs + bias, wanted)
        value = value + pull * ((scale - 1).square() + bias.square().sum())
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return max(float(scale.detach()), 0.0), bias.detach().numpy()
