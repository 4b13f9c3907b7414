"""Sizes of a private fit, and the noise that they need: all fixed before a row is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmsynth.privacy.accounting import Mechanism, calibrated_noise
from llmsynth.privacy.settings import PrivacySettings
from llmsynth.training.private_loop import PrivateTrainingSettings, sampling_rate


@dataclass(frozen=True, kw_only=True)
class PrivateSizes:
    """Sizes of a private fit, chosen from the noisy number of units alone."""

    hidden_size: int = 64
    num_layers: int = 2
    steps: int = 60
    expected_units: float = 2048.0
    clipping_norm: float = 1.0
    learning_rate: float = 3e-3


@dataclass(frozen=True, kw_only=True)
class TextSizes:
    """Sizes of an adapter's private training."""

    steps: int = 60
    expected_units: float = 256.0
    clipping_norm: float = 1.0
    learning_rate: float = 1e-3
    rows_at_once: int = 8


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Training settings whose noise fits what the other parts left, and the sampling rates.

    text: of the language model's adapter; None where no text is learned.
    """

    compact: PrivateTrainingSettings
    rate: float
    text: PrivateTrainingSettings | None = None
    text_rate: float = 0.0

    @property
    def mechanisms(self) -> dict[str, Mechanism]:
        """What the accountant is told, if every step is taken."""
        parts = {"training": _steps(self.compact, self.rate)}
        if self.text is not None:
            parts["training on texts"] = _steps(self.text, self.text_rate)
        return parts


def plan_training(
    settings: PrivacySettings,
    delta: float,
    spent: Mapping[str, Mechanism],
    num_units: int,
    sizes: PrivateSizes,
    texts: TextSizes | None = None,
) -> TrainingPlan:
    """Both trainings at one noise multiplier, the least that the budget allows.

    Raises:
        PrivacyError: what is spent already leaves nothing.
    """

    def planned(noise: float) -> TrainingPlan:
        rate = sampling_rate(sizes.expected_units, num_units)
        compact = PrivateTrainingSettings(
            steps=sizes.steps,
            expected_units=rate * num_units,
            noise_multiplier=noise,
            clipping_norm=sizes.clipping_norm,
            learning_rate=sizes.learning_rate,
        )
        if texts is None:
            return TrainingPlan(compact=compact, rate=rate)
        text_rate = sampling_rate(texts.expected_units, num_units)
        text = PrivateTrainingSettings(
            steps=texts.steps,
            expected_units=text_rate * num_units,
            noise_multiplier=noise,
            clipping_norm=texts.clipping_norm,
            learning_rate=texts.learning_rate,
            rows_at_once=texts.rows_at_once,
        )
        return TrainingPlan(compact=compact, rate=rate, text=text, text_rate=text_rate)

    noise = calibrated_noise(
        lambda noise: [*spent.values(), *planned(noise).mechanisms.values()],
        epsilon=settings.epsilon,
        delta=delta,
    )
    return planned(noise)


def private_sizes(num_units: int) -> PrivateSizes:
    """The default sizes for a table of about so many units."""
    # A batch of an eighth of the units keeps the noise of a step below its signal.
    return PrivateSizes(expected_units=float(min(max(num_units / 8, 256), 8192)))


def text_sizes(num_units: int) -> TextSizes:
    """The default sizes for texts of about so many units."""
    return TextSizes(expected_units=float(min(max(num_units / 8, 64), 1024)))


def _steps(training: PrivateTrainingSettings, rate: float) -> Mechanism:
    return Mechanism(
        noise_multiplier=training.noise_multiplier, sampling_rate=rate, count=training.steps
    )
