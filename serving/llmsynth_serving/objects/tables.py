"""Tables of a project: taken in, corrected, read, and deleted for good."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables import TableWriter
from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import ApiKey, Table, new_id
from llmsynth_serving.objects.erasure import erase
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.refusals import (
    ChangedMeanwhileError,
    QuotaError,
    RefusedInputError,
)
from llmsynth_serving.service import Service

INGEST_SECONDS = 1800.0


@contextmanager
def arriving_file(service: Service) -> Iterator[Path]:
    """A path for an upload's bytes, beside the storage's scratch, gone afterwards."""
    scratch = service.settings.work_folder / "uploads"
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield folder / "upload"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def take_in(
    service: Service, caller: Caller, upload: Path, *, name: str, missing: list[str] | None = None
) -> Table:
    """Make a table of an uploaded file.

    Args:
        upload: from `arriving_file`, complete.

    Raises:
        RefusedInputError: not a table that the service takes; the message says why.
        QuotaError: the key's storage is used up.
    """
    check_storage(service, caller, upload.stat().st_size)
    parquet = upload.with_name("table.parquet")
    found = _ingested(service, upload, parquet, missing or [])
    table_id = new_id()
    path = f"tables/{table_id}/upload.parquet"
    with service.storage.writing(path) as out, parquet.open("rb") as file:
        shutil.copyfileobj(file, out, 1 << 20)
    table = Table(
        id=table_id,
        project_id=caller.project_id,
        name=name,
        num_bytes=parquet.stat().st_size,
        path=path,
        **found,
    )
    with service.database.session() as session:
        session.add(table)
        note(session, caller, "upload", kind="table", object_id=table.id, rows=table.num_rows)
    return table


def correct_schema(
    service: Service, caller: Caller, table_id: str, text: str, *, version: int | None
) -> Table:
    """Replace a table's schema by one that describes the same columns.

    Raises:
        SchemaError: not a schema.
        RefusedInputError: it describes other columns.
        ChangedMeanwhileError: the table is not in the version that the caller read.
    """
    with service.database.session() as session:
        table = find(session, Table, table_id, project_id=caller.project_id)
        schema = TableSchema.from_json(text)
        if version is not None and version != table.version:
            raise ChangedMeanwhileError(f"The table is in version {table.version} by now.")
        known = [column["name"] for column in table.schema["columns"]]
        if sorted(schema.names) != sorted(known):
            raise RefusedInputError(f"The schema must describe the columns {', '.join(known)}.")
        table.schema, table.version = json.loads(schema.to_json()), table.version + 1
        note(session, caller, "correct schema", kind="table", object_id=table.id)
    return table


def preview(service: Service, table: Table, rows: int, *, first: int = 0) -> pa.Table:
    """Some rows, from the one numbered `first` on; row groups before it are not read."""
    with service.storage.open(table.path) as file:
        source = pq.ParquetFile(file)
        sizes = [source.metadata.row_group(i).num_rows for i in range(source.num_row_groups)]
        group = 0
        while group < len(sizes) and first >= sizes[group]:
            first -= sizes[group]
            group += 1
        batches = []
        wanted = first + rows
        for batch in source.iter_batches(rows, row_groups=list(range(group, len(sizes)))):
            batches.append(batch)
            wanted -= batch.num_rows
            if wanted <= 0:
                break
        return pa.Table.from_batches(batches, source.schema_arrow).slice(first, rows)


def csv_path(service: Service, table: Table) -> str:
    """The table's rows as CSV in storage, written the first time it is asked for."""
    path = f"{table.path}.csv"
    if service.storage.exists(path):
        return path
    schema = TableSchema.from_json(json.dumps(table.schema))
    with arriving_file(service) as scratch, service.storage.open(table.path) as file:
        local = scratch.with_name("rows.csv")
        with TableWriter(local, schema=schema) as writer:
            for batch in pq.ParquetFile(file).iter_batches():
                writer.write(pa.Table.from_batches([batch]))
        with service.storage.writing(path) as out, local.open("rb") as rows:
            shutil.copyfileobj(rows, out, 1 << 20)
    return path


def delete(service: Service, caller: Caller, table_id: str) -> list[str]:
    """Remove a table's record and files; the audit log keeps which, and that they are gone.

    Raises:
        ConflictError: files are still there afterwards.
    """
    with service.database.session() as session:
        table = find(session, Table, table_id, project_id=caller.project_id)
        removed = erase(service.storage, table.path, f"{table.path}.csv")
        session.delete(table)
        note(session, caller, "delete", kind="table", object_id=table_id, files=removed, left=0)
    return removed


def _ingested(service: Service, upload: Path, parquet: Path, missing: list[str]) -> dict[str, Any]:
    settings = service.settings
    order = {
        "source": str(upload),
        "target": str(parquet),
        "max_bytes": settings.max_upload_bytes,
        "max_rows": settings.max_table_rows,
        "max_columns": settings.max_table_columns,
        "missing": missing,
    }
    try:
        line = service.readers.ask(order, seconds=INGEST_SECONDS)
    except TimeoutError as error:
        raise RefusedInputError("Reading the file took too long.") from error
    if not line:
        raise RefusedInputError("The file could not be read: its reader broke off.")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        detail = answer["error"]["detail"].replace(str(upload), "The file")
        raise RefusedInputError(detail, hint=answer["error"]["hint"])
    return answer


def check_storage(service: Service, caller: Caller, more: int) -> None:
    """Refuse what would not fit into the key's storage.

    Raises:
        QuotaError: the project's tables and `more` bytes would pass it.
    """
    with service.database.session() as session:
        key = session.get(ApiKey, caller.key_id)
        if key is None or key.max_storage_bytes is None:
            return
        held = _held(session, caller.project_id)
        if held + more > key.max_storage_bytes:
            raise QuotaError(
                f"The project's tables hold {held} bytes; {more} more would pass this key's "
                f"{key.max_storage_bytes}.",
                hint="Delete tables that are no longer needed.",
            )


def _held(session: Session, project_id: str) -> int:
    total = session.scalar(
        select(func.coalesce(func.sum(Table.num_bytes), 0)).where(Table.project_id == project_id)
    )
    return int(total or 0)
