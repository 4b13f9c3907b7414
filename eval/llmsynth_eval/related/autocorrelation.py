"""How a number goes on from row to row of the same parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth.errors import TableError
from llmsynth_eval.cells import Floats
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.fidelity.columns import mean_of
from llmsynth_eval.figure import Figure, Goal, Interval
from llmsynth_eval.jackknife import jackknife_interval, left_out
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families, FamilyRows
from llmsynth_eval.row_order import NUM_BLOCKS

LAGS = (1, 2, 3)

Sums = Floats
"""Count, sums, squares and product of (earlier, later) pairs; shape (blocks, 6)."""


@dataclass(frozen=True, kw_only=True)
class Autocorrelation:
    """Mean absolute difference of the autocorrelations at lags 1, 2 and 3 of numeric columns.

    The autocorrelation at lag k is Pearson's correlation of a value with the value k rows later
    of the same parent, over all such pairs of all parents where both are present, after train's
    mean is taken off. A parent with high values throughout adds to it. The interval leaves out
    one of twenty blocks of parents at a time.

    Raises:
        TableError: a named column is not in the children, or does not hold numbers.
    """

    families: Families
    columns: tuple[str, ...]
    """Numeric columns of the children."""

    name: ClassVar[str] = "autocorrelation"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 2.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        sums = {(name, lag): self._sums(name, lag) for name in sorted(self.columns) for lag in LAGS}
        known = {
            key: found
            for key, found in sums.items()
            if all(not np.isnan(correlation(s.sum(axis=0))) for s in found.values())
        }
        if not known:
            return Measurement(notes=("Autocorrelation: no column varies from row to row.",))
        value, interval = _mean_gap(known, "synthetic")
        floor: float | None = None
        floor_interval: Interval | None = None
        if "holdout" in self.families.rows:
            floor, floor_interval = _mean_gap(known, "holdout")
        figure = Figure(
            name="autocorrelation_difference",
            title="Autocorrelation difference",
            value=value,
            interval=interval,
            floor=floor,
            floor_interval=floor_interval,
            goal="lower",
            meaning="How far the correlation of a number with its next ones is from the real one.",
        )
        left = sorted({f"{name} at lag {lag}" for name, lag in sums.keys() - known.keys()})
        notes = (f"Autocorrelation is undefined for {', '.join(left)}.",) if left else ()
        return Measurement(figures=(figure,), tables=(_table(known),), notes=notes)

    def _sums(self, name: str, lag: int) -> dict[str, Sums]:
        rows = self.families.rows
        for role, family in rows.items():
            if name not in family.children.columns:
                raise TableError(f"The {role} children table has no column {name!r}.")
        values = {role: family.numbers(name, role=role) for role, family in rows.items()}
        present = values["train"][~np.isnan(values["train"])]
        centre = float(present.mean()) if len(present) else 0.0
        return {role: lag_sums(rows[role], values[role] - centre, lag) for role in rows}


def lag_sums(rows: FamilyRows, values: Floats, lag: int) -> Sums:
    """What the correlation of values `lag` rows apart needs, by block of parents."""
    first, second = rows.follows(lag)
    earlier, later = values[first], values[second]
    here = ~(np.isnan(earlier) | np.isnan(later))
    earlier, later, blocks = earlier[here], later[here], rows.parent_of[first][here] % NUM_BLOCKS
    parts = (np.ones(len(earlier)), earlier, later, earlier**2, later**2, earlier * later)
    return np.stack(
        [np.bincount(blocks, weights=part, minlength=NUM_BLOCKS) for part in parts], axis=1
    )


def correlation(sums: Floats) -> float:
    """Pearson's correlation from the six sums; NaN with a constant side."""
    rows, first, second, first_squares, second_squares, product = sums.tolist()
    if rows < 2:
        return float("nan")
    spread = (first_squares - first**2 / rows) * (second_squares - second**2 / rows)
    if spread <= 1e-18 * max(1.0, first_squares * second_squares):
        return float("nan")
    return float(np.clip((product - first * second / rows) / np.sqrt(spread), -1, 1))


def _mean_gap(known: dict[tuple[str, int], dict[str, Sums]], role: str) -> tuple[float, Interval]:
    def gap(train: Floats, other: Floats) -> float:
        return abs(correlation(train) - correlation(other))

    value = mean_of([gap(s["train"].sum(axis=0), s[role].sum(axis=0)) for s in known.values()])
    replicates = np.zeros((2, NUM_BLOCKS))
    for sums in known.values():
        train, other = sums["train"], sums[role]
        replicates[0] += [gap(part, other.sum(axis=0)) for part in left_out(train)]
        replicates[1] += [gap(train.sum(axis=0), part) for part in left_out(other)]
    steady = np.nan_to_num(replicates / len(known), nan=value)
    return value, jackknife_interval(value, steady, high=2.0)


def _table(known: dict[tuple[str, int], dict[str, Sums]]) -> DetailTable:
    roles = list(next(iter(known.values())))
    rows: list[tuple[Cell, ...]] = [
        (name, lag, *(correlation(sums[role].sum(axis=0)) for role in roles))
        for (name, lag), sums in known.items()
    ]
    return DetailTable(
        name="autocorrelation",
        title="How numbers go on",
        columns=("column", "lag", *roles),
        rows=tuple(rows),
        meaning="Correlation of a value with the one so many rows later of the same parent. Good "
        "is the synthetic figure as near to train's as the holdout's is.",
    )
