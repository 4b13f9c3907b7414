"""What the pages draw, as plain numbers: distributions, associations, rows projected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmsynth_eval.bins import bin_tables
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable
from llmsynth_eval.fidelity.association import associations
from llmsynth_eval.privacy.nearest import Space

NUM_BINS = 24
NUM_LEVELS = 6
MAX_COLUMNS = 40
ASSOCIATION_ROWS = 20_000
PROJECTED_ROWS = 10_000
GRID = 32
FEWEST_ROWS = 3
DIGITS = 5


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """One column's distribution in real and in synthetic rows."""

    column: str
    is_numeric: bool
    labels: tuple[str, ...]
    """The two ends of the axis (numbers), or a category for each share."""
    real: tuple[float, ...]
    """Share of each bin or category; of numbers, among the present values."""
    synthetic: tuple[float, ...]
    missing: tuple[float, float]
    """Missing rates of a numeric column, real and synthetic; elsewhere a category of its own."""


@dataclass(frozen=True, kw_only=True)
class AssociationMap:
    """Bias-corrected Cramér's V of every two columns, numbers cut at the real deciles."""

    columns: tuple[str, ...]
    real: tuple[tuple[float, ...], ...]
    synthetic: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Rows on the first two principal components of the real ones, counted on a grid."""

    real: tuple[tuple[float, ...], ...]
    """Share of the rows in each cell, lowest second component first; 0 where a cell holds fewer
    than three rows, so that no single row is drawn."""
    synthetic: tuple[tuple[float, ...], ...]
    num_rows: tuple[int, int]
    """Rows projected, real and synthetic."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Everything a page draws from the tables themselves."""

    overlays: tuple[Overlay, ...]
    """Worst column first."""
    associations: AssociationMap
    projection: Projection


def picture(train: CodedTable, synthetic: CodedTable, worst: Sequence[str]) -> Pictures:
    """Everything to draw of two tables.

    Args:
        worst: column names, the worst first; at most 40 are drawn.
    """
    drawn = worst[:MAX_COLUMNS]
    in_order = [column.name for column in train.columns if column.name in set(drawn)]
    return Pictures(
        overlays=tuple(overlay(train, synthetic, name) for name in drawn),
        associations=association_map(train, synthetic, in_order),
        projection=projection(train, synthetic),
    )


def overlay(train: CodedTable, synthetic: CodedTable, name: str) -> Overlay:
    """The distribution of one column in both tables."""
    number = train.index(name)
    column = train.columns[number]
    shares = _numeric if column.is_numeric else _categories
    return shares(column, train.cells[:, number], synthetic.cells[:, number])


def association_map(
    train: CodedTable, synthetic: CodedTable, names: Sequence[str]
) -> AssociationMap:
    """The association of every two columns, on at most 20,000 rows of each table."""
    rng = np.random.default_rng(0)
    tables = [_columns(t.sample(ASSOCIATION_ROWS, rng), names) for t in (train, synthetic)]
    codes, num_bins = bin_tables(*tables)
    real, ours = (_rounded(associations(c, num_bins)) for c in codes)
    return AssociationMap(columns=tuple(names), real=real, synthetic=ours)


def projection(train: CodedTable, synthetic: CodedTable) -> Projection:
    """Rows of both tables on the first two principal components of the real ones."""
    rng = np.random.default_rng(0)
    space = Space(train)
    real, ours = (space.place(t.sample(PROJECTED_ROWS, rng)).dense for t in (train, synthetic))
    mean = real.mean(axis=0)
    axes = np.linalg.svd(real - mean, full_matrices=False)[2][:2]
    if axes.size:  # a component's sign is arbitrary; its largest coordinate points up
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    axes = np.pad(axes, ((0, 2 - len(axes)), (0, 0)))
    real, ours = (real - mean) @ axes.T, (ours - mean) @ axes.T
    low, high = np.quantile(np.vstack([real, ours]), [0.005, 0.995], axis=0)
    high = np.where(high > low, high, low + 1.0)
    return Projection(
        real=_grid(real, low, high),
        synthetic=_grid(ours, low, high),
        num_rows=(len(real), len(ours)),
    )


def _grid(points: Floats, low: Floats, high: Floats) -> tuple[tuple[float, ...], ...]:
    edges = [np.linspace(low[axis], high[axis], GRID + 1) for axis in (0, 1)]
    counts = np.histogram2d(points[:, 1], points[:, 0], bins=(edges[1], edges[0]))[0]
    return _rounded(np.where(counts >= FEWEST_ROWS, counts, 0.0) / len(points))


def _numeric(column: CodedColumn, real: Floats, synthetic: Floats) -> Overlay:
    present = real[~np.isnan(real)], synthetic[~np.isnan(synthetic)]
    missing = (float(np.isnan(real).mean()), float(np.isnan(synthetic).mean()))
    if not len(present[0]) and not len(present[1]):
        return Overlay(
            column=column.name, is_numeric=True, labels=(), real=(), synthetic=(), missing=missing
        )
    low, high = _range(present[0] if len(present[0]) else present[1])
    shares = [
        np.histogram(np.clip(side, low, high), bins=NUM_BINS, range=(low, high))[0]
        / max(1, len(side))
        for side in present
    ]
    return Overlay(
        column=column.name,
        is_numeric=True,
        labels=(_value(column, low), _value(column, high)),
        real=_shares(shares[0]),
        synthetic=_shares(shares[1]),
        missing=missing,
    )


def _range(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.01, 0.99])
    if low == high:
        low, high = values.min(), values.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    return float(low), float(high)


def _value(column: CodedColumn, value: float) -> str:
    if column.date_format is None:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=value)
    return moment.strftime("%Y-%m-%d")


def _categories(column: CodedColumn, real: Floats, synthetic: Floats) -> Overlay:
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
    return Overlay(
        column=column.name,
        is_numeric=False,
        labels=tuple(labels),
        real=_shares(drawn[0]),
        synthetic=_shares(drawn[1]),
        missing=(0.0, 0.0),
    )


def _shares(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS) for value in values)


def _rounded(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(_shares(row) for row in values)


def _columns(table: CodedTable, names: Sequence[str]) -> CodedTable:
    places = [table.index(name) for name in names]
    return CodedTable(
        columns=tuple(table.columns[place] for place in places), cells=table.cells[:, places]
    )
