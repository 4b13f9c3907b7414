"""A sample: rows from a stored synthesizer, in parts that outlive a lost worker."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.quotas import quota_rows
from llmsynth_serving.jobs.ray_work import drawn_on_ray
from llmsynth_serving.objects.profiles import of_file
from llmsynth_serving.queue.leftovers import parts_of
from llmsynth_serving.settings import ServiceSettings

BATCH_ROWS = 65_536
"""Rows in memory while the parts become one file."""


def sample(context: JobContext) -> dict[str, Any]:
    """Draw `rows` rows under the order's conditions; parts that are there are not drawn again.

    Returns:
        `table`: path, size and schema of the Parquet file in storage; `asked`, `is_partial`. Of a
        shard, which leaves its parts to the whole: `drawn`.
    """
    with context.bundle() as (_, folder):
        synthesizer = Synthesizer.load(folder)
        is_on_ray = context.spec.get("on") == "ray" and bool(context.settings.ray_address)
        parts = drawn_on_ray(context, folder) if is_on_ray else []
    parts = parts or _parts(context, synthesizer)
    if context.parent_id is not None:
        return {"drawn": context.spec["rows"]}
    where = f"tables/{context.spec['table_id']}/{context.attempt}.parquet"
    num_rows = _join(context, parts, where)
    with context.storage.open(where) as written:
        shape = of_file(written, synthesizer.schema_)
    return {
        "table": {
            "path": where,
            "num_rows": num_rows,
            "num_columns": len(synthesizer.schema_.columns),
            "num_bytes": context.storage.size(where),
            "schema": json.loads(synthesizer.schema_.to_json()),
            "profile": shape,
        },
        "asked": context.spec["rows"],
        "is_partial": num_rows < context.spec["rows"],
    }


def _join(context: JobContext, parts: list[str], where: str) -> int:
    num_rows = 0
    with context.storage.writing(where) as file:
        writer = None
        for part in parts:
            with context.storage.open(part) as source:
                rows = pq.ParquetFile(source)
                writer = writer or pq.ParquetWriter(file, rows.schema_arrow, compression="zstd")
                for batch in rows.iter_batches(BATCH_ROWS):
                    writer.write_batch(batch)
                    num_rows += batch.num_rows
        assert writer is not None
        writer.close()
    return num_rows


def _parts(context: JobContext, synthesizer: Synthesizer) -> list[str]:
    spec = context.spec
    begin, rows, step = int(spec.get("first_row", 0)), int(spec["rows"]), _part_rows(spec)
    folder = parts_of(context.parent_id or context.job_id)
    paths = []
    started, found = time.monotonic(), 0
    for first in range(begin, begin + rows, step):
        count = min(step, begin + rows - first)
        path = f"{folder}/{first:015d}.parquet"
        if context.storage.exists(path):
            found += count
        else:
            _draw(context, synthesizer, first, count, path)
        paths.append(path)
        done = first + count - begin
        left = (time.monotonic() - started) * (rows - done) / max(done - found, 1)
        context.progress(Step(stage="sample", done=done, total=rows, seconds_left=left))
    return paths


def _part_rows(spec: Mapping[str, Any]) -> int:
    # Orders of before this was a setting do not name it.
    return int(spec.get("part_rows", ServiceSettings.part_rows))


def _draw(context: JobContext, synthesizer: Synthesizer, first: int, count: int, path: str) -> None:
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
    rows = pa.concat_tables(chunks)
    # Whole or not there: an attempt that was given up may be drawing the very same rows.
    with context.storage.writing(path) as file:
        pq.write_table(rows, file)
