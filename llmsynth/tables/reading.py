"""One way in for every kind of table: a file, or a table another library holds in memory."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.binary_files import is_arrow, is_parquet, parse_arrow, parse_parquet
from llmsynth.tables.csv_reading import parse_csv
from llmsynth.tables.memory_sources import from_memory
from llmsynth.tables.reading_notes import notes_of, warn_of, with_notes
from llmsynth.tables.reading_settings import ReadingSettings, settings_in_force
from llmsynth.tables.table_checks import checked, with_missing

if TYPE_CHECKING:
    import datasets
    import pandas as pd

    TableSource: TypeAlias = str | os.PathLike[str] | pa.Table | pd.DataFrame | datasets.Dataset

STANDARD_INPUT = "-"
_GZIP = b"\x1f\x8b"


def read_table(
    source: TableSource,
    *,
    missing: Sequence[str] = (),
    encoding: str | None = None,
    settings: ReadingSettings | None = None,
) -> pa.Table:
    """Read a table as it stands: no cell reinterpreted, no row dropped, unless a note says so.

    What was decided (a column of row numbers left out, lines before the table, an encoding) is
    warned of, one `ReadingWarning` a decision, and stays with the table: `notes_of(table)`.

    Args:
        source: a path, `-` for standard input (CSV with `,` `;` tab or `|`, Parquet, Arrow IPC or
            Feather, each also gzipped), or a pandas DataFrame, Arrow table or `datasets.Dataset`.
            CSV cells come out as strings; typed columns keep their type. An unquoted empty CSV
            cell, a NaN and a null are missing; `NA`, `None`, `?` and `""` are data.
        missing: texts that stand for a missing cell in this table, such as `?`.
        encoding: of a CSV file; told from its bytes when omitted.
        settings: what else the file is not to be asked for; those of the command that runs when
            omitted.

    Raises:
        TableError: the source cannot be read; the message names the file, line or column, what
            was found, and what to do.
    """
    table = read_noted(source, missing=missing, encoding=encoding, settings=settings)
    if isinstance(source, str | os.PathLike):
        warn_of(notes_of(table))
    return table


def read_noted(
    source: TableSource,
    *,
    missing: Sequence[str] = (),
    encoding: str | None = None,
    settings: ReadingSettings | None = None,
) -> pa.Table:
    """`read_table` for who shows the notes otherwise than as warnings.

    Raises:
        TableError: see `read_table`.
    """
    if isinstance(missing, str):
        missing = (missing,)
    settings = settings or settings_in_force()
    if encoding is not None:
        settings = replace(settings, encoding=encoding)
    held = from_memory(source)
    if held is not None:
        table, label = held
        notes = notes_of(table)
    elif isinstance(source, str | os.PathLike):
        label = os.fspath(source)
        if label == STANDARD_INPUT:
            label, data = "standard input", sys.stdin.buffer.read()
        else:
            data = _content(Path(source))
        if data.startswith(_GZIP):
            data = _unzipped(data, label)
        table = _parse(data, label, settings)
        notes = notes_of(table)
    else:
        raise TableError(
            f"Expected a path or a table, got {type(source).__name__}.",
            hint="Give a CSV, Parquet or Arrow file, a DataFrame, an Arrow table or a Dataset.",
        )
    return with_notes(with_missing(checked(table, label=label), missing), notes)


def _parse(data: bytes, label: str, settings: ReadingSettings) -> pa.Table:
    if not data:
        raise TableError(f"{label}: the file is empty.", hint="Give a header and rows.")
    if is_parquet(data, label):
        return parse_parquet(data, label=label)
    if is_arrow(data, label):
        return parse_arrow(data, label=label)
    if data.startswith(b"PK\x03\x04"):
        raise TableError(
            f"{label}: this is a ZIP or Excel file, not a table of text.",
            hint="Unpack it, or save the sheet as CSV.",
        )
    return parse_csv(data, label=label, settings=settings)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TableError(
            f"{path}: the file cannot be read: {reason}.", hint="Check the path."
        ) from error


def _unzipped(data: bytes, label: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(
            f"{label}: the gzip file is damaged or cut short: {error}.",
            hint="Fetch or write it again.",
        ) from error
