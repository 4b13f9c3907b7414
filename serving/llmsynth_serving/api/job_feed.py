"""Jobs as they change, for any number of watchers at the cost of one: the process asks once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from llmsynth_serving.database.records import Job
from llmsynth_serving.database.sessions import Database

LOOK_SECONDS = 0.5
STILL_SECONDS = 15.0
"""A watcher hears something so often, or a proxy in between may take the stream for dead."""
LONGEST_WATCH_SECONDS = 3600.0
"""A stream ends after so long; clients open it again."""


class _Watcher:
    """Who waits for news of one job; only the newest is kept for it."""

    def __init__(self) -> None:
        self.version = -1
        self.news: str | None = None
        self.is_over = False
        self.bell = asyncio.Event()


class JobFeed:
    """Looks for changes of the jobs that anybody watches; belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[str, set[_Watcher]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def changes(self, job_id: str) -> AsyncIterator[str | None]:
        """The job's state as JSON, now and whenever it changes, until it has ended.

        None comes where nothing changed for a while.
        """
        watcher = _Watcher()
        self._watchers.setdefault(job_id, set()).add(watcher)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        deadline = time.monotonic() + LONGEST_WATCH_SECONDS
        try:
            while time.monotonic() < deadline:
                try:
                    await asyncio.wait_for(watcher.bell.wait(), STILL_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                watcher.bell.clear()
                if watcher.news is not None:
                    yield watcher.news
                if watcher.is_over:
                    return
        finally:
            self._watchers[job_id].discard(watcher)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            while self._watchers:
                watched = {job_id: min(w.version for w in who) for job_id, who in self._newest()}
                try:
                    found = await asyncio.to_thread(self._changed, watched)
                except OperationalError:
                    found = []  # the database is away; it is asked again
                for job_id, version, text, is_over in found:
                    self._tell(job_id, version, text, is_over)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._looking = None

    def _newest(self) -> Sequence[tuple[str, set[_Watcher]]]:
        return [(job_id, watchers) for job_id, watchers in self._watchers.items() if watchers]

    def _changed(self, watched: dict[str, int]) -> list[tuple[str, int, str | None, bool]]:
        """Id, version, state as JSON and whether it has ended, of what is newer than was seen."""
        with self._database.reading() as session:
            known = session.execute(select(Job.id, Job.version).where(Job.id.in_(watched))).all()
            newer = [job_id for job_id, version in known if version > watched[job_id]]
            jobs = session.scalars(select(Job).where(Job.id.in_(newer))).all() if newer else []
        gone = set(watched) - {job_id for job_id, _ in known}
        told = [(job.id, job.version, _told(job), job.finished_at is not None) for job in jobs]
        return [*told, *((job_id, 0, None, True) for job_id in gone)]

    def _tell(self, job_id: str, version: int, text: str | None, is_over: bool) -> None:
        for watcher in self._watchers.get(job_id, ()):
            if text is None or version > watcher.version:
                watcher.version, watcher.is_over = version, is_over
                watcher.news = text
                watcher.bell.set()


def _told(job: Job) -> str:
    told = {"state": job.state, "attempts": job.attempts, "progress": job.progress}
    if job.finished_at is not None:
        told |= {"result": job.result, "error": job.error}
    return json.dumps(told)
