"""A few rows over HTTP while the caller waits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.datastructures import State
from litestar.params import JSONBody

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import JobDocument, RowsDocument
from llmsynth_serving.api.orders import RowsOrder
from llmsynth_serving.database.records import Job
from llmsynth_serving.objects import rows

Asked = Request[Any, Any, State]


class RowController(Controller):
    """`/v1/rows`."""

    path = "/v1/rows"
    tags = ("rows",)
    guards = (requires("write"),)

    @post(status_code=200, sync_to_thread=True)
    def draw(
        self, request: Asked, data: JSONBody[RowsOrder]
    ) -> Response[RowsDocument | JobDocument]:
        """Draw rows from a warm synthesizer; status 202 and a job where that takes longer."""
        drawn = rows.draw(request.app.state.service, request.user, **asdict(data))
        if isinstance(drawn, Job):
            return Response(JobDocument.of(drawn), status_code=202)
        return Response(RowsDocument(**drawn))
