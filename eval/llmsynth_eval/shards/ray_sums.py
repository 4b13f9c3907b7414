"""Counts of a table's files, a Ray task each; what a lost node counted is counted again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import ray

from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth_eval.shards.shard_judge import file_sums
from llmsynth_eval.shards.table_sums import Reference, TableSums

_AHEAD = 2
"""Tasks a processor: enough that none waits, and few results at once in memory."""


def counted_on_ray(
    shards: ParquetShards, reference: Reference, address: str | None
) -> Iterator[TableSums]:
    """Counts of each file, in order; at most a few are held at a time."""
    is_own = not ray.is_initialized()
    if is_own:
        ray.init(address=address, log_to_driver=False)
    try:
        yield from _counted(shards, reference)
    finally:
        if is_own:
            ray.shutdown()


def _counted(shards: ParquetShards, reference: Reference) -> Iterator[TableSums]:
    count = ray.remote(file_sums).options(num_cpus=1, max_retries=3)
    shared = ray.put(reference)
    most = max(int(ray.cluster_resources().get("CPU", 1)), 1) * _AHEAD
    waiting, flying = deque(shards.paths), deque[object]()
    while waiting or flying:
        while waiting and len(flying) < most:
            flying.append(count.remote(shards, waiting.popleft(), shared))
        yield ray.get(flying.popleft())
