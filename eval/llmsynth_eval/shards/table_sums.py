"""What a table's rows add up to at a reference table's values; batches and shards merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth_eval.bins import binned, decile_edges
from llmsynth_eval.cells import Floats, coded_texts, numbers
from llmsynth_eval.fidelity.correlations import Moments, moments_of, scale_of
from llmsynth_eval.input_tables import ColumnPlan
from llmsynth_eval.shards.row_weights import Weights

Counts = NDArray[np.int64]
Word = str | None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Where numbers are cut: the reference table's own values and deciles, a column each."""

    plan: ColumnPlan
    values: dict[str, Floats]
    """Its distinct values, ascending."""
    edges: dict[str, Floats]
    scale: tuple[Floats, Floats]
    """Means and deviations of its numeric columns, in the plan's order."""

    @classmethod
    def of(cls, frame: pd.DataFrame, plan: ColumnPlan, *, role: str = "train") -> Reference:
        """The reference that a table in memory is."""
        values, edges, columns = {}, {}, []
        for name in (n for n in plan.names if n in plan.numeric):
            cells = _numbers(frame, name, plan, role)
            values[name] = np.unique(cells[~np.isnan(cells)])
            edges[name] = decile_edges(cells)
            columns.append(cells)
        table = np.column_stack(columns) if columns else np.empty((len(frame), 0))
        return cls(plan=plan, values=values, edges=edges, scale=scale_of(table))


