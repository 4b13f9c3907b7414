"""The account of a private fit: whose unit, what each part spent, what is public or not covered.

It lies in the bundle's `provenance.json` under `differential_privacy`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmsynth.privacy.accounting import (
    Mechanism,
    Spending,
    claimed_epsilon,
    gaussian_noise,
    spending,
)
from llmsynth.privacy.settings import PrivacySettings

KEY = "differential_privacy"
NOT_COVERED = (
    "evaluation reports, which read real rows",
    "the command that was run, the names and kinds of the columns that a schema declares",
    "how long the fit took, and errors it showed to whoever ran it",
    "settings that were chosen by looking at these rows, or at earlier fits of them",
)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Everything that was spent on one fit.

    parts: name to mechanism, in the order in which they ran; all are composed.
    key_delta: part of delta kept for category sets and frequent numbers (thresholding).
    public: what is public by declaration.
    earlier_attempts: fits started in the same folder before, each of which spent as well.
    """

    settings: PrivacySettings
    delta: float
    parts: Mapping[str, Mechanism]
    key_delta: float
    clipping_norm: float
    expected_units: float
    steps_planned: int
    public: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    earlier_attempts: tuple[Mapping[str, object], ...] = field(default=())

    def spent(self) -> Spending:
        """Epsilon of all parts together, checked by a second accountant.

        Raises:
            PrivacyError: the accountants disagree.
        """
        return spending(list(self.parts.values()), self.delta - self.key_delta)

    def to_json(self) -> dict[str, object]:
        """The record, JSON-ready.

        Raises:
            PrivacyError: the accountants disagree, so nothing may be claimed.
        """
        found, settings = self.spent(), self.settings
        return {
            "unit": {
                "is": "row" if settings.entity is None else "entity",
                "entity_column": settings.entity,
                "rows_per_unit": settings.rows_per_entity,
                "adjacency": "one unit added or removed",
            },
            "asked": {"epsilon": settings.epsilon, "delta": self.delta},
            "spent": {
                "epsilon": round(found.epsilon, 6),
                "delta": self.delta,
                "epsilon_by_second_accountant": round(found.cross_check, 6),
                "epsilon_by_renyi_bound": round(found.ceiling, 6),
                "accountants": "dp-accounting PLD; Opacus PRV; dp-accounting RDP",
            },
            "parts": [self._part(name, m) for name, m in self.parts.items()],
            "delta_of_thresholding": self.key_delta,
            "clipping_norm": self.clipping_norm,
            "expected_units_per_step": self.expected_units,
            "steps_planned": self.steps_planned,
            "noise": "the operating system's generator for cryptography"
            if settings.insecure_seed is None
            else "INSECURE: seeded, for experiments; whoever knows the seed can remove the noise",
            "insecure_seed": settings.insecure_seed is not None,
            "public_by_declaration": list(self.public),
            "left_out_columns": list(self.left_out),
            "not_covered": list(NOT_COVERED),
            "earlier_attempts_in_this_folder": [dict(a) for a in self.earlier_attempts],
        }

    def _part(self, name: str, mechanism: Mechanism) -> dict[str, object]:
        alone = claimed_epsilon([mechanism], self.delta - self.key_delta)
        return {
            "name": name,
            "mechanism": "Gaussian",
            "noise_multiplier": round(mechanism.noise_multiplier, 6),
            "sampling_rate": mechanism.sampling_rate,
            "repetitions": mechanism.count,
            "epsilon_alone": round(alone, 6),
        }


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """Noise of each stage before training, as one Gaussian mechanism a stage."""

    metadata_noise: float
    counts_noise: float
    key_delta: float


def allot(settings: PrivacySettings, delta: float, *, metadata_share: float) -> Allotment:
    """Split the budget between metadata, token counts and (what remains) training.

    Shares are of the squared inverse noise multiplier, which adds up under composition.
    """
    key_delta = delta / 10
    total = gaussian_noise(settings.epsilon, delta - key_delta)
    share = settings.statistics_share or default_statistics_share(settings.epsilon)
    return Allotment(
        metadata_noise=total / (share * metadata_share) ** 0.5,
        counts_noise=total / (share * (1 - metadata_share)) ** 0.5,
        key_delta=key_delta,
    )


def default_statistics_share(epsilon: float) -> float:
    """Share for released statistics: the smaller epsilon, the less gradients have to say."""
    return min(0.9, max(0.6, 0.9 * math.pow(epsilon, -0.2)))
