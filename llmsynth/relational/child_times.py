"""When the ordered rows under a parent begin and how long they last, as columns of the parent."""

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


def span_name(link: ForeignKey) -> str:
    """The column of a parent that holds the ticks from its first row to its last."""
    return f"#{link.table}.{link.column} span"


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
    link: ForeignKey, axis: TimeAxis, first: Ticks, last: Ticks, counts: Ticks
) -> list[tuple[Column, pa.Array]]:
    """The two columns, missing where a parent has no row."""
    empty = counts == 0
    begins = axis.cells(first)
    begins = pc.if_else(pa.array(empty), pa.scalar(None, begins.type), begins)
    spans = last - first
    longest = str(int(spans[~empty].max(initial=0)))
    return [
        (replace(axis.column, name=first_name(link), nullable=True), begins),
        (
            NumberColumn(name=span_name(link), nullable=True, minimum="0", maximum=longest),
            pa.array(spans, mask=empty),
        ),
    ]


def drawn_extent(
    parents: pa.Table, link: ForeignKey, axis: TimeAxis, lengths: Ticks, rng: np.random.Generator
) -> tuple[Ticks, Ticks, Ticks]:
    """Lengths, first ticks and spans of drawn parents' rows; int64 (parents,) each.

    A parent that has rows and was drawn without their times takes those of another; where none has
    any, there are no rows.
    """
    begins = parents[first_name(link)].combine_chunks()
    spans = parents[span_name(link)].combine_chunks()
    has_times = np.asarray(pc.and_(begins.is_valid(), spans.is_valid()))
    donors = np.flatnonzero(has_times)
    if not len(donors):
        nothing = np.zeros(len(lengths), dtype=np.int64)
        return nothing, nothing, nothing
    taken = np.where(has_times, np.arange(len(lengths)), rng.choice(donors, len(lengths)))
    at = pa.array(taken)
    first = axis.ticks(pa.chunked_array([begins.take(at)]))
    return lengths, first, np.asarray(spans.take(at), dtype=np.int64)
