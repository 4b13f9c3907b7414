"""The process that reads one uploaded file: whatever it holds, the service outlives it.

Reading takes memory in proportion to the file, and a hostile file may take more; a process of its
own gives it all back, and may die without taking a request with it. It is forked from one that has
done the imports.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmsynth.errors import LlmsynthError, TableError
from llmsynth.schema.inference import infer_schema
from llmsynth.tables import read_table
from llmsynth.tables.conforming import conform
from llmsynth_serving.objects.profiles import of_table
from llmsynth_serving.processes.fork_server import serve

LONGEST_SECONDS = 1800
_GZIP = b"\x1f\x8b"
_STEP = 1 << 20


def main() -> int:
    """Import what reading needs, then be forked from."""
    os.dup2(2, 1)  # what a library prints belongs in the log
    return serve(work)


def work(connection: socket.socket) -> None:
    """Read the one file that the connection names; answers one JSON object, an error among them."""
    signal.alarm(LONGEST_SECONDS)
    order = json.loads(connection.makefile("r", encoding="utf-8").readline())
    source, target = Path(order.pop("source")), Path(order.pop("target"))
    try:
        answer = ingest(source, target, **order)
    except LlmsynthError as error:
        answer = {"error": {"detail": error.message, "hint": error.hint}}
    connection.sendall(json.dumps(answer).encode() + b"\n")


def ingest(
    source: Path,
    target: Path,
    *,
    max_bytes: int,
    max_rows: int,
    max_columns: int,
    missing: list[str] | None = None,
) -> dict[str, Any]:
    """Read, check and profile a file, and write it as typed Parquet.

    Returns:
        num_rows, num_columns, schema, profile.

    Raises:
        TableError: not a table, or larger than allowed.
    """
    table = read_table(_unzipped(source, max_bytes), missing=missing or ())
    if table.num_columns > max_columns:
        raise TableError(f"The table has {table.num_columns} columns; {max_columns} are allowed.")
    if table.num_rows > max_rows:
        raise TableError(f"The table has {table.num_rows} rows; {max_rows} are allowed.")
    if not table.num_rows:
        raise TableError("The table has no rows.", hint="Give a header and rows.")
    _refuse_nul(table)
    schema = infer_schema(table)
    typed = conform(table, schema)
    pq.write_table(typed, target, compression="zstd")
    return {
        "num_rows": table.num_rows,
        "num_columns": table.num_columns,
        "schema": json.loads(schema.to_json()),
        "profile": of_table(typed, schema),
    }


def _unzipped(source: Path, max_bytes: int) -> Path:
    with source.open("rb") as file:
        if file.read(2) != _GZIP:
            return source
    target = source.with_suffix(".unzipped")
    try:
        with gzip.open(source, "rb") as packed, target.open("wb") as out:
            _copy(packed, out, max_bytes)  # type: ignore[arg-type]
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(f"The gzip file is damaged or cut short: {error}.") from error
    return target


def _copy(packed: BinaryIO, out: BinaryIO, max_bytes: int) -> None:
    left = max_bytes
    while chunk := packed.read(_STEP):
        left -= len(chunk)
        if left < 0:
            raise TableError(f"Unpacked, the file is larger than the {max_bytes} bytes allowed.")
        out.write(chunk)


def _refuse_nul(table: pa.Table) -> None:
    # No text of PostgreSQL can hold one, and categories and profiles are kept as such.
    for name, cells in zip(table.column_names, table.columns, strict=True):
        is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
        if "\0" in name or (is_text and pc.any(pc.match_substring(cells, "\0")).as_py()):
            raise TableError(
                f"The file: column {name!r} holds NUL characters.", hint="Save it as plain text."
            )


if __name__ == "__main__":
    sys.exit(main())
