"""What a job leaves behind while it runs: checkpoints in its folder, parts in the storage."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from sqlalchemy import select

from llmsynth_serving.database.records import Job
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.families import WAITING
from llmsynth_serving.storage import Storage

PARTS = "parts"
_log = structlog.get_logger("llmsynth.leftovers")


def parts_of(job_id: str) -> str:
    """Where the finished parts of a sample lie in the storage."""
    return f"{PARTS}/{job_id}"


class Leftovers:
    """Clears away what jobs that ended no longer need."""

    def __init__(self, database: Database, storage: Storage, work_folder: Path) -> None:
        self._database, self._storage, self._work_folder = database, storage, work_folder

    def clear(self, job_id: str) -> list[str]:
        """Remove a job's leftovers if it has ended; returns the names of what was removed.

        A file that cannot be removed now is removed by the next sweep.
        """
        with self._database.reading() as session:
            job = session.get(Job, job_id)
        if job is not None and job.state in WAITING:
            return []
        folder = self._work_folder / job_id
        removed = [f"work/{job_id}"] if folder.exists() else []
        try:
            if folder.exists():
                shutil.rmtree(folder)
            return removed + self._storage.delete(parts_of(job_id))
        except OSError as error:
            _log.warning("leftovers_stay", job=job_id, error=repr(error))
            return []

    def clear_all(self) -> list[str]:
        """Remove the leftovers of every job that has ended, whoever should have done it."""
        folders = self._work_folder.iterdir() if self._work_folder.exists() else ()
        names = {folder.name for folder in folders} | set(self._storage.names(PARTS))
        names.discard("uploads")
        with self._database.reading() as session:
            running = set(session.scalars(select(Job.id).where(Job.state.in_(WAITING))))
        return [file for name in sorted(names - running) for file in self.clear(name)]
