"""What a user may set about differential privacy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmsynth.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class PrivacySettings:
    """The promise a private fit makes, and how it may spend it."""

    epsilon: float
    """Most that one unit can change, in nats of likelihood ratio (Dwork & Roth 2014)."""
    delta: float | None = None
    """Chance with which the promise may fail; a tenth of 1 / units when omitted."""
    entity: str | None = None
    """Column that names whose row it is; each row is its own unit when omitted."""
    rows_per_entity: int = 1
    """Most rows of one entity that are read; the others are dropped at random."""
    insecure_seed: int | None = None
    """Seed of a repeatable noise source. Whoever knows it can take the noise off again."""
    statistics_share: float | None = None
    """Share of the squared budget for released statistics; chosen from epsilon when omitted."""
    format_stage: bool = True
    """Whether the model first learns rows drawn from the released statistics."""

    def __post_init__(self) -> None:
        if not (self.epsilon > 0 and math.isfinite(self.epsilon)):
            raise SettingsError(f"epsilon must be a number above 0, got {self.epsilon}.")
        if self.delta is not None and not 0 < self.delta < 0.1:
            raise SettingsError(f"delta must lie above 0 and below 0.1, got {self.delta}.")
        if self.rows_per_entity < 1:
            raise SettingsError(f"rows_per_entity must be at least 1, got {self.rows_per_entity}.")
        if self.rows_per_entity > 1 and self.entity is None:
            raise SettingsError(
                "rows_per_entity bounds the rows of an entity, and no entity column is named.",
                hint="Name the column that says whose row it is: entity (--entity).",
            )
        share = self.statistics_share
        if share is not None and not 0 < share < 1:
            raise SettingsError(f"statistics_share must lie between 0 and 1, got {share}.")


def default_delta(num_units: int) -> float:
    """1 / (10 n), rounded down to a power of ten."""
    return float(f"1e{-math.ceil(math.log10(10 * max(num_units, 1)) - 1e-12)}")


def asked_privacy(
    epsilon: float | None,
    delta: float | None,
    entity: str | None,
    rows_per_entity: int,
    insecure_seed: int | None,
) -> PrivacySettings | None:
    """The settings of a private fit; None where no epsilon is asked for.

    Raises:
        SettingsError: a value out of range, or one that means nothing without epsilon.
    """
    if epsilon is None:
        given = {"delta": delta, "entity": entity, "insecure_seed": insecure_seed}
        named = [name for name, value in given.items() if value is not None]
        if named or rows_per_entity != 1:
            raise SettingsError(
                f"{', '.join(named) or 'rows_per_entity'} means something only with epsilon.",
                hint="Ask for differential privacy with epsilon (--epsilon).",
            )
        return None
    return PrivacySettings(
        epsilon=epsilon,
        delta=delta,
        entity=entity,
        rows_per_entity=rows_per_entity,
        insecure_seed=insecure_seed,
    )
