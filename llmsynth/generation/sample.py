"""What sampling gives back: rows, and an account of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.pandas_frames import to_pandas


@dataclass
class SampleReport:
    """Counts and reasons of one sampling run."""

    asked: int = 0
    rows: int = 0
    redrawn: int = 0
    """Rows drawn again because they broke a declared constraint."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows given up, by reason."""
    seconds: float = 0.0
    masked_mass: float = 0.0
    """Mean probability that the grammar removed per digit group it was measured on."""
    text_masked_mass: float | None = None
    """The same per token that a language model drew; None where it wrote nothing."""
    blocked_spans: int = 0
    """Draws that would have completed a long span of the training texts and were drawn again."""
    guarded_rows: int = 0
    """Rows in which that happened."""
    copied_rows: int = 0
    """Rows that hold such a span all the same, in another spelling of its tokens."""
    memorization_guard: str | None = None
    """What held back spans of the training texts: `present`, `absent` (the bundle is without its
    owner's folder, which keeps the guard), `off`; None where the table has no such texts."""
    text_guard: str = "not needed"
    """Of texts that the compact model spells: `on`; `absent`, where the bundle came without its
    owner's folder, so that rare training texts may come out; or `not needed`."""
    redrawn_texts: int = 0
    """Spelled texts that equalled a rare training text and were drawn again."""
    copied_texts: int = 0
    """Those that did so in every draw, and stayed."""
    stopped: str = "complete"
    """`complete`, `time` or `interrupted`."""

    @property
    def is_partial(self) -> bool:
        """Whether fewer rows came than were asked for."""
        return self.rows < self.asked


@dataclass(frozen=True)
class Sample:
    """A synthetic table with its report."""

    table: pa.Table
    schema: TableSchema
    report: SampleReport

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.table, self.schema)

    def __len__(self) -> int:
        return int(self.table.num_rows)
