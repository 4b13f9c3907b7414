"""The same work on every file of a table, a Ray task each; what a lost node did is done again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import ray

from llmsynth.tables.parquet_shards import ParquetShards

Shared = TypeVar("Shared")
Found = TypeVar("Found")
_AHEAD = 2
"""Tasks a processor: enough that none waits, and few results at once in memory."""


class Cluster:
    """The Ray cluster that this process is connected to."""

    def each(
        self,
        work: Callable[[ParquetShards, str, Shared], Found],
        shards: ParquetShards,
        shared: Shared,
    ) -> Iterator[Found]:
        """What comes of each file, in order; at most a few are held at a time."""
        task = ray.remote(work).options(num_cpus=1, max_retries=3)
        everybodys = ray.put(shared)
        most = max(int(ray.cluster_resources().get("CPU", 1)), 1) * _AHEAD
        waiting, flying = deque(shards.paths), deque[object]()
        while waiting or flying:
            while waiting and len(flying) < most:
                flying.append(task.remote(shards, waiting.popleft(), everybodys))
            found: Found = ray.get(flying.popleft())
            yield found


@contextmanager
def cluster(address: str | None) -> Iterator[Cluster]:
    """A cluster while the block runs; a connection the caller has already is used and kept."""
    is_own = not ray.is_initialized()
    if is_own:
        ray.init(address=address, log_to_driver=False)
    try:
        yield Cluster()
    finally:
        if is_own:
            ray.shutdown()
