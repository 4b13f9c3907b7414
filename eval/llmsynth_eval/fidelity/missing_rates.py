"""Are cells missing as often as in the train table?"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.fidelity.lost_levels import lost_share
from llmsynth_eval.fidelity.many_tests import Comparisons, Difference, alarmed, answered
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.intervals import wilson
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import NUM_BLOCKS, row_blocks

MISSING_MARGIN = 0.005

MISSING = Comparisons(
    name="missing",
    question="Are cells missing as often as in the real table?",
    subject="column with gaps",
    subjects="columns with gaps",
    unit="difference of missing rates",
    if_none="No cell is missing in either table.",
)


class MissingRates:
    """Mean absolute difference of the missing rates, over the columns where a cell is missing.

    The headline `missing` tests each such column with Fisher's exact test, doubled for two
    sides. Differences below `MISSING_MARGIN` raise no alarm, nor those that lost levels explain.
    """

    name: ClassVar[str] = "missing_rates"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        tests = missing_tests(comparison)
        gone = {
            role: is_missing(getattr(comparison, role))
            for role in ("train", "synthetic", "holdout")
        }
        holed = np.any([g.any(axis=0) for g in gone.values()], axis=0)
        headline = answered(tests, MISSING)
        if not holed.any():
            note = "No cell is missing in any of the three tables."
            return Measurement(headlines=(headline,), notes=(note,))
        value, interval = _figures(comparison, gone, "synthetic", holed)
        floor, floor_interval = None, None
        if comparison.with_floor:
            floor, floor_interval = _figures(comparison, gone, "holdout", holed)
        figure = Figure(
            name="missing_difference",
            title="Missing-rate difference",
            value=value,
            interval=interval,
            floor=floor,
            floor_interval=floor_interval,
            goal=self.goal,
            meaning="How far the share of missing cells is from the real one, on average over the "
            "columns that have gaps.",
        )
        table = _table(comparison, gone, holed)
        return Measurement(figures=(figure,), tables=(table,), headlines=(headline,))


def is_missing(table: CodedTable) -> NDArray[np.bool_]:
    """Which cells are missing; bool of shape (rows, columns)."""
    gone = np.isnan(table.cells)
    for number, column in enumerate(table.columns):
        if not column.is_numeric and None in column.levels:
            gone[:, number] = table.cells[:, number] == column.levels.index(None)
    return gone


def missing_tests(comparison: Comparison) -> list[Difference]:
    """The tests behind the headline `missing`, one a column with a gap in either table."""
    lost = lost_share(comparison)
    sizes = comparison.train.num_rows, comparison.synthetic.num_rows
    counts = [is_missing(t).sum(axis=0) for t in (comparison.train, comparison.synthetic)]
    return [
        Difference(
            about=column.name,
            p_value=fisher_p_value(int(first), sizes[0], int(second), sizes[1]),
            effect=abs(first / sizes[0] - second / sizes[1]),
            margin=MISSING_MARGIN + lost,
        )
        for column, first, second in zip(comparison.train.columns, *counts, strict=True)
        if first or second
    ]


def alarmed_gaps(comparison: Comparison) -> dict[str, float]:
    """Difference of the missing rates of the columns that make `missing` an alarm."""
    return {test.about: test.effect for test in alarmed(missing_tests(comparison))}


def fisher_p_value(first: int, num_first: int, second: int, num_second: int) -> float:
    """Two-sided p-value that two shares are one: twice the smaller tail, at most 1.

    Source: Fisher (1922), Journal of the Royal Statistical Society 85, 87-94.
    """
    law = stats.hypergeom(num_first + num_second, first + second, num_second)
    return float(min(1.0, 2 * min(law.cdf(second), law.sf(second - 1))))


def _figures(
    comparison: Comparison,
    gone: dict[str, NDArray[np.bool_]],
    role: str,
    holed: NDArray[np.bool_],
) -> tuple[float, tuple[float, float]]:
    gaps = np.abs(gone["train"].mean(axis=0) - gone[role].mean(axis=0))[holed]
    value = math.fsum(gaps) / len(gaps)
    counts = [_per_block(comparison, name, gone[name][:, holed]) for name in ("train", role)]
    replicates = two_sample_replicates(counts[0], counts[1], _mean_gap)
    return value, jackknife_interval(value, replicates)


def _per_block(comparison: Comparison, role: str, cells: NDArray[np.bool_]) -> Floats:
    """Cells that are there and that are missing, by block; shape (blocks, columns, 2)."""
    blocks = row_blocks(getattr(comparison, role), seed=comparison.seed)
    gone = np.stack([np.bincount(blocks[c], minlength=NUM_BLOCKS) for c in cells.T], axis=1).astype(
        np.float64
    )
    rows = np.bincount(blocks, minlength=NUM_BLOCKS)[:, None]
    return np.stack([rows - gone, gone], axis=-1)


def _mean_gap(first: Floats, second: Floats) -> Floats:
    shares = [side[..., 1] / np.maximum(1, side.sum(axis=-1)) for side in (first, second)]
    gaps: Floats = np.sort(np.abs(shares[0] - shares[1]), axis=-1).mean(axis=-1)
    return gaps


def _table(
    comparison: Comparison, gone: dict[str, NDArray[np.bool_]], holed: NDArray[np.bool_]
) -> DetailTable:
    p_values = {test.about: test.p_value for test in missing_tests(comparison)}
    gaps: dict[str, float] = {}
    rows: list[tuple[Cell, ...]] = []
    for number in np.flatnonzero(holed):
        name = comparison.train.columns[number].name
        counts = {role: int(cells[:, number].sum()) for role, cells in gone.items()}
        shares = {role: counts[role] / len(gone[role]) for role in gone}
        low, high = wilson(counts["synthetic"], len(gone["synthetic"]))
        gaps[name] = abs(shares["synthetic"] - shares["train"])
        rows.append(
            (
                name,
                shares["train"],
                shares["synthetic"],
                low,
                high,
                shares["holdout"],
                p_values.get(name),
            )
        )
    return DetailTable(
        name="missing_rates",
        title="How often cells are missing",
        columns=("column", "train", "synthetic", "from", "to", "holdout", "p-value"),
        rows=tuple(sorted(rows, key=lambda row: (-gaps[str(row[0])], str(row[0])))),
        meaning="Good is train's share within the synthetic table's 95% interval (from, to). The "
        "table cannot tell whether the right cells are missing.",
    )