@dataclass
class TableSums:
    """Counts of one table and of its resamples; no order of adding changes them.

    totals: rows of each resample, shape (1 + resamples,); the first is the table itself, here
        and below.
    steps: of a numeric column, rows below its first reference value, at it, between it and the
        second, and so on: shape (1 + resamples, 2 values + 1).
    missing: of a numeric column, rows without a value, shape (1 + resamples,).
    words: of another column, place of each word; None is the missing cell.
    uses: of another column, rows of each word, by its place, shape (1 + resamples, words).
    pairs: of two columns, rows in each pair of bins or words, shape (1 + resamples, ...).
    moments: of the numeric columns, less the reference's mean over its deviation; floating, so
        the order of adding changes their last digits.
    """

    reference: Reference
    resamples: int = 0
    num_rows: int = 0
    totals: Counts = field(init=False)
    steps: dict[str, Counts] = field(default_factory=dict)
    missing: dict[str, Counts] = field(default_factory=dict)
    words: dict[str, dict[Word, int]] = field(default_factory=dict)
    uses: dict[str, Counts] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Counts] = field(default_factory=dict)
    moments: Moments = field(init=False)

    def __post_init__(self) -> None:
        self.totals = self._zeros()
        for name in self.plan.names:
            if name in self.plan.numeric:
                self.steps[name] = self._zeros(2 * len(self.reference.values[name]) + 1)
                self.missing[name] = self._zeros()
            else:
                self.words[name], self.uses[name] = {}, self._zeros(0)
        for pair in combinations(self.plan.names, 2):
            self.pairs[pair] = self._zeros(self._size(pair[0]), self._size(pair[1]))
        self.moments = moments_of(np.empty((0, len(self.reference.values))))

    def add(self, frame: pd.DataFrame, *, role: str, weights: Weights | None = None) -> None:
        """Count the next rows.

        Args:
            weights: of each row in each resample, shape (1 + resamples, rows), the first ones.

        Raises:
            TableError: a cell of a numeric column is not a finite number.
        """
        if weights is None:
            weights = np.ones((1, len(frame)), np.uint8)
        self.num_rows += len(frame)
        self.totals += weights.sum(axis=1, dtype=np.int64)
        codes, columns = {}, []
        for name in self.plan.names:
            if name in self.plan.numeric:
                cells = _numbers(frame, name, self.plan, role)
                columns.append(cells)
                codes[name] = self._add_numbers(name, cells, weights)
            else:
                codes[name] = self._add_words(name, *coded_texts(frame[name]), weights)
        for first, second in self.pairs:
            size = self._size(first), self._size(second)
            joint = _counted(codes[first] * size[1] + codes[second], weights, size[0] * size[1])
            grown = _grown(self.pairs[first, second], size)
            self.pairs[first, second] = grown + joint.reshape(-1, *size)
        if columns:
            mean, deviation = self.reference.scale
            self.moments += moments_of((np.column_stack(columns) - mean) / deviation)

    def merge(self, other: TableSums) -> None:
        """Add another shard's counts, made at the same reference."""
        self.num_rows += other.num_rows
        self.totals += other.totals
        self.moments += other.moments
        for name, steps in other.steps.items():
            self.steps[name] += steps
            self.missing[name] += other.missing[name]
        places = {name: self._places(name, other) for name in self.plan.names}
        for name, uses in other.uses.items():
            own_uses = _grown(self.uses[name], (self._size(name),)).copy()
            own_uses[:, places[name]] += uses
            self.uses[name] = own_uses
        for pair, counts in other.pairs.items():
            first, second = pair
            own = _grown(self.pairs[pair], (self._size(first), self._size(second))).copy()
            counts = _grown(counts, (len(places[first]), len(places[second])))
            # Places of one side are distinct, so nothing is added twice.
            own[:, places[first][:, None], places[second][None, :]] += counts
            self.pairs[pair] = own

    @property
    def plan(self) -> ColumnPlan:
        """Which columns are counted, and as what."""
        return self.reference.plan

    def frequencies(self, name: str) -> dict[Word, int]:
        """How many rows hold each word of a column that is not numeric."""
        uses = self.uses[name]
        return {word: int(uses[0, place]) for word, place in self.words[name].items()}

    def _zeros(self, *size: int) -> Counts:
        return np.zeros((1 + self.resamples, *size), np.int64)

    def _size(self, name: str) -> int:
        if name in self.plan.numeric:
            return len(self.reference.edges[name]) + 2
        return len(self.words[name])

    def _add_numbers(self, name: str, cells: Floats, weights: Weights) -> Counts:
        values, here = self.reference.values[name], ~np.isnan(cells)
        present = cells[here]
        left = np.searchsorted(values, present, side="left")
        right = np.searchsorted(values, present, side="right")
        self.steps[name] += _counted(left + right, weights[:, here], self.steps[name].shape[1])
        self.missing[name] += weights[:, ~here].sum(axis=1, dtype=np.int64)
        return binned(cells, self.reference.edges[name])

    def _add_words(
        self, name: str, places: Counts, words: NDArray[np.object_], weights: Weights
    ) -> Counts:
        known = self.words[name]
        used = np.bincount(places, minlength=len(words)) > 0
        codes = np.zeros(len(words), np.int64)
        for place in np.flatnonzero(used):
            codes[place] = known.setdefault(words[place], len(known))
        found = _counted(codes[places], weights, len(known))
        self.uses[name] = _grown(self.uses[name], (len(known),)) + found
        return codes[places]

    def _places(self, name: str, other: TableSums) -> Counts:
        if name in self.plan.numeric:
            return np.arange(self._size(name))
        known = self.words[name]
        return np.array([known.setdefault(w, len(known)) for w in other.words[name]], np.int64)


def _numbers(frame: pd.DataFrame, name: str, plan: ColumnPlan, role: str) -> Floats:
    return numbers(frame[name], table=role, date_format=plan.date_formats.get(name))


def _counted(codes: Counts, weights: Weights, size: int) -> Counts:
    """Rows of each code in each resample, shape (1 + resamples, size); the first weighs ones."""
    resampled = (np.bincount(codes, weights=row, minlength=size) for row in weights[1:])
    whole = np.bincount(codes, minlength=size)
    return np.stack([whole, *(counts.astype(np.int64) for counts in resampled)])


def _grown(counts: Counts, size: tuple[int, ...]) -> Counts:
    """The counts with places added behind each axis but the first, the resamples'."""
    if counts.shape[1:] == size:
        return counts
    more = [(0, new - old) for new, old in zip(size, counts.shape[1:], strict=True)]
    return np.pad(counts, [(0, 0), *more])
