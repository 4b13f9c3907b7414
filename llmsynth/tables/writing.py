"""One way out for tables: whole or chunk by chunk, to CSV, Parquet or Arrow files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa
import pyarrow.parquet

from llmsynth.errors import TableError
from llmsynth.schema import TableSchema
from llmsynth.tables.conforming import conform
from llmsynth.tables.csv_writing import CsvSink


class _Sink(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


def write_table(
    table: pa.Table, path: str | os.PathLike[str], *, schema: TableSchema | None = None
) -> None:
    """Write a table to a file; see `TableWriter`.

    Raises:
        TableError: an unknown name ending, a table that does not fit the schema, or a path
            that cannot be written.
    """
    with TableWriter(path, schema=schema) as writer:
        writer.write(table)


class TableWriter:
    """Streams tables of one shape to .csv, .csv.gz, .parquet, .arrow or .feather.

    Rows go to `NAME.partial.ENDING` beside the file, which takes its final name when the
    `with` block ends well; after an exception the partial file stays, holding the rows so far.
    With a schema, each chunk is conformed to it first and CSV cells are spelled as it says.

    Args:
        path: where to write; its ending picks the format.
        schema: the columns' kinds; without it cells are spelled by their Arrow type.
    """

    def __init__(self, path: str | os.PathLike[str], *, schema: TableSchema | None = None) -> None:
        self.path = Path(path)
        self._schema = schema
        self._arrow_schema: pa.Schema | None = None
        self._sink: _Sink | None = None
        self._ending, self._make_sink = _format(self.path)
        stem = self.path.name[: -len(self._ending)]
        self.partial_path = self.path.with_name(f"{stem}.partial{self._ending}")

    def __enter__(self) -> Self:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows.

        Raises:
            TableError: the chunk does not fit the schema or the first chunk, or the file
                cannot be written.
        """
        if self._schema is not None:
            table = conform(table, self._schema)
        table = table.replace_schema_metadata(None)
        try:
            if self._sink is None:
                self._arrow_schema = table.schema
                self._sink = self._make_sink(self.partial_path, table.schema, self._schema)
            elif table.schema != self._arrow_schema:
                raise TableError(
                    f"{self.path}: every chunk must have the columns and types of the first.",
                    hint="Give TableWriter a schema, and it casts each chunk.",
                )
            self._sink.write(table)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        if self._sink is None:
            raise TableError(f"{self.path}: no table was written.", hint="Call write() first.")
        try:
            self._sink.close()
            self.partial_path.replace(self.path)
        except OSError as fault:
            raise _unwritable(self.path, fault) from fault

    def _abandon(self) -> None:
        """Close what there is; the exception under way is the one to report."""
        try:
            if self._sink is not None:
                self._sink.close()
        except (OSError, pa.ArrowException):
            return


class _ParquetSink:
    def __init__(self, path: Path, schema: pa.Schema, _: TableSchema | None) -> None:
        self._writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class _ArrowSink:
    def __init__(self, path: Path, schema: pa.Schema, _: TableSchema | None) -> None:
        self._writer = pa.ipc.new_file(str(path), schema)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


def _csv_sink(path: Path, _: pa.Schema, schema: TableSchema | None) -> _Sink:
    return CsvSink(path, schema)


_MakeSink = Callable[[Path, pa.Schema, TableSchema | None], _Sink]
_FORMATS: dict[str, _MakeSink] = {
    ".csv": _csv_sink,
    ".csv.gz": _csv_sink,
    ".parquet": _ParquetSink,
    ".arrow": _ArrowSink,
    ".feather": _ArrowSink,
}


def _format(path: Path) -> tuple[str, _MakeSink]:
    for ending, make in _FORMATS.items():
        if path.name.endswith(ending) and path.name != ending:
            return ending, make
    raise TableError(
        f"{path}: cannot tell the format from the name.",
        hint=f"Let it end in {', '.join(_FORMATS)}.",
    )


def _unwritable(path: Path, error: OSError) -> TableError:
    reason = error.strerror or str(error).splitlines()[0]
    return TableError(
        f"{path}: the file cannot be written: {reason}.", hint="Check the folder and its space."
    )
