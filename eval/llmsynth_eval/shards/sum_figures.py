"""Figures from counts: the digits that all rows in one memory would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmsynth_eval.bootstrap import spread
from llmsynth_eval.cells import Floats
from llmsynth_eval.fidelity.correlations import correlation_gap
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.intervals import around
from llmsynth_eval.shards.table_sums import Counts, TableSums


@dataclass(frozen=True, kw_only=True)
class SumFigures:
    """How far a table is from the reference table, as `fidelity.shape` and `fidelity.trend` say.

    shape, trend: means over columns and over pairs; trend is None of a single column.
    columns, pairs: the errors the means are of.
    shape_interval, trend_interval: 95% intervals, where resamples were counted.
    pearson: mean absolute difference of the correlations of two numeric columns; None without
        two that vary.
    moments: mean and standard deviation of each numeric column; NaN without a value.
    floor: the same figures of the holdout, where one was given.
    dcr_share: the DCR share of all rows, where it was measured.
    """

    num_rows: int
    shape: float
    trend: float | None
    columns: dict[str, float]
    pairs: dict[tuple[str, str], float]
    shape_interval: Interval | None = None
    trend_interval: Interval | None = None
    pearson: float | None = None
    moments: dict[str, tuple[float, float]]
    floor: SumFigures | None = None
    dcr_share: Figure | None = None


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
    shapes = np.stack(list(columns.values())).mean(axis=0)
    trends = np.stack(list(pairs.values())).mean(axis=0) if pairs else None
    pearson = correlation_gap(reference.moments.correlation(), other.moments.correlation())
    return SumFigures(
        num_rows=other.num_rows,
        shape=float(shapes[0]),
        trend=None if trends is None else float(trends[0]),
        columns={name: float(gaps[0]) for name, gaps in columns.items()},
        pairs={pair: float(gaps[0]) for pair, gaps in pairs.items()},
        shape_interval=_interval(shapes),
        trend_interval=None if trends is None else _interval(trends),
        pearson=pearson,
        moments=_moments(other),
    )


def _interval(replicates: Floats) -> Interval | None:
    if len(replicates) < 3:
        return None
    return around(float(replicates[0]), spread(replicates), low=0, high=1)


def _moments(sums: TableSums) -> dict[str, tuple[float, float]]:
    names = [name for name in sums.plan.names if name in sums.plan.numeric]
    mean, deviation = sums.reference.scale
    rows, totals, squares = (
        np.diagonal(part[0])
        for part in (sums.moments.rows, sums.moments.totals, sums.moments.squares)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        centres = totals / rows
        spreads = np.sqrt(np.maximum(squares / rows - centres**2, 0.0))
    found = zip(names, mean + deviation * centres, deviation * spreads, strict=True)
    return {name: (float(centre), float(width)) for name, centre, width in found}


def _numeric_gap(reference: TableSums, other: TableSums, name: str) -> Floats:
    sides = (reference, other)
    missing = [side.missing[name] / side.totals for side in sides]
    steps = [side.steps[name] for side in sides]
    held = [step.sum(axis=1) for step in steps]
    shares = [
        np.cumsum(step, axis=1) / np.maximum(rows, 1)[:, None]
        for step, rows in zip(steps, held, strict=True)
    ]
    gaps = np.abs(shares[0] - shares[1]).max(axis=1)
    gaps = np.where((held[0] > 0) & (held[1] > 0), gaps, 0.0)
    larger: Floats = np.maximum(gaps, np.abs(missing[0] - missing[1]))
    return larger


def _word_gap(reference: TableSums, other: TableSums, name: str) -> Floats:
    places, size = _kinds(reference, other, name)
    sides = zip((reference, other), places, strict=True)
    found = [
        _spread(side.uses[name], (own,), (size,)) / side.totals[:, None] for side, own in sides
    ]
    return _distance(found[0], found[1])


def _pair_gap(reference: TableSums, other: TableSums, pair: tuple[str, str]) -> Floats:
    kinds = [_kinds(reference, other, name) for name in pair]
    size = (kinds[0][1], kinds[1][1])
    found = []
    for index, side in enumerate((reference, other)):
        own = (kinds[0][0][index], kinds[1][0][index])
        whole = _spread(side.pairs[pair], own, size)
        found.append(whole.reshape(len(whole), -1) / side.totals[:, None])
    return _distance(found[0], found[1])


def _kinds(reference: TableSums, other: TableSums, name: str) -> tuple[tuple[Counts, Counts], int]:
    """Where each side's bins or words lie among those of both, and how many there are."""
    if name in reference.plan.numeric:
        bins = np.arange(len(reference.reference.edges[name]) + 2)
        return (bins, bins), len(bins)
    words = [*dict.fromkeys([*reference.words[name], *other.words[name]])]
    at = {word: place for place, word in enumerate(words)}
    first, second = (
        np.array([at[w] for w in side.words[name]], np.int64) for side in (reference, other)
    )
    return (first, second), len(words)


def _spread(counts: Counts, places: tuple[Counts, ...], size: tuple[int, ...]) -> Counts:
    """Counts moved to places among more kinds; places that were never counted hold none."""
    out = np.zeros((len(counts), *size), np.int64)
    more = [(0, len(own) - had) for own, had in zip(places, counts.shape[1:], strict=True)]
    out[np.ix_(np.arange(len(counts)), *places)] = np.pad(counts, [(0, 0), *more])
    return out


def _distance(first: Floats, second: Floats) -> Floats:
    gaps: Floats = np.abs(first - second).sum(axis=1) / 2
    return gaps
