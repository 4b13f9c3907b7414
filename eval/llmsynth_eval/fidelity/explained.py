"""How much of a difference lost levels and filled gaps explain, so that no fault alarms twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmsynth_eval.fidelity.lost_levels import lost_share
from llmsynth_eval.fidelity.missing_rates import alarmed_gaps
from llmsynth_eval.metric import Comparison


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Distances that another headline answers for.

    Rows that went missing with their level, and cells that were filled in, are a share of the
    table; a share s of other rows moves any distribution by a TV or KS distance of at most s.
    """

    lost: float
    """Share of train rows that hold a level or value which `coverage` alarms about."""
    missing: Mapping[str, float]
    """Difference of the missing rates, for columns that `missing` alarms about."""

    def of(self, *names: str) -> float:
        """The explained distance of one column, or of several together."""
        return self.lost + sum(self.missing.get(name, 0.0) for name in sorted(names))


def explained_away(comparison: Comparison) -> Explained:
    """What the alarms of `coverage` and `missing` explain in the synthetic table."""
    return Explained(lost=lost_share(comparison), missing=alarmed_gaps(comparison))
