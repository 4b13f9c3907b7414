"""A table in Parquet files that need not fit into memory: passes over it, samples of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.errors import MissingExtraError, TableError
from llmsynth.schema.streamed_inference import TableEvidence
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.table_checks import with_missing

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BATCH_ROWS = 65_536


class ParquetShards:
    """One table in one or many Parquet files, in order of their names.

    Args:
        address: a file, a folder, or what fsspec knows, such as `s3://bucket/table`; in a folder,
            names that begin with `_` or `.` are left out.
        missing: texts that stand for a missing cell.

    Raises:
        TableError: no Parquet file there, or files of different columns.
        MissingExtraError: what reaches the address is not installed.
    """

    def __init__(self, address: str | os.PathLike[str], *, missing: Sequence[str] = ()) -> None:
        self.address = os.fspath(address)
        self._missing = tuple(missing)
        self._files, self.paths = _found(self.address)
        self._rows: list[int] = []
        for path in self.paths:
            with self._opened(path) as file:
                if not self._rows:
                    self.arrow_schema: pa.Schema = file.schema_arrow.remove_metadata()
                elif file.schema_arrow.remove_metadata() != self.arrow_schema:
                    raise TableError(
                        f"{path} has other columns or types than {self.paths[0]}.",
                        hint="Write all files with the same columns and types.",
                    )
                self._rows.append(file.metadata.num_rows)

    @property
    def num_rows(self) -> int:
        """Rows of all files."""
        return sum(self._rows)

    def rows_before(self, path: str) -> int:
        """Rows of the files before one of them."""
        return sum(self._rows[: self.paths.index(path)])

    def batches(
        self, columns: Sequence[str] | None = None, *, paths: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """All rows in order, up to 65,536 at a time.

        Args:
            paths: some of the files, for one of several workers.
        """
        for path in paths if paths is not None else self.paths:
            with self._opened(path) as file:
                names = None if columns is None else list(columns)
                for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                    yield with_missing(pa.Table.from_batches([batch]), self._missing)

    def evidence(self, *, paths: Sequence[str] | None = None) -> TableEvidence:
        """What a pass over the rows tells of the columns."""
        found = TableEvidence()
        for batch in self.batches(paths=paths):
            found.add(batch)
        return found

    def schema(self, *, target: str | None = None) -> TableSchema:
        """The schema of the whole table, in one pass.

        Raises:
            TableError: no rows, a column that cannot be learned, or an unknown target.
        """
        return self.evidence().schema(target=target)

    def sample(self, rows: int, *, seed: int = 0) -> pa.Table:
        """So many of the rows, each set of them equally likely, in table order; all when fewer.

        Reads every file once and holds the chosen rows.
        """
        if rows >= self.num_rows:
            return pa.concat_tables([self.arrow_schema.empty_table(), *self.batches()])
        draw = np.random.default_rng(seed)
        wanted = np.sort(draw.choice(self.num_rows, rows, replace=False, shuffle=False))
        parts, first = [self.arrow_schema.empty_table()], 0
        for batch in self.batches():
            begin, end = np.searchsorted(wanted, [first, first + batch.num_rows])
            if end > begin:
                parts.append(batch.take(pa.array(wanted[begin:end] - first)))
            first += batch.num_rows
        return pa.concat_tables(parts)

    @contextmanager
    def _opened(self, path: str) -> Iterator[pq.ParquetFile]:
        try:
            # Not buffered ahead: a column chunk at a time is what memory has to hold.
            with self._files.open(path, "rb") as file:
                yield pq.ParquetFile(file, buffer_size=1 << 20)
        except (OSError, pa.ArrowException) as error:
            raise TableError(f"{path} cannot be read as Parquet: {error}.") from error


def is_sharded(address: str) -> bool:
    """Whether an address names a table in many files: a folder, or no local path at all."""
    return "://" in address or Path(address).is_dir()


def _found(address: str) -> tuple[AbstractFileSystem, list[str]]:
    try:
        # An extra brings it; a table in one local file needs none.
        import fsspec

        files, root = fsspec.core.url_to_fs(address)
    except ValueError as error:
        raise TableError(f"{address}: no such kind of address: {error}.") from error
    except ImportError as error:
        raise MissingExtraError(f"{address} cannot be reached: {error}.") from error
    root = str(root).rstrip("/")
    if files.isfile(root):
        return files, [root]
    names = [str(path) for path in files.find(root)] if files.isdir(root) else []
    inner = {path: path[len(root) :].lstrip("/").split("/") for path in names}
    found = [
        path
        for path, parts in inner.items()
        if path.endswith(".parquet") and not any(part.startswith(("_", ".")) for part in parts)
    ]
    if not found:
        raise TableError(
            f"{address} holds no Parquet file.",
            hint="Give a .parquet file, or a folder of them.",
        )
    return files, sorted(found)
