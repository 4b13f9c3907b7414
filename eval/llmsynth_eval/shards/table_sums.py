"""What a table's rows add up to at a reference table's values; batches and shards merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth_eval.bins import binned, decile_edges
from llmsynth_eval.cells import Floats, coded_texts, numbers
from llmsynth_eval.input_tables import ColumnPlan

Counts = NDArray[np.int64]
Word = str | None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Where numbers are cut: the reference table's own values and deciles, a column each."""

    plan: ColumnPlan
    values: dict[str, Floats]
    """Its distinct values, ascending."""
    edges: dict[str, Floats]

    @classmethod
    def of(cls, frame: pd.DataFrame, plan: ColumnPlan, *, role: str = "train") -> Reference:
        """The reference that a table in memory is."""
        values, edges = {}, {}
        for name in plan.numeric:
            cells = _numbers(frame, name, plan, role)
            values[name] = np.unique(cells[~np.isnan(cells)])
            edges[name] = decile_edges(cells)
        return cls(plan=plan, values=values, edges=edges)


@dataclass
class TableSums:
    """Counts of one table; whole numbers, so that no order of adding changes them.

    steps: of a numeric column, rows below its first reference value, at it, between it and the
        second, and so on: shape (2 values + 1,).
    missing: of a numeric column, rows without a value.
    words: of another column, place of each word; None is the missing cell.
    uses: of another column, rows of each word, by its place.
    pairs: of two columns, rows in each pair of bins or words.
    """

    reference: Reference
    num_rows: int = 0
    steps: dict[str, Counts] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    words: dict[str, dict[Word, int]] = field(default_factory=dict)
    uses: dict[str, Counts] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.reference.plan.names:
            if name in self.reference.plan.numeric:
                self.steps[name] = np.zeros(2 * len(self.reference.values[name]) + 1, np.int64)
                self.missing[name] = 0
            else:
                self.words[name], self.uses[name] = {}, np.zeros(0, np.int64)
        for pair in combinations(self.reference.plan.names, 2):
            self.pairs[pair] = np.zeros((self._size(pair[0]), self._size(pair[1])), np.int64)

    def add(self, frame: pd.DataFrame, *, role: str) -> None:
        """Count the next rows.

        Raises:
            TableError: a cell of a numeric column is not a finite number.
        """
        self.num_rows += len(frame)
        codes = {}
        for name in self.reference.plan.names:
            if name in self.reference.plan.numeric:
                codes[name] = self._add_numbers(name, _numbers(frame, name, self.plan, role))
            else:
                codes[name] = self._add_words(name, *coded_texts(frame[name]))
        for first, second in self.pairs:
            size = self._size(first), self._size(second)
            joint = np.bincount(codes[first] * size[1] + codes[second], minlength=size[0] * size[1])
            self.pairs[first, second] = _grown(self.pairs[first, second], size) + joint.reshape(
                size
            )

    def merge(self, other: TableSums) -> None:
        """Add another shard's counts, made at the same reference."""
        self.num_rows += other.num_rows
        for name, steps in other.steps.items():
            self.steps[name] += steps
            self.missing[name] += other.missing[name]
        places = {name: self._places(name, other) for name in self.plan.names}
        for name, uses in other.uses.items():
            own_uses = _grown(self.uses[name], (self._size(name),)).copy()
            own_uses[places[name]] += uses
            self.uses[name] = own_uses
        for pair, counts in other.pairs.items():
            first, second = pair
            own = _grown(self.pairs[pair], (self._size(first), self._size(second))).copy()
            counts = _grown(counts, (len(places[first]), len(places[second])))
            # Places of one side are distinct, so nothing is added twice.
            own[np.ix_(places[first], places[second])] += counts
            self.pairs[pair] = own

    @property
    def plan(self) -> ColumnPlan:
        """Which columns are counted, and as what."""
        return self.reference.plan

    def _size(self, name: str) -> int:
        if name in self.plan.numeric:
            return len(self.reference.edges[name]) + 2
        return len(self.words[name])

    def _add_numbers(self, name: str, cells: Floats) -> Counts:
        values, here = self.reference.values[name], ~np.isnan(cells)
        present = cells[here]
        left = np.searchsorted(values, present, side="left")
        right = np.searchsorted(values, present, side="right")
        self.steps[name] += np.bincount(left + right, minlength=len(self.steps[name]))
        self.missing[name] += int((~here).sum())
        return binned(cells, self.reference.edges[name])

    def _add_words(self, name: str, places: Counts, words: NDArray[np.object_]) -> Counts:
        known = self.words[name]
        used = np.bincount(places, minlength=len(words)) > 0
        codes = np.zeros(len(words), np.int64)
        for place in np.flatnonzero(used):
            codes[place] = known.setdefault(words[place], len(known))
        found = np.bincount(codes[places], minlength=len(known))
        self.uses[name] = _grown(self.uses[name], (len(known),)) + found
        return codes[places]

    def _places(self, name: str, other: TableSums) -> Counts:
        if name in self.plan.numeric:
            return np.arange(self._size(name))
        known = self.words[name]
        return np.array([known.setdefault(w, len(known)) for w in other.words[name]], np.int64)


def _numbers(frame: pd.DataFrame, name: str, plan: ColumnPlan, role: str) -> Floats:
    return numbers(frame[name], table=role, date_format=plan.date_formats.get(name))


def _grown(counts: Counts, size: tuple[int, ...]) -> Counts:
    if counts.shape == size:
        return counts
    return np.pad(counts, [(0, new - old) for new, old in zip(size, counts.shape, strict=True)])
