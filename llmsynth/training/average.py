"""The exponential average of a model's weights over its training steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages weights with a decay that starts short, so that early steps are forgotten."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._weights = list(model.parameters())
        self._decay = decay
        self.average: list[Tensor] = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Fold in the weights after step number `step` (from 0)."""
        decay = min(self._decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(self.average, [w.detach() for w in self._weights], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average in the model's place for a while."""
        own = [weight.detach().clone() for weight in self._weights]
        self.load(self.average)
        try:
            yield
        finally:
            self.load(own)

    @torch.no_grad()
    def load(self, values: list[Tensor]) -> None:
        """Overwrite the model's weights."""
        for weight, value in zip(self._weights, values, strict=True):
            weight.copy_(value)
