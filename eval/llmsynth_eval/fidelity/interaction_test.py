"""Do two columns go together in the same way in two tables, whatever their own values?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from llmsynth_eval.cells import Floats
from llmsynth_eval.fidelity.pair_bins import Layout

MAX_ROUNDS = 100
CONVERGED = 1e-6


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """One entry per pair, shape (columns, columns)."""

    p_value: Floats
    """That the odds ratios of both tables are the same; 1 where nothing can differ."""
    effect: Floats
    """Half the summed absolute difference of joint share less product of own shares."""


def same_association(first: Floats, second: Floats, layout: Layout) -> Interaction:
    """Test every two columns of two tables for the same association, own shares apart.

    Pearson's chi-squared against the log-linear model without three-way interaction (table by
    column by column), fitted by iterative proportional scaling to all pairs at once. Rows with
    either cell missing take no part.

    Args:
        first, second: counts of shape (bins, bins), each column's last bin the missing cell.

    Source: Bishop, Fienberg and Holland (1975), Discrete Multivariate Analysis, sections 3.5
    and 4.4; Bartlett (1935), Journal of the Royal Statistical Society Supplement 2, 248-252.
    """
    present = np.ones(layout.width, dtype=np.bool_)
    present[layout.starts + layout.sizes - 1] = False
    counts = np.stack([first, second]) * (present[:, None] & present)
    fitted = _fitted(counts, layout)
    gaps = np.divide((counts - fitted) ** 2, fitted, out=np.zeros_like(counts), where=fitted > 0)
    statistic = layout.over_pairs(gaps.sum(axis=0))
    freedom = _degrees_of_freedom(counts, layout)
    p_value = np.where(freedom > 0, stats.chi2.sf(statistic, np.maximum(freedom, 1)), 1.0)
    excess = [_excess(table, layout) for table in counts]
    return Interaction(p_value=p_value, effect=layout.over_pairs(np.abs(excess[0] - excess[1])) / 2)


def _fitted(counts: Floats, layout: Layout) -> Floats:
    both, by_row, by_column = (
        counts.sum(axis=0),
        _by_row(counts, layout),
        _by_column(counts, layout),
    )
    fitted = np.repeat(both[None] / 2, 2, axis=0)
    for _ in range(MAX_ROUNDS):
        before = fitted
        fitted = fitted * layout.spread_columns(_over(by_row, _by_row(fitted, layout)))
        down = _over(by_column, _by_column(fitted, layout))
        fitted = fitted * np.repeat(down, layout.sizes, axis=-2)
        fitted = fitted * _over(both, fitted.sum(axis=0))
        if np.abs(fitted - before).max(initial=0.0) <= CONVERGED * max(1.0, both.max()):
            break
    return fitted


def _by_row(counts: Floats, layout: Layout) -> Floats:
    """Row sums within each pair: (..., bins, columns)."""
    return layout.over_columns(counts)


def _by_column(counts: Floats, layout: Layout) -> Floats:
    """Column sums within each pair: (..., columns, bins)."""
    out: Floats = np.add.reduceat(counts, layout.starts, axis=-2)
    return out


def _over(above: Floats, below: Floats) -> Floats:
    out: Floats = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
    return out


def _degrees_of_freedom(counts: Floats, layout: Layout) -> Floats:
    """(a - 1)(b - 1) of the bins held in both tables, less cells that neither table holds."""
    rows_held = (_by_row(counts, layout) > 0).all(axis=0)
    columns_held = (_by_column(counts, layout) > 0).all(axis=0)
    tall = np.add.reduceat(rows_held.astype(np.float64), layout.starts, axis=0)
    wide = np.add.reduceat(columns_held.astype(np.float64), layout.starts, axis=1)
    open_cells = np.repeat(rows_held, layout.sizes, axis=1)
    open_cells = open_cells & np.repeat(columns_held, layout.sizes, axis=0)
    empty = layout.over_pairs((open_cells & (counts.sum(axis=0) == 0)).astype(np.float64))
    freedom: Floats = np.maximum(tall - 1, 0) * np.maximum(wide - 1, 0) - empty
    return freedom


def _excess(table: Floats, layout: Layout) -> Floats:
    total = layout.spread_pairs(layout.over_pairs(table))
    rows = layout.spread_columns(_by_row(table, layout))
    columns = np.repeat(_by_column(table, layout), layout.sizes, axis=0)
    return _over(table, total) - _over(rows * columns, total**2)
