"""What follows what within a sequence: the distribution of two consecutive categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth.errors import TableError
from llmsynth_eval.cells import Floats, texts
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import block_counts, mean_of
from llmsynth_eval.fidelity.distances import count_distance
from llmsynth_eval.figure import Figure, Goal, Interval
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families
from llmsynth_eval.row_order import NUM_BLOCKS

MAX_LEVELS = 30


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """Mean TV distance of the distribution of (category, next category of the same parent).

    Beyond the `MAX_LEVELS` commonest categories of train the rest share one; a missing cell is a
    category. The interval leaves out one of twenty blocks of parents at a time.

    Raises:
        TableError: a named column is not in the children.
    """

    families: Families
    columns: tuple[str, ...]
    """Category columns of the children."""

    name: ClassVar[str] = "transitions"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        counts = {name: self._counts(name) for name in sorted(self.columns)}
        if not counts or not all(c.sum() for found in counts.values() for c in found.values()):
            return Measurement(notes=("Transitions: no parent has two rows in every table.",))
        value, interval = _mean(counts, "synthetic")
        floor: float | None = None
        floor_interval: Interval | None = None
        if "holdout" in self.families.rows:
            floor, floor_interval = _mean(counts, "holdout")
        figure = Figure(
            name="transition_distance",
            title="Transition distance",
            value=value,
            interval=interval,
            floor=floor,
            floor_interval=floor_interval,
            goal="lower",
            meaning="How far pairs of consecutive categories are from the real ones, on average.",
        )
        return Measurement(figures=(figure,), tables=(_table(counts),))

    def _counts(self, name: str) -> dict[str, Floats]:
        """Counts of consecutive categories by block of parents, for each role."""
        words: dict[str, np.ndarray] = {}
        for role, rows in self.families.rows.items():
            if name not in rows.children.columns:
                raise TableError(f"The {role} children table has no column {name!r}.")
            cells = texts(rows.children[name])
            words[role] = np.array(["" if w is None else f"={w}" for w in cells], dtype=str)
        levels, sizes = np.unique(words["train"], return_counts=True)
        known = np.sort(levels[np.argsort(-sizes, kind="stable")[:MAX_LEVELS]])
        out = {}
        for role, rows in self.families.rows.items():
            codes = _codes(words[role], known)
            first, second = rows.follows()
            joint = codes[first] * (len(known) + 1) + codes[second]
            blocks = rows.parent_of[first] % NUM_BLOCKS
            out[role] = block_counts(joint, blocks, (len(known) + 1) ** 2)
        return out


def _codes(words: np.ndarray, known: np.ndarray) -> Codes:
    places = np.minimum(np.searchsorted(known, words), len(known) - 1)
    return np.where(known[places] == words, places, len(known)).astype(np.int64)


def _distance(found: dict[str, Floats], role: str) -> float:
    return float(count_distance(found["train"].sum(axis=0), found[role].sum(axis=0)))


def _mean(counts: dict[str, dict[str, Floats]], role: str) -> tuple[float, Interval]:
    value = mean_of([_distance(found, role) for found in counts.values()])
    replicates = [
        two_sample_replicates(found["train"], found[role], count_distance)
        for found in counts.values()
    ]
    return value, jackknife_interval(value, np.mean(replicates, axis=0))


def _table(counts: dict[str, dict[str, Floats]]) -> DetailTable:
    order = sorted(counts, key=lambda name: (-_distance(counts[name], "synthetic"), name))
    return DetailTable(
        name="transitions",
        title="What follows what",
        columns=("column", "TV", "TV of holdout"),
        rows=tuple(
            (
                name,
                _distance(counts[name], "synthetic"),
                _distance(counts[name], "holdout") if "holdout" in counts[name] else None,
            )
            for name in order
        ),
        meaning="Good is a TV near the holdout's. Only neighbouring rows are compared.",
    )
