"""What a private fit of a table of given size will look like, before there is a table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from llmsynth.errors import SettingsError
from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.ledger import allot
from llmsynth.privacy.metadata import VALUES_SHARE
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.settings import PrivacySettings, default_delta
from llmsynth.synthesizers.private_learning import METADATA_SHARE
from llmsynth.synthesizers.private_sizes import plan_training, private_sizes
from llmsynth.synthesizers.private_statistics import ALONE_SHARE, BESIDE_SHARE
from llmsynth.training.private_loop import PrivateTrainingSettings

_MEASURED_ROWS = 8_000
"""Rows of Adult on which benchmarks/private.py measured utility."""


def plan_lines(settings: PrivacySettings, *, num_units: int, num_columns: int) -> Iterator[str]:
    """The noise of each part in plain words; reads no table.

    Raises:
        SettingsError: no units or columns.
        PrivacyError: the budget cannot be met.
    """
    if num_units < 1 or num_columns < 1:
        raise SettingsError(f"Expected rows and columns, got {num_units} and {num_columns}.")
    delta = settings.delta or default_delta(num_units)
    allotment = allot(settings, delta, metadata_share=METADATA_SHARE)
    most_rows = settings.rows_per_entity
    values = _values(allotment.metadata_noise, allotment.key_delta, num_columns, most_rows)
    alone = _deviation(allotment.counts_noise / ALONE_SHARE**0.5, num_columns, most_rows)
    beside = _deviation(allotment.counts_noise / BESIDE_SHARE**0.5, num_columns, most_rows)
    spent = {
        "metadata": Mechanism(noise_multiplier=allotment.metadata_noise),
        "counts": Mechanism(noise_multiplier=allotment.counts_noise),
    }
    sizes = private_sizes(num_units)
    plan = plan_training(settings, delta - allotment.key_delta, spent, num_units, sizes)
    training = plan.compact
    yield f"Epsilon {settings.epsilon:g} at delta {delta:g}, for {num_units:,} units."
    yield (
        f"Values that the schema does not declare come out where more than about "
        f"{values.key_threshold:,.0f} rows hold them ({values.key_threshold / num_units:.1%} of "
        f"{num_units:,}); others are left out. Declared values cost nothing."
    )
    yield (
        f"Counts of one column's values are off by about {alone:,.0f} rows "
        f"({alone / num_units:.2%}), counts beside the target by {beside:,.0f}."
    )
    yield (
        f"Training: {training.steps} steps, each unit in a step with probability {plan.rate:.3g} "
        f"({training.expected_units:,.0f} units on average), noise multiplier "
        f"{training.noise_multiplier:.3g}: on each weight {_relative(training):.2g} of the most "
        "that the batch's mean gradient can weigh."
    )
    yield (
        "Utility depends on epsilon times rows above all. Expect about what "
        f"{_MEASURED_ROWS:,} rows of Adult have at epsilon "
        f'{settings.epsilon * num_units / _MEASURED_ROWS:.2g}: see "Differential privacy" in '
        "benchmarks/RESULTS.md for what was measured."
    )


def _values(noise: float, key_delta: float, num_columns: int, most_rows: int) -> NoisyCounts:
    return NoisyCounts(
        num_histograms=2 * num_columns + 2,
        noise_multiplier=noise / VALUES_SHARE**0.5,
        most_rows=most_rows,
        source=NoiseSource(),
        key_delta=key_delta,
        num_open=num_columns,
    )


def _deviation(noise: float, histograms: int, most_rows: int) -> float:
    return noise * most_rows * math.sqrt(histograms)


def _relative(training: PrivateTrainingSettings) -> float:
    return training.noise_multiplier / training.expected_units
