"""The same work on every file of a table, here, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from llmsynth.tables.parquet_shards import ParquetShards

Shared = TypeVar("Shared")
Found = TypeVar("Found")


class Worker(Protocol):
    """Who works on files."""

    def each(
        self,
        work: Callable[[ParquetShards, str, Shared], Found],
        shards: ParquetShards,
        shared: Shared,
    ) -> Iterator[Found]:
        """What comes of each file, in the order of the files; few are held at a time."""


class Here:
    """The process itself."""

    def each(
        self,
        work: Callable[[ParquetShards, str, Shared], Found],
        shards: ParquetShards,
        shared: Shared,
    ) -> Iterator[Found]:
        """What comes of each file, in their order."""
        for path in shards.paths:
            yield work(shards, path, shared)
