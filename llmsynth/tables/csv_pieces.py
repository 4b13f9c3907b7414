"""A CSV file that need not fit into memory, as tables of whole records, one after the other."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.csv_reading import parse_csv
from llmsynth.tables.csv_records import Record, records, sniff_delimiter
from llmsynth.tables.table_checks import checked, with_missing

PIECE_BYTES = 16 << 20


def csv_pieces(
    path: Path, *, missing: Sequence[str] = (), piece_bytes: int = PIECE_BYTES
) -> Iterator[pa.Table]:
    """The rows in order, about so many bytes of the file at a time; what `read_table` reads.

    Only UTF-8 is read in pieces. Whoever gets an error may give the file to `read_table`, which
    reads other encodings and names the line of a fault.

    Raises:
        TableError: the file is not UTF-8, or a piece is not a table.
    """
    label = str(path)
    with path.open("rb") as file:
        header = delimiter = b""
        is_wide = False
        for piece in _whole_records(file, piece_bytes):
            _check_utf8(piece, label)
            if not header:
                piece = piece.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
                if not piece:
                    continue
                delimiter = sniff_delimiter(piece, label=label)
                first = _header(piece, delimiter, label)
                header, piece = piece[first.start : first.end], piece[first.end :]
                is_wide = len(first.cells) > 1
            if not (piece.strip(b"\r\n") if is_wide else piece):
                continue
            table = parse_csv(header + piece, label=label, encoding="utf-8", delimiter=delimiter)
            yield with_missing(checked(table, label=label), missing)


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


def _header(piece: bytes, delimiter: bytes, label: str) -> Record:
    for record in records(piece, delimiter, label=label):
        if not record.is_blank:
            return record
    raise TableError(f"{label}: the file is empty.", hint="Give a header and rows.")


def _check_utf8(piece: bytes, label: str) -> None:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{label}: not UTF-8 ({error.reason}).", hint="Read the file as a whole."
        ) from error
