"""The strict grammar of a CSV file: where its records lie, and exactly what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from llmsynth.errors import TableError
from llmsynth.tables.text_encoding import line_of


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How cells are told apart and quoted.

    Args:
        delimiter: one byte.
        quote: one byte; doubled within a quoted cell it stands for itself.
        has_escapes: whether `\\"` stands for a quote, too.
        has_blanks: whether blanks may stand around a quoted cell.
    """

    delimiter: bytes
    quote: bytes = b'"'
    has_escapes: bool = False
    has_blanks: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the delimiter differs from RFC 4180."""
        return self.quote == b'"' and not self.has_escapes and not self.has_blanks


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of a CSV file: its cells as written, and where it begins and ends."""

    start: int
    end: int
    cells: tuple[bytes, ...]
    dialect: Dialect

    @property
    def is_blank(self) -> bool:
        """Whether the record is an empty line."""
        return self.cells == (b"",)

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything but blanks."""
        return not b"".join(self.cells).strip(b" \t")

    def texts(self) -> list[str]:
        """The cells without their quotes."""
        return [_unquoted(cell, self.dialect).decode("utf-8") for cell in self.cells]

    def values(self) -> list[str | None]:
        """The cells without their quotes; an unquoted empty one is None."""
        return [text if cell else None for text, cell in zip(self.texts(), self.cells, strict=True)]


def records(data: bytes, dialect: Dialect, *, label: str, start: int = 0) -> Iterator[Record]:
    """Read UTF-8 CSV record by record, blank lines included.

    Raises:
        TableError: a quote that is never closed, or text after a closing quote.
    """
    cell = _cell(dialect)
    begin, cells = start, list[bytes]()
    position = start
    while position < len(data) or cells:
        match = cell.match(data, position)
        if match is None:
            raise quote_fault(data, position, label)
        cells.append(match[1])
        position = match.end()
        if match[2] != dialect.delimiter:
            yield Record(start=begin, end=position, cells=tuple(cells), dialect=dialect)
            begin, cells = position, []


def check_quotes(data: bytes, delimiter: bytes, *, label: str, start: int = 0) -> None:
    """Check in one pass that every quoted cell from `start` on is closed and then delimited.

    Raises:
        TableError: the first quote that is not.
    """
    if b'"' not in data:
        return
    match = _whole(delimiter).match(data, start)
    end = match.end() if match else start
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


def ragged_fault(data: bytes, record: Record, width: int, *, label: str) -> TableError:
    """The error for a record whose cell count is not that of the header."""
    return TableError(
        f"{label}, line {line_of(data, record.start)}: expected {width} cells as in the "
        f"header, found {len(record.cells)}: {excerpt(data, record)!r}.",
        hint="Quote cells that hold the delimiter or a line break, or mend the row.",
    )


def excerpt(data: bytes, record: Record) -> str:
    """The beginning of a record, as it stands."""
    text = data[record.start : record.end].decode("utf-8", "replace").rstrip("\r\n")
    return text if len(text) <= 60 else text[:57] + "..."


@lru_cache
def _cell(dialect: Dialect) -> re.Pattern[bytes]:
    mark = re.escape(dialect.delimiter)
    return re.compile(rb"(" + _content(dialect) + rb")(" + mark + rb"|\r\n|\r|\n|\Z)")


@lru_cache
def _whole(delimiter: bytes) -> re.Pattern[bytes]:
    # Possessive throughout: no backtracking, so that one pass takes linear time and no memory.
    mark = re.escape(delimiter)
    cell = _content(Dialect(delimiter=delimiter))
    ended = rb"(?:" + cell + rb"(?:" + mark + rb"|\r\n|\r|\n))*+"
    return re.compile(ended + rb"(?:" + cell + rb"\Z)?")


def _content(dialect: Dialect) -> bytes:
    mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    inner = rb"[^" + quote + rb"]*+(?:" + quote * 2 + rb"[^" + quote + rb"]*+)*+"
    if dialect.has_escapes:
        inner = rb"(?:[^" + quote + rb"\\]++|\\.|" + quote * 2 + rb")*+"
    quoted = quote + rb"(?s:" + inner + rb")" + quote
    plain = rb"[^" + quote + mark + rb"\r\n][^" + mark + rb"\r\n]*+"
    if dialect.has_blanks:
        quoted = rb" *+" + quoted + rb" *+"
        plain = rb"(?! *+" + quote + rb")" + plain
    return rb"(?:" + quoted + rb"|" + plain + rb"|)"


def _unquoted(cell: bytes, dialect: Dialect) -> bytes:
    bare = cell.strip(b" ") if dialect.has_blanks else cell
    quote = dialect.quote
    if len(bare) < 2 or not bare.startswith(quote):
        return cell
    inner = bare[1:-1].replace(quote * 2, quote)
    if dialect.has_escapes:
        inner = re.sub(rb"\\([\\" + quote + rb"])", rb"\1", inner)
    return inner
