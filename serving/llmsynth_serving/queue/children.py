"""Starts the processes that do jobs, and ends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from llmsynth_serving.processes.forks import Forks

MODULE = "llmsynth_serving.queue.child"
LONGEST_LINE = 1 << 24
"""Bytes; a bundle's provenance is the longest."""


class Children:
    """Job processes of one worker, forked from one whose imports, which take seconds, are done."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._forks = Forks(MODULE, environment)

    def warm_up(self) -> None:
        """Have the imports done before the first job comes."""
        self._forks.warm_up()

    @asynccontextmanager
    async def working_on(self, job_id: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """A process at work on a job, as its messages; dead when the block is left."""
        fork = await asyncio.to_thread(self._forks.start)
        try:
            reader, writer = await asyncio.open_connection(sock=fork.socket, limit=LONGEST_LINE)
            try:
                writer.write(f"{job_id}\n".encode())
                yield _messages(reader)
            finally:
                writer.transport.abort()
        finally:
            # Shielded: a cancelled job's process must not outlive it.
            await asyncio.shield(asyncio.to_thread(self._forks.kill, fork))

    def close(self) -> None:
        """End all of them."""
        self._forks.close()


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    try:
        async for line in reader:
            yield json.loads(line)
    except ConnectionResetError:
        return  # it was killed with something unread; there is no more to come
