"""Synthesizers: listed, shown with what they come from and what came of them, deleted."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.orders import RowsOrder
from llmsynth_serving.database.records import Job, Report, Synthesizer, Table
from llmsynth_serving.objects import rows, synthesizers
from llmsynth_serving.pages import snippets
from llmsynth_serving.pages.asking import (
    Asked,
    Filled,
    caller_of,
    choices,
    found,
    found_or_none,
    listed,
    names,
    service_of,
)
from llmsynth_serving.pages.forms import go, order, shortest
from llmsynth_serving.pages.rendering import page

LOOK_ROWS = 12
PATIENCE_SECONDS = 20.0
"""A person waits while a synthesizer is loaded; a program would rather have a job."""


class SynthesizerPages(Controller):
    """`/synthesizers`."""

    path = "/synthesizers"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_synthesizers(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        deleted: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """The project's synthesizers."""
        shown = listed(request, Synthesizer, cursor=cursor)
        return page(
            request,
            "synthesizers.html",
            synthesizers=shown.items,
            next_cursor=shown.next_cursor,
            tables=names(request, Table, {found.table_id for found in shown.items}),
            deleted=deleted,
            snippet=snippets.deletion(request, "synthesizers", deleted) if deleted else None,
        )

    @get("/{synthesizer_id:str}", sync_to_thread=True)
    def show(self, request: Asked, synthesizer_id: FromPath[str]) -> Response[Any]:
        """One synthesizer."""
        synthesizer = found(request, Synthesizer, synthesizer_id)
        made = choices(request, Table, synthesizer_id=synthesizer.id)
        about = {table.id for table in made}
        reports = [report for report in choices(request, Report) if report.table_id in about]
        job = found_or_none(request, Job, synthesizer.job_id)
        return page(
            request,
            "synthesizer.html",
            synthesizer=synthesizer,
            table=found_or_none(request, Table, synthesizer.table_id),
            job=job,
            made=made,
            reports=reports,
            points=job.curve.get("points", []) if job else [],
            look_rows=LOOK_ROWS,
        )

    @post(
        "/{synthesizer_id:str}/rows",
        guards=[requires("write")],
        status_code=200,
        sync_to_thread=True,
    )
    def look(self, request: Asked, synthesizer_id: FromPath[str], data: Filled) -> Response[Any]:
        """A few rows at once; a job where that takes longer."""
        wanted = order(RowsOrder, data, synthesizer_id=synthesizer_id)
        drawn = rows.draw(
            service_of(request),
            caller_of(request),
            synthesizer_id=synthesizer_id,
            patience=PATIENCE_SECONDS,
            rows=wanted.rows,
            where=wanted.where,
            temperature=wanted.temperature,
            top_p=wanted.top_p,
            seed=wanted.seed,
        )
        if isinstance(drawn, Job):
            return go(request, f"/jobs/{drawn.id}")
        body = shortest(wanted)
        return page(
            request,
            "drawn_rows.html" if request.htmx else "drawn.html",
            synthesizer=found(request, Synthesizer, synthesizer_id),
            drawn=drawn,
            seed=wanted.seed,
            snippet=snippets.snippet(
                request,
                "POST",
                "/v1/rows",
                verb=f"rows = {snippets.call('rows', *body.values())}\nprint(rows)",
                body=body,
            ),
        )

    @post(
        "/{synthesizer_id:str}/delete",
        guards=[requires("write")],
        status_code=200,
        sync_to_thread=True,
    )
    def remove(self, request: Asked, synthesizer_id: FromPath[str]) -> Response[Any]:
        """Delete a synthesizer and its files."""
        synthesizers.delete(service_of(request), caller_of(request), synthesizer_id)
        return go(request, f"/synthesizers?deleted={synthesizer_id}")
