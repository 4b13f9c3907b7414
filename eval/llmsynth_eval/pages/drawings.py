"""What each drawing of the report page shows: bins, categories, errors, projections."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from llmsynth_eval.bins import bin_tables
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable
from llmsynth_eval.fidelity.association import associations
from llmsynth_eval.figure import ColumnError, PairError
from llmsynth_eval.pages.svg import (
    REAL,
    SYNTHETIC,
    heat_map,
    histogram,
    paired_bars,
    scatter,
    shortened,
)
from llmsynth_eval.privacy.nearest import Space

NUM_BINS = 24
NUM_LEVELS = 6
NUM_POINTS = 1_500
ASSOCIATION_ROWS = 20_000


def distributions(
    train: CodedTable, synthetic: CodedTable, errors: Sequence[ColumnError], max_columns: int
) -> str:
    """One small drawing per column, worst first."""
    out = []
    for error in errors[:max_columns]:
        number = train.index(error.name)
        column = train.columns[number]
        draw = _numeric if column.is_numeric else _categories
        drawing = draw(column, train.cells[:, number], synthetic.cells[:, number])
        out.append(
            f"<figure><figcaption><b>{escape(shortened(error.name, 28))}</b> "
            f"<span>{_error(error)}</span></figcaption>{drawing}</figure>"
        )
    return "".join(out)


def trend_map(pairs: Iterable[PairError], names: Sequence[str]) -> str:
    """The trend error of every measured pair among `names`."""
    place = {name: number for number, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    for pair in pairs:
        if pair.first in place and pair.second in place:
            i, j = place[pair.first], place[pair.second]
            values[i, j] = values[j, i] = pair.error
    if np.isnan(values).all():
        return "<p>There is no pair of columns.</p>"
    peak = max(0.05, float(np.nanmax(values)))
    return heat_map(names, values, peak=peak, title="Trend error of each pair of columns")


def association_maps(
    train: CodedTable, synthetic: CodedTable, names: Sequence[str]
) -> tuple[str, str]:
    """The association of every two columns, in real and in synthetic rows."""
    rng = np.random.default_rng(0)
    tables = [_columns(t.sample(ASSOCIATION_ROWS, rng), names) for t in (train, synthetic)]
    codes, num_bins = bin_tables(*tables)
    real, ours = (
        heat_map(names, associations(c, num_bins), peak=1.0, title=f"Association in {what} rows")
        for c, what in zip(codes, ("real", "synthetic"), strict=True)
    )
    return real, ours


def projections(train: CodedTable, synthetic: CodedTable) -> tuple[str, str]:
    """Real and synthetic rows on the first two principal components of the real ones."""
    rng = np.random.default_rng(0)
    space = Space(train)
    real, ours = (space.place(t.sample(NUM_POINTS, rng)).dense for t in (train, synthetic))
    mean = real.mean(axis=0)
    axes = np.linalg.svd(real - mean, full_matrices=False)[2][:2]
    axes = np.pad(axes, ((0, 2 - len(axes)), (0, 0)))
    real, ours = (real - mean) @ axes.T, (ours - mean) @ axes.T
    low, high = np.quantile(np.vstack([real, ours]), [0.01, 0.99], axis=0)
    return (
        scatter(real, colour=REAL, low=low, high=high, title="Real rows, projected"),
        scatter(ours, colour=SYNTHETIC, low=low, high=high, title="Synthetic rows, projected"),
    )


def _error(error: ColumnError) -> str:
    floor = "" if error.floor is None else f" (floor {error.floor:.3f})"
    return f"error {error.error:.3f}{floor}"


def _numeric(column: CodedColumn, real: Floats, synthetic: Floats) -> str:
    present = real[~np.isnan(real)], synthetic[~np.isnan(synthetic)]
    if not len(present[0]) and not len(present[1]):
        return "<p>No value in either table.</p>"
    range_of = present[0] if len(present[0]) else present[1]
    low, high = np.quantile(range_of, [0.01, 0.99])
    if low == high:
        low, high = range_of.min(), range_of.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    shares = [
        np.histogram(np.clip(side, low, high), bins=NUM_BINS, range=(low, high))[0]
        / max(1, len(side))
        for side in present
    ]
    gaps = [100 * float(np.isnan(side).mean()) for side in (real, synthetic)]
    missing = f"missing: real {gaps[0]:.1f}%, synthetic {gaps[1]:.1f}%" if any(gaps) else ""
    ends = [_value(column, float(edge)) for edge in (low, high)]
    return histogram(shares[0], shares[1], low=ends[0], high=ends[1], missing=missing)


def _value(column: CodedColumn, value: float) -> str:
    if column.date_format is None:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=value)
    return moment.strftime("%Y-%m-%d")


def _categories(column: CodedColumn, real: Floats, synthetic: Floats) -> str:
    size = len(column.levels)
    shares = [
        np.bincount(side.astype(np.int64), minlength=size) / len(side) for side in (real, synthetic)
    ]
    order = np.argsort(-(shares[0] + shares[1]), kind="stable")
    shown = order[:NUM_LEVELS] if size <= NUM_LEVELS else order[: NUM_LEVELS - 1]
    labels = ["(missing)" if column.levels[n] is None else str(column.levels[n]) for n in shown]
    drawn = [side[shown] for side in shares]
    if len(shown) < size:
        labels.append(f"{size - len(shown)} others")
        drawn = [
            np.append(part, side.sum() - part.sum())
            for part, side in zip(drawn, shares, strict=True)
        ]
    return paired_bars(labels, drawn[0], drawn[1])


def _columns(table: CodedTable, names: Sequence[str]) -> CodedTable:
    places = [table.index(name) for name in names]
    return CodedTable(
        columns=tuple(table.columns[place] for place in places), cells=table.cells[:, places]
    )
