"""Keeps the jobs of the database and those of the queue in step; either store may be ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from dbos import DBOSClient, EnqueueOptions
from sqlalchemy import and_, exists, or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from llmsynth_serving.database.records import Job, now
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.durable import (
    CRASHES_ALLOWED,
    JSON_ONLY,
    USUAL,
    VERSION,
    WORKFLOW,
    queue_client,
)
from llmsynth_serving.queue.families import DIVIDED, WAITING, locked, shards_of
from llmsynth_serving.queue.leases import present
from llmsynth_serving.queue.places import ASKED, place
from llmsynth_serving.settings import ServiceSettings

PATIENCE_SECONDS = 5.0
"""A job of the database that has no place in the queue after so long is given one."""
SETTLED_AT_ONCE = 500
"""Thousands may wait, and every worker looks every few seconds."""
_log = structlog.get_logger("llmsynth.backlog")
MOST_ATTEMPTS = 100
"""Beyond them a job that the queue ended without a word is not begun again."""
OVER = ("SUCCESS", "ERROR", "CANCELLED")
OPEN = ("ENQUEUED", "PENDING")
GPU_SECONDS = 600.0
"""How long a job waits for a worker with a GPU, where there were some, before any may take it."""
DEAD = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"


class Backlog:
    """Submits and cancels jobs, and settles what a crash in between left undone."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._account = JobAccount(database)
        self._url = settings.queue
        self._queue = Database(settings.leases)
        self._opened: DBOSClient | None = None
        self._settled: tuple[datetime, str] | None = None
        """The last job that was looked at, where there are more behind it."""

    @property
    def _client(self) -> DBOSClient:
        if self._opened is None:
            self._opened = queue_client(self._url)
        return self._opened

    def submit(self, *jobs: Job) -> None:
        """Put jobs, whose records are committed, into their queues; again is harmless.

        A divided job has its shards put there, and itself once they have all succeeded.
        """
        parts = [part for job in jobs for part in self._missing_shards(job) or [job]]
        orders = [(self._order(part), part.id) for part in parts]
        # What is cheaper differs. To SQLite, a transaction of our own; to PostgreSQL, the queue's
        # connections, whose statements are compiled already.
        if not self._url.startswith("sqlite"):
            for order, job_id in orders:
                self._client.enqueue(order, job_id)
            return
        with self._queue.session() as session:
            for order, job_id in orders:
                self._client.enqueue_in_transaction(session, order, job_id)

    def _order(self, job: Job) -> EnqueueOptions:
        return {
            "workflow_name": WORKFLOW,
            "queue_name": self._queue_for(job),
            "workflow_id": job.id,
            "priority": job.priority,
            "app_version": VERSION,
            "serialization_type": JSON_ONLY,
        }

    def go_on(self, job_id: str) -> None:
        """Submit a job whose shards have all succeeded."""
        with self._database.reading() as session:
            job = session.get(Job, job_id)
        if job is not None and job.state in WAITING:
            self.submit(job)

    def cancel(self, job_id: str) -> bool:
        """End a job, waiting or running; False where it had ended already."""
        ended = self._account.fail(
            job_id, {"type": "Cancelled", "detail": "Cancelled on request."}, state="cancelled"
        )
        if ended:
            try:
                self._client.cancel_workflows(ended)
            except OperationalError as error:
                # It has ended all the same: whoever works on it finds out at its next note.
                _log.warning("queue_away", job=job_id, error=repr(error.orig))
        return bool(ended)

    def settle(self) -> None:
        """Bring jobs that should be in the queue, and are not, to where they belong."""
        waiting = self._waiting()
        if not waiting:
            return
        known = {
            status.workflow_id: status
            for status in self._client.list_workflows(
                workflow_ids=[job.id for job in waiting], load_input=False, load_output=False
            )
        }
        for job in waiting:
            found = known.get(job.id)
            if found is None:
                self.submit(job)
            elif found.status == DEAD:
                self._give_up(job)
            elif found.status in OVER:
                self._begin_again(job)
            elif found.status == "ENQUEUED" and job.resources != USUAL:
                self._move(job, str(found.queue_name))

    def workers_at_work(self) -> set[str]:
        """The workers that have a job, by the queue's account."""
        running = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {status.executor_id for status in running if status.executor_id}

    def remove(self, job_ids: list[str]) -> int:
        """Remove all that the queue knows of jobs; returns how many it still knows, which is 0."""
        if job_ids:
            self._client.delete_workflows(job_ids)
        return len(self.known(job_ids)) if job_ids else 0

    def known(self, job_ids: list[str]) -> list[str]:
        """Those of the jobs that have a place in the queue, whatever their state."""
        found = self._client.list_workflows(
            workflow_ids=job_ids, load_input=False, load_output=False
        )
        return [status.workflow_id for status in found]

    def close(self) -> None:
        """Give back the connections."""
        self._queue.close()
        if self._opened is not None:
            self._opened.destroy()

    def _missing_shards(self, job: Job) -> list[Job]:
        if job.kind != DIVIDED:
            return []
        with self._database.reading() as session:
            return [shard for shard in shards_of(session, job.id) if shard.state != "succeeded"]

    def _queue_for(self, job: Job) -> str:
        if job.resources == USUAL:
            return USUAL
        return place(job.spec.get(ASKED), present(self._queue), self._under_way)

    def _under_way(self, queues: Iterable[str]) -> Counter[str]:
        found = self._client.list_workflows(
            queue_name=list(queues), status=list(OPEN), load_input=False, load_output=False
        )
        return Counter(str(status.queue_name) for status in found)

    def _move(self, job: Job, queue: str) -> None:
        """Put a job that waits where no worker takes any into a queue where one does."""
        taken = {name for worker in present(self._queue) for name in worker.queues}
        better = self._queue_for(job)
        if queue in taken or better not in taken:
            return
        if better == USUAL and job.created_at > now() - timedelta(seconds=GPU_SECONDS):
            return  # its workers may be away for a moment only, e.g. to start as a newer version
        if job.attempts > CRASHES_ALLOWED:
            self._give_up(job)  # moving it forgets how many workers died of it
            return
        _log.info("job_moved", job=job.id, queue=better)
        self._client.resume_workflow(job.id, queue_name=better)

    def _give_up(self, job: Job) -> None:
        detail = "Every worker that took this job died; it is not tried again."
        self._account.fail(job.id, {"type": "DeadLetter", "detail": detail}, state="dead")

    def _waiting(self) -> list[Job]:
        """Jobs that ought to be in the queue: not those whose shards are still being drawn.

        Where there are many, those that come after the ones of the last time.
        """
        before = now() - timedelta(seconds=PATIENCE_SECONDS)
        shard = aliased(Job)
        missing = exists().where(shard.parent_id == Job.id, shard.state != "succeeded")
        due = select(Job).where(Job.state.in_(WAITING), Job.created_at < before, ~missing)
        if self._settled is not None:
            moment, job_id = self._settled
            same_moment = and_(Job.created_at == moment, Job.id > job_id)
            due = due.where(or_(Job.created_at > moment, same_moment))
        with self._database.reading() as session:
            query = due.order_by(Job.created_at, Job.id).limit(SETTLED_AT_ONCE)
            found = list(session.scalars(query))
        is_last = len(found) < SETTLED_AT_ONCE
        self._settled = None if is_last else (found[-1].created_at, found[-1].id)
        return found

    def _begin_again(self, job: Job) -> None:
        # The queue is done with it and the database was never told: an older copy of one of the
        # two was restored, or an outage outlasted all patience.
        if job.attempts >= MOST_ATTEMPTS:
            detail = f"It was begun {job.attempts} times, and never came to an end."
            self._account.fail(job.id, {"type": "DeadLetter", "detail": detail}, state="dead")
            return
        with self._database.session() as session:
            still = locked(session, job.id)
            if still is None or still.state not in WAITING or still.version != job.version:
                return
            still.version += 1
        self._client.delete_workflows([job.id])
        self.submit(job)
