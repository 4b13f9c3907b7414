"""QScore: do random counts and averages come out the same on the synthetic table?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.bootstrap import RESAMPLES, resample_weights
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.row_scores import interval

NUM_QUERIES = 2_000
MAX_CONDITIONS = 3
NUM_RANKS = 32
LEAST_SHARE = 0.01
QUERY_ROWS = 50_000
DRAFT_ROWS = 5_000
DRAFTS_PER_QUERY = 4
BLOCK = 64


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Random queries: up to three conditions each, then a count or an average."""

    columns: Codes
    """Column of each condition, shape (queries, 3)."""
    low: Codes
    """Least code that fulfils the condition; unused conditions hold for every code."""
    high: Codes
    averaged: Codes
    """Column whose average is asked, -1 for a count, shape (queries,)."""
    num_conditions: Codes

    def take(self, chosen: Codes) -> Queries:
        """The chosen queries."""
        return Queries(
            columns=self.columns[chosen],
            low=self.low[chosen],
            high=self.high[chosen],
            averaged=self.averaged[chosen],
            num_conditions=self.num_conditions[chosen],
        )

    def selections(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows each query selects, shape (queries, rows), from codes (columns, rows)."""
        out = np.ones((len(self.columns), codes.shape[1]), dtype=bool)
        for condition in range(MAX_CONDITIONS):
            cells = codes[self.columns[:, condition]]
            out &= cells >= self.low[:, condition, None]
            out &= cells <= self.high[:, condition, None]
        return out


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What queries answer on one table, by resample of its rows."""

    shares: Floats
    """Selected share of the rows, shape (queries, 1 + resamples)."""
    averages: Floats
    """Average over the selected rows in train's standard deviations; NaN for a count, or none."""


@dataclass(frozen=True, kw_only=True)
class QScore:
    """1 less the mean error of 2,000 random aggregate queries against train.

    A query has one to three conditions that a random train row fulfils (a category, a range of
    a number's 32 train quantiles, or missing) and that 1% of train or more does. Half ask for
    the count, half for the average of a number. The error of a count is the difference of the
    selected shares over the larger of the two; of an average, the difference in train's
    standard deviations, at most 1, and 1 where no synthetic row is selected.
    """

    num_queries: int = NUM_QUERIES

    name: ClassVar[str] = "qscore"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        seed = comparison.seed
        tables = {
            role: _in_order(table).sample(QUERY_ROWS, np.random.default_rng((seed, 11)))
            for role, table in (
                ("train", comparison.train),
                ("synthetic", comparison.synthetic),
                ("holdout", comparison.holdout),
            )
            if role != "holdout" or comparison.with_floor
        }
        codes, edges = _rank_codes(tables)
        rng = np.random.default_rng((seed, 12))
        queries = _drafted(tables["train"], codes["train"], edges, self.num_queries, rng)
        if not len(queries.averaged):
            return Measurement(notes=("QScore found no query that 1% of train fulfils.",))
        answers = {
            role: _answers(queries, tables[role], codes[role], tables["train"], seed=(seed, 13, n))
            for n, role in enumerate(tables)
        }
        errors = {r: _errors(queries, answers["train"], answers[r]) for r in tables if r != "train"}
        return Measurement(
            figures=(_figure(errors),),
            tables=(_table(queries, errors),),
            notes=tuple(_notes(comparison, len(queries.averaged))),
        )


def _in_order(table: CodedTable) -> CodedTable:
    """Columns by name, rows by their cells: the same answers in whichever order they came."""
    order = sorted(range(len(table.columns)), key=lambda n: table.columns[n].name)
    cells = table.cells[:, order]
    columns = tuple(table.columns[n] for n in order)
    return CodedTable(columns=columns, cells=cells[np.lexsort(tuple(cells.T))])


def _rank_codes(tables: dict[str, CodedTable]) -> tuple[dict[str, Codes], list[int]]:
    """Cells as whole numbers that a range can speak of, and each column's largest such number.

    Numbers get the rank of their train quantile, and missing ones a number of their own.
    """
    train = tables["train"]
    codes = {role: np.empty(t.cells.T.shape, dtype=np.int64) for role, t in tables.items()}
    last = []
    for number, column in enumerate(train.columns):
        edges = np.empty(0)
        if column.is_numeric:
            present = train.cells[:, number][~np.isnan(train.cells[:, number])]
            if len(present):
                edges = np.unique(np.quantile(present, np.arange(1, NUM_RANKS) / NUM_RANKS))
        last.append(len(edges) if column.is_numeric else len(column.levels) - 1)
        for role, table in tables.items():
            values = table.cells[:, number]
            if column.is_numeric:
                ranks = np.searchsorted(edges, values, side="right")
                codes[role][number] = np.where(np.isnan(values), len(edges) + 1, ranks)
            else:
                codes[role][number] = values
    return codes, last


def _drafted(
    train: CodedTable, codes: Codes, last: list[int], num_queries: int, rng: np.random.Generator
) -> Queries:
    num_drafts = DRAFTS_PER_QUERY * num_queries
    num_columns = len(train.columns)
    numeric = np.array([column.is_numeric for column in train.columns])
    rows = rng.integers(0, train.num_rows, num_drafts)
    order = rng.random((num_drafts, num_columns)).argsort(axis=1)
    columns = np.resize(order[:, :MAX_CONDITIONS].T, (MAX_CONDITIONS, num_drafts)).T
    num_conditions = 1 + rng.integers(0, min(MAX_CONDITIONS, num_columns), num_drafts)
    anchor = codes[columns, rows[:, None]]
    ends = np.array(last)[columns]
    reach = np.where(numeric[columns] & (anchor <= ends), ends + 1, 0) / 3
    low = anchor - np.floor(rng.random(anchor.shape) * reach).astype(np.int64)
    high = anchor + np.floor(rng.random(anchor.shape) * reach).astype(np.int64)
    # a range of numbers never reaches into the missing ones
    high = np.where(numeric[columns] & (anchor <= ends), np.minimum(high, ends), high)
    unused = np.arange(MAX_CONDITIONS) >= num_conditions[:, None]
    low[unused], high[unused] = -1, np.iinfo(np.int64).max
    averaged = _averaged(train, rows, numeric, rng)
    drafts = Queries(
        columns=columns, low=low, high=high, averaged=averaged, num_conditions=num_conditions
    )
    some = rng.choice(train.num_rows, size=min(train.num_rows, DRAFT_ROWS), replace=False)
    shares = np.concatenate(
        [drafts.take(b).selections(codes[:, some]).mean(axis=1) for b in _blocks(num_drafts)]
    )
    return drafts.take(np.flatnonzero(shares >= LEAST_SHARE)[:num_queries])


def _averaged(
    train: CodedTable, rows: Codes, numeric: NDArray[np.bool_], rng: np.random.Generator
) -> Codes:
    """For half of the queries a column with a number in the query's own train row."""
    out = np.full(len(rows), -1)
    if not numeric.any():
        return out
    drawn = rng.choice(np.flatnonzero(numeric), len(rows))
    is_average = (rng.random(len(rows)) < 0.5) & ~np.isnan(train.cells[rows, drawn])
    out[is_average] = drawn[is_average]
    return out


def _blocks(num_queries: int) -> list[Codes]:
    return np.array_split(np.arange(num_queries), -(-num_queries // BLOCK))


def _answers(
    queries: Queries, table: CodedTable, codes: Codes, train: CodedTable, *, seed: tuple[int, ...]
) -> Answers:
    rng = np.random.default_rng(seed)
    weights = resample_weights(table.num_rows, rng).T.astype(np.float32)
    shares = np.empty((len(queries.averaged), 1 + RESAMPLES))
    averages = np.full_like(shares, np.nan)
    # queries that average the same column share its weighted cells
    for column in np.unique(queries.averaged):
        asked = np.flatnonzero(queries.averaged == column)
        present = np.ones(table.num_rows, dtype=bool)
        if column >= 0:
            scaled, present = _scaled(table.cells[:, column], train.cells[:, column])
            weighted = weights * scaled[:, None]
            held = weights * present[:, None]
        for block in _blocks(len(asked)):
            chosen = queries.take(asked[block]).selections(codes).astype(np.float32)
            shares[asked[block]] = (chosen @ weights) / table.num_rows
            if column >= 0:
                total = (chosen @ held).astype(np.float64)
                averages[asked[block]] = np.divide(
                    chosen @ weighted, total, out=np.full_like(total, np.nan), where=total > 0
                )
    return Answers(shares=shares, averages=averages)


def _scaled(values: Floats, reference: Floats) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values in the reference's standard deviations from its mean, 0 where missing."""
    present = ~np.isnan(values)
    known = reference[~np.isnan(reference)]
    deviation = float(known.std()) or 1.0
    scaled = np.where(present, (values - known.mean()) / deviation, 0.0)
    return scaled.astype(np.float32), present


def _errors(queries: Queries, train: Answers, other: Answers) -> Floats:
    """Error of every query, shape (queries, 1 + resamples)."""
    larger = np.maximum(train.shares, other.shares)
    apart = np.abs(train.shares - other.shares)
    counts = np.divide(apart, larger, out=np.zeros_like(apart), where=larger > 0)
    averages = np.minimum(np.abs(train.averages - other.averages), 1.0)
    averages[np.isnan(averages)] = 1.0
    return np.where(queries.averaged[:, None] >= 0, averages, counts)


def _figure(errors: dict[str, Floats]) -> Figure:
    scores = {role: 1 - found.mean(axis=0) for role, found in errors.items()}
    synthetic, floor = scores["synthetic"], scores.get("holdout")
    return Figure(
        name="qscore",
        title="QScore",
        value=float(synthetic[0]),
        interval=interval(synthetic, low=0.0, high=1.0),
        floor=None if floor is None else float(floor[0]),
        floor_interval=None if floor is None else interval(floor, low=0.0, high=1.0),
        goal="higher",
        meaning="How nearly random counts and averages over up to three conditions come out as on "
        "train; 1 is exactly.",
    )


def _table(queries: Queries, errors: dict[str, Floats]) -> DetailTable:
    rows = []
    for num_conditions in range(1, MAX_CONDITIONS + 1):
        for kind, is_kind in (
            ("count", queries.averaged < 0),
            ("average", queries.averaged >= 0),
        ):
            chosen = is_kind & (queries.num_conditions == num_conditions)
            if not chosen.any():
                continue
            found = {role: float(e[chosen, 0].mean()) for role, e in errors.items()}
            label = f"{kind}, {num_conditions} condition{'s' if num_conditions > 1 else ''}"
            row = (label, int(chosen.sum()), found["synthetic"], found.get("holdout"))
            rows.append((found["synthetic"], row))
    rows.sort(key=lambda row: -row[0])
    return DetailTable(
        name="queries",
        title="Errors of random queries",
        columns=("Query", "Queries", "Error", "Floor"),
        rows=tuple(row for _, row in rows),
        meaning="Counts: difference of the shares over the larger. Averages: difference in train's "
        "standard deviations. Few selected rows differ by chance: read the error against the "
        "floor.",
    )


def _notes(comparison: Comparison, num_queries: int) -> list[str]:
    tables = (comparison.train, comparison.synthetic, comparison.holdout)
    if max(table.num_rows for table in tables) <= QUERY_ROWS:
        return []
    return [
        f"QScore asks {num_queries:,} queries of at most {QUERY_ROWS:,} rows of each table, "
        f"drawn by seed {comparison.seed}."
    ]
