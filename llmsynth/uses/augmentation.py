"""Hybrid tables: real rows and synthetic ones together, each saying which it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from llmsynth.errors import SettingsError
from llmsynth.generation.sample import SampleReport
from llmsynth.progress import Progress, silent
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.conforming import conform
from llmsynth.tables.pandas_frames import to_pandas
from llmsynth.tables.reading import read_table
from llmsynth.uses.fitting import fitted
from llmsynth.uses.origin import ORIGIN, check_origin, mixed

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """Real rows, then synthetic ones."""

    table: pa.Table
    synthetic: pa.Table
    schema: TableSchema
    """Of the table without the column of origins."""
    report: SampleReport
    synthesizer: Synthesizer

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.table)


def augment(
    table: TableSource,
    n: int,
    *,
    where: Mapping[str, object] | None = None,
    synthesizer: Synthesizer | None = None,
    origin: str = ORIGIN,
    missing: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> Augmented:
    """Add `n` synthetic rows to a table, with a column that says of each row what it is.

    Args:
        where: column to value, the same for all new rows.
        synthesizer: with the settings of the fit; one that is fitted already is used as it is.
        origin: name of the column that says `real` or `synthetic`.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.

    Raises:
        SettingsError: `n` below 1, or a column called like `origin`.
        ConditionError: a condition the schema cannot hold.
        TableError, SchemaError: the table cannot be learned as it stands.
    """
    if n < 1:
        raise SettingsError(f"n must be at least 1, got {n}.")
    source = read_table(table, missing=missing)
    check_origin(origin, source.column_names)
    synthesizer = synthesizer or Synthesizer(seed=seed)
    schema = synthesizer.schema or infer_schema(source, target=synthesizer.target)
    typed = conform(source, schema)
    synthesizer = fitted(synthesizer, typed, progress)
    drawn = synthesizer.sample(n, where=where, seed=seed, progress=progress)
    columns = list(synthesizer.schema_.names)  # less free text, where it was to be dropped
    real = typed.select(columns)
    return Augmented(
        table=mixed(real, drawn.table, origin),
        synthetic=drawn.table,
        schema=schema.without(set(schema.names) - set(columns)),
        report=drawn.report,
        synthesizer=synthesizer,
    )
