"""Times between the rows of a group: read from real rows, settled or fitted while writing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmsynth.relational.past import GAP, Groups
from llmsynth.relational.scale import Numbers
from llmsynth.relational.time_axis import Ticks
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.table_schema import TableSchema


def gaps_of(ticks: Ticks, groups: Groups) -> Numbers:
    """Ticks since the row before of the same group; NaN in its first row."""
    gaps = np.full(len(ticks), np.nan)
    inside = np.flatnonzero(groups[1:] == groups[:-1]) + 1
    gaps[inside] = ticks[inside] - ticks[inside - 1]
    return gaps


def gap_column(gaps: Numbers) -> NumberColumn:
    """The column of gaps."""
    known = gaps[~np.isnan(gaps)].astype(np.int64)
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return NumberColumn(name=GAP, nullable=True, minimum=str(low), maximum=str(high))


def least_gap(schema: TableSchema) -> int:
    """The smallest gap a model of this schema draws; 0 where rows have no order."""
    if GAP not in schema.names:
        return 0
    column = schema.column(GAP)
    return int(column.bounds[0]) if isinstance(column, NumberColumn) else 0


def settled_gaps(numbers: Mapping[str, Numbers], step: int, left: Ticks) -> Numbers:
    """Gaps that are settled: none before the first row, all that remains before the last one."""
    if step == 0:
        return np.full(len(left), np.nan)
    return np.where(left == 1, numbers["#remaining"], -1.0)


def fitted_gaps(
    gap: Ticks, room: Ticks, left: Ticks, step: int, least: int, chance: Numbers
) -> Ticks:
    """Gaps that leave the rows to come their least gaps, and use up the room with the last row.

    A gap that is too long becomes the first of as many even random spacings as there are rows left;
    cut to what remains, it would put all rows to come at one moment.
    """
    if step == 0:
        return np.zeros(len(gap), dtype=np.int64)
    most = np.maximum(room - least * (left - 1), 0)
    spaced = 1 - (1 - chance) ** (1 / np.maximum(left - 1, 1))
    short = least + np.floor(spaced * np.maximum(most - least + 1, 0)).astype(np.int64)
    gap = np.where(gap > most, np.minimum(short, most), np.maximum(gap, np.minimum(least, most)))
    return np.where(left == 1, room, gap)
