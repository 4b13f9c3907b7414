"""The distances behind every closeness figure, searched once for all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy.nearest import ONE_HOT_LEVELS, Points, Space
from llmsynth_eval.privacy.neighbours import Neighbours, nearest_neighbours
from llmsynth_eval.privacy.row_keys import canonical_positions, canonical_rows

NEIGHBOURS = 3
MIN_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Most rows that take part in a neighbour search; larger tables are sampled by the seed."""

    queries: int = 20_000
    """Synthetic rows."""
    references: int = 20_000
    """Train rows, and as many holdout rows."""
    isolation: int = 10_000
    """Real rows against which the isolation of each real row is measured."""
    products: float = 3e11
    """Multiplications in all searches together."""

    def for_coordinates(self, num: int) -> Budget:
        """The same with fewer rows where that many coordinates a row would cost too much."""
        pairs = 4 * self.queries * self.references + 3 * self.references * self.isolation
        share = min(1.0, math.sqrt(self.products / (pairs * max(1, num))))
        return replace(
            self,
            queries=max(MIN_ROWS, int(self.queries * share)),
            references=max(MIN_ROWS, int(self.references * share)),
            isolation=max(MIN_ROWS, int(self.isolation * share)),
        )


@dataclass(frozen=True, kw_only=True)
class Distances:
    """Who is near whom among samples of train, holdout (of equal size) and synthetic."""

    train: CodedTable
    holdout: CodedTable
    synthetic: CodedTable
    to_train: Neighbours
    """Of each synthetic row, among `train`."""
    to_holdout: Neighbours
    """Of each synthetic row, among `holdout`."""
    from_train: Neighbours
    """Of each train row, among `synthetic`."""
    from_holdout: Neighbours
    """Of each holdout row, among `synthetic`."""
    isolation: Floats
    """Distance of each train row, then each holdout row, to the nearest other real row."""
    members_to_reference: Neighbours
    """Of each train row, among the reference half of `holdout` (its odd positions)."""
    others_to_reference: Neighbours
    """Of each row of the other half of `holdout`, among the reference half."""
    floor_to_train: Neighbours
    """Of each row of the other half, among the first rows of `train`, as many as the half."""


def measure_distances(comparison: Comparison, budget: Budget) -> Distances:
    """Sample by the budget, place every row and search.

    Needs 20 rows of each table.
    """
    budget = budget.for_coordinates(num_coordinates(comparison.train))
    size = min(comparison.train.num_rows, comparison.holdout.num_rows, budget.references)
    train = _sample(comparison.train, size, comparison.seed, "train")
    holdout = _sample(comparison.holdout, size, comparison.seed, "holdout")
    synthetic = _sample(comparison.synthetic, budget.queries, comparison.seed, "synthetic")
    scale = _sample(comparison.train, max(size, budget.queries), comparison.seed, "scale")
    space = Space(scale)
    seen, unseen, made = (space.place(table) for table in (train, holdout, synthetic))
    reference, others = _take(unseen, slice(1, None, 2)), _take(unseen, slice(0, None, 2))
    half = len(reference.dense)
    return Distances(
        train=train,
        holdout=holdout,
        synthetic=synthetic,
        to_train=nearest_neighbours(made, seen, 2),
        to_holdout=nearest_neighbours(made, unseen, 2),
        from_train=nearest_neighbours(seen, made, NEIGHBOURS),
        from_holdout=nearest_neighbours(unseen, made, NEIGHBOURS),
        isolation=_isolation(seen, unseen, budget.isolation),
        members_to_reference=nearest_neighbours(seen, reference, NEIGHBOURS),
        others_to_reference=nearest_neighbours(others, reference, NEIGHBOURS),
        floor_to_train=nearest_neighbours(others, _take(seen, slice(0, half)), 2),
    )


def num_coordinates(table: CodedTable) -> int:
    """About how many coordinates a row of the table has in the space of the DCR."""
    return sum(1 if c.is_numeric else min(len(c.levels), ONE_HOT_LEVELS) for c in table.columns)


def _sample(table: CodedTable, most: int, seed: int, role: str) -> CodedTable:
    return canonical_rows(table, canonical_positions(table, most=most, seed=seed, role=role))


def _isolation(seen: Points, unseen: Points, most: int) -> Floats:
    """Measured against train and holdout rows alike, so that it does not tell them apart."""
    pool = Points(
        dense=np.concatenate([seen.dense, unseen.dense]),
        wide=np.concatenate([seen.wide, unseen.wide]),
    )
    size = len(seen.dense)
    each = max(1, min(size, most // 2))
    chosen: Codes = np.concatenate([np.arange(each), size + np.arange(each)])
    itself = np.full(2 * size, -1, dtype=np.int64)
    itself[chosen] = np.arange(len(chosen))
    return nearest_neighbours(pool, _take(pool, chosen), 1, itself=itself).nearest


def _take(points: Points, rows: slice | Codes) -> Points:
    return Points(dense=points.dense[rows], wide=points.wide[rows])
