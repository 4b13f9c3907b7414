"""Tables: uploaded, listed, shown column by column and row by row, parted, deleted."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import asdict
from typing import Annotated, Any, Literal

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery, QueryParameter

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.api.orders import SplitOrder
from llmsynth_serving.api.tables import sent
from llmsynth_serving.database.records import Job, Report, Synthesizer, Table
from llmsynth_serving.objects import splits, tables
from llmsynth_serving.objects.plain_cells import plain_rows
from llmsynth_serving.objects.refusals import RefusedInputError
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
from llmsynth_serving.pages.forms import Form, go, lines, order, text
from llmsynth_serving.pages.rendering import page
from llmsynth_serving.service import Service

Uploaded = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]
Origin = Literal["upload", "generated"]
FileFormat = Annotated[Literal["csv", "parquet"], QueryParameter(name="format")]
ROWS_A_PAGE = 50
COLUMNS_A_PAGE = 60


class TablePages(Controller):
    """`/tables`."""

    path = "/tables"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_tables(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        origin: FromQuery[Origin | None] = None,
        deleted: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """The project's tables, and the form for one more."""
        return _list(request, cursor=cursor, origin=origin, deleted=deleted)

    @post(guards=[requires("write")], status_code=200, request_max_body_size=None)
    async def upload(self, request: Asked, data: Uploaded) -> Response[Any]:
        """Take in an uploaded file."""
        try:
            table = await asyncio.to_thread(
                _taken_in, service_of(request), caller_of(request), data
            )
        except LlmsynthError as error:
            status = getattr(error, "status", 422)
            return await asyncio.to_thread(_list, request, status=status, error=error)
        return go(request, f"/tables/{table.id}?made=upload")

    @get("/{table_id:str}", sync_to_thread=True)
    def show(
        self,
        request: Asked,
        table_id: FromPath[str],
        first: FromQuery[int] = 0,
        made: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """A table, column by column."""
        table = found(request, Table, table_id)
        described = table.schema["columns"]
        shapes = {shape["name"]: shape for shape in table.profile.get("columns", [])}
        first = max(first, 0)
        return page(
            request,
            "table.html",
            table=table,
            columns=[
                (column, shapes.get(column["name"], {}))
                for column in described[first : first + COLUMNS_A_PAGE]
            ],
            first=first,
            next_first=first + COLUMNS_A_PAGE if first + COLUMNS_A_PAGE < len(described) else None,
            synthesizer=found_or_none(request, Synthesizer, table.synthesizer_id),
            job=found_or_none(request, Job, table.job_id),
            fitted=choices(request, Synthesizer, table_id=table.id),
            reports=choices(request, Report, table_id=table.id),
            snippet=_snippet(request, table, made),
            made=made,
        )

    @get("/{table_id:str}/rows", sync_to_thread=True)
    def rows(
        self, request: Asked, table_id: FromPath[str], first: FromQuery[int] = 0
    ) -> Response[Any]:
        """Some rows as they are."""
        table = found(request, Table, table_id)
        first = min(max(first, 0), max(table.num_rows - 1, 0))
        shown = tables.preview(service_of(request), table, ROWS_A_PAGE, first=first)
        return page(
            request,
            "rows.html",
            table=table,
            names=shown.column_names,
            rows=plain_rows(shown),
            first=first,
            step=ROWS_A_PAGE,
            snippet=snippets.snippet(
                request,
                "GET",
                f"/v1/tables/{table.id}/preview?rows={ROWS_A_PAGE}",
                verb=f"service.download({table.id!r}, 'rows.parquet')",
            ),
        )

    @get("/{table_id:str}/download", sync_to_thread=True)
    def download(
        self, request: Asked, table_id: FromPath[str], file_format: FileFormat = "csv"
    ) -> Response[Any]:
        """All rows as a file."""
        return sent(request, found(request, Table, table_id), file_format)

    @post("/{table_id:str}/split", guards=[requires("write")], status_code=200, sync_to_thread=True)
    def split(self, request: Asked, table_id: FromPath[str], data: Filled) -> Response[Any]:
        """Set rows aside to judge with."""
        percent = text(data, "holdout_percent") or "20"
        if not percent.isdecimal():
            raise RefusedInputError("Give the share to set aside in whole percent.")
        wanted = order(SplitOrder, data, holdout_share=int(percent) / 100)
        service, caller = service_of(request), caller_of(request)
        train, _ = splits.split(service, caller, table_id, **asdict(wanted))
        return go(request, f"/tables/{train.id}?made=split&of={table_id}")

    @post(
        "/{table_id:str}/delete", guards=[requires("write")], status_code=200, sync_to_thread=True
    )
    def remove(self, request: Asked, table_id: FromPath[str]) -> Response[Any]:
        """Delete a table and its files."""
        tables.delete(service_of(request), caller_of(request), table_id)
        return go(request, f"/tables?deleted={table_id}")


def _list(
    request: Asked,
    *,
    cursor: str | None = None,
    origin: str | None = None,
    deleted: str | None = None,
    status: int = 200,
    error: LlmsynthError | None = None,
) -> Response[Any]:
    shown = listed(request, Table, cursor=cursor, origin=origin)
    return page(
        request,
        "tables.html",
        status=status,
        tables=shown.items,
        next_cursor=shown.next_cursor,
        origin=origin,
        sources=names(request, Synthesizer, {table.synthesizer_id for table in shown.items}),
        deleted=deleted,
        most_bytes=service_of(request).settings.max_upload_bytes,
        error=error,
        snippet=snippets.deletion(request, "tables", deleted) if deleted else None,
    )


def _taken_in(service: Service, caller: Caller, form: Form) -> Table:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise RefusedInputError("Choose a file to upload.")
    with tables.arriving_file(service) as path:
        with path.open("wb") as out:
            shutil.copyfileobj(file.file, out, 1 << 20)
        usual = file.filename.rsplit("/", 1)[-1].split(".")[0]
        name = (text(form, "name") or usual or "table").replace("\0", "")[:200]
        return tables.take_in(service, caller, path, name=name, missing=lines(form, "missing"))


def _snippet(request: Asked, table: Table, made: str | None) -> snippets.Snippet | None:
    if made == "upload":
        return snippets.upload(request, table.name)
    if made == "split":
        return snippets.split(request, request.query_params.get("of", table.id))
    return None
