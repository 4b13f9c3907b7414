"""What planted canaries tell: their exposure, and the audit as a metric of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth.errors import SettingsError
from llmsynth_eval.cells import Floats
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.one_run_audit import epsilon_lower_bound


def exposure(loss: float, alternatives: Sequence[float] | Floats) -> float:
    """Exposure of one canary in bits: log2 |R| - log2 rank, R the canary and its alternatives.

    The rank counts alternatives of at most the canary's loss, so that ties lower the exposure.
    A canary nobody planted has 1.44 bits in expectation.

    Raises:
        SettingsError: no alternatives, or a loss that is not a number.

    Source: N. Carlini et al. (2019), The Secret Sharer, USENIX Security, section 4.2.
    """
    others = np.asarray(alternatives, dtype=np.float64)
    if not len(others) or np.isnan(others).any() or np.isnan(loss):
        raise SettingsError(
            f"Exposure needs a loss and one alternative or more, all numbers; got {len(others)} "
            "alternatives."
        )
    rank = 1 + int((others <= loss).sum())
    return float(np.log2(len(others) + 1) - np.log2(rank))


def exposure_table(by_repetition: Mapping[int, Sequence[float]]) -> DetailTable:
    """Exposures of canaries by how often each was planted (0: never, the control)."""
    rows = tuple(
        (f"planted {times} times", len(found), float(np.median(found)), float(np.max(found)))
        for times, found in sorted(by_repetition.items(), reverse=True)
    )
    return DetailTable(
        name="canary_exposure",
        title="Exposure of canaries in bits",
        columns=("canaries", "number", "median exposure", "greatest exposure"),
        rows=rows,
        meaning="Good: as low as for canaries that were never planted, about 1 bit. It cannot "
        "exceed log2 of the number of alternatives plus one.",
    )


@dataclass(frozen=True, kw_only=True)
class CanaryAudit:
    """The lower bound on epsilon that planted canaries prove, beside any claimed epsilon.

    Threat model: whoever scored the canaries, e.g. by the released model's likelihood.
    """

    name: ClassVar[str] = "epsilon_lower_bound"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 100.0)

    scores: tuple[float, ...]
    """One a canary, higher for likelier planted."""
    planted: tuple[bool, ...]
    """Whether each canary was in the training data, by its own fair coin."""
    delta: float = 1e-5
    confidence: float = 0.95
    num_guesses: int | None = None
    """Fixed in advance; default several, corrected for."""

    def compute(self, comparison: Comparison) -> Measurement:
        found = epsilon_lower_bound(
            self.scores,
            self.planted,
            delta=self.delta,
            confidence=self.confidence,
            num_guesses=self.num_guesses,
            seed=comparison.seed,
        )
        figure = Figure(
            name=self.name,
            title="Epsilon, proven lower bound",
            value=found.epsilon,
            floor=0.0,
            goal="lower",
            meaning=f"Privacy loss below this is refuted at {100 * found.confidence:g}% (delta "
            f"{found.delta:g}): {found.num_correct:,} of {found.num_guesses:,} guesses on "
            f"{found.num_canaries:,} canaries were right. 0 proves no privacy. "
            "A one-sided bound has no interval.",
        )
        counts = {
            "canaries": found.num_canaries,
            "canary guesses": found.num_guesses,
            "right canary guesses": found.num_correct,
        }
        return Measurement(figures=(figure,), counts=counts)
