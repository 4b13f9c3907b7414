"""Orders for long work: checked against what is there and what the key allows, then queued."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Job, Synthesizer, Table, new_id
from llmsynth_serving.objects.ownership import find, require
from llmsynth_serving.objects.refusals import ConflictError, QuotaError, RefusedInputError
from llmsynth_serving.objects.resources import resources
from llmsynth_serving.objects.shards import divide
from llmsynth_serving.service import Service

RUNNING = ("queued", "running")
USUAL_PRIORITY = 100


def order_fit(
    service: Service,
    caller: Caller,
    *,
    table_id: str,
    name: str,
    settings: dict[str, Any],
    **order: Any,
) -> Job:
    """Queue a fit; the synthesizer is there at once, in the state `fitting`."""
    with service.database.session() as session:
        require(session, Table, table_id, project_id=caller.project_id)
        ids = {"table_id": table_id, "synthesizer_id": new_id()}
        spec = {**ids, "settings": settings, **order}
        job = add_job(session, caller, kind="fit", name=name, spec=spec)
        session.add(
            Synthesizer(
                id=ids["synthesizer_id"],
                project_id=caller.project_id,
                name=name,
                table_id=table_id,
                settings=settings,
                job_id=job.id,
            )
        )
    return submitted(service, job)


def order_sample(
    service: Service, caller: Caller, *, synthesizer_id: str, name: str, **order: Any
) -> Job:
    """Queue a sample; `order` holds rows, where, quotas, seed, temperature, top_p.

    Raises:
        ConflictError: the synthesizer is not ready.
        QuotaError: more rows than the key may still hold.
        RefusedInputError: shares of a column that do not add up to 1.
    """
    for column, shares in order.get("quotas", {}).items():
        if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
            raise RefusedInputError(f"quotas: the shares of {column!r} must add up to 1.")
    with service.database.session() as session:
        synthesizer = find(session, Synthesizer, synthesizer_id, project_id=caller.project_id)
        if synthesizer.state != "ready":
            raise ConflictError(f"The synthesizer is {synthesizer.state}, not ready.")
        check_rows(session, caller, int(order["rows"]))
        spec = {"synthesizer_id": synthesizer.id, "table_id": new_id(), **order}
        job = add_job(session, caller, kind="sample", name=name, spec=spec)
        divide(session, job, service.settings)
    return submitted(service, job)


def order_evaluation(
    service: Service,
    caller: Caller,
    *,
    train_id: str,
    holdout_id: str,
    table_id: str,
    name: str,
    **order: Any,
) -> Job:
    """Queue an evaluation of one table against two real ones.

    Raises:
        RefusedInputError: train and holdout are the same table.
    """
    if train_id == holdout_id:
        raise RefusedInputError("train_id and holdout_id must name two tables.")
    with service.database.session() as session:
        tables = train_id, holdout_id, table_id
        require(session, Table, *tables, project_id=caller.project_id)
        ids = {"train_id": train_id, "holdout_id": holdout_id, "table_id": table_id}
        spec = {**ids, "report_id": new_id(), "title": name, **order}
        job = add_job(session, caller, kind="evaluate", name=name, spec=spec)
    return submitted(service, job)


def cancel(service: Service, caller: Caller, job_id: str) -> Job:
    """End a job.

    Raises:
        ConflictError: it has ended already.
    """
    with service.database.session() as session:
        find(session, Job, job_id, project_id=caller.project_id)
    if not service.backlog.cancel(job_id):
        raise ConflictError("The job has ended already.")
    with service.database.session() as session:
        note(session, caller, "cancel", kind="job", object_id=job_id)
        return find(session, Job, job_id, project_id=caller.project_id)


def retry(service: Service, caller: Caller, job_id: str) -> Job:
    """Order the same work again, as a new job.

    Raises:
        ConflictError: the job has not failed.
    """
    with service.database.session() as session:
        old = find(session, Job, job_id, project_id=caller.project_id)
        if old.parent_id is not None:
            raise ConflictError(f"It is a part of the job {old.parent_id}: try that one again.")
        if old.state not in ("failed", "cancelled", "dead"):
            raise ConflictError(f"Only a job that failed can be tried again; it is {old.state}.")
        if synthesizer_id := old.spec.get("synthesizer_id"):
            synthesizer = find(session, Synthesizer, synthesizer_id, project_id=caller.project_id)
            if old.kind == "fit":
                synthesizer.state = "fitting"
        spec = {**old.spec, "priority": old.priority}
        job = add_job(session, caller, kind=old.kind, name=old.name, spec=spec)
        divide(session, job, service.settings)
    return submitted(service, job)


def add_job(session: Session, caller: Caller, *, kind: str, name: str, spec: dict[str, Any]) -> Job:
    """A new job in this transaction; `submitted` queues it after the commit.

    Args:
        spec: with `priority`, which becomes the job's own.
    """
    _check_running(session, caller)
    job = Job(
        id=caller.order_id or new_id(),
        project_id=caller.project_id,
        name=name,
        kind=kind,
        spec={key: value for key, value in spec.items() if key != "priority"},
        resources=resources(session, kind, spec),
        priority=int(spec.get("priority", USUAL_PRIORITY)),
    )
    session.add(job)
    note(session, caller, f"order {kind}", kind="job", object_id=job.id)
    return job


def submitted(service: Service, job: Job) -> Job:
    """The job, on its way into the queue."""
    # After the commit: a worker may begin at once. A crash here is settled by the workers.
    service.submitter.submit(job)
    return job


def _check_running(session: Session, caller: Caller) -> None:
    if caller.max_running_jobs is None:
        return
    count = session.scalar(
        select(func.count())
        .select_from(Job)
        .where(
            Job.project_id == caller.project_id,
            Job.state.in_(RUNNING),
            Job.parent_id.is_(None),
        )
    )
    if (count or 0) >= caller.max_running_jobs:
        raise QuotaError(
            f"{count} jobs are queued or running, and this key allows {caller.max_running_jobs}.",
            hint="Wait for one to end, or cancel one.",
        )


def check_rows(session: Session, caller: Caller, rows: int) -> None:
    """Refuse more generated rows than the key may hold.

    Raises:
        QuotaError: it is more.
    """
    if caller.max_rows is None:
        return
    held = session.scalar(
        select(func.coalesce(func.sum(Table.num_rows), 0)).where(
            Table.project_id == caller.project_id, Table.origin == "generated"
        )
    )
    if (held or 0) + rows > caller.max_rows:
        raise QuotaError(
            f"The project holds {held} generated rows; {rows} more would pass this key's "
            f"{caller.max_rows}.",
            hint="Delete generated tables, or ask for fewer rows.",
        )
