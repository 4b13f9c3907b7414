"""How a table becomes CSV text that `read_table` and `conform` read back cell for cell."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.schema import TableSchema
from llmsynth.schema.storage import arrow_type, plain
from llmsynth.tables.cells import default_column, format_cells, parse_cells

# Whatever else could be a delimiter, too: in a table of one column cells would be split at it.
_NEEDS_QUOTES = '[",;\t|\r\n]|^$'
# The header is what the delimiter is told from, so it quotes every candidate, and also a
# leading byte order mark, which a reader would take off.
# A bracket at the start would be taken for JSON, a number sign or a percent sign for a comment.
_HEADER_NEEDS_QUOTES = '[",;\t|\r\n]|^$|^\ufeff|^[{\\[#%]'
_ROWS_AT_ONCE = 50_000


class CsvSink:
    """Writes tables of one shape to a CSV file: UTF-8, commas, line feeds, header first."""

    def __init__(self, path: Path, schema: TableSchema | None) -> None:
        self._schema = schema
        self._names: list[str] | None = None
        self._raw = path.open("wb")
        # No name and no time in the gzip header: the same rows give the same bytes.
        self._file: IO[bytes] | gzip.GzipFile = (
            gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)
            if path.suffix == ".gz"
            else self._raw
        )

    def write(self, table: pa.Table) -> None:
        """Append rows; the first call also writes the header."""
        if self._names is None:
            self._names = table.column_names
            header = _quoted(pa.array(self._names, pa.string()), _HEADER_NEEDS_QUOTES)
            self._file.write(",".join(header.to_pylist()).encode() + b"\n")
        for start in range(0, table.num_rows, _ROWS_AT_ONCE):
            self._file.write(csv_rows(table.slice(start, _ROWS_AT_ONCE), self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        self._raw.close()


def csv_rows(table: pa.Table, schema: TableSchema | None = None) -> bytes:
    """The rows as CSV lines, each ended by a line feed.

    Raises:
        TableError: a moment that its column's format would round.
    """
    columns = [
        _quoted(_texts(name, _one_chunk(cells), schema), _NEEDS_QUOTES)
        for name, cells in zip(table.column_names, table.itercolumns(), strict=True)
    ]
    lines = pc.binary_join_element_wise(*columns, ",", null_handling="replace", null_replacement="")
    return "".join(line + "\n" for line in lines.to_pylist()).encode("utf-8")


def _one_chunk(cells: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(plain(cells).chunks or [pa.nulls(0, cells.type)])


def _texts(name: str, cells: pa.Array, schema: TableSchema | None) -> pa.Array:
    column = schema.column(name) if schema else default_column(name, cells.type)
    texts = format_cells(column, cells)
    if pa.types.is_temporal(arrow_type(column.storage)):
        kept = pc.fill_null(pc.equal(parse_cells(column, texts), cells), False)
        lost = pc.index(pc.or_(kept, cells.is_null()), False).as_py()
        if lost >= 0:
            raise TableError(
                f"Column {name!r}: its format would lose a part of {cells[lost]}.",
                hint="Give the column a format with the missing part, such as .%f.",
            )
    return texts


def _quoted(texts: pa.Array, needs_quotes: str) -> pa.Array:
    marked = pc.match_substring_regex(texts, needs_quotes)
    if not pc.any(marked).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(marked, pc.binary_join_element_wise('"', doubled, '"', ""), texts)
