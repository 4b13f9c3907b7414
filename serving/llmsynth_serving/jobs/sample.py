"""A sample: rows from a stored synthesizer, in parts that outlive a lost worker."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.generation.generator import SHARD_ROWS, SamplingSettings
from llmsynth.progress import Step
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.quotas import quota_rows
from llmsynth_serving.objects.profiles import Profile, profile

PART_ROWS = 8 * SHARD_ROWS


def sample(context: JobContext) -> dict[str, Any]:
    """Draw `rows` rows under the order's conditions; finished parts are not drawn again.

    Returns:
        `table`: path, size and schema of the Parquet file in storage; `report`: the account.
    """
    with context.bundle() as (_, folder):
        synthesizer = Synthesizer.load(folder)
    parts = _parts(context, synthesizer)
    where = f"tables/{context.spec['table_id']}/{context.attempt}.parquet"
    num_rows = 0
    with context.storage.writing(where) as file:
        writer = pq.ParquetWriter(file, pq.read_schema(parts[0]), compression="zstd")
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches():
                writer.write_batch(batch)
                num_rows += batch.num_rows
        writer.close()
    return {
        "table": {
            "path": where,
            "num_rows": num_rows,
            "num_columns": len(synthesizer.schema_.columns),
            "num_bytes": context.storage.size(where),
            "schema": json.loads(synthesizer.schema_.to_json()),
            "profile": _profile(context, where, synthesizer.schema_),
        },
        "asked": context.spec["rows"],
        "is_partial": num_rows < context.spec["rows"],
    }


def _profile(context: JobContext, path: str, schema: TableSchema) -> Profile:
    # One column at a time, so that a large table fits.
    with context.storage.open(path) as file:
        source = pq.ParquetFile(file)
        return profile((c, source.read([c.name]).column(0)) for c in schema.columns)


def _parts(context: JobContext, synthesizer: Synthesizer) -> list[Path]:
    total = int(context.spec["rows"])
    folder = context.work / "parts"
    folder.mkdir(exist_ok=True)
    paths = []
    started, found = time.monotonic(), 0
    for first in range(0, total, PART_ROWS):
        count = min(PART_ROWS, total - first)
        path = folder / f"{first:015d}.parquet"
        if path.exists():
            found += count
        else:
            _draw(context, synthesizer, first, count, path)
        paths.append(path)
        done = first + count
        left = (time.monotonic() - started) * (total - done) / max(done - found, 1)
        context.progress(Step(stage="sample", done=done, total=total, seconds_left=left))
    return paths


def _draw(
    context: JobContext, synthesizer: Synthesizer, first: int, count: int, path: Path
) -> None:
    spec = context.spec
    settings = SamplingSettings(
        seed=spec.get("seed", 0),
        temperature=spec.get("temperature", 1.0),
        top_p=spec.get("top_p", 1.0),
        first_row=first,
    )
    given = quota_rows(spec.get("quotas") or {}, first=first, count=count, seed=settings.seed)
    _, chunks = synthesizer.iter_sample(
        count, where=spec.get("where") or None, given=given, settings=settings
    )
    hidden = path.with_suffix(f".{context.attempt}")
    pq.write_table(pa.concat_tables(chunks), hidden)
    hidden.replace(path)
