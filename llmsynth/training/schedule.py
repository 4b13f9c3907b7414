"""How the learning rate falls as the budget of epochs or minutes is used up."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

_WARM_UP_STEPS = 30


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
        return min(1.0, (step + 1) / self.warm_up_steps) * 0.5 * (1 + math.cos(math.pi * share))
