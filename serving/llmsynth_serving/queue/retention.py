"""What is removed by schedule: jobs that ended long ago, files that nothing names, old answers."""

from __future__ import annotations

import time
from datetime import timedelta

import structlog
from sqlalchemy import delete, select

from llmsynth.bundle.owner import SUFFIX
from llmsynth_serving.accounts.audit import note
from llmsynth_serving.database.records import (
    IdempotentAnswer,
    Job,
    Report,
    Synthesizer,
    Table,
    now,
)
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.objects.erasure import erase
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.queue.families import WAITING, shards_of
from llmsynth_serving.queue.leftovers import Leftovers
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage

SECONDS_BETWEEN = 600.0
AT_ONCE = 200
ANSWER_DAYS = 1.0
"""How long a repeated POST is known as such."""
ORPHAN_SECONDS = 86_400.0
"""Files that no record names are left alone for so long: the record may be on its way."""
FOLDERS: dict[str, type[Table] | type[Synthesizer] | type[Report]] = {
    "tables": Table,
    "synthesizers": Synthesizer,
    "reports": Report,
}
_log = structlog.get_logger("llmsynth.retention")


class Retention:
    """Removes what is past its time, and notes in the audit log that it is gone."""

    def __init__(
        self, database: Database, storage: Storage, backlog: Backlog, settings: ServiceSettings
    ) -> None:
        self._database, self._storage, self._backlog = database, storage, backlog
        self._settings = settings
        self._leftovers = Leftovers(database, storage, settings.work_folder)

    def sweep(self) -> dict[str, int]:
        """Remove all that is due; again, or by two workers at once, is harmless."""
        counts = {
            "jobs": self._sweep_jobs(),
            "tables": self._sweep_tables(),
            "answers": self._sweep_answers(),
            "leftovers": len(self._leftovers.clear_all()),
            "orphans": len(self._sweep_orphans()),
            "unfinished": self._storage.delete_unfinished(
                older_than_seconds=ORPHAN_SECONDS, now=time.time()
            ),
        }
        if any(counts.values()):
            _log.info("swept", **counts)
        return counts

    def _sweep_jobs(self) -> int:
        before = now() - timedelta(days=self._settings.job_retention_days)
        with self._database.reading() as session:
            due = select(Job.id).where(Job.finished_at < before, Job.parent_id.is_(None))
            ids = session.scalars(due.limit(AT_ONCE)).all()
        return sum(self._remove_job(job_id) for job_id in ids)

    def _remove_job(self, job_id: str) -> bool:
        with self._database.session() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None:
                return False
            family = [job, *shards_of(session, job_id)]
            ids = [member.id for member in family]
            files = [file for name in ids for file in self._leftovers.clear(name)]
            left = self._backlog.remove(ids)
            if not left:
                session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.id == job_id))
                session.execute(delete(Job).where(Job.id.in_(ids)))
            note(
                session,
                None,
                "remove",
                kind="job",
                object_id=job_id,
                outcome="failed" if left else "done",
                project_id=job.project_id,
                files=files,
                records=0 if left else len(ids),
                left_in_queue=left,
            )
            return not left

    def _sweep_tables(self) -> int:
        if not self._settings.table_retention_days:
            return 0
        before = now() - timedelta(days=self._settings.table_retention_days)
        with self._database.session() as session:
            due = select(Table).where(Table.origin == "generated", Table.created_at < before)
            tables = session.scalars(due.limit(AT_ONCE)).all()
            for table in tables:
                files = erase(self._storage, f"tables/{table.id}", table.path)
                session.delete(table)
                note(
                    session,
                    None,
                    "remove",
                    kind="table",
                    object_id=table.id,
                    project_id=table.project_id,
                    files=files,
                    left=0,
                )
            return len(tables)

    def _sweep_answers(self) -> int:
        before = now() - timedelta(days=ANSWER_DAYS)
        with self._database.session() as session:
            gone = session.execute(
                delete(IdempotentAnswer).where(IdempotentAnswer.created_at < before)
            )
            return int(gone.rowcount)  # type: ignore[attr-defined]

    def _sweep_orphans(self) -> list[str]:
        """Files of attempts that were given up, and of objects that never came to be."""
        removed = []
        with self._database.reading() as session:
            running = session.scalars(select(Job.spec).where(Job.state.in_(WAITING))).all()
            at_work = {str(value) for spec in running for value in spec.values()}
            for folder, kind in FOLDERS.items():
                found = session.execute(select(kind.id, kind.path)).all()
                known = {row.id: row.path for row in found}
                for name in set(self._storage.names(folder)) - at_work:
                    kept = known.get(name) or ""
                    for entry in self._storage.names(f"{folder}/{name}"):
                        path = f"{folder}/{name}/{entry}"
                        beside = (kept, f"{kept}.csv", f"{kept}{SUFFIX}")
                        if path not in beside and self._is_old(path):
                            removed += erase(self._storage, path)
        return removed

    def _is_old(self, path: str) -> bool:
        return time.time() - self._storage.modified(path) > ORPHAN_SECONDS
