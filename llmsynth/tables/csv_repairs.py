"""Rows of a CSV file that do not fit the header, where one thing explains all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from llmsynth.tables.csv_layout import Layout
from llmsynth.tables.csv_records import Record, excerpt, ragged_fault, records
from llmsynth.tables.reading_notes import ReadingNote
from llmsynth.tables.text_encoding import line_of

_MOST_CLOSING_LINES = 5


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """Names and rows that fit each other, and what was done for it."""

    names: tuple[str, ...]
    table: pa.Table
    notes: tuple[ReadingNote, ...]


def read_records(data: bytes, layout: Layout, *, label: str) -> Repaired:
    """Read the rows one by one, however their cells are quoted.

    Explained are: rows that all have one cell more than the header (names of rows without a name
    of their own, or a delimiter at the end), delimiters at the end of some rows, lines of nothing
    but blanks, comment lines, and a few lines of one cell behind the table.

    Raises:
        TableError: the first row that nothing explains.
    """
    names = layout.names
    rows = list(records(data, layout.dialect, label=label, start=layout.body))
    if len(names) > 1:
        rows = [record for record in rows if not record.is_blank]
    rows, notes = _without_other_lines(data, rows, layout)
    width = len(names)
    widths = {len(record.cells) for record in rows}
    is_ended = all(not record.cells[-1].strip() for record in rows)
    if widths == {width + 1} and (is_ended or _are_labels([r.cells[0] for r in rows])):
        names = (*names, "") if is_ended else ("", *names)
        if not is_ended:
            notes.append(_row_names_note())
        return Repaired(names=names, table=_table(rows, width + 1), notes=tuple(notes))
    longer = [record for record in rows if len(record.cells) > width]
    ended = [r for r in longer if len(r.cells) == width + 1 and not r.cells[-1].strip()]
    if longer and len(ended) == len(longer):
        notes.append(_ended_note(data, ended))
    for record in rows:
        if len(record.cells) < width or (len(record.cells) > width and len(ended) < len(longer)):
            raise ragged_fault(data, record, width, label=label)
    return Repaired(names=names, table=_table(rows, width), notes=tuple(notes))


def _without_other_lines(
    data: bytes, rows: list[Record], layout: Layout
) -> tuple[list[Record], list[ReadingNote]]:
    """The records without lines that are no rows, and a note on each kind of them."""
    width, notes = len(layout.names), list[ReadingNote]()
    if width < 2:
        return rows, notes
    blank = [r for r in rows if len(r.cells) == 1 and r.is_empty]
    comments = [
        r
        for r in rows
        if layout.has_comments and len(r.cells) != width and r.cells[0].lstrip().startswith(b"#")
    ]
    left = set(map(id, (*blank, *comments)))
    if blank:
        notes.append(_left_out(data, blank, "blank_lines", "of nothing but blanks"))
    if comments:
        notes.append(_left_out(data, comments, "comment_lines", "of comments"))
    kept = [record for record in rows if id(record) not in left]
    closing = _closing(data, kept, width)
    if closing:
        notes.append(_left_out(data, closing, "closing_lines", "behind the table"))
    return kept[: len(kept) - len(closing)], notes


def _closing(data: bytes, rows: Sequence[Record], width: int) -> list[Record]:
    """A few last lines of one filled cell, set apart by a blank line or a comment mark."""
    count = 0
    while count < len(rows) and len(rows[-1 - count].cells) == 1 and width > 1:
        count += 1
    if not count or count > _MOST_CLOSING_LINES or count == len(rows):
        return []
    first = rows[-count]
    is_apart = data[: first.start].rstrip(b" \t").endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
    return list(rows[-count:]) if is_apart or first.cells[0].startswith(b"#") else []


def _left_out(data: bytes, found: Sequence[Record], code: str, what: str) -> ReadingNote:
    line = line_of(data, found[0].start)
    shown = excerpt(data, found[0]).strip()
    return ReadingNote(
        code=code,
        text=f"{len(found):,} line(s) {what} (first: line {line}) were left out.",
        change="Write them as rows of the table to keep them.",
        line=line,
        count=len(found),
        example=shown or None,
    )


def _are_labels(cells: Sequence[bytes]) -> bool:
    """Whether cells could tell rows apart: one row, or the same label twice, proves nothing."""
    return len(cells) > 1 and len(set(cells)) == len(cells)


def _row_names_note() -> ReadingNote:
    return ReadingNote(
        code="row_names",
        text="Every row has one cell more than the header has names, so the first column is taken "
        "to have none.",
        change="Name it in the header, or mend the header.",
    )


def _ended_note(data: bytes, ended: Sequence[Record]) -> ReadingNote:
    line = line_of(data, ended[0].start)
    return ReadingNote(
        code="delimiters_at_end",
        text=f"{len(ended):,} row(s), first line {line}, end with a delimiter and nothing behind "
        "it; the empty cell was left out.",
        line=line,
        count=len(ended),
    )


def _table(rows: Sequence[Record], width: int) -> pa.Table:
    """Columns named by their position, as texts."""
    cells = [record.values() for record in rows]
    columns = [pa.array([row[at] for row in cells], pa.string()) for at in range(width)]
    return pa.table(columns, names=[str(at) for at in range(width)])
