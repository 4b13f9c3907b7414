"""How columns of parents go with columns of their children."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.fidelity.columns import mean_of
from llmsynth_eval.fidelity.pair_scores import cramers_v, pair_distances
from llmsynth_eval.fidelity.pairs import PairTables, pair_tables
from llmsynth_eval.figure import Figure, Goal, Interval, beside_floor
from llmsynth_eval.jackknife import jackknife_interval
from llmsynth_eval.metric import Comparison, Measurement


@dataclass(frozen=True, kw_only=True)
class ParentChild:
    """Figures of every parent column with every child column, a row a child with its parent.

    - `parent_child_distance`: mean TV distance of the joint distribution, on the bins of `Pairs`.
    - `parent_child_association`: mean absolute difference of bias-corrected Cramér's V.

    Intervals leave out one of twenty blocks of rows at a time.

    Args:
        parents: names of the parent's columns in the joined tables that are compared.
    """

    parents: Sequence[str]

    name: ClassVar[str] = "parent_child"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        tables = pair_tables(comparison)
        names = [column.name for column in tables.columns.columns]
        above = [n for n, name in enumerate(names) if name in self.parents]
        below = [n for n, name in enumerate(names) if name not in self.parents]
        if not above or not below:
            return Measurement(notes=("Parent and child: one of them has no column to compare.",))
        at = np.ix_(above, below)

        def distance(first: Floats, second: Floats) -> Floats:
            return pair_distances(first, second, tables.layout)[at]

        def association(first: Floats, second: Floats) -> Floats:
            strength = [cramers_v(side, tables.layout) for side in (first, second)]
            return np.abs(strength[0] - strength[1])[at]

        figures = (
            _figure(
                tables,
                distance,
                "parent_child_distance",
                "Parent-child distance",
                "How far a parent's column taken together with a child's is from the real "
                "tables, on average; their own values count too.",
            ),
            _figure(
                tables,
                association,
                "parent_child_association",
                "Parent-child association difference",
                "How far the strength of association of a parent's column with a child's, "
                "Cramér's V from 0 to 1, is from the real one, on average.",
            ),
        )
        pairs = [(names[i], names[j], i, j) for i in above for j in below]
        return Measurement(figures=figures, tables=(_table(tables, pairs),))


def _figure(
    tables: PairTables,
    distance: Callable[[Floats, Floats], Floats],
    name: str,
    title: str,
    meaning: str,
) -> Figure:
    others = [role for role in tables.counts if role != "train"]
    found = {role: _mean_and_interval(tables, role, distance) for role in others}
    return beside_floor(found, name=name, title=title, meaning=meaning)


def _mean_and_interval(
    tables: PairTables, role: str, distance: Callable[[Floats, Floats], Floats]
) -> tuple[float, Interval]:
    whole = tables.total("train"), tables.total(role)
    value = mean_of(distance(*whole).ravel().tolist())
    replicates = [
        [float(distance(whole[0] - block, whole[1]).mean()) for block in tables.counts["train"]],
        [float(distance(whole[0], whole[1] - block).mean()) for block in tables.counts[role]],
    ]
    return value, jackknife_interval(value, np.array(replicates))


def _table(tables: PairTables, pairs: Sequence[tuple[str, str, int, int]]) -> DetailTable:
    roles = list(tables.counts)
    strength = {role: cramers_v(tables.total(role), tables.layout) for role in roles}
    train = tables.total("train")
    apart = pair_distances(train, tables.total("synthetic"), tables.layout)
    ordered = sorted(pairs, key=lambda pair: (-apart[pair[2], pair[3]], *pair[:2]))
    rows: list[tuple[Cell, ...]] = [
        (parent, child, float(apart[i, j]), *(float(strength[role][i, j]) for role in roles))
        for parent, child, i, j in ordered
    ]
    return DetailTable(
        name="parent_child",
        title="Parents and their children",
        columns=("parent column", "child column", "TV", *(f"Cramér's V, {r}" for r in roles)),
        rows=tuple(rows),
        meaning="Good is a synthetic strength near train's. Only one parent and one child column "
        "are looked at together.",
    )
