"""Shape: how far each column's own distribution is from the train table's, on average."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from llmsynth_eval.bootstrap import histograms, resample_weights, spread, total_variation
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.figure import ColumnError, Figure, Goal
from llmsynth_eval.intervals import around
from llmsynth_eval.metric import Comparison, Measurement


class Shape:
    """Mean over columns of the KS statistic (numeric) or the TV distance (categories).

    A numeric column with missing cells counts the larger of the KS statistic of its present
    values and the absolute difference of its missing rates, so that a table which fills or
    invents gaps is not excused. In other columns a missing cell is a category of its own.
    """

    name: ClassVar[str] = "shape"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        roles = ["synthetic", "holdout"] if comparison.with_floor else ["synthetic"]
        rng = np.random.default_rng(comparison.seed)
        cells = {r: getattr(comparison, r).cells for r in ("train", *roles)}
        weights = {r: resample_weights(len(c), rng) for r, c in cells.items()}
        errors: dict[str, list[Floats]] = {role: [] for role in roles}
        for number, column in enumerate(comparison.train.columns):
            distance = numeric_distance if column.is_numeric else category_distance
            for role in roles:
                errors[role].append(
                    distance(
                        cells["train"][:, number],
                        cells[role][:, number],
                        weights["train"],
                        weights[role],
                    )
                )
        return _measurement(comparison, {role: np.stack(e) for role, e in errors.items()})


def numeric_distance(
    first: Floats, second: Floats, first_weights: Floats, second_weights: Floats
) -> Floats:
    """KS statistic of present values, or the missing-rate difference where that is larger.

    Args:
        first, second: cells, NaN for missing.
        first_weights, second_weights: row weights of shape (1 + resamples, rows).

    Returns:
        One distance per resample; a table without a present value has no KS statistic, and
        only its missing rate counts.
    """
    present = ~np.isnan(first), ~np.isnan(second)
    grid = np.unique(np.concatenate([first[present[0]], second[present[1]]]))
    sides = ((first, present[0], first_weights), (second, present[1], second_weights))
    densities, missing = [], []
    for values, here, weights in sides:
        codes: Codes = np.searchsorted(grid, values[here])
        densities.append(histograms(codes, weights[:, here], max(1, len(grid))))
        missing.append(weights[:, ~here].sum(axis=1) / weights.sum(axis=1))
    gap = np.abs(np.cumsum(densities[0] - densities[1], axis=1)).max(axis=1)
    gap = np.where((missing[0] < 1) & (missing[1] < 1), gap, 0.0)
    larger: Floats = np.maximum(gap, np.abs(missing[0] - missing[1]))
    return larger


def category_distance(
    first: Floats, second: Floats, first_weights: Floats, second_weights: Floats
) -> Floats:
    """TV distance of two columns of category codes, one number per resample."""
    num_codes = int(max(first.max(), second.max())) + 1
    return total_variation(
        histograms(first.astype(np.int64), first_weights, num_codes),
        histograms(second.astype(np.int64), second_weights, num_codes),
    )


def _measurement(comparison: Comparison, errors: dict[str, Floats]) -> Measurement:
    means = {role: e.mean(axis=0) for role, e in errors.items()}
    floors = errors.get("holdout")
    figure = Figure(
        name=Shape.name,
        title="Shape error",
        value=float(means["synthetic"][0]),
        interval=around(float(means["synthetic"][0]), spread(means["synthetic"]), low=0, high=1),
        floor=float(means["holdout"][0]) if floors is not None else None,
        floor_interval=(
            around(float(means["holdout"][0]), spread(means["holdout"]), low=0, high=1)
            if floors is not None
            else None
        ),
        goal=Shape.goal,
        meaning="How far each column's own distribution is from the real one, on average.",
    )
    columns = [
        ColumnError(
            name=column.name,
            is_numeric=column.is_numeric,
            date_format=column.date_format,
            error=float(errors["synthetic"][number, 0]),
            floor=float(floors[number, 0]) if floors is not None else None,
        )
        for number, column in enumerate(comparison.train.columns)
    ]
    return Measurement(figures=(figure,), columns=tuple(sorted(columns, key=lambda c: -c.error)))
