"""The one-run privacy audit: how much privacy loss a set of membership guesses proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from llmsynth.errors import SettingsError
from llmsynth_eval.cells import Floats
from llmsynth_eval.privacy.row_keys import salt

MOST_EPSILON = 100.0
FEWEST_GUESSES = 8
MOST_DEVIATIONS = 6.0


@dataclass(frozen=True, kw_only=True)
class AuditBound:
    """What an audit proves: a lower bound, never a certificate of privacy."""

    epsilon: float
    """No (epsilon', delta)-private run with a smaller epsilon' gives guesses this good, at the
    stated confidence; 0 where the guesses prove nothing."""
    delta: float
    confidence: float
    num_canaries: int
    num_guesses: int
    """Guesses of the number of guesses that proved most."""
    num_correct: int
    looks: int
    """Numbers of guesses that were tried; the error probability was divided among them."""


def epsilon_lower_bound(
    scores: Sequence[float] | Floats,
    planted: Sequence[bool] | NDArray[np.bool_],
    *,
    delta: float = 1e-5,
    confidence: float = 0.95,
    num_guesses: int | None = None,
    seed: int = 0,
) -> AuditBound:
    """Lower bound on epsilon from one training run with canaries planted by fair coins.

    The rows with the highest scores are guessed "planted" and as many with the lowest "not
    planted"; the auditor abstains on the rest. Equal scores are told apart by a random draw.

    Args:
        scores: one a canary, higher for likelier planted.
        planted: whether each canary was in the training data, each by its own fair coin.
        delta: of (epsilon, delta)-differential privacy, in [0, 1).
        confidence: of the bound, e.g. .95.
        num_guesses: fixed before the scores were seen; default all, a half, a quarter and so on
            down to 8, the error probability divided among them.
        seed: of the draw among equal scores.

    Raises:
        SettingsError: lengths that differ, scores that are not finite, a delta, confidence or
            number of guesses out of range, or planted canaries that no fair coin gives.

    Source: T. Steinke, M. Nasr and M. Jagielski (2023), Privacy auditing with one (1) training
    run, NeurIPS, algorithm 1 and theorem 5.2.
    """
    values, coins = _checked(scores, planted)
    if num_guesses is not None and not 1 <= num_guesses <= len(values):
        raise SettingsError(f"num_guesses must be in 1..{len(values)}, got {num_guesses}.")
    if not 0.5 <= confidence < 1:
        raise SettingsError(f"confidence must be in [.5, 1), got {confidence}.")
    grid = _grid(len(values)) if num_guesses is None else (num_guesses,)
    rng = np.random.default_rng(int(salt(seed, "one-run audit")))
    shuffled = rng.permutation(len(values))
    ranked = coins[shuffled[np.argsort(-values[shuffled], kind="stable")]]
    each = 1 - (1 - confidence) / len(grid)
    bounds = [
        AuditBound(
            epsilon=epsilon_from_guesses(
                len(values), guesses, correct, delta=delta, confidence=each
            ),
            delta=delta,
            confidence=confidence,
            num_canaries=len(values),
            num_guesses=guesses,
            num_correct=correct,
            looks=len(grid),
        )
        for guesses in grid
        for correct in [_num_correct(ranked, guesses)]
    ]
    return max(bounds, key=lambda bound: bound.epsilon)


def epsilon_from_guesses(
    num_canaries: int,
    num_guesses: int,
    num_correct: int,
    *,
    delta: float = 1e-5,
    confidence: float = 0.95,
) -> float:
    """The largest epsilon that `num_correct` right guesses reject; 0 where they reject none.

    Raises:
        SettingsError: counts that are not correct <= guesses <= canaries, or a delta or
            confidence out of range.
    """
    if not 0 <= num_correct <= num_guesses <= num_canaries or num_guesses < 1:
        raise SettingsError(
            "Expected 0 <= correct <= guesses <= canaries and one guess or more, got "
            f"{num_correct} correct of {num_guesses} guesses on {num_canaries} canaries."
        )
    if not 0 <= delta < 1:
        raise SettingsError(f"delta must be in [0, 1), got {delta}.")
    if not 0.5 <= confidence < 1:
        raise SettingsError(f"confidence must be in [.5, 1), got {confidence}.")

    def is_rejected(epsilon: float) -> bool:
        found = audit_p_value(num_canaries, num_guesses, num_correct, epsilon, delta=delta)
        return found < 1 - confidence

    if not is_rejected(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while is_rejected(high) and high < MOST_EPSILON:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_rejected(middle) else (low, middle)
    return low


def audit_p_value(
    num_canaries: int, num_guesses: int, num_correct: int, epsilon: float, *, delta: float
) -> float:
    """Most probability with which an (epsilon, delta)-private run gives so many right guesses.

    Theorem 5.2: P[W >= v] + 2 m delta max_i P[v > W >= v - i] / i, where W is binomial with r
    draws at e^epsilon / (1 + e^epsilon).
    """
    right = 1 / (1 + np.exp(-epsilon))
    beta = float(binom.sf(num_correct - 1, num_guesses, right))
    if delta == 0 or num_correct == 0:
        return min(1.0, beta)
    steps = np.arange(1, num_correct + 1)
    below = np.cumsum(binom.pmf(num_correct - steps, num_guesses, right))
    alpha = float((below / steps).max())
    return min(1.0, beta + 2 * num_canaries * delta * alpha)


def _num_correct(ranked: NDArray[np.bool_], guesses: int) -> int:
    """Right guesses when the first half is called planted and the last half is not."""
    first = (guesses + 1) // 2
    last = guesses - first
    return int(ranked[:first].sum() + (~ranked[len(ranked) - last :]).sum())


def _grid(num_canaries: int) -> tuple[int, ...]:
    sizes = [num_canaries]
    while sizes[-1] // 2 >= FEWEST_GUESSES:
        sizes.append(sizes[-1] // 2)
    return tuple(sizes)


def _checked(
    scores: Sequence[float] | Floats, planted: Sequence[bool] | NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    values = np.asarray(scores, dtype=np.float64)
    coins = np.asarray(planted)
    if values.ndim != 1 or values.shape != coins.shape or not len(values):
        raise SettingsError(
            "An audit needs one score and one coin a canary, got arrays of shape "
            f"{values.shape} and {coins.shape}."
        )
    if not np.isfinite(values).all():
        raise SettingsError(
            f"Scores must be finite; {int((~np.isfinite(values)).sum())} are not.",
            hint="Give canaries that could not be scored a score below or above all others.",
        )
    if not np.isin(coins, (0, 1)).all():
        raise SettingsError("`planted` must hold truth values only.")
    in_data = int(coins.sum())
    if abs(in_data - len(coins) / 2) > MOST_DEVIATIONS * np.sqrt(len(coins)) / 2:
        raise SettingsError(
            f"{in_data} of {len(coins)} canaries were planted, which no fair coin gives.",
            hint="The audit is valid only if each canary is planted by its own fair coin.",
        )
    return values, coins.astype(bool)
