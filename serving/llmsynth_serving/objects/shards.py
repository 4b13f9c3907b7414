"""Large samples divided into shards: jobs of their own, drawn by several workers at once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Job
from llmsynth_serving.queue.families import DIVIDED
from llmsynth_serving.settings import ServiceSettings

MOST_SHARDS = 64
LATER = 1
"""Added to a shard's priority, so that a large sample does not keep all others waiting."""


def divide(session: Session, job: Job, settings: ServiceSettings) -> list[Job]:
    """Give a large sample its shards, or mark it for Ray; none for anything else.

    A shard's id follows from its sample's: whoever submits it again finds it in the queue.
    """
    if job.kind != DIVIDED:
        return []
    rows, step = int(job.spec["rows"]), _shard_rows(int(job.spec["rows"]), settings)
    job.spec = {**job.spec, "part_rows": settings.part_rows}
    if is_for_ray(job, settings):
        job.spec = {**job.spec, "on": "ray"}
        return []
    if rows <= step:
        return []
    return [_shard(session, job, first, min(step, rows - first)) for first in range(0, rows, step)]


def is_for_ray(job: Job, settings: ServiceSettings) -> bool:
    """Whether a sample is handed to the Ray cluster.

    Not with quotas: they are dealt part by part, and parts are cut otherwise there.
    """
    rows = int(job.spec["rows"])
    return bool(settings.ray_address) and rows > settings.ray_rows and not job.spec.get("quotas")


def _shard_rows(rows: int, settings: ServiceSettings) -> int:
    fewest = -(-rows // MOST_SHARDS)
    return max(settings.shard_rows, -(-fewest // settings.part_rows) * settings.part_rows)


def _shard(session: Session, job: Job, first: int, rows: int) -> Job:
    # Without the table's id: the table is the whole sample's.
    order = {name: value for name, value in job.spec.items() if name != "table_id"}
    shard = Job(
        id=f"{job.id}-{first}",
        project_id=job.project_id,
        name=job.name,
        kind=job.kind,
        spec={**order, "first_row": first, "rows": rows},
        resources=job.resources,
        priority=job.priority + LATER,
        parent_id=job.id,
    )
    session.add(shard)
    return shard
