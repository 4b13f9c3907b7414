"""Gauges in Prometheus' text form, read from the databases when they are asked for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from llmsynth_serving.database.records import Job, now
from llmsynth_serving.queue.durable import QUEUES
from llmsynth_serving.queue.places import memory_of
from llmsynth_serving.service import Service

STATES = ("queued", "running", "succeeded", "failed", "cancelled", "dead")


def gauges(service: Service) -> bytes:
    """Jobs by state and kind, shards and attempts under way, what waits, who is there to do it."""
    registry = CollectorRegistry()
    _count_jobs(service, registry)
    _count_waiting(service, registry)
    _count_workers(service, registry)
    return generate_latest(registry)


def _count_jobs(service: Service, registry: CollectorRegistry) -> None:
    jobs = Gauge("llmsynth_jobs", "Jobs by state and kind.", ["state", "kind"], registry=registry)
    shards = Gauge("llmsynth_shards", "Parts of large jobs by state.", ["state"], registry=registry)
    again = Gauge(
        "llmsynth_repeated_attempts",
        "Attempts of unfinished jobs beyond their first: lost workers, or errors that may pass.",
        registry=registry,
    )
    with service.database.reading() as session:
        is_shard = Job.parent_id.is_not(None)
        columns = (Job.state, Job.kind, is_shard, func.count())
        counts = session.execute(select(*columns).group_by(*columns[:3])).all()
        open_attempts = session.scalars(
            select(Job.attempts).where(Job.state.in_(("queued", "running")), Job.attempts > 1)
        ).all()
    for state in STATES:
        shards.labels(state).set(0)
    for state, kind, shard, count in counts:
        if shard:
            shards.labels(state).inc(count)
        else:
            jobs.labels(state, kind).set(count)
    again.set(sum(attempts - 1 for attempts in open_attempts))


def _count_waiting(service: Service, registry: CollectorRegistry) -> None:
    waiting = Gauge("llmsynth_waiting", "Jobs that wait, by queue.", ["queue"], registry=registry)
    oldest = Gauge(
        "llmsynth_oldest_waiting_seconds",
        "Age of the oldest job that waits for a worker.",
        registry=registry,
    )
    with service.database.reading() as session:
        queued = Job.state == "queued"
        counts = session.execute(
            select(Job.resources, func.count()).where(queued).group_by(Job.resources)
        ).all()
        first = session.scalar(select(func.min(Job.created_at)).where(queued))
    for queue in QUEUES:
        waiting.labels(queue).set(0)
    for name, count in counts:
        waiting.labels(name).set(count)
    oldest.set(max((now() - first).total_seconds(), 0.0) if first else 0.0)


def _count_workers(service: Service, registry: CollectorRegistry) -> None:
    workers = Gauge("llmsynth_workers", "Workers, by queue.", ["queue"], registry=registry)
    beat = Gauge(
        "llmsynth_longest_silence_seconds",
        "Since the last beat of the worker that has been silent longest.",
        registry=registry,
    )
    memory = Gauge(
        "llmsynth_gpu_memory_gigabytes",
        "GPU memory that workers declare, together.",
        registry=registry,
    )
    there = service.present()
    for queue in QUEUES:
        taking = [w for w in there if any(name.partition("-")[0] == queue for name in w.queues)]
        workers.labels(queue).set(len(taking))
    memory.set(sum(memory_of(queue) or 0 for worker in there for queue in worker.queues))
    beat.set(max((worker.seconds for worker in there), default=0.0))
