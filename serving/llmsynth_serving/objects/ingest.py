"""The process that reads one uploaded file: whatever it holds, the service outlives it.

Small files are read whole, large ones piece by piece and twice: once to learn what the columns are,
once to write them. A hostile file may still take much memory; a process of its own gives it all
back, and may die without taking a request with it. It is forked from one that has done the imports.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmsynth.errors import LlmsynthError, TableError
from llmsynth.schema import TableSchema
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.streamed_inference import TableEvidence
from llmsynth.tables.conforming import conform
from llmsynth.tables.csv_pieces import csv_pieces
from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import ReadingNote, notes_of
from llmsynth.tables.reading_settings import ReadingSettings
from llmsynth.tables.table_checks import checked
from llmsynth_serving.objects.profiles import Profile, of_file, of_table
from llmsynth_serving.processes.fork_server import serve

LONGEST_SECONDS = 1800
WHOLE_BYTES = 32 << 20
"""Largest file that is read in one piece."""
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
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
    source = _unzipped(source, max_bytes)
    limits = _Limits(max_rows, max_columns)
    if source.stat().st_size > WHOLE_BYTES:
        try:
            return _in_pieces(source, target, limits, missing or [])
        except _BeyondLimitError:
            raise
        except TableError:
            pass  # Read whole, the file tells what is wrong, and in which line.
    settings = ReadingSettings(max_bytes=max_bytes)
    table = read_noted(source, missing=missing or (), settings=settings)
    limits.check(table, table.num_rows)
    _refuse_nul(table)
    schema = infer_schema(table)
    typed = conform(table, schema)
    pq.write_table(typed, target, compression="zstd")
    return _answer(table.num_rows, schema, of_table(typed, schema), notes_of(table))


def _in_pieces(source: Path, target: Path, limits: _Limits, missing: list[str]) -> dict[str, Any]:
    evidence = TableEvidence()
    notes: tuple[ReadingNote, ...] = ()
    for piece in _pieces(source, missing):
        notes = notes or notes_of(piece)
        evidence.add(piece)
        limits.check(piece, evidence.num_rows)
        _refuse_nul(piece)
    schema = evidence.schema()
    typed = (conform(piece, schema) for piece in _pieces(source, missing))
    first = next(typed)
    with pq.ParquetWriter(target, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for piece in typed:
            writer.write_table(piece)
    with target.open("rb") as file:
        return _answer(evidence.num_rows, schema, of_file(file, schema), notes)


def _pieces(source: Path, missing: list[str]) -> Iterator[pa.Table]:
    with source.open("rb") as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        batches = ParquetShards(source, missing=missing).batches()
        return (checked(batch, label=str(source)) for batch in batches)
    return csv_pieces(source, missing=missing)


def _answer(
    num_rows: int, schema: TableSchema, profile: Profile, notes: tuple[ReadingNote, ...]
) -> dict[str, Any]:
    profile = {**profile, "notes": [str(note) for note in notes]}
    return {
        "num_rows": num_rows,
        "num_columns": len(schema.names),
        "schema": json.loads(schema.to_json()),
        "profile": profile,
    }


class _BeyondLimitError(TableError):
    """A table that is larger than allowed, however it is read."""


@dataclass(frozen=True)
class _Limits:
    """What a table may have at most."""

    rows: int
    columns: int

    def check(self, table: pa.Table, num_rows: int) -> None:
        """Raises where a table, so many rows of which are known, is larger, or has no rows."""
        if table.num_columns > self.columns:
            raise _BeyondLimitError(
                f"The table has {table.num_columns} columns; {self.columns} are allowed."
            )
        if num_rows > self.rows:
            raise _BeyondLimitError(
                f"The table has {num_rows} rows or more; {self.rows} are allowed."
            )
        if not num_rows:
            raise TableError("The table has no rows.", hint="Give a header and rows.")


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
