"""Keeps the jobs of the database and those of the queue in step; either store may be ahead."""

from __future__ import annotations

from datetime import timedelta

from dbos import DBOSClient
from sqlalchemy import select

from llmsynth_serving.database.records import Job, now
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.durable import JSON_ONLY, VERSION, WORKFLOW, queue_client
from llmsynth_serving.settings import ServiceSettings

PATIENCE_SECONDS = 5.0
"""A job of the database that has no place in the queue after so long is given one."""
DEAD = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"


class Backlog:
    """Submits and cancels jobs, and settles what a crash in between left undone."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._account = JobAccount(database)
        self._url = settings.queue
        self._opened: DBOSClient | None = None

    @property
    def _client(self) -> DBOSClient:
        if self._opened is None:
            self._opened = queue_client(self._url)
        return self._opened

    def submit(self, job: Job) -> None:
        """Put a job, whose record is committed, into its queue; again is harmless."""
        self._client.enqueue(
            {
                "workflow_name": WORKFLOW,
                "queue_name": job.resources,
                "workflow_id": job.id,
                "priority": job.priority,
                "app_version": VERSION,
                "serialization_type": JSON_ONLY,
            },
            job.id,
        )

    def cancel(self, job_id: str) -> bool:
        """End a job, waiting or running; False where it had ended already."""
        ended = self._account.fail(
            job_id, {"type": "Cancelled", "detail": "Cancelled on request."}, state="cancelled"
        )
        if ended:
            self._client.cancel_workflow(job_id)
        return ended

    def settle(self) -> None:
        """Submit jobs without a place in the queue; note the ones that the queue gave up."""
        with self._database.session() as session:
            before = now() - timedelta(seconds=PATIENCE_SECONDS)
            waiting = session.scalars(
                select(Job).where(Job.state.in_(("queued", "running")), Job.created_at < before)
            ).all()
        if not waiting:
            return
        known = {
            status.workflow_id: status.status
            for status in self._client.list_workflows(
                workflow_ids=[job.id for job in waiting], load_input=False, load_output=False
            )
        }
        for job in waiting:
            if job.id not in known:
                self.submit(job)
            elif known[job.id] == DEAD:
                detail = "Every worker that took this job died; it is not tried again."
                self._account.fail(job.id, {"type": "DeadLetter", "detail": detail}, state="dead")

    def close(self) -> None:
        """Give back the connections."""
        if self._opened is not None:
            self._opened.destroy()
