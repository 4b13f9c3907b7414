"""Tables over HTTP: upload, list, show, correct the schema, download, delete."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, QueryParameter

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import Listing, TableDocument
from llmsynth_serving.api.uploads import received
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects import tables
from llmsynth_serving.objects.ownership import find, list_page

Asked = Request[Any, Any, State]
Name = Annotated[str, QueryParameter(min_length=1, max_length=200)]


class TableController(Controller):
    """`/v1/tables`."""

    path = "/v1/tables"
    tags = ("tables",)
    guards = (requires("read"),)

    @post(guards=[requires("write")], status_code=201)
    async def upload(
        self, request: Asked, name: Name, missing: FromQuery[list[str] | None] = None
    ) -> TableDocument:
        """Upload a CSV, Parquet or Arrow file, plain or gzipped, as the request's body."""
        return TableDocument.of(await received(request, name=name, missing=missing))

    @get(sync_to_thread=True)
    def list_tables(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
        origin: FromQuery[str | None] = None,
    ) -> Listing[TableDocument]:
        """The project's tables."""
        with request.app.state.service.database.session() as session:
            page = list_page(
                session,
                Table,
                project_id=request.user.project_id,
                cursor=cursor,
                limit=limit,
                origin=origin,
            )
        items = [TableDocument.of(record) for record in page.items]
        return Listing(items=items, next_cursor=page.next_cursor)

    @get("/{table_id:str}", sync_to_thread=True)
    def show(self, request: Asked, table_id: FromPath[str]) -> TableDocument:
        """One table."""
        with request.app.state.service.database.session() as session:
            return TableDocument.of(
                find(session, Table, table_id, project_id=request.user.project_id)
            )

    @delete("/{table_id:str}", guards=[requires("write")], sync_to_thread=True)
    def remove(self, request: Asked, table_id: FromPath[str]) -> None:
        """Delete a table and its files."""
        tables.delete(request.app.state.service, request.user, table_id)
