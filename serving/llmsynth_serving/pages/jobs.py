"""Jobs: listed, watched while they run, cancelled, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.job_feed import JobFeed
from llmsynth_serving.database.records import Job, Owned, Report, Synthesizer, Table
from llmsynth_serving.objects import jobs, tables
from llmsynth_serving.objects.plain_cells import plain_rows
from llmsynth_serving.pages import snippets
from llmsynth_serving.pages.asking import (
    Asked,
    caller_of,
    found,
    found_or_none,
    is_signed_in,
    listed,
    service_of,
)
from llmsynth_serving.pages.forms import go, one_of
from llmsynth_serving.pages.rendering import page, part
from llmsynth_serving.queue.places import ASKED

STATES = ("queued", "running", "succeeded", "failed", "cancelled", "dead")
OPEN = ("queued", "running")
AGAIN = ("failed", "cancelled", "dead")
PREVIEW_ROWS = 8
MADE = {"synthesizer_id": Synthesizer, "table_id": Table, "report_id": Report}


class JobPages(Controller):
    """`/jobs`."""

    path = "/jobs"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_jobs(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """The project's jobs; a script asks for the list alone, again and again."""
        wanted = one_of(request.query_params.get("state"), STATES)
        shown = listed(request, Job, cursor=cursor, state=wanted)
        return page(
            request,
            "jobs_part.html" if request.htmx else "jobs.html",
            jobs=shown.items,
            next_cursor=shown.next_cursor,
            wanted=wanted,
            states=STATES,
            is_moving=any(job.state in OPEN for job in shown.items),
            workers=service_of(request).workers(),
        )

    @get("/{job_id:str}", sync_to_thread=True)
    def show(self, request: Asked, job_id: FromPath[str]) -> Response[Any]:
        """One job: how far it is, what was asked, what came of it."""
        job = found(request, Job, job_id)
        done = one_of(request.query_params.get("done"), ("cancel", "retry"))
        return page(
            request,
            "job.html",
            **_shown(request, job),
            snippet=snippets.of_job(request, job),
            done=snippets.act(request, job_id, done) if done else None,
            done_name=done,
        )

    @get("/{job_id:str}/progress", sync_to_thread=True)
    def progress(self, request: Asked, job_id: FromPath[str]) -> Response[Any]:
        """The part of the page that changes while the job runs."""
        job = found(request, Job, job_id)
        return page(request, "job_progress.html", **_shown(request, job))

    @get("/{job_id:str}/events")
    async def events(self, request: Asked, job_id: FromPath[str]) -> ServerSentEvent:
        """That part as a server-sent event whenever it changes, until the job ends."""
        await asyncio.to_thread(found, request, Job, job_id)
        return ServerSentEvent(_parts(request, job_id))

    @post("/{job_id:str}/cancel", guards=[requires("write")], status_code=200, sync_to_thread=True)
    def cancel(self, request: Asked, job_id: FromPath[str]) -> Response[Any]:
        """End a job, waiting or running."""
        jobs.cancel(service_of(request), caller_of(request), job_id)
        return go(request, f"/jobs/{job_id}?done=cancel")

    @post("/{job_id:str}/retry", guards=[requires("write")], status_code=200, sync_to_thread=True)
    def retry(self, request: Asked, job_id: FromPath[str]) -> Response[Any]:
        """Order the work of a failed job again."""
        again = jobs.retry(service_of(request), caller_of(request), job_id)
        return go(request, f"/jobs/{again.id}?done=retry")


async def _parts(request: Asked, job_id: str) -> AsyncIterator[ServerSentEventMessage]:
    feed: JobFeed = request.app.state.feed
    async for news in feed.changes(job_id):
        text = await asyncio.to_thread(_part, request, job_id) if news is not None else ""
        if text is None:
            return
        if news is None:
            yield ServerSentEventMessage(data=None, comment="nothing new")
        else:
            yield ServerSentEventMessage(data=text, event="part")


def _part(request: Asked, job_id: str) -> str | None:
    """What changes of a job's page; None for who has signed out, or where the job is gone."""
    job = found_or_none(request, Job, job_id)
    if job is None or not is_signed_in(request):
        return None
    return part(request, "job_progress.html", **_shown(request, job))


def _shown(request: Asked, job: Job) -> dict[str, Any]:
    step = job.progress or {}
    total = step.get("total") or 0
    made: dict[str, Any] = {
        kind.__name__.lower(): there
        for name, kind in MADE.items()
        if _is_made(job.kind, kind)
        if (there := found_or_none(request, kind, (job.result or {}).get(name)))
    }
    return {
        "job": job,
        "share": min(max(step.get("done", 0) / total, 0), 1) if total else None,
        "step": step,
        "points": job.curve.get("points", []),
        "preview": _preview(request, made.get("table") if job.kind != "evaluate" else None),
        "made": made,
        "is_open": job.state in OPEN,
        "may_retry": job.state in AGAIN,
        "asked_gb": job.spec.get(ASKED),
        "workers": _workers(request, job) if job.state == "queued" else 1,
    }


def _workers(request: Asked, job: Job) -> int:
    """How many there are that could take the job."""
    return service_of(request).workers_for(job.spec.get(ASKED))


def _is_made(job_kind: str, kind: type[Owned]) -> bool:
    """Whether jobs of a kind make such objects; the others that they name were there before."""
    if kind is Synthesizer:
        return job_kind == "fit"
    return kind is Report or job_kind != "fit"


def _preview(request: Asked, table: Table | None) -> tuple[list[str], list[list[Any]]] | None:
    """The first rows of what was made; none where it was deleted meanwhile."""
    if table is None:
        return None
    try:
        first = tables.preview(service_of(request), table, PREVIEW_ROWS)
    except FileNotFoundError:
        return None
    return first.column_names, plain_rows(first)
