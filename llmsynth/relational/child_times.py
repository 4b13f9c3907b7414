"""When the ordered rows under a parent begin and how long they last, as columns of the parent.

How long is told as what is above, or below, so many rows at the usual gap: yearly rows then last as
many years as there are rows, whatever number of them is drawn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.relational.time_axis import Ticks, TimeAxis
from llmsynth.schema.columns import Column, NumberColumn
from llmsynth.schema.metadata_set import ForeignKey


def first_name(link: ForeignKey) -> str:
    """The column of a parent that holds the time of its first row."""
    return f"#{link.table}.{link.column} first"


def excess_name(link: ForeignKey) -> str:
    """The column of a parent that holds the ticks its rows last beyond so many usual gaps."""
    return f"#{link.table}.{link.column} excess"


def usual_gap(ticks: Ticks, groups: Ticks) -> int:
    """The median of the ticks between rows of a group; 0 where no group has two."""
    order = np.lexsort((ticks, groups))
    is_inside = np.diff(groups[order]) == 0
    gaps = np.diff(ticks[order])[is_inside]
    return int(np.median(gaps)) if len(gaps) else 0


def ends(ticks: Ticks, groups: Ticks, num_groups: int) -> tuple[Ticks, Ticks]:
    """First and last tick of each group; int64 (groups,), 0 where it has no row."""
    lowest, highest = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    first = np.full(num_groups, lowest)
    last = np.full(num_groups, highest)
    np.minimum.at(first, groups, ticks)
    np.maximum.at(last, groups, ticks)
    is_empty = first > last
    return np.where(is_empty, 0, first), np.where(is_empty, 0, last)


def extent_columns(
    link: ForeignKey, axis: TimeAxis, ticks: Ticks, groups: Ticks, counts: Ticks, gap: int
) -> list[tuple[Column, pa.Array]]:
    """The two columns, missing where a parent has no row.

    Args:
        ticks, groups: int64 (rows,), of the children; counts: int64 (parents,).
        gap: the usual one.
    """
    empty = counts == 0
    first, last = ends(ticks, groups, len(counts))
    begins = axis.cells(first)
    begins = pc.if_else(pa.array(empty), pa.scalar(None, begins.type), begins)
    excess = last - first - gap * np.maximum(counts - 1, 0)
    there = excess[~empty]
    bounds = (there.min(), there.max()) if len(there) else (0, 0)
    low, high = (str(int(bound)) for bound in bounds)
    return [
        (replace(axis.column, name=first_name(link), nullable=True), begins),
        (
            NumberColumn(name=excess_name(link), nullable=True, minimum=low, maximum=high),
            pa.array(excess, mask=empty),
        ),
    ]


def drawn_extent(
    parents: pa.Table,
    link: ForeignKey,
    axis: TimeAxis,
    lengths: Ticks,
    *,
    gap: int,
    rng: np.random.Generator,
) -> tuple[Ticks, Ticks, Ticks]:
    """Lengths, first ticks and spans of drawn parents' rows; int64 (parents,) each.

    Rows that would last beyond the axis begin earlier. A parent that has rows and was drawn without
    their times takes those of another; where none has any, there are no rows.
    """
    begins = parents[first_name(link)].combine_chunks()
    excess = parents[excess_name(link)].combine_chunks()
    has_times = np.asarray(pc.and_(begins.is_valid(), excess.is_valid()))
    donors = np.flatnonzero(has_times)
    if not len(donors):
        nothing = np.zeros(len(lengths), dtype=np.int64)
        return nothing, nothing, nothing
    taken = np.where(has_times, np.arange(len(lengths)), rng.choice(donors, len(lengths)))
    at = pa.array(taken)
    first = axis.ticks(pa.chunked_array([begins.take(at)]))
    beyond = np.asarray(excess.take(at), dtype=np.int64)
    spans = np.maximum(gap * np.maximum(lengths - 1, 0) + beyond, 0)
    first = np.maximum(np.minimum(first, axis.last - spans), axis.first)
    return lengths, first, spans
