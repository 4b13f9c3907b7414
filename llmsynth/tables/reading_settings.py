"""What a person may say about a file that its bytes leave open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from llmsynth.errors import SettingsError

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blank": " ", "\\t": "\t"}


@dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """How a file is read where its bytes are not to decide; None leaves a question to them.

    Args:
        encoding: of a text file; `mixed` is UTF-8 with lines of Windows-1252 among them.
        delimiter: one character, or `comma`, `semicolon`, `tab`, `bar`, `blank`.
        has_header: False where the first line holds cells, not names.
        header_line: the line of the file, from 1, that holds the names.
        keep_row_numbers: keep a first column that only counts the rows.
        strip_blanks: take blanks off the ends of all texts, or of none; None takes them off where
            they tell nothing.
        sheet: of a workbook, by name or number from 1.
        member: the file to read in an archive.
        database_table: the table to read in a database file.
        max_bytes: most bytes of a file once it is unpacked.
    """

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    header_line: int | None = None
    keep_row_numbers: bool = False
    strip_blanks: bool | None = None
    sheet: str | None = None
    member: str | None = None
    database_table: str | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.header_line is not None and self.header_line < 1:
            raise SettingsError(f"The header's line is 1 or more, got {self.header_line}.")
        if self.header_line is not None and self.has_header is False:
            raise SettingsError(
                "A line of the header and no header exclude each other.", hint="Give one of them."
            )
        if self.delimiter is not None:
            mark = _DELIMITERS.get(self.delimiter, self.delimiter)
            if len(mark) != 1 or not mark.isascii() or mark in "\"'\r\n\0":
                raise SettingsError(
                    f"A delimiter is one ASCII character other than a quote or a line break, "
                    f"got {self.delimiter!r}.",
                    hint=f"Or one of {', '.join(_DELIMITERS)}.",
                )
            object.__setattr__(self, "delimiter", mark)


_held: ContextVar[ReadingSettings | None] = ContextVar("reading_settings", default=None)


def settings_in_force() -> ReadingSettings:
    """The settings of the command that runs; all open elsewhere."""
    return _held.get() or ReadingSettings()


@contextmanager
def reading_as(settings: ReadingSettings) -> Iterator[None]:
    """Read every table within as these settings say, unless a call says otherwise itself."""
    token = _held.set(settings)
    try:
        yield
    finally:
        _held.reset(token)
