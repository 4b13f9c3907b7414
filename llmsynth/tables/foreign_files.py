"""Files of other programs, told by their first bytes: workbooks, databases, statistics, ORC."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.orc

from llmsynth.errors import MissingExtraError, TableError
from llmsynth.tables.csv_reading import parse_csv
from llmsynth.tables.json_records import column_of, mixed_note
from llmsynth.tables.memory_sources import from_memory
from llmsynth.tables.packed_files import is_workbook
from llmsynth.tables.reading_notes import ReadingNote, listed, notes_of, with_notes
from llmsynth.tables.reading_settings import ReadingSettings

_Reader = Callable[[bytes, ReadingSettings, str], pa.Table]
_SAS = bytes(12) + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00\x09\xc7\x31\x8c"
_NO_TABLES = (
    (b"%PDF", "a PDF document", "Copy the table into a CSV file."),
    (b"\x89PNG", "a picture", "Give the table itself."),
    (b"\xff\xd8\xff", "a picture", "Give the table itself."),
    (b"\x89HDF", "an HDF5 file", 'Convert it: pandas.read_hdf(FILE).to_parquet("t.parquet").'),
    (b"\x93NUMPY", "a NumPy array", "Give pandas.DataFrame(numpy.load(FILE))."),
    (b"Obj\x01", "an Avro file", "Convert it to Parquet."),
    (b"RDX", "an R workspace", 'Convert it in R: write.csv(x, "t.csv", row.names = FALSE).'),
    (b"X\n\0\0\0", "an R object", 'Convert it in R: write.csv(readRDS(FILE), "t.csv").'),
    (b"\x80\x04\x95", "a pickle, which may run code", "Write the table as Parquet or CSV."),
    (b"\x80\x05\x95", "a pickle, which may run code", "Write the table as Parquet or CSV."),
    (b"<!DOCTYPE", "a web page", "Save the table as CSV."),
    (b"<!doctype", "a web page", "Save the table as CSV."),
    (b"<html", "a web page", "Save the table as CSV."),
    (b"<?xml", "an XML document", "Save the table as CSV."),
)


def foreign_reader(data: bytes) -> _Reader | None:
    """What reads a file that begins like this; None where it is text or one of Arrow's own.

    Raises:
        TableError: a kind of file that holds no table, or none that is read here.
    """
    if is_workbook(data) or data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _workbook
    if data.startswith(b"SQLite format 3\0"):
        return _sqlite
    if data[8:12] == b"DUCK":
        return _duckdb
    if data.startswith(b"<stata_dta>") or _is_old_stata(data):
        return _stata
    if data.startswith((b"$FL2", b"$FL3")):
        return _spss
    if data.startswith(b"HEADER RECORD*******LIB"):
        return _sas_transport
    if data.startswith(_SAS):
        return _sas
    if data.startswith(b"ORC"):
        return _orc
    return None


def refuse_no_table(data: bytes, *, label: str) -> None:
    """Raise TableError for a file that is plainly something else than a table."""
    for mark, what, hint in _NO_TABLES:
        if data.startswith(mark):
            raise TableError(f"{label}: this is {what}, not a table.", hint=hint)


def _is_old_stata(data: bytes) -> bool:
    return (
        len(data) > 109
        and data[0] in range(102, 116)
        and data[1] in (1, 2)
        and data[2:4] == b"\1\0"
    )


def _workbook(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    calamine = _needed("python_calamine", "excel", "Reading a workbook")
    with _translated(label, "a workbook", calamine.CalamineError):
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        rows_of = {
            name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for name in ([_sheet(names, settings, label)] if settings.sheet else names)
        }
    filled = [name for name, rows in rows_of.items() if any(map(any, rows))]
    if not filled:
        raise TableError(f"{label}: its sheets are empty.", hint="Give a header and rows.")
    name = filled[0]
    at_cells = [at for at, row in enumerate(rows_of[name]) if any(cell != "" for cell in row)]
    rows = [rows_of[name][at] for at in at_cells]
    blank = at_cells[-1] - at_cells[0] + 1 - len(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([[_cell_text(cell) for cell in row] for row in rows])
    text = out.getvalue().encode("utf-8", "replace")
    inner = ReadingSettings(
        delimiter="comma",
        has_header=settings.has_header,
        header_line=settings.header_line,
        keep_row_numbers=settings.keep_row_numbers,
        strip_blanks=settings.strip_blanks,
    )
    table = parse_csv(text, label=f"{label}, sheet {name!r}", settings=inner)
    notes = list(notes_of(table))
    if blank:
        told = f"{blank:,} empty row(s) of the sheet were left out."
        notes.insert(0, ReadingNote(code="blank_lines", text=told, count=blank))
    if len(filled) > 1:
        others = [other for other in filled if other != name]
        note = ReadingNote(
            code="sheet",
            text=f"The workbook has {len(filled)} sheets; {name!r} was read, not {listed(others)}.",
            change="Name another with --sheet.",
            count=len(filled),
        )
        notes.insert(0, note)
    return with_notes(table, notes)


def _sheet(names: Sequence[str], settings: ReadingSettings, label: str) -> str:
    wanted = settings.sheet or ""
    if wanted in names:
        return wanted
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise TableError(f"{label}: no sheet {wanted!r}.", hint=f"It has {listed(names)}.")


def _cell_text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        is_day = cell.time() == dt.time()
        return cell.date().isoformat() if is_day else cell.isoformat(sep=" ")
    return str(cell)


def _sqlite(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    with _translated(label, "an SQLite database", sqlite3.Error):
        connection = sqlite3.connect(":memory:")
        try:
            connection.deserialize(data)
            connection.execute("PRAGMA trusted_schema = OFF")
            found = connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            )
            name = _database_table([row[0] for row in found], settings, label)
            cursor = connection.execute(f"SELECT * FROM {_quoted(name)}")
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        finally:
            connection.close()
    return _from_rows(names, rows, f"{label}, table {name!r}")


def _duckdb(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    duckdb = _needed("duckdb", "sql", "Reading a DuckDB file")
    with _as_file(data, ".duckdb") as path, _translated(label, "a DuckDB file", duckdb.Error):
        connection = duckdb.connect(
            path,
            read_only=True,
            # A view may name any file of this machine; a table holds what it holds.
            config={"enable_external_access": "false"},
        )
        try:
            found = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' "
                "AND table_type = 'BASE TABLE'"
            ).fetchall()
            name = _database_table(sorted(row[0] for row in found), settings, label)
            held: pa.Table = connection.sql(f"SELECT * FROM {_quoted(name)}").to_arrow_table()
            return held
        finally:
            connection.close()


def _stata(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    del settings
    import pandas as pd  # pandas takes a second to load, and most files need none of it

    faults = (ValueError, KeyError, OSError, IndexError, OverflowError, EOFError, TypeError)
    with _translated(label, "a Stata file", *faults):
        try:
            frame = pd.read_stata(io.BytesIO(data))
        except ValueError as error:
            # Labels that stand for several values make no categories; the values are kept.
            if "label" not in str(error):
                raise
            frame = pd.read_stata(io.BytesIO(data), convert_categoricals=False)
    return _from_frame(frame, label)


def _spss(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    pyreadstat = _needed("pyreadstat", "stats", "Reading an SPSS file")
    faults = (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OSError)
    with _as_file(data, ".sav") as path, _translated(label, "an SPSS file", *faults):
        frame, _ = pyreadstat.read_sav(
            path,
            apply_value_formats=True,
            formats_as_ordered_category=True,
            encoding=settings.encoding,
        )
    return _from_frame(frame, label)


def _sas_transport(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    if not data.startswith(b"HEADER RECORD*******LIBV8"):
        return _sas_by(data, settings, label, "xport")
    pyreadstat = _needed("pyreadstat", "stats", "Reading a SAS transport file of version 8")
    faults = (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OSError)
    with _as_file(data, ".xpt") as path, _translated(label, "a SAS file", *faults):
        frame, _ = pyreadstat.read_xport(path, encoding=settings.encoding)
    return _from_frame(frame, label)


def _sas(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    return _sas_by(data, settings, label, "sas7bdat")


def _sas_by(data: bytes, settings: ReadingSettings, label: str, kind: str) -> pa.Table:
    import pandas as pd  # see _stata

    faults = (ValueError, KeyError, OSError, IndexError, OverflowError, EOFError, TypeError)
    with _translated(label, "a SAS file", *faults):
        encoding = settings.encoding or ("infer" if kind == "sas7bdat" else "latin-1")
        frame = pd.read_sas(io.BytesIO(data), format=kind, encoding=encoding)  # type: ignore[call-overload]
    return _from_frame(frame, label)


def _orc(data: bytes, settings: ReadingSettings, label: str) -> pa.Table:
    del settings
    with _translated(label, "an ORC file", pa.ArrowException, OSError):
        return pyarrow.orc.ORCFile(pa.BufferReader(data)).read()


def _from_frame(frame: object, label: str) -> pa.Table:
    held = from_memory(frame)
    if held is None:
        raise TableError(f"{label}: holds no table.", hint="Convert it to CSV.")
    return held[0]


def _from_rows(names: Sequence[str], rows: Sequence[Sequence[object]], place: str) -> pa.Table:
    columns, mixed = [], []
    for at, name in enumerate(names):
        cells, is_mixed = column_of([row[at] for row in rows], f"{place}, column {name!r}")
        columns.append(cells)
        if is_mixed:
            mixed.append(name)
    return with_notes(pa.table(columns, names=list(names)), [mixed_note(mixed)] if mixed else [])


def _database_table(names: Sequence[str], settings: ReadingSettings, label: str) -> str:
    wanted = settings.database_table
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is not None and wanted in names:
        return wanted
    if not names:
        raise TableError(f"{label}: the database has no table.", hint="Give another file.")
    if wanted is None:
        raise TableError(
            f"{label}: the database has {len(names)} tables: {listed(names)}.",
            hint="Name one with --database-table.",
        )
    raise TableError(f"{label}: no table {wanted!r}.", hint=f"It has {listed(names)}.")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _needed(module: str, extra: str, what: str):  # type: ignore[no-untyped-def]
    """A module that an extra brings; it publishes no types, or none that hold here."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs the package {module!r}, which is not installed.",
            hint=f'Install it with: pip install "llmsynth[{extra}]"',
        ) from error


@contextmanager
def _as_file(data: bytes, ending: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{ending}"
        path.write_bytes(data)
        yield os.fspath(path)


@contextmanager
def _translated(label: str, expected: str, *faults: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TableError:
        raise
    except faults as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise TableError(
            f"{label}: expected {expected}, but it cannot be read as one: {reason}.",
            hint="Write it again, or export the table as CSV.",
        ) from error
