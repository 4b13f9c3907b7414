"""How far each column's present values are from the train table's: KS, TV, Wasserstein."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.distances import (
    count_distance,
    count_ks,
    homogeneity_p_value,
    ks_p_value,
    sample_gap,
)
from llmsynth_eval.fidelity.explained import explained_away
from llmsynth_eval.fidelity.many_tests import Comparisons, Difference, answered
from llmsynth_eval.figure import ColumnError, Figure, Goal, Interval, beside_floor
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import NUM_BLOCKS, row_blocks

VALUES_MARGIN = 0.02
TARGET_MARGIN = 0.10
GRID = 255
WORKERS = 2

VALUES = Comparisons(
    name="values",
    question="Does each column hold the values it should, as often as it should?",
    subject="column",
    subjects="columns",
    unit="KS or TV distance",
)
HEADINGS = (
    "column",
    "kind",
    "KS or TV",
    "p-value",
    "KS or TV of holdout",
    "Wasserstein / sd",
    "Wasserstein / sd of holdout",
)


@dataclass(frozen=True, kw_only=True)
class ColumnGap:
    """One column of one table against train, present values only."""

    distance: float
    """KS statistic of numbers, TV distance of categories; 0 where either holds no value."""
    p_value: float
    shared_distance: float
    """The distance among levels that the other table holds; what the headline looks at."""
    wasserstein: float | None
    """In standard deviations of train; None for categories, constants, and without values."""
    replicates: Floats
    """The distance with a block left out, shape (2, blocks); KS on a grid of quantiles."""


class ColumnDistances:
    """Mean KS statistic of numeric columns, mean TV distance of the others, and Wasserstein.

    Missing cells are left to the missing rates. The KS statistic is exact; its interval comes
    from a grid of 255 quantiles. Wasserstein distances are in standard deviations of train.

    The headline `values` tests each column: the KS test for numbers, chi-squared for categories
    among the levels that both tables hold or the synthetic one made up. A difference that lost
    levels or filled gaps explain, and one below `VALUES_MARGIN`, raises no alarm; nor do shares
    of the target that differ by less than `TARGET_MARGIN`, which labels flipped at random bring
    about: they are the headline `target`'s.
    """

    name: ClassVar[str] = "column_distances"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        roles = ["synthetic", "holdout"] if comparison.with_floor else ["synthetic"]
        gaps = {role: column_gaps(comparison, role) for role in roles}
        figures = [
            _mean(comparison, gaps, "ks", "Mean KS statistic", is_numeric=True),
            _mean(comparison, gaps, "tv", "Mean TV distance", is_numeric=False),
            _wasserstein(gaps),
        ]
        kept = [figure for figure in figures if figure.value is not None]
        notes = [f"No column has a {f.title}." for f in figures if f.value is None]
        return Measurement(
            figures=tuple(kept),
            columns=_errors(comparison, gaps),
            tables=(_table(comparison, gaps),),
            headlines=(answered(values_tests(comparison, gaps["synthetic"]), VALUES),),
            notes=tuple(notes),
        )


def column_gaps(comparison: Comparison, role: str) -> list[ColumnGap]:
    """Every column of the named table against train, in train's order of columns."""
    other: CodedTable = getattr(comparison, role)
    blocks = [row_blocks(table, seed=comparison.seed) for table in (comparison.train, other)]
    work = partial(_gap, comparison.train, other, blocks[0], blocks[1])
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(len(other.columns))))


def _gap(
    train: CodedTable, other: CodedTable, blocks: Codes, other_blocks: Codes, number: int
) -> ColumnGap:
    sides = []
    column = train.columns[number]
    missing = None if column.is_numeric or None not in column.levels else column.levels.index(None)
    for table, where in ((train, blocks), (other, other_blocks)):
        values = table.cells[:, number]
        here = ~np.isnan(values) if column.is_numeric else values != missing
        sides.append((values, where) if here.all() else (values[here], where[here]))
    if not all(len(values) for values, _ in sides):
        return _nothing()
    if column.is_numeric:
        return _numeric_gap(*sides[0], *sides[1])
    return _category_gap(*sides[0], *sides[1], num_levels=len(column.levels))


def _nothing() -> ColumnGap:
    return ColumnGap(
        distance=0.0,
        p_value=1.0,
        shared_distance=0.0,
        wasserstein=None,
        replicates=np.zeros((2, NUM_BLOCKS)),
    )


def _numeric_gap(first: Floats, blocks: Codes, second: Floats, other_blocks: Codes) -> ColumnGap:
    ordered = np.sort(first), np.sort(second)
    gap = sample_gap(*ordered)
    spots = np.arange(1, GRID + 1) / (GRID + 1)
    edges = np.unique([np.quantile(side, spots, method="lower") for side in ordered])
    counts = [
        block_counts(np.searchsorted(edges, values, side="right"), where, len(edges) + 1)
        for values, where in ((first, blocks), (second, other_blocks))
    ]
    deviation = float(ordered[0].std())
    return ColumnGap(
        distance=gap.ks,
        p_value=ks_p_value(gap.ks, len(first), len(second)),
        shared_distance=gap.ks,
        wasserstein=gap.wasserstein / deviation if deviation > 0 else None,
        replicates=two_sample_replicates(counts[0], counts[1], count_ks),
    )


