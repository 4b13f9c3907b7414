"""A worker process: takes jobs from its queues, beats, and hands over when it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import NoReturn

import structlog
from dbos import DBOS

from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.queue.children import Children
from llmsynth_serving.queue.durable import APPLICATION, VERSION, Queue, prepare_queue
from llmsynth_serving.queue.leases import Reaper
from llmsynth_serving.queue.leftovers import Leftovers
from llmsynth_serving.queue.places import GPU, gpu_queue, memory_of
from llmsynth_serving.queue.retention import SECONDS_BETWEEN, Retention
from llmsynth_serving.queue.worker_names import worker_name
from llmsynth_serving.queue.workflows import WorkerState, use
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage

_log = structlog.get_logger("llmsynth.worker")


class Worker:
    """One worker; a process can hold one only, since the queue's library is global to it.

    Args:
        queues: which jobs it takes; a GPU worker takes `gpu`, one at a time, and of those only
            what its GPU's declared memory suffices for.
    """

    def __init__(self, settings: ServiceSettings, queues: Sequence[Queue] = ("cpu",)) -> None:
        self.name = worker_name()
        self._settings = settings
        own_gpu = gpu_queue(settings.gpu_memory_gb)
        self._queues = tuple(own_gpu if queue == GPU else queue for queue in queues)
        self._ending = Event()

    def run(self) -> int:
        """Work until SIGTERM or Ctrl-C; 1 where the beat stopped, so that a supervisor restarts."""
        settings = self._settings
        children = Children({**os.environ, **settings.to_environment()})
        # The longest part of a start; meanwhile everything else gets ready.
        warming = Thread(target=children.warm_up, name="warming", daemon=True)
        warming.start()
        prepare_queue(settings.queue)
        database = Database(settings.database)
        storage = Storage(settings.storage)
        backlog = Backlog(database, settings)
        state = WorkerState(
            worker=self.name,
            account=JobAccount(database),
            backlog=backlog,
            children=children,
            leftovers=Leftovers(database, storage, settings.work_folder),
        )
        reaper = Reaper(
            self.name,
            Database(settings.leases),
            queues=self._queues,
            beat_seconds=settings.beat_seconds,
            lease_seconds=settings.lease_seconds,
            running=backlog.workers_at_work,
            recover=_recover,
        )
        # Before it can take a job: those whose workers are gone are found the sooner.
        reaper.start()
        children.warm_up()
        self._launch(state)
        reaper.open()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._end)
        _log.info("worker_started", worker=self.name, queues=self._queues)
        healthy = self._watch(reaper, backlog, Retention(database, storage, backlog, settings))
        # What does not end in time is left to others, who go on from its checkpoints.
        DBOS.destroy(workflow_completion_timeout_sec=int(settings.drain_seconds) if healthy else 0)
        state.children.close()
        with contextlib.suppress(Exception):
            reaper.close()
        _log.info("worker_ended", worker=self.name, healthy=healthy)
        return 0 if healthy else 1

    def _end(self, *_: object) -> None:
        if self._ending.is_set():
            os._exit(1)  # asked twice: not even the jobs at hand are waited for
        self._ending.set()

    def _launch(self, state: WorkerState) -> None:
        settings = self._settings
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": settings.queue,
                "executor_id": self.name,
                "application_version": VERSION,
                "log_level": "ERROR",
            }
        )
        use(state)
        DBOS.listen_queues(list(self._queues))
        DBOS.launch()
        for queue in self._queues:
            DBOS.register_queue(
                queue,
                worker_concurrency=settings.cpu_jobs if memory_of(queue) is None else 1,
                polling_interval_sec=settings.poll_seconds,
            )

    def _watch(self, reaper: Reaper, backlog: Backlog, retention: Retention) -> bool:
        longest = 4 * self._settings.lease_seconds
        swept = float("-inf")
        while not self._ending.wait(self._settings.lease_seconds / 2):
            if time.monotonic() - reaper.last_beat > longest:
                _log.error("beat_stopped", worker=self.name)
                return False
            try:
                backlog.settle()
                if reaper.is_first and time.monotonic() - swept > SECONDS_BETWEEN:
                    swept = time.monotonic()
                    retention.sweep()
            except Exception as error:  # noqa: BLE001 an outage ends the beat as well, and that is watched
                _log.warning("backlog_failed", error=repr(error))
        return True


def _recover(workers: list[str]) -> None:
    # Private, and the only way that keeps the count of crashes; a contract test watches it.
    DBOS._recover_pending_workflows(workers)


def run_worker(settings: ServiceSettings, queues: Sequence[Queue]) -> NoReturn:
    """Run a worker until it is told to end, and end this process with it."""
    status = Worker(settings, queues).run()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning: threads that wait for a database that is away would keep the process.
    os._exit(status)
