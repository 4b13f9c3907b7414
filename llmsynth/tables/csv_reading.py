"""How a CSV file becomes a table of texts, without guessing at types or dropping a row unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from llmsynth.errors import TableError
from llmsynth.tables.csv_layout import Layout, find_layout
from llmsynth.tables.csv_records import Dialect, check_quotes
from llmsynth.tables.csv_repairs import read_records
from llmsynth.tables.reading_notes import ReadingNote, with_notes
from llmsynth.tables.reading_settings import ReadingSettings
from llmsynth.tables.text_columns import TextEvidence
from llmsynth.tables.text_encoding import as_utf8, line_of

_LARGEST_BLOCK = 2**30
_QUOTINGS = (
    (
        "blanks_before_quotes",
        "Blanks between delimiters and quotes were left out.",
        re.compile(rb'[,;\t|] +"|" +[,;\t|\r\n]'),
        Dialect(delimiter=b",", has_blanks=True),
    ),
    (
        "escaped_quotes",
        'Quotes within cells are written \\" here and were read so.',
        re.compile(rb'\\"'),
        Dialect(delimiter=b",", has_escapes=True),
    ),
    (
        "single_quotes",
        "Cells are quoted with ' here and were read so.",
        re.compile(rb"(?:^|[,;\t|\n])'"),
        Dialect(delimiter=b",", quote=b"'"),
    ),
)
_SINGLE = "single_quotes"
_FILLED = re.compile(rb"[^\r\n]")


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """The cells of a file as texts, under positions, and the names that its header gives them."""

    names: tuple[str, ...]
    table: pa.Table
    notes: tuple[ReadingNote, ...]


def parse_csv(data: bytes, *, label: str, settings: ReadingSettings | None = None) -> pa.Table:
    """Read CSV bytes into string columns; an unquoted empty cell is null, `""` is not.

    Blank lines are no rows, except in a table of one column, where each is a missing cell. What
    was decided is in the notes of the table (`notes_of`).

    Raises:
        TableError: any fault of encoding, quotes, header or row lengths, with its line.
    """
    settings = settings or ReadingSettings()
    data, notes = as_utf8(data, label=label, encoding=settings.encoding)
    raw = _read(data, settings, label)
    evidence = TextEvidence(raw.names)
    evidence.add(raw.table)
    if evidence.has_blanks:
        evidence.examine(raw.table)
    plan = evidence.plan(settings)
    return with_notes(plan.apply(raw.table), (*notes, *_nul_notes(data), *raw.notes, *plan.notes))


def _read(data: bytes, settings: ReadingSettings, label: str) -> RawTable:
    """The rows by the usual quotes, or else by the first other ones that fit every row."""
    if is_single_quoted(data):
        for found in _otherwise(data, settings, label, only=_SINGLE):
            return found
    try:
        layout = find_layout(data, settings, label=label)
        check_quotes(data, layout.dialect.delimiter, label=label, start=layout.body)
        _check_rows_follow(data, layout, label)
    except TableError:
        for found in _otherwise(data, settings, label):
            return found
        raise
    try:
        table = read_rows(data, layout, label=label)
    except TableError:
        for found in _otherwise(data, settings, label, is_ragged=True):
            return found
        # Says which row it is, or what explains them all.
        repaired = read_records(data, layout, label=label)
        return RawTable(
            names=repaired.names, table=repaired.table, notes=(*layout.notes, *repaired.notes)
        )
    return RawTable(names=layout.names, table=table, notes=layout.notes)


def _otherwise(
    data: bytes,
    settings: ReadingSettings,
    label: str,
    *,
    only: str | None = None,
    is_ragged: bool = False,
) -> Iterator[RawTable]:
    """The file read by each other way of quoting that something in it speaks for."""
    for code, text, sign, quoting in _QUOTINGS:
        if (only and code != only) or not sign.search(data):
            continue
        try:
            layout = find_layout(data, settings, label=label, quoting=quoting)
            _check_rows_follow(data, layout, label)
            repaired = read_records(data, layout, label=label)
        except TableError:
            continue
        if is_ragged and (repaired.notes or len(layout.names) < 2):
            continue
        # An apostrophe at the beginning of a cell must not swallow the rows behind it.
        if code == _SINGLE and not only and _holds_line_breaks(repaired.table):
            continue
        note = ReadingNote(code=code, text=text)
        yield RawTable(
            names=repaired.names,
            table=repaired.table,
            notes=(*layout.notes, note, *repaired.notes),
        )


def is_single_quoted(data: bytes) -> bool:
    """Whether every name of the first line stands in single quotes."""
    line = data.lstrip(b"\r\n")[:65536].splitlines()[:1]
    cells = re.split(rb"[,;\t|]", line[0]) if line else []
    return bool(cells) and all(re.fullmatch(rb"\s*'[^']*'\s*", cell) for cell in cells)


def _holds_line_breaks(table: pa.Table) -> bool:
    return any(
        pc.any(pc.match_substring_regex(cells, r"[\r\n]")).as_py() for cells in table.itercolumns()
    )


def _nul_notes(data: bytes) -> tuple[ReadingNote, ...]:
    count = data.count(b"\0")
    if not count:
        return ()
    line = line_of(data, data.index(b"\0"))
    note = ReadingNote(
        code="nul_characters",
        text=f"The file holds {count:,} NUL characters, the first in line {line}; they are kept.",
        change="Save the file as plain text if they are not meant.",
        line=line,
        count=count,
    )
    return (note,)


def _check_rows_follow(data: bytes, layout: Layout, label: str) -> None:
    width = len(layout.names)
    has_rows = _FILLED.search(data, layout.body) if width > 1 else len(data) > layout.body
    if not has_rows:
        raise TableError(
            f"{label}: the header names {width} columns, but no row follows.",
            hint="Give at least one row.",
        )


def read_rows(data: bytes, layout: Layout, *, label: str) -> pa.Table:
    """The rows behind the header, in columns named by their position.

    Raises:
        TableError: a row of another number of cells.
    """
    names = [str(at) for at in range(len(layout.names))]
    try:
        return pyarrow.csv.read_csv(
            pa.py_buffer(memoryview(data)[layout.body :]),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names,
                # One block: a quoted cell may hold any number of line breaks.
                block_size=min(max(len(data), 1), _LARGEST_BLOCK),
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=layout.dialect.delimiter.decode(),
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise TableError(
            f"{label}: not a CSV file: {reason}.", hint="Write the file again as CSV."
        ) from error
