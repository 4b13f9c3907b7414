"""What was decided while a table was read: one note a decision, kept with the table."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

_KEY = b"llmsynth.reading_notes"
_MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class ReadingNote:
    """One decision that a reader of the table may want to know of, or to change.

    Args:
        code: what kind of decision, the same in every table.
        text: the decision in one sentence.
        change: what to do where it was not meant; empty where there is nothing to choose.
        column: the column it is about.
        line: the line of the file it is about, from 1.
        count: how many cells, lines or columns it concerns.
        example: how the file begins there; shown, but never recorded.
    """

    code: str
    text: str
    change: str = ""
    column: str | None = None
    line: int | None = None
    count: int | None = None
    example: str | None = None

    def __str__(self) -> str:
        example = f"({self.example!r})" if self.example else ""
        return " ".join(part for part in (self.text, example, self.change) if part)

    def to_json(self) -> dict[str, object]:
        """The fields that are set, without the example: a record holds no text of the file."""
        fields = dataclasses.asdict(self)
        return {name: value for name, value in fields.items() if value and name != "example"}


class ReadingWarning(UserWarning):
    """A table was read otherwise than it stands; `note` says how, and how to change it."""

    def __init__(self, note: ReadingNote) -> None:
        super().__init__(str(note))
        self.note = note


def with_notes(table: pa.Table, notes: Sequence[ReadingNote]) -> pa.Table:
    """The table with these notes in its metadata, and no others."""
    metadata = {key: held for key, held in (table.schema.metadata or {}).items() if key != _KEY}
    if notes:
        metadata[_KEY] = json.dumps([dataclasses.asdict(note) for note in notes]).encode()
    return table.replace_schema_metadata(metadata or None)


def notes_of(table: pa.Table) -> tuple[ReadingNote, ...]:
    """The notes that `read_table` left with a table."""
    held = (table.schema.metadata or {}).get(_KEY)
    return tuple(ReadingNote(**fields) for fields in json.loads(held)) if held else ()


def warn_of(notes: Iterable[ReadingNote]) -> None:
    """One `ReadingWarning` a note, for whoever called the reader."""
    for note in notes:
        warnings.warn(ReadingWarning(note), stacklevel=3)


def listed(names: Sequence[str]) -> str:
    """Names in quotes; of many the first few and how many more."""
    shown = ", ".join(map(repr, names[:_MOST_NAMED]))
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
