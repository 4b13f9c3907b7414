"""Attribute inference: does the nearest synthetic row tell a secret cell of a train row?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmsynth.errors import SettingsError
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.distances import num_coordinates
from llmsynth_eval.privacy.nearest import Space
from llmsynth_eval.privacy.neighbours import nearest_neighbours
from llmsynth_eval.privacy.residual_risk import (
    ResidualRisk,
    chosen_columns,
    drawn,
    risk_figure,
    risk_notes,
    risk_of_counts,
    risk_of_rows,
)

NUM_ATTACKS = 1_000
NUM_ROWS = 10_000
FEWEST_ROWS = 1_000
PRODUCTS = 1e11
TOLERANCE = 0.05
MIN_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class AttributeInference:
    """Residual risk of guessing one cell from all the others, over the secret columns.

    The guess is the secret of the synthetic row nearest in the known columns; a category is
    right when equal, a number when within 5% of the true one (of its size, so that negative
    numbers are measured like positive ones and 0 only by 0).

    Threat model: the attacker knows every other cell of a row.
    """

    name: ClassVar[str] = "attribute_inference"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    secrets: tuple[str, ...] = ()
    """Columns to guess; default each in turn."""
    num_attacks: int = NUM_ATTACKS
    most_rows: int = NUM_ROWS
    """Most synthetic rows searched; fewer where there are many secrets or categories."""

    def compute(self, comparison: Comparison) -> Measurement:
        tables = (comparison.train, comparison.synthetic, comparison.holdout)
        size = min(self.num_attacks, comparison.train.num_rows, comparison.holdout.num_rows)
        if min(table.num_rows for table in tables) < MIN_ROWS or len(tables[0].columns) < 2:
            note = f"Attribute inference needs two columns, and {MIN_ROWS} rows of each table."
            return Measurement(notes=(note,))
        secrets = self._secrets(comparison)
        cost = 2 * size * len(secrets) * num_coordinates(comparison.train)
        affordable = max(FEWEST_ROWS, int(PRODUCTS / cost))
        synthetic = drawn(comparison, "synthetic", min(self.most_rows, affordable))
        train, holdout = (drawn(comparison, role, size) for role in ("train", "holdout"))
        scale = drawn(comparison, "train", self.most_rows)
        attacked = [
            np.column_stack([_guessed(table, synthetic, scale, name) for name in secrets])
            for table in (train, holdout)
        ]
        by_row = [hits.mean(axis=1) for hits in attacked]
        risk = risk_of_rows(by_row[0], by_row[1])
        meaning = "Guess a cell from the synthetic row nearest in all other cells."
        return Measurement(
            figures=(
                risk_figure(risk, name=self.name, title="Attribute inference", meaning=meaning),
            ),
            tables=(_table(secrets, attacked[0], attacked[1]),),
            notes=(
                f"Attribute inference attacks {size:,} train and {size:,} holdout rows through "
                f"{synthetic.num_rows:,} synthetic rows, drawn by seed {comparison.seed}.",
                *risk_notes(risk, "Attribute inference"),
            ),
        )

    def _secrets(self, comparison: Comparison) -> tuple[str, ...]:
        names = sorted(column.name for column in comparison.train.columns)
        unknown = sorted(set(self.secrets) - set(names))
        if unknown:
            raise SettingsError(
                f"Secrets must be judged columns, got {unknown}; there are {', '.join(names)}."
            )
        return tuple(sorted(self.secrets)) or tuple(names)


def is_right(guesses: Floats, truth: Floats, *, is_numeric: bool) -> NDArray[np.bool_]:
    """Whether each guess is right; a missing cell is guessed by a missing cell."""
    both_missing = np.isnan(guesses) & np.isnan(truth)
    near = np.abs(guesses - truth) <= TOLERANCE * np.abs(truth) if is_numeric else guesses == truth
    right: NDArray[np.bool_] = near | both_missing
    return right


def _guessed(
    table: CodedTable, synthetic: CodedTable, scale: CodedTable, secret: str
) -> NDArray[np.bool_]:
    known = tuple(c.name for c in table.columns if c.name != secret)
    space = Space(chosen_columns(scale, known))
    rows, references = (space.place(chosen_columns(t, known)) for t in (table, synthetic))
    nearest = nearest_neighbours(rows, references, 1).found[:, 0]
    number = table.index(secret)
    return is_right(
        synthetic.cells[nearest, number],
        table.cells[:, number],
        is_numeric=table.columns[number].is_numeric,
    )


def _table(
    secrets: tuple[str, ...], train: NDArray[np.bool_], holdout: NDArray[np.bool_]
) -> DetailTable:
    risks = {
        name: risk_of_counts(int(train[:, n].sum()), int(holdout[:, n].sum()), len(train))
        for n, name in enumerate(secrets)
    }
    rows = [(name, r.train, r.control, r.value, *_ends(r)) for name, r in risks.items()]
    rows.sort(key=lambda row: (-1.0 if row[3] is None else -row[3], row[0]))
    return DetailTable(
        name="attribute_inference",
        title="Cells guessed from the nearest synthetic row",
        columns=("secret", "train", "holdout", "risk", "risk, low", "risk, high"),
        rows=tuple(rows),
        meaning="Good: train cells are guessed no better than holdout cells. One secret in "
        "twenty has an interval off 0 by chance.",
    )


def _ends(risk: ResidualRisk) -> tuple[float | None, float | None]:
    return risk.interval or (None, None)
