"""How much privacy a sequence of Gaussian mechanisms spends, by two accountants that must agree."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

from llmsynth.errors import MissingExtraError, PrivacyError, SettingsError

MOST_DISAGREEMENT = 0.10
"""Relative gap between the accountants above which nothing is claimed."""
_PRV_ERROR = 0.01
_RENYI_ORDERS = (*range(2, 65), 80, 96, 128, 192, 256, 512, 1024)
"""Whole orders only: for them the divergence has a closed form."""
_CALIBRATION_STEPS = 40
_FINE_INTERVAL, _COARSE_INTERVAL = 1e-4, 1e-3
"""Steps of the privacy loss distributions. Losses are rounded up, so the coarse one that the search
uses finds a little more epsilon (.0003 at 1) than the fine one that is claimed, never less."""
_CALIBRATION_TOLERANCE = 1e-3
_MOST_NOISE = 1e5


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """A Gaussian mechanism on Poisson samples, repeated.

    Adjacency is adding or removing one unit.
    """

    noise_multiplier: float
    """Standard deviation of the noise over the L2 sensitivity."""
    sampling_rate: float = 1.0
    """Chance with which a unit takes part in one repetition; 1: everybody always does."""
    count: int = 1

    def __post_init__(self) -> None:
        if not self.noise_multiplier > 0 or not 0 < self.sampling_rate <= 1 or self.count < 1:
            raise SettingsError(
                "A mechanism needs noise above 0, a sampling rate above 0 and at most 1, and at "
                f"least one repetition; got {self}."
            )


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Epsilon at a delta, by each accountant."""

    epsilon: float
    """By privacy loss distributions (dp-accounting, pessimistic): the one that is claimed."""
    cross_check: float
    """By numerical composition of privacy random variables (Opacus), its error added."""
    ceiling: float
    """By Renyi divergences (dp-accounting): an upper bound that is never tight."""


def spending(mechanisms: Sequence[Mechanism], delta: float) -> Spending:
    """What the mechanisms spend together at `delta`.

    Raises:
        PrivacyError: the accountants disagree by more than 10%, or the claim exceeds the Renyi
            bound, which no exact value can.
        MissingExtraError: the accountants are not installed.
    """
    merged = _merged(mechanisms)
    found = Spending(
        epsilon=_claimed(merged, delta),
        cross_check=_prv_epsilon(merged, delta),
        ceiling=_rdp_epsilon(merged, delta),
    )
    refuse_disagreement(found)
    return found


def refuse_disagreement(found: Spending) -> None:
    """Refuse a claim that the other accountants contradict.

    Raises:
        PrivacyError: as `spending` says.
    """
    # The numerical accountant's own error bound is absolute, and not a disagreement.
    gap = max(abs(found.epsilon - found.cross_check) - 2 * _PRV_ERROR, 0.0)
    relative = gap / max(found.epsilon, found.cross_check, 1e-9)
    if not relative <= MOST_DISAGREEMENT:
        raise PrivacyError(
            f"Two accountants disagree on what is spent: epsilon {found.epsilon:.4g} by privacy "
            f"loss distributions, {found.cross_check:.4g} by numerical composition "
            f"({relative:.0%} apart; at most {MOST_DISAGREEMENT:.0%} is accepted)."
        )
    if not found.epsilon <= found.ceiling * (1 + 1e-6) + 1e-9:
        raise PrivacyError(
            f"The claimed epsilon {found.epsilon:.4g} lies above the Renyi bound "
            f"{found.ceiling:.4g}, which no exact value can."
        )


@lru_cache(maxsize=512)
def _claimed(
    mechanisms: tuple[Mechanism, ...], delta: float, interval: float = _FINE_INTERVAL
) -> float:
    accountant = _module("dp_accounting.pld").PLDAccountant(value_discretization_interval=interval)
    for mechanism in mechanisms:
        accountant.compose(_event(mechanism), mechanism.count)
    return float(accountant.get_epsilon(delta))


def claimed_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> float:
    """Epsilon by privacy loss distributions alone, without cross-check."""
    return _claimed(_merged(mechanisms), delta)


def _merged(mechanisms: Sequence[Mechanism]) -> tuple[Mechanism, ...]:
    """The same composition with all Gaussians that everybody takes part in as one.

    Gaussians of noise s1, s2, ... on the same data are one of noise (sum of 1 / s^2)^(-1/2).
    """
    plain = sum(m.count / m.noise_multiplier**2 for m in mechanisms if m.sampling_rate == 1)
    sampled = [m for m in mechanisms if m.sampling_rate < 1]
    return (*([Mechanism(noise_multiplier=plain**-0.5)] if plain else []), *sampled)


@lru_cache(maxsize=64)
def _rdp_epsilon(mechanisms: tuple[Mechanism, ...], delta: float) -> float:
    accountant = _module("dp_accounting.rdp").RdpAccountant(orders=_RENYI_ORDERS)
    for mechanism in mechanisms:
        accountant.compose(_event(mechanism), mechanism.count)
    return float(accountant.get_epsilon(delta))


@lru_cache(maxsize=64)
def _prv_epsilon(mechanisms: tuple[Mechanism, ...], delta: float) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accountant = _module("opacus.accountants.prv").PRVAccountant()
        accountant.history = [(m.noise_multiplier, m.sampling_rate, m.count) for m in mechanisms]
        return float(accountant.get_epsilon(delta, eps_error=_PRV_ERROR))


def _event(mechanism: Mechanism) -> object:
    events = _module("dp_accounting")
    gaussian = events.GaussianDpEvent(mechanism.noise_multiplier)
    if mechanism.sampling_rate == 1:
        return gaussian
    return events.PoissonSampledDpEvent(mechanism.sampling_rate, gaussian)


def calibrated_noise(
    mechanisms_at: Callable[[float], Sequence[Mechanism]], *, epsilon: float, delta: float
) -> float:
    """The least noise multiplier at which the mechanisms spend at most `epsilon`.

    Args:
        mechanisms_at: all that is composed, given the multiplier that is sought.

    Raises:
        PrivacyError: no noise is enough, as what else is composed spends more already.
    """

    def spent(noise: float) -> float:
        return _claimed(_merged(mechanisms_at(noise)), delta, _COARSE_INTERVAL)

    low, high = 0.3, 1.0
    while spent(high) > epsilon:
        low, high = high, high * 2
        if high > _MOST_NOISE:
            raise PrivacyError(
                f"No noise brings the total to epsilon {epsilon:g}: the other releases spend it.",
                hint="Raise epsilon, or lower the share of the released statistics.",
            )
    for _ in range(_CALIBRATION_STEPS):
        if high - low <= _CALIBRATION_TOLERANCE * high:
            break
        middle = math.sqrt(low * high)
        if spent(middle) > epsilon:
            low = middle
        else:
            high = middle
    return high


def gaussian_noise(epsilon: float, delta: float) -> float:
    """Noise multiplier of one Gaussian mechanism that spends `epsilon` alone."""
    return calibrated_noise(
        lambda noise: [Mechanism(noise_multiplier=noise)], epsilon=epsilon, delta=delta
    )


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"Differential privacy needs {name.split('.')[0]}, which is not installed.",
            hint="pip install 'llmsynth[privacy]'",
        ) from error
