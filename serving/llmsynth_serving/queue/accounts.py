"""What the database says of a job while and after it runs; every change is conditional."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Job, Report, Synthesizer, Table, now
from llmsynth_serving.database.sessions import Database

WAITING = ("queued", "running")


class JobAccount:
    """Writes how a job goes; nothing here can undo a cancellation or a finished job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, job_id: str, worker: str) -> bool:
        """Note a new attempt; False where nothing is left to do."""
        with self._database.session() as session:
            return _changed(
                session,
                job_id,
                WAITING,
                state="running",
                worker=worker,
                attempts=Job.attempts + 1,
                started_at=now(),
            )

    def progress(self, job_id: str, worker: str, progress: dict[str, Any]) -> bool:
        """Note how far it is; False where the job is no longer this worker's."""
        values: dict[str, Any] = {"progress": {k: v for k, v in progress.items() if k != "curve"}}
        if "curve" in progress:
            values["curve"] = progress["curve"]
        with self._database.session() as session:
            return _changed(session, job_id, ("running",), worker=worker, **values)

    def succeed(self, job_id: str, result: dict[str, Any]) -> bool:
        """Make the objects that the job was to make and note its end, in one transaction."""
        with self._database.session() as session:
            job = session.get(Job, job_id)
            if job is None or job.state not in WAITING:
                return False
            _make(session, job, result)
            job.state, job.finished_at, job.result = "succeeded", now(), _short(job, result)
            job.version += 1
            return True

    def fail(self, job_id: str, error: dict[str, Any], *, state: str = "failed") -> bool:
        """Note a job's end without a result."""
        with self._database.session() as session:
            job = session.get(Job, job_id)
            if job is None or job.state not in WAITING:
                return False
            if job.kind == "fit":
                synthesizer = session.get(Synthesizer, job.spec["synthesizer_id"])
                if synthesizer is not None:
                    synthesizer.state = "failed"
            job.state, job.finished_at, job.error = state, now(), error
            job.version += 1
            return True


def _changed(session: Session, job_id: str, states: tuple[str, ...], **values: Any) -> bool:
    owner = values["worker"]
    condition = [Job.id == job_id, Job.state.in_(states)]
    if "state" not in values:
        condition.append(Job.worker == owner)
    found = session.execute(
        update(Job).where(*condition).values(version=Job.version + 1, updated_at=now(), **values)
    )
    return bool(found.rowcount)  # type: ignore[attr-defined]


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
