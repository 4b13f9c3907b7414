"""Does the synthetic table hold every category, and the whole range, of the train table?"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import mean_of
from llmsynth_eval.fidelity.lost_levels import losses, num_testable
from llmsynth_eval.fidelity.many_tests import Comparisons, answered
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement

COVERAGE = Comparisons(
    name="coverage",
    question="Does every category and every part of a range that should appear, appear?",
    subject="absent category or end of a range",
    subjects="absent categories and ends of ranges",
    unit="share of real rows that hold it",
    if_none="No category and no part of a range is absent.",
)


class Coverage:
    """Range coverage of numbers and category coverage of the rest, means over columns.

    Range coverage is the part of train's range, minimum to maximum, that the synthetic range
    covers; category coverage is the share of train's levels that appear. Neither has an
    interval: extremes and rare levels have none that a resample shows; read them beside the
    floor.

    The headline `coverage` alarms when a level, or everything beyond one end of a range, is
    absent though its rows are so many that chance does not explain it.
    """

    name: ClassVar[str] = "coverage"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        columns = comparison.train.columns
        shares = {
            role: [
                covered(comparison.train, getattr(comparison, role), n) for n in range(len(columns))
            ]
            for role in (("synthetic", "holdout") if comparison.with_floor else ("synthetic",))
        }
        found = losses(comparison)
        headline = answered(
            [loss.test for loss in found], COVERAGE, num_tests=num_testable(comparison)
        )
        figures = (
            _figure("range_coverage", "Range coverage", columns, shares, is_numeric=True),
            _figure("category_coverage", "Category coverage", columns, shares, is_numeric=False),
        )
        return Measurement(
            figures=tuple(f for f in figures if f.value is not None),
            tables=(_table(comparison, shares),),
            headlines=(headline,),
        )


def covered(train: CodedTable, other: CodedTable, number: int) -> float | None:
    """Covered share of one column's range or levels; None where train holds no value."""
    ours, theirs = train.cells[:, number], other.cells[:, number]
    if train.columns[number].is_numeric:
        return _range_share(ours[~np.isnan(ours)], theirs[~np.isnan(theirs)])
    known = {code for code, level in enumerate(train.columns[number].levels) if level is not None}
    held = set(np.unique(ours).astype(int).tolist()) & known
    if not held:
        return None
    return len(held & set(np.unique(theirs).astype(int).tolist())) / len(held)


def _range_share(ours: Floats, theirs: Floats) -> float | None:
    if not len(ours):
        return None
    if not len(theirs):
        return 0.0
    low, high = float(ours.min()), float(ours.max())
    if low == high:
        return float(theirs.min() <= low <= theirs.max())
    inside = min(high, float(theirs.max())) - max(low, float(theirs.min()))
    return max(0.0, inside) / (high - low)


def _figure(
    name: str,
    title: str,
    columns: tuple[CodedColumn, ...],
    shares: dict[str, list[float | None]],
    *,
    is_numeric: bool,
) -> Figure:
    means = {}
    for role, found in shares.items():
        values = [
            s
            for c, s in zip(columns, found, strict=True)
            if c.is_numeric == is_numeric and s is not None
        ]
        means[role] = mean_of(values) if values else None
    part = "range" if is_numeric else "categories"
    return Figure(
        name=name,
        title=title,
        value=means["synthetic"],
        floor=means.get("holdout"),
        goal="higher",
        meaning=f"Which part of each real column's {part} appears, on average; 1 is all of it.",
    )


def _table(comparison: Comparison, shares: dict[str, list[float | None]]) -> DetailTable:
    lost: dict[str, list[int]] = {column.name: [] for column in comparison.train.columns}
    for loss in losses(comparison):
        lost[loss.column].append(loss.num_rows)
    floors = shares.get("holdout")
    columns = comparison.train.columns
    order = sorted(
        range(len(columns)),
        key=lambda n: (-max(lost[columns[n].name], default=0), columns[n].name),
    )
    return DetailTable(
        name="coverage",
        title="What of each column appears",
        columns=("column", "of", "covered", "by holdout", "absent", "most rows absent at once"),
        rows=tuple(
            (
                columns[n].name,
                "range" if columns[n].is_numeric else "categories",
                shares["synthetic"][n],
                None if floors is None else floors[n],
                len(lost[columns[n].name]),
                max(lost[columns[n].name], default=0),
            )
            for n in order
        ),
        meaning="Good is what the holdout covers. `absent` counts levels, or ends of the range, "
        "that train holds and the synthetic table lacks, beside the train rows of the largest. A "
        "table that protects rare values lacks them on purpose.",
    )
