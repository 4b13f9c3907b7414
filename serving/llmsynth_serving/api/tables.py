"""Tables over HTTP: upload, list, show, correct the schema, download, delete."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any, Literal

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import (
    Listing,
    PreviewDocument,
    SplitDocument,
    TableDocument,
)
from llmsynth_serving.api.downloads import ranged
from llmsynth_serving.api.etags import expected_version, tagged
from llmsynth_serving.api.orders import SplitOrder
from llmsynth_serving.api.uploads import received
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects import splits, tables
from llmsynth_serving.objects.ownership import find, list_page
from llmsynth_serving.objects.plain_cells import plain_rows

Asked = Request[Any, Any, State]
Name = Annotated[str, QueryParameter(min_length=1, max_length=200)]
Rows = Annotated[int, QueryParameter(ge=1, le=1_000)]
Format = Annotated[Literal["csv", "parquet"], QueryParameter(name="format")]
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class TableController(Controller):
    """`/v1/tables`."""

    path = "/v1/tables"
    tags = ("tables",)
    guards = (requires("read"),)

    @post(guards=[requires("write")], status_code=201, request_max_body_size=None)
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
        with request.app.state.service.database.reading() as session:
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
    def show(self, request: Asked, table_id: FromPath[str]) -> Response[TableDocument]:
        """One table."""
        table = _table(request, table_id)
        return tagged(request, TableDocument.of(table), table.version)

    @get("/{table_id:str}/schema", sync_to_thread=True)
    def show_schema(self, request: Asked, table_id: FromPath[str]) -> Response[dict[str, Any]]:
        """What the service takes the columns to be; its ETag goes with a correction."""
        table = _table(request, table_id)
        return tagged(request, table.schema, table.version)

    @put("/{table_id:str}/schema", guards=[requires("write")], sync_to_thread=True)
    def correct_schema(
        self, request: Asked, table_id: FromPath[str], data: JSONBody[dict[str, Any]]
    ) -> Response[dict[str, Any]]:
        """Replace the schema by one of the same columns, if it is still the one that was read."""
        table = tables.correct_schema(
            request.app.state.service,
            request.user,
            table_id,
            json.dumps(data),
            version=expected_version(request),
        )
        return Response(table.schema, headers={"ETag": f'"{table.version}"'})

    @get("/{table_id:str}/preview", sync_to_thread=True)
    def preview(self, request: Asked, table_id: FromPath[str], rows: Rows = 20) -> PreviewDocument:
        """The first rows."""
        table = _table(request, table_id)
        first = tables.preview(request.app.state.service, table, rows)
        return PreviewDocument(
            columns=first.column_names, rows=plain_rows(first), num_rows=table.num_rows
        )

    @get("/{table_id:str}/download", sync_to_thread=True)
    def download(
        self, request: Asked, table_id: FromPath[str], file_format: Format = "csv"
    ) -> Response[Any]:
        """All rows, as CSV or Parquet; whole, or the bytes that a Range header asks for."""
        return sent(request, _table(request, table_id), file_format)

    @post("/{table_id:str}/split", guards=[requires("write")], status_code=201, sync_to_thread=True)
    def split(
        self, request: Asked, table_id: FromPath[str], data: JSONBody[SplitOrder]
    ) -> SplitDocument:
        """Part a table in two by chance: rows to learn from, and rows to judge with."""
        parts = splits.split(request.app.state.service, request.user, table_id, **asdict(data))
        train, holdout = map(TableDocument.of, parts)
        return SplitDocument(train=train, holdout=holdout)

    @delete("/{table_id:str}", guards=[requires("write")], sync_to_thread=True)
    def remove(self, request: Asked, table_id: FromPath[str]) -> None:
        """Delete a table and its files."""
        tables.delete(request.app.state.service, request.user, table_id)


def _table(request: Asked, table_id: str) -> Table:
    with request.app.state.service.database.reading() as session:
        return find(session, Table, table_id, project_id=request.user.project_id)


def sent(request: Request[Any, Any, State], table: Table, file_format: str) -> Response[Any]:
    """A table's rows as a file, or the part of it that a Range header asks for."""
    service = request.app.state.service
    path = table.path if file_format == "parquet" else tables.csv_path(service, table)
    return ranged(
        request,
        service.storage,
        path,
        etag=f'"{sha256(path.encode()).hexdigest()[:32]}"',
        media_type=MEDIA_TYPES[file_format],
        filename=f"{table.name}.{file_format}",
    )
