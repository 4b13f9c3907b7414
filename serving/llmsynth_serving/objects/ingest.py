"""The process that reads one uploaded file: whatever it holds, the service outlives it.

Reading takes memory in proportion to the file, and a hostile file may take more; a process of its
own gives it all back, and may die without taking a request with it.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmsynth.errors import LlmsynthError, TableError
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables import read_table
from llmsynth.tables.conforming import conform

_GZIP = b"\x1f\x8b"
_STEP = 1 << 20
TOP_VALUES = 8


def main(arguments: list[str]) -> int:
    """Read SOURCE into the Parquet file TARGET; prints one JSON object, an error among them."""
    source, target, limits = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    try:
        answer = ingest(source, target, **limits)
    except LlmsynthError as error:
        answer = {"error": {"detail": error.message, "hint": error.hint}}
    print(json.dumps(answer))  # noqa: T201 the parent reads it
    return 0


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
        "profile": {"columns": [_profile(column) for column in _columns(typed, schema)]},
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


def _columns(table: pa.Table, schema: TableSchema) -> list[tuple[str, str, pa.ChunkedArray]]:
    return [(column.name, column.kind, table.column(column.name)) for column in schema.columns]


def _profile(column: tuple[str, str, pa.ChunkedArray]) -> dict[str, Any]:
    name, kind, cells = column
    summary: dict[str, Any] = {"name": name, "kind": kind, "missing": cells.null_count}
    if kind in ("number", "date", "datetime") and cells.null_count < len(cells):
        extremes = pc.min_max(cells)
        summary |= {"minimum": str(extremes["min"]), "maximum": str(extremes["max"])}
        if kind == "number":
            summary["mean"] = float(pc.mean(cells.cast(pa.float64())).as_py())
    elif kind in ("category", "boolean"):
        counts = pc.value_counts(cells.combine_chunks().drop_null())
        order = pc.array_sort_indices(counts.field("counts"), order="descending")
        top = counts.take(order[:TOP_VALUES]).to_pylist()
        summary["distinct"] = len(counts)
        summary["top"] = [[str(item["values"]), item["counts"]] for item in top]
    return summary


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
