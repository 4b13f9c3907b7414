"""Jobs over HTTP: order one of any kind, watch it, end it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import JobDocument, Listing
from llmsynth_serving.api.job_feed import JobFeed
from llmsynth_serving.api.orders import (
    EvaluationOrder,
    FewShotOrder,
    FitOrder,
    ImputeOrder,
    RebalanceOrder,
    SampleOrder,
)
from llmsynth_serving.database.records import Job
from llmsynth_serving.objects import few_shot_orders, jobs, use_orders
from llmsynth_serving.objects.ownership import find, list_page
from llmsynth_serving.service import Service

Asked = Request[Any, Any, State]
InState = Annotated[str | None, QueryParameter(name="state")]


class JobController(Controller):
    """`/v1/jobs`."""

    path = "/v1/jobs"
    tags = ("jobs",)
    guards = (requires("read"),)

    @post("/fit", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def fit(self, request: Asked, data: JSONBody[FitOrder]) -> JobDocument:
        """Fit a synthesizer to a table."""
        service, caller = request.app.state.service, request.user
        names = ("table_id", "name", "priority", "gpu_memory_gb")
        order = {name: getattr(data, name) for name in names}
        job = jobs.order_fit(service, caller, settings=data.settings(), **order)
        return JobDocument.of(job)

    @post("/sample", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def sample(self, request: Asked, data: JSONBody[SampleOrder]) -> JobDocument:
        """Draw rows from a synthesizer into a new table."""
        job = jobs.order_sample(request.app.state.service, request.user, **asdict(data))
        return JobDocument.of(job)

    @post("/evaluate", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def evaluate(self, request: Asked, data: JSONBody[EvaluationOrder]) -> JobDocument:
        """Judge a synthetic table against real ones."""
        job = jobs.order_evaluation(request.app.state.service, request.user, **asdict(data))
        return JobDocument.of(job)

    @post("/rebalance", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def rebalance(self, request: Asked, data: JSONBody[RebalanceOrder]) -> JobDocument:
        """Add rows of rare groups to a table, and judge whether they help."""
        names = ("table_id", "test_id", "name", "priority", "test_share", "method", "relabel")
        order = {name: getattr(data, name) for name in (*names, "origin", "num_seeds")}
        order["groups"] = [asdict(group) for group in data.groups]
        service, caller = request.app.state.service, request.user
        job = use_orders.order_rebalancing(service, caller, settings=data.settings(), **order)
        return JobDocument.of(job)

    @post("/impute", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def impute(self, request: Asked, data: JSONBody[ImputeOrder]) -> JobDocument:
        """Fill in a table's missing cells."""
        names = ("table_id", "name", "priority", "columns", "draws")
        order = {name: getattr(data, name) for name in names}
        service, caller = request.app.state.service, request.user
        job = use_orders.order_imputation(service, caller, settings=data.settings(), **order)
        return JobDocument.of(job)

    @post("/few-shot", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def few_shot(self, request: Asked, data: JSONBody[FewShotOrder]) -> JobDocument:
        """Ask a language model for rows like a few examples."""
        service, caller = request.app.state.service, request.user
        return JobDocument.of(few_shot_orders.order_few_shot(service, caller, **asdict(data)))

    @get(sync_to_thread=True)
    def list_jobs(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
        in_state: InState = None,
    ) -> Listing[JobDocument]:
        """The project's jobs."""
        project_id = request.user.project_id
        with request.app.state.service.database.reading() as session:
            page = list_page(
                session, Job, project_id=project_id, cursor=cursor, limit=limit, state=in_state
            )
        items = [JobDocument.of(record) for record in page.items]
        return Listing(items=items, next_cursor=page.next_cursor)

    @get("/{job_id:str}", sync_to_thread=True)
    def show(self, request: Asked, job_id: FromPath[str]) -> JobDocument:
        """One job."""
        return _document(request.app.state.service, job_id, request.user.project_id)

    @get("/{job_id:str}/events")
    async def events(self, request: Asked, job_id: FromPath[str]) -> ServerSentEvent:
        """The job's progress as server-sent events, until it ends."""
        service, project_id = request.app.state.service, request.user.project_id
        await asyncio.to_thread(_document, service, job_id, project_id)
        return ServerSentEvent(_events(request.app.state.feed, job_id))

    @post("/{job_id:str}/cancel", guards=[requires("write")], status_code=200, sync_to_thread=True)
    def cancel(self, request: Asked, job_id: FromPath[str]) -> JobDocument:
        """End a job, waiting or running."""
        return JobDocument.of(jobs.cancel(request.app.state.service, request.user, job_id))

    @post("/{job_id:str}/retry", guards=[requires("write")], status_code=202, sync_to_thread=True)
    def retry(self, request: Asked, job_id: FromPath[str]) -> JobDocument:
        """Order the work of a failed job again, as a new job."""
        return JobDocument.of(jobs.retry(request.app.state.service, request.user, job_id))


def _document(service: Service, job_id: str, project_id: str) -> JobDocument:
    with service.database.reading() as session:
        return JobDocument.of(find(session, Job, job_id, project_id=project_id))


async def _events(feed: JobFeed, job_id: str) -> AsyncIterator[ServerSentEventMessage]:
    async for text in feed.changes(job_id):
        if text is None:
            yield ServerSentEventMessage(data=None, comment="nothing new")
        else:
            yield ServerSentEventMessage(data=text, event="job")
