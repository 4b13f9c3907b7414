"""How many children each parent has, or how long sequences are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import block_counts
from llmsynth_eval.fidelity.distances import count_ks, ks_p_value
from llmsynth_eval.figure import Figure, Goal, Interval
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families
from llmsynth_eval.row_order import NUM_BLOCKS

SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Cardinality:
    """KS statistic of the numbers of children per parent, parents without any included.

    For sequences, which have no parent table, it is the KS statistic of their lengths. The
    interval leaves out one of twenty blocks of parents at a time.
    """

    families: Families

    name: ClassVar[str] = "cardinality"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        sizes = {role: rows.sizes for role, rows in self.families.rows.items()}
        if not all(len(found) for found in sizes.values()):
            return Measurement(notes=("Cardinality: a table has no parent at all.",))
        value, interval, p_value = _distance(sizes["train"], sizes["synthetic"])
        floor: float | None = None
        floor_interval: Interval | None = None
        if "holdout" in sizes:
            floor, floor_interval, _ = _distance(sizes["train"], sizes["holdout"])
        what = "sequence" if self.families.link.parent_key is None else "parent"
        figure = Figure(
            name="cardinality_ks",
            title=f"Rows per {what}",
            value=value,
            interval=interval,
            floor=floor,
            floor_interval=floor_interval,
            goal="lower",
            meaning=f"How far the number of rows of each {what} is from the real one, 0 to 1; "
            f"p = {p_value:.4g} that they are alike.",
        )
        return Measurement(figures=(figure,), tables=(_table(sizes, what),))


def _distance(train: Codes, other: Codes) -> tuple[float, Interval, float]:
    most = int(max(train.max(), other.max())) + 1
    counts = [
        block_counts(side, np.arange(len(side)) % NUM_BLOCKS, most) for side in (train, other)
    ]
    value = float(count_ks(counts[0].sum(axis=0), counts[1].sum(axis=0)))
    interval = jackknife_interval(value, two_sample_replicates(counts[0], counts[1], count_ks))
    return value, interval, ks_p_value(value, len(train), len(other))


def _table(sizes: dict[str, Codes], what: str) -> DetailTable:
    shares = {
        role: np.append(
            np.bincount(np.minimum(found, SHOWN), minlength=SHOWN + 1) / len(found), found.mean()
        )
        for role, found in sizes.items()
    }
    labels = [*map(str, range(SHOWN)), f"{SHOWN} or more", "mean"]
    return DetailTable(
        name="cardinality",
        title=f"Rows per {what}",
        columns=("rows", *shares),
        rows=tuple(
            (label, *(float(found[place]) for found in shares.values()))
            for place, label in enumerate(labels)
        ),
        meaning=f"Share of each table's {what}s that have so many rows; the last line is the mean.",
    )
