"""What was drawn of groups, as the plan of their rows and as the schema of what is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from llmsynth.relational.given_rows import GivenRows
from llmsynth.relational.group_layout import FIRST, ROWS, SPAN, GroupLayout
from llmsynth.relational.group_plan import GroupPlan
from llmsynth.relational.group_texts import GroupTexts
from llmsynth.relational.sequence_model import SequenceModel
from llmsynth.schema.table_schema import TableSchema


def row_plan(heads: pa.Table, rows: SequenceModel, given: GivenRows | None) -> GroupPlan:
    """The rows of drawn groups: how many, from when to when; those that are given as they are.

    Args:
        heads: one row a group, as its model drew it; fewer than were given where time ran out.
    """
    lengths = np.asarray(heads[ROWS].combine_chunks(), dtype=np.int64)
    if given is not None:
        lengths = given.rows.lengths[: len(lengths)]
    own = heads.select([column.name for column in rows.own])
    if rows.axis is None:
        return GroupPlan(own=own, lengths=lengths)
    span = np.asarray(heads[SPAN].combine_chunks(), dtype=np.int64)
    first, least = rows.axis.ticks(heads[FIRST]), rows.least_gap
    if given is not None and given.ticks is not None:
        ends = given.ticks[given.rows.first + given.rows.lengths - 1]
        return GroupPlan(own=own, lengths=lengths, first=first, last=ends[: len(lengths)])
    return GroupPlan.timed(own, lengths, first, span, axis=rows.axis, least_gap=least)


def written_schema(
    layout: GroupLayout, heads: TableSchema, rows: SequenceModel, texts: GroupTexts | None
) -> TableSchema:
    """The schema of whole rows, in table order."""
    assert rows.synthesizer is not None
    known = {c.name: c for c in (*heads.columns, *layout.named.values())}
    known |= {c.name: c for c in rows.synthesizer.schema_.columns}
    known[layout.group_by] = replace(layout.key, unique=False)
    if layout.order_by is not None and rows.axis is not None:
        known[layout.order_by] = rows.axis.column
    names = layout.names
    if texts is not None:
        known |= {column.name: column for column in texts.columns}
        names = texts.names
    return TableSchema(columns=tuple(known[name] for name in names))
