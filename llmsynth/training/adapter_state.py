"""An adapter while it learns: weights, optimizer, the best weights so far, and its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from llmsynth.errors import BundleError, TrainingError
from llmsynth.training.checkpoint import Position, load_checkpoint, save_checkpoint
from llmsynth.training.weight_shares import share_of, whole


class AdapterState:
    """What a checkpoint of a fine-tuning run holds.

    Attributes:
        weights: the adapter's weights by name.
        position: where in the run they stand.
        tokens: learned tokens this process has read since it started.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        fingerprint: str,
    ) -> None:
        self.weights, self._optimizer = weights, optimizer
        self.position = Position(fingerprint=fingerprint)
        self.tokens = 0
        self.keep_best()

    def step(self, rate: float) -> None:
        """Update the weights at this learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.clear()

    def clear(self) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad(set_to_none=True)

    def keep_best(self) -> None:
        """Take the present weights for the best ones."""
        self._best = {name: weight.detach().clone() for name, weight in self.weights.items()}

    @torch.no_grad()
    def load_best(self) -> None:
        """Put the best weights in the model's place."""
        for name, weight in self.weights.items():
            weight.copy_(self._best[name])

    def note(self, per_row: float, per_token: float, seconds: float) -> None:
        """Record a held-out loss, and keep the weights when it is the best so far.

        Raises:
            TrainingError: it is not a number.
        """
        if not math.isfinite(per_row):
            raise TrainingError(
                "The held-out loss is not a number any more.", hint="Lower the learning rate."
            )
        self.position.history.append(
            {
                "step": self.position.step,
                "seconds": round(seconds, 1),
                "train": round(self.position.recent_loss, 4) if self.position.step else 0.0,
                "held_out": round(per_row, 4),
                "held_out_per_token": round(per_token, 4),
                "tokens": self.tokens,
            }
        )
        if per_row < self.position.best_loss:
            self.position.best_loss, self.position.stale_checks = per_row, 0
            self.keep_best()
        else:
            self.position.stale_checks += 1

    def save(self, folder: Path | None) -> None:
        """Write a checkpoint.

        Args:
            folder: None in a process that only brings its shares of the weights.
        """
        tensors = {f"weight.{name}": whole(w.detach()) for name, w in self.weights.items()}
        tensors |= {f"best.{name}": whole(weight) for name, weight in self._best.items()}
        for index, state in self._optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{index}.{name}"] = whole(torch.as_tensor(value)).clone()
        if folder is not None:
            save_checkpoint(folder, self.position, tensors)

    @torch.no_grad()
    def resume(self, folder: Path) -> bool:
        """Go on from the checkpoint of this very run; whether there was one.

        Raises:
            BundleError: it cannot be read, or is of another adapter.
        """
        found = load_checkpoint(folder, self.position.fingerprint)
        if found is None:
            return False
        position, tensors = found
        try:
            for name, weight in self.weights.items():
                weight.copy_(share_of(tensors[f"weight.{name}"], weight))
                self._best[name] = share_of(tensors[f"best.{name}"], weight)
        except (KeyError, RuntimeError) as error:
            raise BundleError(
                f"The checkpoint in {folder} is of another adapter: {error}.",
                hint="Delete it to start afresh.",
            ) from error
        weights = list(self.weights.values())
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, _, rest = key.partition(".")
            if kind == "optimizer":
                index, name = rest.split(".", 1)
                own = share_of(value, weights[int(index)]) if value.ndim else value
                state.setdefault(int(index), {})[name] = own
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": state})
        self.position = position
        return True
