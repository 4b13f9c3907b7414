"""A pool of workers on a Ray cluster that draw shards; lost ones are replaced, their shards redone.

A plain pool of actors and not Ray Data: what a shard's worker hands back is a record of a few
hundred bytes, owned by this process, so a lost node takes no finished shard with it. Ray Data would
keep its blocks on the nodes and, by lineage, do work again that is already on disk.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ray
import torch
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from llmsynth.cluster.manifest import ShardRecord
from llmsynth.cluster.ray_connection import connected
from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.cluster.sample_order import SampleOrder, write_bundle
from llmsynth.cluster.shard_folder import ShardFolder
from llmsynth.cluster.shard_plan import Shard
from llmsynth.cluster.shard_writer import ShardWriter
from llmsynth.errors import EngineError, LlmsynthError
from llmsynth.synthesizers.synthesizer import Synthesizer

_AHEAD = 2
"""Shards a worker has at most: one under way, one behind it. No more of a large order is in flight,
and rows never pass through this process."""
_MOST_TRIES = 5
"""Workers that one shard may cost."""
_WAIT_SECONDS = 1.0


class ShardActor:
    """A `ShardWriter` in a process of its own."""

    def __init__(
        self, files: Mapping[str, bytes], order: SampleOrder, address: str, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self._files, self._order, self._address = files, order, address

    def load(self) -> bool:
        """Load the model; not in `__init__`, whose errors Ray takes for a lost worker."""
        with tempfile.TemporaryDirectory(prefix="llmsynth-") as folder:
            bundle = Path(folder) / "bundle"
            write_bundle(bundle, self._files)
            synthesizer = Synthesizer.load(bundle)
        self._writer = ShardWriter(synthesizer, self._order, ShardFolder(self._address))
        return True

    def write(self, shard: Shard) -> ShardRecord:
        """See `ShardWriter.write`."""
        return self._writer.write(shard)


def drawn_on_ray(
    settings: RaySettings,
    files: Mapping[str, bytes],
    order: SampleOrder,
    folder: ShardFolder,
    shards: Sequence[Shard],
) -> Generator[ShardRecord | None, None, None]:
    """Records of shards as they are done; None about once a second, when none is.

    Raises:
        EngineError: no worker came up, or a shard cost too many of them.
    """
    if not shards:
        return
    with connected(settings):
        pool = _Pool(settings, files, order, folder.address, len(shards))
        try:
            yield from pool.run(shards)
        finally:
            pool.close()


@dataclass
class _Worker:
    actor: ActorHandle[ShardActor]
    starting: ray.ObjectRef[bool] | None
    """None once it has loaded the model; no shard is handed to one that may never start."""
    shards: dict[ray.ObjectRef[ShardRecord], Shard] = field(default_factory=dict)


class _Pool:
    def __init__(
        self,
        settings: RaySettings,
        files: Mapping[str, bytes],
        order: SampleOrder,
        address: str,
        shards: int,
    ) -> None:
        self._settings = settings
        self._arguments = (ray.put(dict(files)), ray.put(order), address)
        room = settings.workers or _room(settings)
        self._workers = [self._started() for _ in range(max(min(room, shards), 1))]
        self._tries: dict[int, int] = {}
        self._idle_since = time.monotonic()

    def run(self, shards: Sequence[Shard]) -> Iterator[ShardRecord | None]:
        waiting = deque(shards)
        while waiting or any(worker.shards for worker in self._workers):
            self._hand_out(waiting)
            refs = [ref for worker in self._workers for ref in (*worker.shards, worker.starting)]
            done, _ = ray.wait([ref for ref in refs if ref is not None], timeout=_WAIT_SECONDS)
            if not done:
                self._check_start()
                yield None
            for ref in done:
                record = self._settle(ref, waiting)
                if record is not None:
                    yield record

    def close(self) -> None:
        for worker in self._workers:
            ray.kill(worker.actor, no_restart=True)

    def _started(self) -> _Worker:
        settings = self._settings
        kind = ray.remote(ShardActor).options(
            num_cpus=settings.cpus,
            num_gpus=settings.gpus,
            # This process starts lost workers anew: Ray would hand a new one the old one's calls.
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        actor = kind.remote(*self._arguments, max(int(settings.cpus), 1))
        return _Worker(actor=actor, starting=actor.load.remote())

    def _hand_out(self, waiting: deque[Shard]) -> None:
        """Give every worker a shard before any gets its second."""
        for full in range(1, _AHEAD + 1):
            for worker in self._workers:
                if waiting and worker.starting is None and len(worker.shards) < full:
                    shard = waiting.popleft()
                    worker.shards[worker.actor.write.remote(shard)] = shard

    def _settle(self, ref: object, waiting: deque[Shard]) -> ShardRecord | None:
        """What a finished call means: a worker is up, a shard is done, or a worker is lost."""
        worker = next((w for w in self._workers if ref is w.starting or ref in w.shards), None)
        if worker is None:
            return None
        try:
            found = ray.get(ref)
        except RayTaskError as error:
            raise _translated(error) from error
        except RayActorError:
            self._replace(worker, waiting)
            return None
        except (RayError, GetTimeoutError) as error:
            raise EngineError(f"Ray failed: {error}") from error
        self._idle_since = time.monotonic()
        if ref is worker.starting:
            worker.starting = None
            return None
        del worker.shards[ref]
        assert isinstance(found, ShardRecord)
        return found

    def _replace(self, lost: _Worker, waiting: deque[Shard]) -> None:
        """Put a lost worker's shards at the head of the queue and start another in its place."""
        # One that only cannot be reached is not to come back and go on.
        ray.kill(lost.actor, no_restart=True)
        # Only the first one was under way; the one behind it is not to blame.
        for place, shard in reversed(list(enumerate(lost.shards.values()))):
            waiting.appendleft(shard)
            self._tries[shard.index] = self._tries.get(shard.index, 0) + (place == 0)
            if self._tries[shard.index] >= _MOST_TRIES:
                raise EngineError(
                    f"{shard.file} cost {_MOST_TRIES} workers, which died while they drew it.",
                    hint="Look for processes ended for want of memory; give each worker more "
                    "processors, so that fewer share a machine.",
                )
        if lost.starting is not None:
            self._tries[-1] = self._tries.get(-1, 0) + 1
            if self._tries[-1] >= _MOST_TRIES * len(self._workers):
                raise EngineError("Workers die while they start; Ray's logs say why.")
        self._workers[self._workers.index(lost)] = self._started()

    def _check_start(self) -> None:
        if any(worker.starting is None for worker in self._workers):
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > self._settings.start_seconds:
            raise EngineError(
                f"No worker came up within {self._settings.start_seconds:.0f} seconds; each asks "
                f"for {self._settings.cpus:g} processors and {self._settings.gpus:g} GPUs.",
                hint="Ask for less, or let the cluster grow.",
            )


def _room(settings: RaySettings) -> int:
    """Workers the cluster has room for now."""
    have = ray.cluster_resources()
    room = int(have.get("CPU", 0.0) / settings.cpus)
    if settings.gpus:
        room = min(room, int(have.get("GPU", 0.0) / settings.gpus))
    return max(room, 1)


def _translated(error: RayTaskError) -> LlmsynthError:
    """The library's own error as it was raised; any other by its last line."""
    cause = error.cause
    if isinstance(cause, LlmsynthError):
        return cause
    return EngineError(f"A worker failed: {type(cause).__name__}: {cause}")
