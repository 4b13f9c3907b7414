"""Linkability: does the synthetic table tell which halves of rows belong together?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmsynth.errors import SettingsError
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.figure import Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.nearest import Space
from llmsynth_eval.privacy.neighbours import nearest_neighbours
from llmsynth_eval.privacy.residual_risk import (
    chosen_columns,
    drawn,
    risk_figure,
    risk_notes,
    risk_of_counts,
)
from llmsynth_eval.privacy.row_keys import salt

NUM_ATTACKS = 2_000
NUM_ROWS = 20_000
NEIGHBOURS = 5
MIN_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Linkability:
    """Residual risk of linking two parts of a record through the synthetic table.

    The columns are parted in two; a real row is linked when a synthetic row is among the five
    nearest to its first part and among the five nearest to its second part.

    Threat model: the attacker has both parts of many records in two lists without a common key.
    """

    name: ClassVar[str] = "linkability"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    first: tuple[str, ...] = ()
    """Columns of the first part; default half of the columns, drawn by the seed."""
    second: tuple[str, ...] = ()
    """Columns of the second part; default all others."""
    num_attacks: int = NUM_ATTACKS
    most_rows: int = NUM_ROWS
    """Most synthetic rows searched."""

    def compute(self, comparison: Comparison) -> Measurement:
        tables = (comparison.train, comparison.synthetic, comparison.holdout)
        size = min(self.num_attacks, comparison.train.num_rows, comparison.holdout.num_rows)
        if min(table.num_rows for table in tables) < MIN_ROWS or len(tables[0].columns) < 2:
            note = f"Linkability needs two columns, and {MIN_ROWS} rows of each table."
            return Measurement(notes=(note,))
        parts = self._parts(comparison)
        synthetic = drawn(comparison, "synthetic", self.most_rows)
        scale = drawn(comparison, "train", self.most_rows)
        train, holdout = (drawn(comparison, role, size) for role in ("train", "holdout"))
        hits = [int(_linked(table, synthetic, scale, parts).sum()) for table in (train, holdout)]
        risk = risk_of_counts(hits[0], hits[1], size)
        meaning = (
            "Guess that the parts of a row belong together because one synthetic row is near both."
        )
        return Measurement(
            figures=(risk_figure(risk, name=self.name, title="Linkability", meaning=meaning),),
            counts={"rows attacked for linkability": size},
            notes=(
                f"Linkability attacks {size:,} train and {size:,} holdout rows through "
                f"{synthetic.num_rows:,} synthetic rows, drawn by seed {comparison.seed}.",
                *risk_notes(risk, "Linkability"),
            ),
        )

    def _parts(self, comparison: Comparison) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = sorted(column.name for column in comparison.train.columns)
        unknown = sorted({*self.first, *self.second} - set(names))
        if unknown or set(self.first) & set(self.second):
            raise SettingsError(
                "The two parts for linkability must be different judged columns; "
                f"unknown: {unknown}, in both: {sorted(set(self.first) & set(self.second))}."
            )
        if not self.first:
            rng = np.random.default_rng(int(salt(comparison.seed, "linkability")))
            free = [n for n in rng.permutation(names).tolist() if n not in self.second]
            first = tuple(sorted(free[: max(1, len(free) // 2)]))
        else:
            first = self.first
        return first, self.second or tuple(name for name in names if name not in first)


def _linked(
    table: CodedTable,
    synthetic: CodedTable,
    scale: CodedTable,
    parts: tuple[tuple[str, ...], tuple[str, ...]],
) -> NDArray[np.bool_]:
    found = []
    for names in parts:
        space = Space(chosen_columns(scale, names))
        rows, references = (space.place(chosen_columns(t, names)) for t in (table, synthetic))
        num = min(NEIGHBOURS, synthetic.num_rows)
        found.append(nearest_neighbours(rows, references, num).found)
    same: NDArray[np.bool_] = (found[0][:, :, None] == found[1][:, None, :]).any(axis=(1, 2))
    return same
