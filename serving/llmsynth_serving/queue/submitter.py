"""Puts jobs into the queue soon after they are ordered: those that come together, at one go.

A transaction of the queue costs much more than one more job in it. The job's record is committed
before, so nothing is lost with this process: workers settle what did not come to the queue.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

import structlog

from llmsynth_serving.database.records import Job
from llmsynth_serving.queue.backlog import Backlog

MOST_AT_ONCE = 200
CLOSE_SECONDS = 5.0
_log = structlog.get_logger("llmsynth.submitter")


class Submitter:
    """A thread, started with the first job, that gives committed jobs to the backlog."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """Put a job, whose record is committed, into its queue in a moment."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="submitter", daemon=True)
                self._thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Submit what is left, and end."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, is_last = [job], False
            while len(jobs) < MOST_AT_ONCE and not is_last:
                try:
                    another = self._jobs.get_nowait()
                except Empty:
                    break
                is_last = another is None
                jobs += [another] if another is not None else []
            try:
                self._backlog.submit(*jobs)
            except Exception as error:  # noqa: BLE001 the thread must outlive any outage
                _log.warning("left_to_workers", jobs=len(jobs), error=repr(error))
            if is_last:
                return