def _category_gap(
    first: Floats, blocks: Codes, second: Floats, other_blocks: Codes, *, num_levels: int
) -> ColumnGap:
    counts = [
        block_counts(codes.astype(np.int64), where, num_levels)
        for codes, where in ((first, blocks), (second, other_blocks))
    ]
    totals = [side.sum(axis=0) for side in counts]
    held = totals[1] > 0
    return ColumnGap(
        distance=float(count_distance(*totals)),
        p_value=homogeneity_p_value(totals[0][held], totals[1][held]),
        shared_distance=float(count_distance(totals[0][held], totals[1][held])),
        wasserstein=None,
        replicates=two_sample_replicates(counts[0], counts[1], count_distance),
    )


def block_counts(codes: Codes, blocks: Codes, num_codes: int) -> Floats:
    """How often each block holds each code, float64 of shape (blocks, codes)."""
    joint = np.bincount(blocks * num_codes + codes, minlength=NUM_BLOCKS * num_codes)
    return joint.reshape(NUM_BLOCKS, num_codes).astype(np.float64)


def values_tests(comparison: Comparison, gaps: list[ColumnGap]) -> list[Difference]:
    """The tests behind the headline `values`, one a column."""
    explained = explained_away(comparison)
    return [
        Difference(
            about=column.name,
            p_value=gap.p_value,
            effect=gap.shared_distance,
            margin=explained.of(column.name)
            + (TARGET_MARGIN if column.name == comparison.target else VALUES_MARGIN),
        )
        for column, gap in zip(comparison.train.columns, gaps, strict=True)
    ]


def _mean(
    comparison: Comparison,
    gaps: dict[str, list[ColumnGap]],
    name: str,
    title: str,
    *,
    is_numeric: bool,
) -> Figure:
    places = [n for n, c in enumerate(comparison.train.columns) if c.is_numeric == is_numeric]
    found: dict[str, tuple[float, Interval]] = {}
    for role, columns in gaps.items():
        if places:
            average = mean_of([columns[n].distance for n in places])
            stacked = np.sort([columns[n].replicates for n in places], axis=0)
            found[role] = average, jackknife_interval(average, stacked.mean(axis=0))
    return beside_floor(
        found,
        name=name,
        title=title,
        meaning=f"How far the present values of {'numeric' if is_numeric else 'category'} columns "
        "are from the real ones, on average; 0 is equal, 1 is nothing in common.",
    )


def _wasserstein(gaps: dict[str, list[ColumnGap]]) -> Figure:
    means = {
        role: mean_of([g.wasserstein for g in columns if g.wasserstein is not None])
        for role, columns in gaps.items()
        if any(g.wasserstein is not None for g in columns)
    }
    return Figure(
        name="wasserstein",
        title="Mean Wasserstein distance",
        value=means.get("synthetic"),
        floor=means.get("holdout"),
        goal="lower",
        meaning="How far values must be moved to turn one column into the other, in standard "
        "deviations of the real column; read it beside the floor, it has no interval.",
    )


def mean_of(values: list[float]) -> float:
    """The mean, the same to the last digit in whatever order the values come."""
    return math.fsum(values) / len(values)


def _errors(comparison: Comparison, gaps: dict[str, list[ColumnGap]]) -> tuple[ColumnError, ...]:
    floors = gaps.get("holdout")
    found = [
        ColumnError(
            name=column.name,
            is_numeric=column.is_numeric,
            date_format=column.date_format,
            error=gaps["synthetic"][number].distance,
            floor=None if floors is None else floors[number].distance,
        )
        for number, column in enumerate(comparison.train.columns)
    ]
    return tuple(sorted(found, key=lambda error: (-error.error, error.name)))


def _table(comparison: Comparison, gaps: dict[str, list[ColumnGap]]) -> DetailTable:
    names = [column.name for column in comparison.train.columns]
    found = gaps["synthetic"]
    order = sorted(range(len(names)), key=lambda n: (-found[n].distance, names[n]))
    floors = gaps.get("holdout")
    return DetailTable(
        name="column_distances",
        title="Every column's own values",
        columns=HEADINGS,
        rows=tuple(
            (
                names[n],
                "number" if comparison.train.columns[n].is_numeric else "category",
                found[n].distance,
                found[n].p_value,
                None if floors is None else floors[n].distance,
                found[n].wasserstein,
                None if floors is None else floors[n].wasserstein,
            )
            for n in order
        ),
        meaning="Good is near the holdout's figure. A p-value below .01 divided by the number of "
        "columns is no chance; with many rows it is reached by differences of no importance. "
        "The table cannot tell how columns go together.",
    )
