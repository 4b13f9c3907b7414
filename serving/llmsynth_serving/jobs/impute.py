"""An imputation: a stored table becomes one without gaps, once or several times over."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa

from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.uses.imputation import Imputed
from llmsynth.uses.imputation import impute as impute_table
from llmsynth.uses.record import imputed_record
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.made_table import made_table

DRAW = "draw"
"""Column that numbers the draws, where there are several."""


def impute(context: JobContext) -> dict[str, Any]:
    """Fill the gaps of the order's table.

    Returns:
        `table` as stored, all draws below one another; cells filled and left, by column.
    """
    spec = context.spec
    with context.table("source_id") as (record, path):
        synthesizer = Synthesizer(
            schema=TableSchema.from_json(json.dumps(record.schema)),
            keep_rare=True,
            drop_text=True,
            **spec["settings"],
        )
        found = impute_table(
            path,
            columns=spec["columns"] or None,
            draws=spec["draws"],
            synthesizer=synthesizer,
            seed=synthesizer.seed,
            progress=context.progress,
        )
    table, schema = _stacked(found)
    return {"table": made_table(context, table, schema), **imputed_record(found)}


def _stacked(found: Imputed) -> tuple[pa.Table, TableSchema]:
    if len(found.tables) == 1:
        return found.table, found.schema
    name = DRAW
    while name in found.table.column_names:
        name += "_"
    parts = [
        table.append_column(name, pa.array([number] * table.num_rows, pa.int64()))
        for number, table in enumerate(found.tables, start=1)
    ]
    column = NumberColumn(name=name, minimum="1", maximum=str(len(parts)))
    return pa.concat_tables(parts), replace(found.schema, columns=(*found.schema.columns, column))
