"""How numbers go together: Pearson, Spearman, and how categories part numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import ClassVar

import numpy as np
from scipy import stats

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.fidelity.columns import mean_of
from llmsynth_eval.figure import Figure, Goal, Measured, beside_floor
from llmsynth_eval.jackknife import jackknife_interval
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import NUM_BLOCKS, by_name, fair_sample

MAX_ROWS = 200_000


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Sums over the rows where both of two numbers are present, by block of rows.

    Each of shape (blocks, columns, columns): entry (i, j) is about column i where j is present.
    """

    rows: Floats
    totals: Floats
    squares: Floats
    products: Floats

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            rows=self.rows + other.rows,
            totals=self.totals + other.totals,
            squares=self.squares + other.squares,
            products=self.products + other.products,
        )

    def correlation(self, left_out: int | None = None) -> Floats:
        """Correlation of every two columns, without a block; NaN where one is constant."""
        rows, totals, squares, products = (
            part.sum(axis=0) - (0 if left_out is None else part[left_out])
            for part in (self.rows, self.totals, self.squares, self.products)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = products - totals * totals.T / rows
            spread = squares - totals**2 / rows
            # what rounding leaves of a constant is no spread
            spread = np.where(spread > 1e-9 * np.maximum(1.0, squares), spread, np.nan)
            out: Floats = np.clip(shared / np.sqrt(spread * spread.T), -1, 1)
        return out


class Correlations:
    """Mean absolute difference of the correlations of two numeric columns.

    Pearson's over the rows where both are present; Spearman's is Pearson's of the ranks that
    values have among their column's present ones (ties share the mean rank). A pair counts where
    train and the other table both have a correlation. The difference lies in [0, 2]; half of it
    is what SDMetrics' CorrelationSimilarity takes from 1.

    The correlation ratio of a number given a category is the square root of the share of the
    number's variance that lies between the categories (Pearson 1905; Fisher 1925, section 44).

    Above `MAX_ROWS` rows of a table a sample of it is taken by the seed.
    """

    name: ClassVar[str] = "correlations"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 2.0)

    def compute(self, comparison: Comparison) -> Measurement:
        roles = ["train", "synthetic"] + (["holdout"] if comparison.with_floor else [])
        tables = {
            role: by_name(fair_sample(getattr(comparison, role), MAX_ROWS, seed=comparison.seed))
            for role in roles
        }
        values = {role: _numbers(table) for role, table in tables.items()}
        scaled = {role: _standardised(v, values["train"]) for role, v in values.items()}
        ranked = {role: ranks(v) for role, v in values.items()}
        pearson = {role: moments(v) for role, v in scaled.items()}
        spearman = {role: moments(v) for role, v in ranked.items()}
        ratios = {role: correlation_ratios(table) for role, table in tables.items()}
        found = [
            _figure(pearson, "pearson_difference", "Pearson difference"),
            _figure(spearman, "spearman_difference", "Spearman difference"),
            _ratio_figure(ratios),
        ]
        return Measurement(
            figures=tuple(figure for figure in found if figure.value is not None),
            tables=_tables(tables["train"], pearson, spearman, ratios),
            notes=(*_undefined(found), *_sample_note(comparison, roles)),
        )


def moments(values: Floats) -> Moments:
    """Sums of products of shape (rows, columns) numbers, rows dealt to the blocks in turn."""
    parts = [moments_of(values[block::NUM_BLOCKS]) for block in range(NUM_BLOCKS)]
    names = ("rows", "totals", "squares", "products")
    return Moments(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def moments_of(values: Floats) -> Moments:
    """The same as one block."""
    here = (~np.isnan(values)).astype(np.float64)
    filled = np.where(here > 0, values, 0.0)
    return Moments(
        rows=(here.T @ here)[None],
        totals=(filled.T @ here)[None],
        squares=((filled**2).T @ here)[None],
        products=(filled.T @ filled)[None],
    )


def ranks(values: Floats) -> Floats:
    """Mean ranks of each column's present values, scaled to [-1/2, 1/2]; NaN where missing."""
    out = np.full(values.shape, np.nan)
    for number, cells in enumerate(values.T):
        here = ~np.isnan(cells)
        if here.any():
            out[here, number] = (stats.rankdata(cells[here]) - 0.5) / here.sum() - 0.5
    return out


def correlation_ratios(table: CodedTable) -> Floats:
    """Correlation ratio of every number (rows) given every category (columns); NaN: constant."""
    categories = [n for n, c in enumerate(table.columns) if not c.is_numeric]
    values = _standardised(_numbers(table), _numbers(table))
    out = np.full((values.shape[1], len(categories)), np.nan)
    for (i, cells), (j, number) in product(enumerate(values.T), enumerate(categories)):
        levels = table.columns[number].levels
        codes = table.cells[:, number].astype(np.int64)
        here = ~np.isnan(cells)
        if None in levels:
            here &= codes != levels.index(None)
        out[i, j] = _ratio(cells[here], codes[here])
    return out


def _ratio(values: Floats, codes: np.ndarray) -> float:
    if not len(values):
        return float("nan")
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= 1e-9 * len(values):
        return float("nan")
    sizes, sums = np.bincount(codes), np.bincount(codes, weights=centred)
    between = float((sums**2 / np.maximum(sizes, 1)).sum())
    share = between / total
    return float(np.sqrt(min(1.0, share))) if share > 1e-12 else 0.0  # rounding is no spread


def _numbers(table: CodedTable) -> Floats:
    return table.cells[:, [n for n, c in enumerate(table.columns) if c.is_numeric]]


def _standardised(values: Floats, train: Floats) -> Floats:
    """Values less train's mean over its deviation: the same correlations, fewer lost digits."""
    mean, deviation = scale_of(train)
    out: Floats = (values - mean) / deviation
    return out


def scale_of(values: Floats) -> tuple[Floats, Floats]:
    """Means and deviations of columns of numbers; 1 where there is no deviation."""
    present = np.maximum(1, (~np.isnan(values)).sum(axis=0))
    mean = np.nansum(values, axis=0) / present
    deviation = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / present)
    return mean, np.where(deviation > 0, deviation, 1.0)


