"""A table in memory becomes a stored one: its Parquet file, and what the record says of it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.schema.table_schema import TableSchema
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.objects.profiles import of_table


def made_table(context: JobContext, table: pa.Table, schema: TableSchema) -> dict[str, Any]:
    """Write the table that the order's `table_id` names; the fields of its record."""
    where = f"tables/{context.spec['table_id']}/{context.attempt}.parquet"
    with context.storage.writing(where) as file:
        pq.write_table(table, file, compression="zstd")
    return {
        "path": where,
        "num_rows": table.num_rows,
        "num_columns": table.num_columns,
        "num_bytes": context.storage.size(where),
        "schema": json.loads(schema.to_json()),
        "profile": of_table(table, schema),
    }
