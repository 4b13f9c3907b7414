"""A CSV file that need not fit into memory, as tables of whole records, one after the other."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.csv_layout import HEAD_BYTES, Layout, find_layout
from llmsynth.tables.csv_reading import is_single_quoted, read_rows
from llmsynth.tables.csv_records import check_quotes
from llmsynth.tables.reading_notes import with_notes
from llmsynth.tables.reading_settings import ReadingSettings
from llmsynth.tables.table_checks import checked, with_missing
from llmsynth.tables.text_columns import TextEvidence

PIECE_BYTES = 16 << 20


def csv_pieces(
    path: Path,
    *,
    missing: Sequence[str] = (),
    piece_bytes: int = PIECE_BYTES,
    settings: ReadingSettings | None = None,
) -> Iterator[pa.Table]:
    """The rows in order, about so many bytes of the file at a time; what `read_table` reads.

    The file is read twice: what becomes of a column depends on all of its cells. Every table has
    the notes on the whole file (`notes_of`). Only UTF-8 with the usual quotes is read in pieces.
    Whoever gets an error may give the file to `read_table`, which reads the rest, too, and names
    the line of a fault.

    Raises:
        TableError: the file is not UTF-8, or a piece is not a table.
    """
    settings = settings or ReadingSettings()
    label = str(path)
    with path.open("rb") as file:
        mark, layout = _layout(file, settings, label)
        evidence = TextEvidence(layout.names)

        def tables() -> Iterator[pa.Table]:
            file.seek(mark + layout.body)
            yield from _tables(file, layout, piece_bytes, label)

        for table in tables():
            evidence.add(table)
        if evidence.has_blanks:
            for table in tables():
                evidence.examine(table)
        plan = evidence.plan(settings)
        for table in tables():
            piece = with_missing(checked(plan.apply(table), label=label), missing)
            yield with_notes(piece, (*layout.notes, *plan.notes))


def _layout(file: BinaryIO, settings: ReadingSettings, label: str) -> tuple[int, Layout]:
    """The bytes of a byte order mark, and how what follows it is read."""
    head = file.read(HEAD_BYTES + len(codecs.BOM_UTF8) + 1)
    bare = head.removeprefix(codecs.BOM_UTF8)
    is_utf8 = (settings.encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")
    if not is_utf8 or b"\0" in bare or is_single_quoted(bare):
        raise _to_be_read_whole(label, "its encoding or its quotes are unusual")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(bare)
    except UnicodeDecodeError as error:
        raise _to_be_read_whole(label, f"not UTF-8 ({error.reason})") from error
    return len(head) - len(bare), find_layout(bare, settings, label=label)


def _tables(file: BinaryIO, layout: Layout, piece_bytes: int, label: str) -> Iterator[pa.Table]:
    """The rows as they stand, a piece at a time."""
    is_wide = len(layout.names) > 1
    inner = replace(layout, body=0)
    for piece in _whole_records(file, piece_bytes):
        _check_utf8(piece, label)
        if not (piece.strip(b"\r\n") if is_wide else piece):
            continue
        check_quotes(piece, layout.dialect.delimiter, label=label)
        yield read_rows(piece, inner, label=label)


def _whole_records(file: BinaryIO, piece_bytes: int) -> Iterator[bytes]:
    """The file's bytes, cut behind line breaks that lie outside quotes.

    A quote within an unquoted cell misleads the count of quotes. Then a piece may end inside a
    quoted cell, whose quote is not closed there, and is refused by whoever parses it.
    """
    rest = b""
    while chunk := file.read(piece_bytes):
        rest += chunk
        end = _last_end(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _last_end(data: bytes) -> int:
    """Where the last whole record ends; 0 where none does."""
    quotes = data.count(b'"')
    end = len(data)
    while (line := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', line, end)
        if quotes % 2 == 0:
            return line + 1
        end = line
    return 0


def _check_utf8(piece: bytes, label: str) -> None:
    if b"\0" in piece:
        raise _to_be_read_whole(label, "it holds NUL characters")
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _to_be_read_whole(label, f"not UTF-8 ({error.reason})") from error


def _to_be_read_whole(label: str, reason: str) -> TableError:
    return TableError(f"{label}: {reason}.", hint="Read the file as a whole.")
