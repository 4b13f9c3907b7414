"""What sampling groups gives back: their rows, and an account of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from llmsynth.relational.group_layout import GroupLayout
from llmsynth.relational.keys import new_keys
from llmsynth.relational.time_axis import TimeAxis
from llmsynth.relational.written_rows import Written
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.pandas_frames import to_pandas


@dataclass(frozen=True, kw_only=True)
class GroupReport:
    """Counts and reasons of one sampling run."""

    asked: int
    groups: int
    """Groups that have rows."""
    rows: int
    cut: int = 0
    """Groups that were drawn longer than the maximum length, and stop there."""
    unfinished: dict[str, int] = field(default_factory=dict)
    """Groups that have fewer rows than were drawn for them, by reason."""
    redrawn: int = 0
    """Rows drawn again because they broke a declared constraint."""
    seconds: float = 0.0
    memorization_guard: str | None = None
    """See `SampleReport.memorization_guard`."""
    stopped: str = "complete"
    """`complete` or `time`."""

    @property
    def is_partial(self) -> bool:
        """Whether groups or rows are missing."""
        return self.groups < self.asked or bool(self.unfinished)


@dataclass(frozen=True)
class GroupSample:
    """A synthetic table of groups with its report."""

    table: pa.Table
    schema: TableSchema
    report: GroupReport

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.table, self.schema)

    def __len__(self) -> int:
        return int(self.table.num_rows)


def whole_rows(
    layout: GroupLayout,
    keys: pa.Array,
    heads: pa.Table,
    written: Written,
    axis: TimeAxis | None,
    seed: int,
) -> pa.Table:
    """Written rows with all their columns, in table order.

    Args:
        keys, heads: the names of groups, and what is the same in all rows of each.
    """
    at = pa.array(written.groups)
    columns = {layout.group_by: keys.take(at)}
    columns |= {name: heads[name].take(at) for name in layout.static}
    columns |= {name: written.table[name] for name in written.table.column_names}
    if layout.order_by is not None and written.ticks is not None:
        assert axis is not None
        columns[layout.order_by] = axis.cells(written.ticks)
    for name, column in layout.named.items():
        columns[name] = new_keys(column, len(at), seed)
    return pa.table({name: columns[name] for name in layout.names})
