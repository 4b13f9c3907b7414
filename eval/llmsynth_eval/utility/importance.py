"""Which columns a learner leans on, and whether two groups of learners agree about it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn

HALVINGS = 40
COLUMNS_AT_ONCE = 32
Losses = Callable[[Floats], Floats]


def permutation_importance(
    losses: Losses, features: Floats, columns: Sequence[CodedColumn], *, seed: int
) -> Floats:
    """How much a model's loss grows when one column is shuffled, shape (columns,).

    The shuffle depends on the seed and the column's name alone, so that every model is asked
    about the same rows.

    Source: L. Breiman (2001), Machine Learning 45, 5-32, section 10.

    Args:
        losses: mean loss of each consecutive block of as many rows as `features` has.
    """
    out = np.empty(len(columns))
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        block = range(start, min(start + COLUMNS_AT_ONCE, len(columns)))
        asked = np.repeat(features[None], 1 + len(block), axis=0)
        for place, number in enumerate(block, start=1):
            rng = np.random.default_rng((seed, zlib.crc32(columns[number].name.encode())))
            asked[place, :, number] = rng.permutation(features[:, number])
        found = losses(asked.reshape(-1, features.shape[1]))
        out[block.start : block.stop] = found[1:] - found[0]
    return out


def agreement(first: Floats, second: Floats, *, seed: int) -> tuple[float, float]:
    """Rank correlation of importances between two groups of models, over random halves.

    Each of 40 draws takes half of the models of either group and correlates the means
    (Spearman); halves make the figure comparable with `agreement_within`.

    Args:
        first, second: importances, shape (models, columns).

    Returns:
        Mean and standard deviation over the draws.
    """
    rng = np.random.default_rng(seed)
    draws = [rank_correlation(_half(first, rng)[0], _half(second, rng)[0]) for _ in range(HALVINGS)]
    return float(np.mean(draws)), float(np.std(draws, ddof=1))


def agreement_within(models: Floats, *, seed: int) -> tuple[float, float]:
    """The same between a random half of one group and the other half."""
    rng = np.random.default_rng(seed)
    draws = [rank_correlation(*_half(models, rng)) for _ in range(HALVINGS)]
    return float(np.mean(draws)), float(np.std(draws, ddof=1))


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's correlation, ties at their mean rank; 0 where either side is all ties."""
    ranks = np.stack([rankdata(first), rankdata(second)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norm = float(np.sqrt((centred**2).sum(axis=1)).prod())
    return float(centred[0] @ centred[1] / norm) if norm > 0 else 0.0


def _half(models: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    order = rng.permutation(len(models))
    middle = len(models) // 2
    return models[order[:middle]].mean(axis=0), models[order[middle : 2 * middle]].mean(axis=0)
