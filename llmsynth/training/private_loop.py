"""DP-SGD: Poisson samples of units, clipped sums, calibrated noise, a fixed number of steps.

Abadi et al. 2016 (arXiv 1607.00133), algorithm 1, with Adam in place of plain descent. Nothing here
looks at an unnoised loss: no held-out rows, no early stop, no schedule that depends on data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from llmsynth.errors import SettingsError, TrainingError
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.unit_sampler import Indices, PoissonSampler, Units
from llmsynth.progress import Progress, Step, silent
from llmsynth.training.private_gradients import UnitGradients

_ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class PrivateTrainingSettings:
    """Settings of one private training run, all fixed before it sees a row."""

    steps: int
    expected_units: float
    """Units in a batch on average: the sampling rate times the number of units."""
    noise_multiplier: float
    """Standard deviation of the noise over `clipping_norm`."""
    clipping_norm: float = 1.0
    """L2 bound on one unit's gradient."""
    learning_rate: float = 2e-3
    """Peak rate of Adam."""
    averaging: float = 0.95
    """Decay of the exponential average of the weights, which is what is kept."""
    rows_at_once: int = 256
    """Rows in memory; batches of any size are added up from such parts."""

    def __post_init__(self) -> None:
        for name in ("steps", "expected_units", "clipping_norm", "learning_rate", "rows_at_once"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.noise_multiplier < 0 or not 0 <= self.averaging < 1:
            raise SettingsError("noise_multiplier must not be negative, averaging 0 to below 1.")


@dataclass(frozen=True, kw_only=True)
class StepPosition:
    """Where a private run stands.

    steps: taken so far.
    tensors: weights, their average and the optimizer's state, by name.
    """

    steps: int
    tensors: Mapping[str, Tensor]


class StepKeeper(Protocol):
    """Keeps a run so that it can go on where it was cut off."""

    def begin_step(self, step: int) -> None:
        """Note that a step begins, before it sees data."""

    def save_step(self, position: StepPosition) -> None:
        """Note where the run stands after a step."""


class PrivateTrainer:
    """One private training run over the rows of `units`.

    Args:
        codes: int64 (rows of units, places), in the order of `Units.rows`.
        keeper: told of every step.
    """

    def __init__(
        self,
        gradients: UnitGradients,
        codes: Tensor,
        units: Units,
        *,
        sampling_rate: float,
        settings: PrivateTrainingSettings,
        source: NoiseSource,
        progress: Progress = silent,
        keeper: StepKeeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._gradients, self._codes, self._units = gradients, codes, units
        self._settings, self._source, self._progress = settings, source, progress
        self._sampler = PoissonSampler(units, sampling_rate, source)
        self._parameters = list(gradients.parameters)
        self._optimizer = torch.optim.Adam(self._parameters, betas=(0.9, 0.99), eps=1e-8)
        self._average = [weight.detach().clone() for weight in self._parameters]
        self.steps_done = 0

    def run(self) -> int:
        """Train for the fixed number of steps, or until Ctrl-C, and keep the averaged weights.

        Returns:
            The steps that were taken: what was spent.

        Raises:
            TrainingError: weights that are no numbers.
        """
        try:
            for step in range(self.steps_done, self._settings.steps):
                if self._keeper is not None:
                    self._keeper.begin_step(step)
                self._one_step(step)
                if self._keeper is not None:
                    self._keeper.save_step(self.position())
                self._progress(
                    Step(stage="train", done=step + 1, total=self._settings.steps, loss=None)
                )
        except KeyboardInterrupt:
            pass
        with torch.no_grad():
            for weight, kept in zip(self._parameters, self._average, strict=True):
                weight.copy_(kept)
        return self.steps_done

    def position(self) -> StepPosition:
        """Where the run stands."""
        tensors: dict[str, Tensor] = {}
        for index, (weight, kept) in enumerate(zip(self._parameters, self._average, strict=True)):
            tensors |= {f"weight.{index}": weight.detach(), f"average.{index}": kept}
            state = self._optimizer.state[weight]
            tensors |= {f"{name}.{index}": state[name] for name in _ADAM}
        return StepPosition(steps=self.steps_done, tensors=tensors)

    def restore(self, position: StepPosition | None, next_step: int) -> None:
        """Go on from a position, None for the start, with `next_step`.

        A step that had begun when the run was cut off may have seen data: whoever leaves it out
        keeps the steps that did within those that are accounted.
        """
        self.steps_done = min(next_step, self._settings.steps)
        if position is None:
            return
        with torch.no_grad():
            for index, weight in enumerate(self._parameters):
                weight.copy_(position.tensors[f"weight.{index}"])
                self._average[index].copy_(position.tensors[f"average.{index}"])
                self._optimizer.state[weight] = {
                    name: position.tensors[f"{name}.{index}"].clone() for name in _ADAM
                }

    def _one_step(self, step: int) -> None:
        sums = self._noisy_sums()
        # The step has seen data from here on, whatever becomes of it.
        self.steps_done = step + 1
        for weight, total in zip(self._parameters, sums, strict=True):
            weight.grad = total / self._settings.expected_units
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(step)
        self._optimizer.step()
        decay = min(self._settings.averaging, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, [w.detach() for w in self._parameters], 1 - decay)
        if not all(bool(torch.isfinite(kept).all()) for kept in self._average):
            raise TrainingError(
                "The weights are not numbers any more.", hint="Lower learning_rate."
            )

    def _rate(self, step: int) -> float:
        """Linear warm-up over a tenth of the steps, then linear to a tenth of the peak."""
        share = step / self._settings.steps
        warm = min(1.0, (step + 1) / max(self._settings.steps / 10, 1))
        return self._settings.learning_rate * warm * (1 - 0.9 * share)

    def _noisy_sums(self) -> list[Tensor]:
        settings = self._settings
        sums = [torch.zeros_like(weight) for weight in self._parameters]
        for part in self._parts(self._sampler.sample()):
            whose = np.unique(self._units.unit_of[part], return_inverse=True)[1]
            clipped = self._gradients.clipped_sum(
                self._codes[torch.from_numpy(part)],
                torch.from_numpy(whose.astype(np.int64)),
                settings.clipping_norm,
            )
            torch._foreach_add_(sums, clipped.gradients)
        scale = settings.noise_multiplier * settings.clipping_norm
        if scale:
            for total in sums:
                noise = self._source.gaussian(total.numel(), scale)
                total += torch.from_numpy(noise).view(total.shape).to(total)
        return sums

    def _parts(self, positions: Indices) -> Iterator[Indices]:
        """The batch in parts of about `rows_at_once` rows; all rows of a unit in one part."""
        ordered = positions[np.argsort(self._units.unit_of[positions], kind="stable")]
        whose = self._units.unit_of[ordered]
        start = 0
        while start < len(ordered):
            stop = min(start + self._settings.rows_at_once, len(ordered))
            # To the end of the last unit that has begun.
            stop = int(np.searchsorted(whose, whose[stop - 1], side="right"))
            yield ordered[start:stop]
            start = stop


def sampling_rate(expected_units: float, num_units: int) -> float:
    """The chance with which a unit takes part in a batch; at most one half.

    From there on, more steps of fewer units spend less for the same number of rows.
    """
    return min(0.5, expected_units / max(num_units, 1))