def correlation_gap(first: Floats, second: Floats) -> float | None:
    """Mean absolute difference over the pairs that both tables have; None without any."""
    upper = np.triu_indices(len(first), 1)
    gaps = np.abs(first - second)[upper]
    known = gaps[~np.isnan(gaps)]
    return mean_of(known.tolist()) if len(known) else None


def _figure(found: Mapping[str, Moments], name: str, title: str) -> Figure:
    def measured(role: str) -> Measured:
        train, other = found["train"], found[role]
        value = correlation_gap(train.correlation(), other.correlation())
        if value is None:
            return None, None
        blocks = range(NUM_BLOCKS)
        whole = train.correlation(), other.correlation()
        replicates = [
            [correlation_gap(train.correlation(b), whole[1]) or 0.0 for b in blocks],
            [correlation_gap(whole[0], other.correlation(b)) or 0.0 for b in blocks],
        ]
        return value, jackknife_interval(value, np.array(replicates), high=2.0)

    return beside_floor(
        {role: measured(role) for role in found if role != "train"},
        name=name,
        title=title,
        meaning="How far the correlation of two numeric columns, -1 to 1, is from the real one, "
        "on average.",
    )


def _ratio_figure(ratios: Mapping[str, Floats]) -> Figure:
    def mean_gap(role: str) -> float | None:
        gaps = np.abs(ratios["train"] - ratios[role])
        known = gaps[~np.isnan(gaps)]
        return mean_of(known.tolist()) if len(known) else None

    return Figure(
        name="correlation_ratio_difference",
        title="Correlation-ratio difference",
        value=mean_gap("synthetic"),
        floor=mean_gap("holdout") if "holdout" in ratios else None,
        goal="lower",
        meaning="How far the part of a number's spread that a category explains, 0 to 1, is from "
        "the real one, on average; read it beside the floor, it has no interval.",
    )


def _undefined(found: Sequence[Figure]) -> list[str]:
    return [
        f"{f.title}: no two such columns vary in both tables." for f in found if f.value is None
    ]


def _sample_note(comparison: Comparison, roles: list[str]) -> list[str]:
    if all(getattr(comparison, role).num_rows <= MAX_ROWS for role in roles):
        return []
    return [
        f"Correlations use at most {MAX_ROWS:,} rows of each table, drawn by the seed "
        f"{comparison.seed}."
    ]


def _tables(
    train: CodedTable,
    pearson: Mapping[str, Moments],
    spearman: Mapping[str, Moments],
    ratios: Mapping[str, Floats],
) -> tuple[DetailTable, ...]:
    numbers = [c.name for c in train.columns if c.is_numeric]
    categories = [c.name for c in train.columns if not c.is_numeric]
    matrices = [kind[role].correlation() for kind in (pearson, spearman) for role in pearson]
    roles = list(pearson)
    rows: list[tuple[Cell, ...]] = [
        (numbers[i], numbers[j], *(_cell(matrix[i, j]) for matrix in matrices))
        for i, j in combinations(range(len(numbers)), 2)
    ]
    ratio_rows: list[tuple[Cell, ...]] = [
        (numbers[i], categories[j], *(_cell(ratios[role][i, j]) for role in roles))
        for i, j in product(range(len(numbers)), range(len(categories)))
    ]
    return (
        DetailTable(
            name="correlations",
            title="Correlation of every two numbers",
            columns=(
                "number",
                "with",
                *(f"{k}, {r}" for k in ("Pearson", "Spearman") for r in roles),
            ),
            rows=_worst_first(rows),
            meaning="Good is the synthetic figure near train's; the holdout shows how near fresh "
            "real rows come. Correlation sees lines (Pearson) and order (Spearman), nothing else.",
        ),
        DetailTable(
            name="correlation_ratios",
            title="How categories part numbers",
            columns=("number", "by category", *roles),
            rows=_worst_first(ratio_rows),
            meaning="0: every category has the same mean; 1: the category tells the number. Many "
            "rare categories inflate it, in every table alike.",
        ),
    )


def _worst_first(rows: list[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    def key(row: tuple[Cell, ...]) -> tuple[float, str, str]:
        train, ours = row[2], row[3]
        known = isinstance(train, float) and isinstance(ours, float)
        gap = -abs(train - ours) if known else 0.0  # type: ignore[operator]
        return gap, str(row[0]), str(row[1])

    return tuple(sorted(rows, key=key))


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
