"""The strict grammar of a CSV file: where its records lie, and exactly what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from llmsynth.errors import TableError
from llmsynth.tables.text_encoding import line_of

DELIMITERS = b",;\t|"
_SAMPLE_RECORDS = 100


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of a CSV file: its cells as written, and where it begins and ends."""

    start: int
    end: int
    cells: tuple[bytes, ...]

    @property
    def is_blank(self) -> bool:
        """Whether the record is an empty line."""
        return self.cells == (b"",)

    def texts(self) -> list[str]:
        """The cells without their quotes."""
        return [_unquoted(cell).decode("utf-8") for cell in self.cells]


def records(data: bytes, delimiter: bytes, *, label: str, start: int = 0) -> Iterator[Record]:
    """Read UTF-8 CSV record by record, blank lines included.

    Raises:
        TableError: a quote that is never closed, or text after a closing quote.
    """
    cell = _cell(delimiter)
    begin, cells = start, list[bytes]()
    position = start
    while position < len(data) or cells:
        match = cell.match(data, position)
        if match is None:
            raise quote_fault(data, position, label)
        cells.append(match[1])
        position = match.end()
        if match[2] != delimiter:
            yield Record(start=begin, end=position, cells=tuple(cells))
            begin, cells = position, []


def check_quotes(data: bytes, delimiter: bytes, *, label: str) -> None:
    """Check in one pass that every quoted cell is closed and followed by a delimiter.

    Raises:
        TableError: the first quote that is not.
    """
    if b'"' not in data:
        return
    match = _whole(delimiter).match(data)
    end = match.end() if match else 0
    if end != len(data):
        raise quote_fault(data, end, label)


def quote_fault(data: bytes, position: int, label: str) -> TableError:
    """The error for the quoted cell that begins at `position` and is not well formed."""
    line = line_of(data, position)
    closed = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"').match(data, position)
    if closed is None:
        return TableError(
            f"{label}, line {line}: the quote opened here is never closed.",
            hint='Close it, or write a literal quote as "" inside a quoted cell.',
        )
    found = data[closed.end() : closed.end() + 20].splitlines()[0].decode("utf-8", "replace")
    return TableError(
        f"{label}, line {line_of(data, closed.end())}: a delimiter must follow a closing quote, "
        f"found {found!r}.",
        hint='Write a literal quote as "" inside a quoted cell.',
    )


def sniff_delimiter(data: bytes, *, label: str) -> bytes:
    """The delimiter (comma, semicolon, tab or bar) that the header uses outside quotes.

    Where the header holds several, the one that splits most of the first records into as many
    cells as the header wins, then the one that makes the most cells.
    """
    scores = {mark: _score(data, mark) for mark in (bytes([byte]) for byte in DELIMITERS)}
    best = max(scores, key=lambda mark: scores[mark])
    return best if scores[best][1] > 1 else b","


def ragged_fault(
    data: bytes, delimiter: bytes, names: list[str], *, label: str
) -> TableError | None:
    """The error for the first record whose cell count differs from the header's, if any."""
    for index, record in enumerate(records(data, delimiter, label=label)):
        if index == 0 or record.is_blank or len(record.cells) == len(names):
            continue
        return TableError(
            f"{label}, line {line_of(data, record.start)}: expected {len(names)} cells as in the "
            f"header, found {len(record.cells)}: {_excerpt(data, record)!r}.",
            hint="Quote cells that hold the delimiter or a line break, or mend the row.",
        )
    return None


def _score(data: bytes, delimiter: bytes) -> tuple[float, int]:
    """Share of records with as many cells as the header, and that number; 0 where it is one."""
    counts = []
    try:
        for record in records(data, delimiter, label=""):
            if not record.is_blank:
                counts.append(len(record.cells))
            if len(counts) > _SAMPLE_RECORDS:
                break
    except TableError:
        pass
    if not counts or counts[0] == 1:
        return (0.0, 1)
    return (counts.count(counts[0]) / len(counts), counts[0])


@lru_cache
def _cell(delimiter: bytes) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    return re.compile(rb"(" + _content(mark) + rb")(" + mark + rb"|\r\n|\r|\n|\Z)")


@lru_cache
def _whole(delimiter: bytes) -> re.Pattern[bytes]:
    # Possessive throughout: no backtracking, so that one pass takes linear time and no memory.
    mark = re.escape(delimiter)
    cell = _content(mark)
    ended = rb"(?:" + cell + rb"(?:" + mark + rb"|\r\n|\r|\n))*+"
    return re.compile(ended + rb"(?:" + cell + rb"\Z)?")


def _content(mark: bytes) -> bytes:
    return rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"' + mark + rb"\r\n][^" + mark + rb"\r\n]*+|)"


def _unquoted(cell: bytes) -> bytes:
    return cell[1:-1].replace(b'""', b'"') if cell.startswith(b'"') else cell


def _excerpt(data: bytes, record: Record) -> str:
    text = data[record.start : record.end].decode("utf-8", "replace").rstrip("\r\n")
    return text if len(text) <= 60 else text[:57] + "..."
