"""Synthesizers over HTTP: list, show, delete; a fit makes them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, delete, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import Listing, SynthesizerDocument
from llmsynth_serving.api.etags import tagged
from llmsynth_serving.database.records import Synthesizer
from llmsynth_serving.objects import synthesizers
from llmsynth_serving.objects.ownership import find, list_page

Asked = Request[Any, Any, State]


class SynthesizerController(Controller):
    """`/v1/synthesizers`."""

    path = "/v1/synthesizers"
    tags = ("synthesizers",)
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_synthesizers(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
        table_id: FromQuery[str | None] = None,
    ) -> Listing[SynthesizerDocument]:
        """The project's synthesizers."""
        project_id = request.user.project_id
        with request.app.state.service.database.reading() as session:
            page = list_page(
                session,
                Synthesizer,
                project_id=project_id,
                cursor=cursor,
                limit=limit,
                table_id=table_id,
            )
        items = [SynthesizerDocument.of(record) for record in page.items]
        return Listing(items=items, next_cursor=page.next_cursor)

    @get("/{synthesizer_id:str}", sync_to_thread=True)
    def show(self, request: Asked, synthesizer_id: FromPath[str]) -> Response[SynthesizerDocument]:
        """One synthesizer."""
        project_id = request.user.project_id
        with request.app.state.service.database.reading() as session:
            found = find(session, Synthesizer, synthesizer_id, project_id=project_id)
        return tagged(request, SynthesizerDocument.of(found), found.version)

    @delete("/{synthesizer_id:str}", guards=[requires("write")], sync_to_thread=True)
    def remove(self, request: Asked, synthesizer_id: FromPath[str]) -> None:
        """Delete a synthesizer and its files."""
        synthesizers.delete(request.app.state.service, request.user, synthesizer_id)
