"""How the learning rate falls as the budget of epochs or minutes is used up."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

_WARM_UP_STEPS = 30
_WARM_UP_SHARE = 0.2
"""Most of the steps a time budget has room for that may warm up."""
ENOUGH, TOO_LITTLE = "enough", "too_little"
_FEWEST_STEPS = 50
"""Steps that a run cut off by its time limit has to have taken; in a full one 30 only warm up."""
_FEWEST_PASSES, _LEAST_FALL = 1.0, 0.02
"""Passes, or the share of the first held-out loss that has to be gone where they were fewer."""


@dataclass
class Schedule:
    """Linear warm-up, then a cosine to zero at the end of whichever budget ends first."""

    total_steps: int
    max_seconds: float | None = None
    spent_seconds: float = 0.0
    """Seconds used before this run, by the part of the fit that was resumed."""
    warm_up_steps: int = _WARM_UP_STEPS
    _started: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Seconds of training so far, earlier runs included."""
        return self.spent_seconds + time.perf_counter() - self._started

    def share_done(self, step: int) -> float:
        """Share of the budget used after `step` steps, 0 to 1."""
        by_steps = step / self.total_steps
        by_time = self.elapsed() / self.max_seconds if self.max_seconds else 0.0
        return min(1.0, max(by_steps, by_time))

    def factor(self, step: int, share: float) -> float:
        """What the peak learning rate is multiplied with."""
        warm_up = self.warm_up_at(step, share)
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * share))

    def warm_up_at(self, step: int, share: float) -> float:
        """Steps of warm-up; fewer where a time budget has room for few, by the steps so far."""
        if not self.max_seconds or step < 1 or share <= 0:
            return self.warm_up_steps
        return min(self.warm_up_steps, max(_WARM_UP_SHARE * step / share, 1.0))

    def is_cut(self, step: int) -> bool:
        """Whether the time budget left no room for all steps."""
        return self.max_seconds is not None and step < self.total_steps


def trained(
    steps: int,
    epochs: float,
    *,
    is_cut: bool,
    start: float,
    best: float,
    fewest_steps: int = _FEWEST_STEPS,
) -> str:
    """`too_little` where a time limit ended a run before it had learned much, else `enough`.

    Args:
        start: held-out loss before the first step, where the compact model is at the marginals.
        best: the best one since; NaN for either where nothing was held out.
    """
    if not is_cut:
        return ENOUGH
    has_fallen = math.isfinite(start - best) and best < start - _LEAST_FALL * abs(start)
    if steps < fewest_steps or (epochs < _FEWEST_PASSES and not has_fallen):
        return TOO_LITTLE
    return ENOUGH
