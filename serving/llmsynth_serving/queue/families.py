"""A large job and its shards: locked in one order, their progress summed, ended together."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Job, now

WAITING = ("queued", "running")
DIVIDED = "sample"
"""The kind of job that may have shards."""


def locked(session: Session, job_id: str) -> Job | None:
    """A job for this transaction alone; a shard's parent is locked before it, as by all others."""
    parent_id = session.scalar(select(Job.parent_id).where(Job.id == job_id))
    if parent_id is not None:
        session.get(Job, parent_id, with_for_update=True)
    return session.get(Job, job_id, with_for_update=True)


def shards_of(session: Session, job_id: str) -> list[Job]:
    """The shards of a job, in the order of their rows; none of a job that is not divided."""
    found = session.scalars(select(Job).where(Job.parent_id == job_id)).all()
    return sorted(found, key=lambda shard: int(shard.spec["first_row"]))


def note_start(session: Session, shard: Job) -> None:
    """Let a job run as soon as its first shard does."""
    parent = session.get(Job, shard.parent_id) if shard.parent_id else None
    if parent is not None and parent.state == "queued":
        parent.state, parent.started_at = "running", now()
        parent.version += 1


def note_progress(session: Session, shard: Job) -> None:
    """Sum the shards' rows into the progress of the job that they are parts of."""
    parent = session.get(Job, shard.parent_id) if shard.parent_id else None
    if parent is None:
        return
    done = sum(_rows_done(sibling) for sibling in shards_of(session, parent.id))
    total = int(parent.spec["rows"])
    seconds = (now() - (parent.started_at or now())).total_seconds()
    left = seconds * (total - done) / done if done else None
    parent.progress = {"stage": "sample", "done": done, "total": total, "seconds_left": left}
    parent.version += 1


def unfinished(session: Session, shard: Job) -> int:
    """How many parts of the same job are not there yet."""
    family = shards_of(session, shard.parent_id) if shard.parent_id else []
    return sum(sibling.state != "succeeded" for sibling in family)


def end(session: Session, job: Job, error: dict[str, object], state: str) -> list[str]:
    """End a job, and with it its shards, or its parent and the shards beside it; returns ids."""
    root = session.get(Job, job.parent_id) if job.parent_id else job
    family = [job] if root is None else [root, *shards_of(session, root.id)]
    ended = [member for member in family if member.state in WAITING]
    for member in ended:
        member.state = state if member in (job, root) else "cancelled"
        member.error, member.finished_at = error, now()
        member.version += 1
    return [member.id for member in ended]


def _rows_done(shard: Job) -> int:
    if shard.state == "succeeded":
        return int(shard.spec["rows"])
    return int(shard.progress.get("done", 0))
