"""Singling out: do conditions that fit one synthetic row fit exactly one train row?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.figure import Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.residual_risk import drawn, risk_figure, risk_notes, risk_of_counts
from llmsynth_eval.privacy.row_keys import salt

NUM_ATTACKS = 2_000
NUM_ROWS = 20_000
CONDITIONS = 5
TRIES_PER_ATTACK = 5
MIN_ROWS = 20

Comparator = Literal["equal", "at most", "at least"]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What one cell of a row must be."""

    column: int
    comparator: Comparator
    value: float
    """NaN stands for a missing number."""

    def holds(self, cells: Floats) -> NDArray[np.bool_]:
        """Whether it holds for each cell of its column."""
        if np.isnan(self.value):
            return np.isnan(cells)
        if self.comparator == "at most":
            return np.less_equal(cells, self.value)
        if self.comparator == "at least":
            return np.greater_equal(cells, self.value)
        return np.equal(cells, self.value)


Predicate = tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class SinglingOut:
    """Residual risk of singling out by one condition, and by five at once.

    Conditions that fit exactly one synthetic row are guesses; a guess succeeds when it fits
    exactly one train row. The same guesses on as many holdout rows are the control. All three
    tables are cut to one size, since rare conditions are rarer in smaller tables.

    Threat model: the attacker has the synthetic table only.
    """

    name: ClassVar[str] = "singling_out"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    num_attacks: int = NUM_ATTACKS
    most_rows: int = NUM_ROWS

    def compute(self, comparison: Comparison) -> Measurement:
        tables = (comparison.train, comparison.synthetic, comparison.holdout)
        size = min(self.most_rows, *(table.num_rows for table in tables))
        if size < MIN_ROWS:
            note = f"Singling out needs {MIN_ROWS} rows of each table."
            return Measurement(notes=(note,))
        train, synthetic, holdout = (
            drawn(comparison, role, size) for role in ("train", "synthetic", "holdout")
        )
        rng = np.random.default_rng(int(salt(comparison.seed, "singling out")))
        found = {
            "one condition": _chosen(_single_conditions(synthetic), self.num_attacks, rng),
            f"{CONDITIONS} conditions": _joint_conditions(synthetic, self.num_attacks, rng),
        }
        parts = [
            _measured(guesses, train, holdout, name=f"singling_out[{words}]", words=words)
            for words, guesses in found.items()
        ]
        note = f"Singling out uses {size:,} rows of each table, drawn by seed {comparison.seed}."
        return Measurement(
            figures=tuple(f for part in parts for f in part.figures),
            counts={key: n for part in parts for key, n in part.counts.items()},
            notes=(note, *(n for part in parts for n in part.notes)),
        )


def num_fitting(predicate: Predicate, columns: Floats) -> int:
    """Rows that fit every condition, of a table given as (columns, rows)."""
    first, *others = predicate
    rows = np.flatnonzero(first.holds(columns[first.column]))
    for condition in others:
        rows = rows[condition.holds(columns[condition.column, rows])]
    return len(rows)


def _measured(
    guesses: list[Predicate], train: CodedTable, holdout: CodedTable, *, name: str, words: str
) -> Measurement:
    title = f"Singling out by {words}"
    if not guesses:
        return Measurement(notes=(f"{title} is not measured: nothing fits one synthetic row.",))
    hits = []
    for table in (train, holdout):
        columns = np.ascontiguousarray(table.cells.T)
        hits.append(sum(num_fitting(guess, columns) == 1 for guess in guesses))
    risk = risk_of_counts(hits[0], hits[1], len(guesses))
    meaning = f"Guess that {words} fitting one synthetic row fit exactly one real row."
    return Measurement(
        figures=(risk_figure(risk, name=name, title=title, meaning=meaning),),
        counts={f"guesses of {title.lower()}": len(guesses)},
        notes=risk_notes(risk, title),
    )


def _single_conditions(table: CodedTable) -> list[Predicate]:
    """Every condition on one column that fits one row: a value held once, a lone extreme."""
    found: list[Predicate] = []
    for number, column in enumerate(table.columns):
        cells = table.cells[:, number]
        values, times = np.unique(cells, return_counts=True, equal_nan=True)
        once = values[times == 1]
        found += [(Condition(column=number, comparator="equal", value=float(v)),) for v in once]
        present = values[~np.isnan(values)]
        for end, comparator in ((0, "at most"), (-1, "at least")):
            if column.is_numeric and len(present) and present[end] in once:
                found.append((_extreme(number, comparator, float(present[end])),))
    return found


def _extreme(column: int, comparator: str, value: float) -> Condition:
    return Condition(
        column=column, comparator="at most" if comparator == "at most" else "at least", value=value
    )


def _joint_conditions(table: CodedTable, num: int, rng: np.random.Generator) -> list[Predicate]:
    """Up to `num` predicates of five random columns of a random row that fit this row only."""
    columns = np.ascontiguousarray(table.cells.T)
    medians = [float(np.median(c[~np.isnan(c)])) if (~np.isnan(c)).any() else 0.0 for c in columns]
    found: list[Predicate] = []
    for predicate in _random_predicates(table, medians, num * TRIES_PER_ATTACK, rng):
        if num_fitting(predicate, columns) == 1:
            found.append(predicate)
        if len(found) == num:
            break
    return found


def _random_predicates(
    table: CodedTable, medians: list[float], tries: int, rng: np.random.Generator
) -> Iterator[Predicate]:
    size = min(CONDITIONS, len(table.columns))
    for row in rng.integers(0, table.num_rows, size=tries):
        chosen = rng.permutation(len(table.columns))[:size]
        yield tuple(_condition(table, int(row), int(n), medians[n]) for n in chosen)


def _condition(table: CodedTable, row: int, column: int, median: float) -> Condition:
    value = float(table.cells[row, column])
    if not table.columns[column].is_numeric:
        return Condition(column=column, comparator="equal", value=value)
    comparator: Comparator = "at least" if value > median else "at most"
    return Condition(column=column, comparator=comparator, value=value)


def _chosen(found: list[Predicate], num: int, rng: np.random.Generator) -> list[Predicate]:
    if len(found) <= num:
        return found
    return [found[n] for n in rng.choice(len(found), size=num, replace=False)]
