"""What sampling related tables gives back: tables by name, and an account of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.pandas_frames import to_pandas


@dataclass
class RelatedReport:
    """Counts and reasons of one sampling run."""

    rows: dict[str, int] = field(default_factory=dict)
    """Rows of each table."""
    unfinished: dict[str, int] = field(default_factory=dict)
    """Parents that lack rows of a table, or rows that were given up, by table and reason."""
    matched: dict[str, float] = field(default_factory=dict)
    """Share of rows whose second parent is as they wished in every respect, by foreign key."""
    seconds: float = 0.0
    stopped: str = "complete"
    """`complete` or `time`."""

    @property
    def is_partial(self) -> bool:
        """Whether rows are missing."""
        return bool(self.unfinished) or self.stopped != "complete"


@dataclass(frozen=True)
class RelatedSample:
    """Synthetic tables with their report."""

    tables: Mapping[str, pa.Table]
    schemas: Mapping[str, TableSchema]
    report: RelatedReport

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """The tables as DataFrames; see `llmsynth.tables.to_pandas`."""
        return {name: to_pandas(t, self.schemas[name]) for name, t in self.tables.items()}
