"""The processes that train one compact model together: each computes its rows of every batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn


class Team(Protocol):
    """What a training run needs of the other processes; all of them make the same calls."""

    rank: int
    size: int

    def add(self, numbers: Tensor) -> Tensor:
        """Sum of everybody's numbers, the same to the bit for all."""

    def largest(self, number: float) -> float:
        """The largest of everybody's numbers."""


class Alone:
    """The only process there is."""

    rank, size = 0, 1

    def add(self, numbers: Tensor) -> Tensor:
        """The numbers themselves."""
        return numbers

    def largest(self, number: float) -> float:
        """The number itself."""
        return number


class Together:
    """The processes that `accelerate launch`, torchrun or Ray Train started, on processors."""

    def __init__(self) -> None:
        self._accelerator = Accelerator(cpu=True)
        self.rank = int(self._accelerator.process_index)
        self.size = int(self._accelerator.num_processes)

    def add(self, numbers: Tensor) -> Tensor:
        """Sum over processes."""
        total: Tensor = self._accelerator.reduce(numbers, reduction="sum")
        return total

    def largest(self, number: float) -> float:
        """The largest of everybody's numbers."""
        own = torch.tensor([number], dtype=torch.float64)
        return float(self._accelerator.gather(own).max())

    def end(self) -> None:
        """Wait for everybody, and part."""
        self._accelerator.wait_for_everyone()
        self._accelerator.end_training()


def add_gradients(team: Team, weights: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by the sum of everybody's, in one message."""
    if team.size == 1:
        return
    own = list(weights)
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in own]
    total = team.add(torch.cat([part.flatten() for part in parts]))
    first = 0
    for weight in own:
        weight.grad = total[first : first + weight.numel()].view_as(weight).clone()
        first += weight.numel()
