"""What the database says of a job while and after it runs; every change is conditional."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Job, Report, Synthesizer, Table, now
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.families import (
    WAITING,
    end,
    locked,
    note_progress,
    note_start,
    unfinished,
)


class JobAccount:
    """Writes how a job goes; nothing here can undo a cancellation or a finished job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, job_id: str, worker: str) -> bool:
        """Note a new attempt; False where nothing is left to do."""
        with self._database.session() as session:
            job = locked(session, job_id)
            if job is None or job.state not in WAITING:
                return False
            job.state, job.worker, job.attempts = "running", worker, job.attempts + 1
            job.started_at = job.started_at or now()
            job.version += 1
            note_start(session, job)
            return True

    def progress(self, job_id: str, worker: str, progress: dict[str, Any] | None) -> bool:
        """Note how far it is, or nothing; False where the job is no longer this worker's."""
        if progress is None:
            with self._database.reading() as session:
                return _is_at_work(session.get(Job, job_id), worker)
        with self._database.session() as session:
            job = locked(session, job_id)
            if job is None or not _is_at_work(job, worker):
                return False
            job.progress = {name: value for name, value in progress.items() if name != "curve"}
            job.curve = progress.get("curve", job.curve)
            job.version += 1
            note_progress(session, job)
            return True

    def succeed(self, job_id: str, result: dict[str, Any]) -> str | None:
        """Make the objects that the job was to make and note its end, in one transaction.

        Returns:
            The id of the job that can go on now that the last of its shards is there.
        """
        with self._database.session() as session:
            job = locked(session, job_id)
            if job is None or job.state not in WAITING:
                return None
            _make(session, job, result)
            job.state, job.finished_at, job.result = "succeeded", now(), _short(job, result)
            job.version += 1
            note_progress(session, job)
            return job.parent_id if job.parent_id and not unfinished(session, job) else None

    def fail(self, job_id: str, error: dict[str, Any], *, state: str = "failed") -> list[str]:
        """Note a job's end without a result; returns the ids of all that ended with it."""
        with self._database.session() as session:
            job = locked(session, job_id)
            if job is None or job.state not in WAITING:
                return []
            if job.kind == "fit":
                synthesizer = session.get(Synthesizer, job.spec["synthesizer_id"])
                if synthesizer is not None:
                    synthesizer.state = "failed"
            return end(session, job, error, state)


def _is_at_work(job: Job | None, worker: str) -> bool:
    return job is not None and job.state == "running" and job.worker == worker


def _make(session: Session, job: Job, result: dict[str, Any]) -> None:
    # Ids were chosen when the job was ordered: a second attempt makes the same object.
    if made := result.get("synthesizer"):
        synthesizer = session.get(Synthesizer, job.spec["synthesizer_id"])
        if synthesizer is not None:
            synthesizer.state = "ready"
            for name, value in made.items():
                setattr(synthesizer, name, value)
    if made := result.get("table"):
        owner = {"project_id": job.project_id, "name": job.name, "job_id": job.id}
        source = job.spec.get("synthesizer_id")
        table = Table(id=job.spec["table_id"], origin="generated", synthesizer_id=source)
        session.merge(_filled(table, {**owner, **made}))
    if made := result.get("report"):
        owner = {"project_id": job.project_id, "name": job.name, "job_id": job.id}
        report = Report(id=job.spec["report_id"], table_id=job.spec["table_id"])
        session.merge(_filled(report, {**owner, **made}))


def _filled(record: Table | Report, values: dict[str, Any]) -> Table | Report:
    for name, value in values.items():
        setattr(record, name, value)
    return record


def _short(job: Job, result: dict[str, Any]) -> dict[str, Any]:
    made = {"synthesizer", "table", "report"}
    short: dict[str, Any] = {name: value for name, value in result.items() if name not in made}
    ids = (f"{name}_id" for name in made if f"{name}_id" in job.spec)
    return short | {name: job.spec[name] for name in ids}
