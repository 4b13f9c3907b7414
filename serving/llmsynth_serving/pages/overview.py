"""Where a person begins: the newest of everything, and the next step."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from sqlalchemy import func, select

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.database.records import Job, Report, Synthesizer, Table
from llmsynth_serving.objects.demo import take_in_demo
from llmsynth_serving.pages.asking import Asked, caller_of, listed, service_of
from llmsynth_serving.pages.forms import go
from llmsynth_serving.pages.rendering import page

KINDS = (Table, Synthesizer, Report, Job)
SHOWN = 6


class OverviewPages(Controller):
    """`/` and the demo table."""

    guards = (requires("read"),)

    @get("/", sync_to_thread=True)
    def show(self, request: Asked) -> Response[Any]:
        """Counts, what was last done, and what may come next."""
        project_id = caller_of(request).project_id
        with service_of(request).database.reading() as session:
            counts = {
                kind.__name__.lower(): session.scalar(
                    select(func.count()).select_from(kind).where(kind.project_id == project_id)
                )
                for kind in KINDS
            }
        return page(
            request,
            "overview.html",
            counts=counts,
            jobs=listed(request, Job, limit=SHOWN).items,
            tables=listed(request, Table, limit=SHOWN).items,
            synthesizers=listed(request, Synthesizer, limit=SHOWN).items,
            workers=service_of(request).workers(),
        )

    @post("/demo", guards=[requires("write")], status_code=200, sync_to_thread=True)
    def demo(self, request: Asked) -> Response[Any]:
        """Take in a real table that is free to use."""
        train, _ = take_in_demo(service_of(request), caller_of(request))
        return go(request, f"/tables/{train.id}")
