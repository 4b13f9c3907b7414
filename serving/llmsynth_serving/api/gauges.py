"""Gauges in Prometheus' text form, read from the databases when they are asked for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from llmsynth_serving.database.records import Job, now
from llmsynth_serving.service import Service

STATES = ("queued", "running", "succeeded", "failed", "cancelled", "dead")


def gauges(service: Service) -> bytes:
    """Jobs by state and kind, the age of the oldest that waits, workers that are alive."""
    registry = CollectorRegistry()
    jobs = Gauge("llmsynth_jobs", "Jobs by state.", ["state"], registry=registry)
    waiting = Gauge(
        "llmsynth_oldest_waiting_seconds",
        "Age of the oldest job that waits for a worker.",
        registry=registry,
    )
    workers = Gauge("llmsynth_workers", "Workers that hold a lease.", registry=registry)
    with service.database.reading() as session:
        counts = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
        oldest = session.scalar(select(func.min(Job.created_at)).where(Job.state == "queued"))
    for state in STATES:
        jobs.labels(state).set(0)
    for state, count in counts:
        jobs.labels(state).set(count)
    waiting.set(max((now() - oldest).total_seconds(), 0.0) if oldest else 0.0)
    workers.set(service.workers())
    return generate_latest(registry)
