"""Starts the processes that do jobs, one spare ahead of need, and ends them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

COMMAND = (sys.executable, "-m", "llmsynth_serving.queue.child")
END_SECONDS = 5.0
LONGEST_LINE = 1 << 24
"""Bytes; a bundle's provenance is the longest."""


class Children:
    """Job processes of one worker. A spare one is kept warm: its imports take seconds."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._spare: Process | None = None
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def working_on(self, job_id: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """A process at work on a job, as its messages; dead when the block is left."""
        child = await self._take()
        try:
            assert child.stdin is not None
            child.stdin.write(f"{job_id}\n".encode())
            await child.stdin.drain()
            yield _messages(child)
        finally:
            await _end(child)

    def close(self) -> None:
        """End the spare process; called from outside of the loop that started it."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end_spare(), self._loop).result(2 * END_SECONDS)

    async def _end_spare(self) -> None:
        async with self._lock:
            if self._spare is not None:
                await _end(self._spare)
                self._spare = None

    async def _take(self) -> Process:
        async with self._lock:
            child = self._spare
            if child is None or child.returncode is not None:
                child = await self._start()
            self._spare = await self._start()
            return child

    async def _start(self) -> Process:
        self._loop = asyncio.get_running_loop()
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            env=self._environment,
            limit=LONGEST_LINE,
            start_new_session=True,
        )


async def _messages(child: Process) -> AsyncIterator[dict[str, Any]]:
    assert child.stdout is not None
    async for line in child.stdout:
        yield json.loads(line)


async def _end(child: Process) -> None:
    if child.returncode is not None:
        return
    # Its session: a job may have started processes of its own, such as the judges.
    os.killpg(child.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), END_SECONDS)
    except TimeoutError:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
