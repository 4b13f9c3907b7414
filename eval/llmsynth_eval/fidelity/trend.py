"""Trend: how far the joint distribution of two columns is from the train table's, on average."""

from __future__ import annotations

from itertools import combinations
from typing import ClassVar

import numpy as np

from llmsynth_eval.bins import bin_tables
from llmsynth_eval.bootstrap import histograms, resample_weights, spread, total_variation
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.figure import Figure, Goal, PairError
from llmsynth_eval.intervals import around
from llmsynth_eval.metric import Comparison, Measurement

MAX_PAIRS = 5_000
DENSE_CELLS = 1_000_000


class Trend:
    """Mean over column pairs of the TV distance of their joint distribution.

    Numbers are cut at the train table's deciles (equal edges merged, missing a bin of its
    own), categories stay as they are. Above `MAX_PAIRS` pairs a seeded sample of them is used.
    """

    name: ClassVar[str] = "trend"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        names = [column.name for column in comparison.train.columns]
        pairs, notes = _pairs(len(names), np.random.default_rng((comparison.seed, 1)))
        if not pairs:
            return Measurement(
                figures=(_figure(None, None),), notes=("Trend needs two columns; there is one.",)
            )
        tables = [comparison.train, comparison.synthetic]
        tables += [comparison.holdout] if comparison.with_floor else []
        codes, num_bins = bin_tables(tables[0], *tables[1:])
        rng = np.random.default_rng(comparison.seed)
        weights = [resample_weights(table.num_rows, rng) for table in tables]
        errors = np.stack([pair_distances(codes, weights, num_bins, i, j) for i, j in pairs])
        found = [
            PairError(
                first=names[i],
                second=names[j],
                error=float(error[0, 0]),
                floor=float(error[1, 0]) if len(error) > 1 else None,
            )
            for (i, j), error in zip(pairs, errors, strict=True)
        ]
        means = errors.mean(axis=0)
        return Measurement(
            figures=(_figure(means[0], means[1] if len(means) > 1 else None),),
            pairs=tuple(sorted(found, key=lambda pair: -pair.error)),
            notes=notes,
        )


def pair_distances(
    codes: list[Codes], weights: list[Floats], num_bins: list[int], i: int, j: int
) -> Floats:
    """TV distances of the joint distribution of columns i and j from the first table's.

    Returns:
        Shape (tables - 1, 1 + resamples).
    """
    joint = [table[i] * num_bins[j] + table[j] for table in codes]
    num_codes = num_bins[i] * num_bins[j]
    if num_codes > DENSE_CELLS:
        seen, inverse = np.unique(np.concatenate(joint), return_inverse=True)
        joint = np.split(inverse, np.cumsum([len(part) for part in joint])[:-1])
        num_codes = len(seen)
    joint_histograms = [
        histograms(part, w, num_codes) for part, w in zip(joint, weights, strict=True)
    ]
    return np.stack([total_variation(joint_histograms[0], h) for h in joint_histograms[1:]])


def _pairs(
    num_columns: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    pairs = list(combinations(range(num_columns), 2))
    if len(pairs) <= MAX_PAIRS:
        return pairs, ()
    chosen = np.sort(rng.choice(len(pairs), size=MAX_PAIRS, replace=False))
    note = f"Trend is the mean of {MAX_PAIRS:,} of {len(pairs):,} column pairs, drawn by the seed."
    return [pairs[number] for number in chosen], (note,)


def _figure(means: Floats | None, floors: Floats | None) -> Figure:
    return Figure(
        name=Trend.name,
        title="Trend error",
        value=None if means is None else float(means[0]),
        interval=None if means is None else around(float(means[0]), spread(means), low=0, high=1),
        floor=None if floors is None else float(floors[0]),
        floor_interval=(
            None if floors is None else around(float(floors[0]), spread(floors), low=0, high=1)
        ),
        goal=Trend.goal,
        meaning="How far two columns taken together are from the real table, on average.",
    )
