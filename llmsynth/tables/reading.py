"""One way in for every kind of table: a file, or a table another library holds in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.binary_files import is_arrow, is_parquet, parse_arrow, parse_parquet
from llmsynth.tables.csv_reading import parse_csv
from llmsynth.tables.declared_types import in_plain_types
from llmsynth.tables.foreign_files import foreign_reader, refuse_no_table
from llmsynth.tables.json_records import is_json, parse_json
from llmsynth.tables.memory_sources import from_memory
from llmsynth.tables.packed_files import unpacked
from llmsynth.tables.reading_notes import notes_of, warn_of
from llmsynth.tables.reading_settings import ReadingSettings, settings_in_force
from llmsynth.tables.table_checks import checked, with_missing

if TYPE_CHECKING:
    import datasets
    import pandas as pd

    TableSource: TypeAlias = str | os.PathLike[str] | pa.Table | pd.DataFrame | datasets.Dataset

STANDARD_INPUT = "-"


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
        source: a path, `-` for standard input, or a table in memory (pandas, polars, DuckDB,
            `datasets.Dataset`, whatever has an Arrow stream). A file is told by its first bytes:
            CSV, JSON records, Parquet, Arrow, Feather, ORC, Excel, SQLite, DuckDB, Stata, SPSS or
            SAS, also gzipped, or with bz2, xz, zstd, zip or tar.
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
    if not isinstance(source, pa.Table):
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
    elif isinstance(source, str | os.PathLike):
        label = os.fspath(source)
        if label == STANDARD_INPUT:
            label, data = "standard input", sys.stdin.buffer.read()
        else:
            data = _content(Path(source))
        data, label = unpacked(data, settings, label=label)
        table = _parse(data, label, settings)
    elif callable(read := getattr(source, "read", None)):
        held_text = read()
        data = held_text.encode("utf-8") if isinstance(held_text, str) else bytes(held_text)
        data, label = unpacked(data, settings, label="the file")
        table = _parse(data, label, settings)
    else:
        raise TableError(
            f"Expected a path or a table, got {type(source).__name__}.",
            hint="Give a file, a DataFrame, an Arrow table, a Dataset, or records; an array as "
            "pandas.DataFrame(array).",
        )
    table = in_plain_types(table, label=label)
    made = with_missing(checked(table, label=label), missing)
    return made.replace_schema_metadata(table.schema.metadata)


def _parse(data: bytes, label: str, settings: ReadingSettings) -> pa.Table:
    if not data:
        raise TableError(f"{label}: the file is empty.", hint="Give a header and rows.")
    if is_parquet(data, label):
        return parse_parquet(data, label=label)
    if is_arrow(data, label):
        return parse_arrow(data, label=label)
    if reader := foreign_reader(data):
        return reader(data, settings, label)
    refuse_no_table(data, label=label)
    if is_json(data, label):
        return parse_json(data, label=label)
    return parse_csv(data, label=label, settings=settings)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TableError(
            f"{path}: the file cannot be read: {reason}.", hint="Check the path."
        ) from error
