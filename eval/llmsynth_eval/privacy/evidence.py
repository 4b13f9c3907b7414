"""What one closeness measure found, and the test that its headline weighs."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmsynth_eval.metric import Measurement


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A one-sided test of "the synthetic table knows nothing of the split"."""

    name: str
    effect: float
    """A share or an AUC less .5."""
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Figures with the tests behind them."""

    measurement: Measurement
    evidence: tuple[Evidence, ...] = field(default=())
