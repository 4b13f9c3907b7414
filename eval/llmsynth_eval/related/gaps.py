"""How long the rows of one group are apart, and whether their times ever go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from llmsynth.errors import TableError
from llmsynth_eval.cells import Floats, numbers, texts
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import block_counts
from llmsynth_eval.fidelity.distances import count_ks
from llmsynth_eval.figure import Goal, Interval, beside_floor
from llmsynth_eval.input_tables import as_frame
from llmsynth_eval.intervals import wilson
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families
from llmsynth_eval.row_order import NUM_BLOCKS

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """KS statistic of the times between consecutive rows of a parent, and the share that go back.

    Times are numbers, or days and moments in ISO 8601, then in seconds. The interval of the
    statistic leaves out one of twenty blocks of parents at a time; that of the share is Wilson's.

    Raises:
        TableError: the ordering column holds something else.
    """

    families: Families

    name: ClassVar[str] = "gaps"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        order = self.families.link.order
        if order is None:
            return Measurement(notes=("Gaps: no column orders the rows.",))
        gaps: dict[str, tuple[Floats, Codes]] = {}
        for role, rows in self.families.rows.items():
            times = as_times(rows.children[order], table=f"{role} children")
            first, second = rows.follows()
            gaps[role] = times[second] - times[first], rows.parent_of[first] % NUM_BLOCKS
        if not all(len(found) for found, _ in gaps.values()):
            return Measurement(notes=("Gaps: no parent has two rows in every table.",))
        back = {role: self._back(role, order) for role in gaps}
        figures = (
            beside_floor(
                {role: _distance(gaps["train"], found) for role, found in gaps.items()},
                name="gap_ks",
                title="Time between rows",
                meaning="How far the times between consecutive rows are from the real ones, "
                "0 to 1.",
            ),
            beside_floor(
                back,
                name="times_back",
                title="Times that go back",
                meaning="Share of rows, as they stand in the file, that are earlier than the row "
                f"before of the same parent; in train it is {back['train'][0]:.4f}.",
            ),
        )
        return Measurement(figures=figures, tables=(_table({r: g for r, (g, _) in gaps.items()}),))

    def _back(self, role: str, order: str) -> tuple[float, Interval]:
        frame = as_frame(self.families.by_role[role].children, role=f"{role} children")
        keys = pd.factorize(texts(frame[self.families.link.child_key]))[0]
        times = as_times(frame[order], table=f"{role} children")
        stand = np.argsort(keys, kind="stable")
        same = keys[stand][1:] == keys[stand][:-1]
        back = int((np.diff(times[stand])[same] < 0).sum())
        size = max(1, int(same.sum()))
        return back / size, wilson(back, size)


def as_times(cells: pd.Series, *, table: str) -> Floats:
    """Numbers as they are, ISO 8601 days and moments in seconds since 1970.

    Raises:
        TableError: neither.
    """
    try:
        return numbers(cells, table=table)
    except TableError:
        try:
            moments = pd.to_datetime(cells, format="ISO8601", utc=True)
        except (ValueError, TypeError) as error:
            raise TableError(
                f"The {table} table orders rows by {cells.name!r}: {error}."
            ) from error
        seconds = moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
        return np.where(moments.isna(), np.nan, seconds / 1e6)


def _distance(train: tuple[Floats, Codes], other: tuple[Floats, Codes]) -> tuple[float, Interval]:
    grid = np.unique(np.concatenate([train[0], other[0]]))
    counts = [
        block_counts(np.searchsorted(grid, found).astype(np.int64), blocks, len(grid))
        for found, blocks in (train, other)
    ]
    value = float(count_ks(counts[0].sum(axis=0), counts[1].sum(axis=0)))
    return value, jackknife_interval(value, two_sample_replicates(counts[0], counts[1], count_ks))


def _table(gaps: dict[str, Floats]) -> DetailTable:
    return DetailTable(
        name="gaps",
        title="Time between rows",
        columns=("quantile", *gaps),
        rows=tuple(
            (f"{quantile:.0%}", *(float(np.quantile(found, quantile)) for found in gaps.values()))
            for quantile in QUANTILES
        ),
        meaning="Quantiles of the time from one row of a parent to its next, in the column's own "
        "unit; seconds where it holds days or moments.",
    )
