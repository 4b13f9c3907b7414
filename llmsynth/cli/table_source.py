"""What a fit learns: a whole file, or an even sample of a table that need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from llmsynth.errors import SettingsError
from llmsynth.schema import TableSchema
from llmsynth.tables import read_table
from llmsynth.tables.parquet_shards import ParquetShards, is_sharded

_ROWS_OF_A_FOLDER = 200_000


@dataclass(frozen=True, kw_only=True)
class TableToLearn:
    """The rows, and the table they were drawn from where it is another."""

    rows: pa.Table
    words: str
    shards: ParquetShards | None = None
    seed: int = 0

    @property
    def sampled_from(self) -> dict[str, object] | None:
        """What the record says of the table the rows were drawn from."""
        if self.shards is None:
            return None
        return {
            "rows": self.shards.num_rows,
            "files": len(self.shards.paths),
            "drawn": "evenly, without replacement",
            "seed": self.seed,
        }


def table_to_learn(
    table: str, rows: int | None, missing: Sequence[str], *, seed: int
) -> TableToLearn:
    """Read a file, or draw rows from Parquet files.

    Raises:
        TableError: nothing there that can be read.
        SettingsError: fewer than one row is asked for.
    """
    if rows is None and not is_sharded(table):
        read = read_table(table, missing=missing)
        words = f"Read {read.num_rows:,} rows of {read.num_columns} columns from {table}."
        return TableToLearn(rows=read, words=words)
    count = _ROWS_OF_A_FOLDER if rows is None else rows
    if count < 1:
        raise SettingsError(f"--fit-rows must be at least 1, got {count}.")
    shards = ParquetShards(table, missing=missing)
    drawn = shards.sample(count, seed=seed)
    words = (
        f"Drew {drawn.num_rows:,} of {shards.num_rows:,} rows of {drawn.num_columns} columns "
        f"from {len(shards.paths):,} files in {table}."
    )
    return TableToLearn(rows=drawn, words=words, shards=shards, seed=seed)


def schema_to_learn(
    declared: TableSchema | None, source: TableToLearn, target: str | None, *, is_private: bool
) -> TableSchema | None:
    """The schema to fit with; None where the fit is to infer it from the rows.

    Of a larger table it is that of all rows, in one pass. Not of a private fit: what is inferred
    holds the table's own values, and a schema that is handed over counts as public.
    """
    if declared is not None or source.shards is None or is_private:
        return declared
    return source.shards.schema(target=target)
