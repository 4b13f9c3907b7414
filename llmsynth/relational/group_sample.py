"""What sampling groups gives back: their rows, and an account of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

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
