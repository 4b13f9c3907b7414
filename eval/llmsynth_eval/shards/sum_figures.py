"""Shape and trend errors from counts: the digits that all rows in one memory would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.shards.table_sums import Counts, TableSums


@dataclass(frozen=True, kw_only=True)
class SumFigures:
    """How far a table is from the reference table, as `fidelity.shape` and `fidelity.trend` say.

    shape, trend: means over columns and over pairs; trend is None of a single column.
    columns, pairs: the errors the means are of.
    """

    num_rows: int
    shape: float
    trend: float | None
    columns: dict[str, float]
    pairs: dict[tuple[str, str], float]


def sum_figures(reference: TableSums, other: TableSums) -> SumFigures:
    """The figures of `other` against the table whose values `reference` counts.

    The KS statistic is exact: between two values of the reference its distribution function does
    not move, so the largest gap lies at one of them or just below it.
    """
    plan = reference.plan
    columns = {
        name: _numeric_gap(reference, other, name)
        if name in plan.numeric
        else _word_gap(reference, other, name)
        for name in plan.names
    }
    pairs = {pair: _pair_gap(reference, other, pair) for pair in reference.pairs}
    return SumFigures(
        num_rows=other.num_rows,
        shape=float(np.mean(list(columns.values()))),
        trend=float(np.mean(list(pairs.values()))) if pairs else None,
        columns=columns,
        pairs=pairs,
    )


def _numeric_gap(reference: TableSums, other: TableSums, name: str) -> float:
    sides = (reference, other)
    missing = [side.missing[name] / side.num_rows for side in sides]
    steps = [side.steps[name] for side in sides]
    gap = 0.0
    if all(step.sum() for step in steps):
        shares = [np.cumsum(step) / step.sum() for step in steps]
        gap = float(np.abs(shares[0] - shares[1]).max())
    return max(gap, abs(missing[0] - missing[1]))


def _word_gap(reference: TableSums, other: TableSums, name: str) -> float:
    words = [*dict.fromkeys([*reference.words[name], *other.words[name]])]
    found = []
    for side in (reference, other):
        places, uses = side.words[name], side.uses[name]
        counts = np.array([uses[places[w]] if w in places else 0 for w in words])
        found.append(counts / side.num_rows)
    return _distance(found[0], found[1])


def _pair_gap(reference: TableSums, other: TableSums, pair: tuple[str, str]) -> float:
    kinds = [_kinds(reference, other, name) for name in pair]
    found = []
    for index, side in enumerate((reference, other)):
        counts = side.pairs[pair]
        whole = np.zeros((len(kinds[0][index]), len(kinds[1][index])), np.int64)
        whole[: counts.shape[0], : counts.shape[1]] = counts
        found.append(_spread(whole, kinds[0][index], kinds[1][index], kinds) / side.num_rows)
    return _distance(found[0], found[1])


def _kinds(reference: TableSums, other: TableSums, name: str) -> tuple[Counts, Counts]:
    """Where each side's bins or words lie among those of both."""
    if name in reference.plan.numeric:
        bins = np.arange(len(reference.reference.edges[name]) + 2)
        return bins, bins
    words = [*dict.fromkeys([*reference.words[name], *other.words[name]])]
    at = {word: place for place, word in enumerate(words)}
    places = [np.array([at[w] for w in side.words[name]], np.int64) for side in (reference, other)]
    return places[0], places[1]


def _spread(
    counts: Counts, rows: Counts, columns: Counts, kinds: list[tuple[Counts, Counts]]
) -> Counts:
    shape = [1 + max((int(side.max()) for side in both if len(side)), default=-1) for both in kinds]
    out = np.zeros(shape, np.int64)
    out[np.ix_(rows, columns)] = counts
    return out


def _distance(first: Floats, second: Floats) -> float:
    return float(np.abs(first - second).sum() / 2)
