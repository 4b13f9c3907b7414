"""Few-shot: a schema, some examples and words become a stored table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.prompted import PromptedSynthesizer
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.made_table import made_table


def few_shot(context: JobContext) -> dict[str, Any]:
    """Draw `rows` rows by prompt.

    Returns:
        `table` as stored; `account`: what was drawn, dropped and drawn anew; `provenance`.
    """
    spec = context.spec
    schema, examples = _given(context)
    synthesizer = PromptedSynthesizer(
        schema=schema,
        examples=examples,
        instruction=spec["instruction"],
        model=spec["model"],
        target=spec["target"],
    )
    minutes = spec["max_minutes"]
    sample = synthesizer.sample(
        spec["rows"],
        quotas=spec["quotas"],
        temperature=spec["temperature"],
        top_p=spec["top_p"],
        seed=spec["seed"],
        max_seconds=None if minutes is None else 60 * minutes,
        progress=context.progress,
    )
    return {
        "table": made_table(context, sample.table, sample.schema),
        "asked": sample.report.asked,
        "is_partial": sample.report.is_partial,
        "account": asdict(sample.report),
        "provenance": dict(sample.provenance),
    }


def _given(context: JobContext) -> tuple[TableSchema | None, pa.Table | None]:
    """The schema of the order, of its table, or of the examples; and the examples."""
    spec = context.spec
    schema, examples = spec["schema"], None
    if spec["schema_table_id"] is not None:
        with context.table("schema_table_id") as (record, _):
            schema = record.schema
    if spec["examples_table_id"] is not None:
        with context.table("examples_table_id") as (record, path):
            examples, schema = pq.read_table(path), schema or record.schema
    return None if schema is None else TableSchema.from_json(json.dumps(schema)), examples
