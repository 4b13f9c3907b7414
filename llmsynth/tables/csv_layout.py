"""Where the table in a CSV file begins: its delimiter, the lines before it, and its names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmsynth.errors import TableError
from llmsynth.tables.csv_records import Dialect, Record, records
from llmsynth.tables.header_evidence import holds_cells, looks_like_header
from llmsynth.tables.reading_notes import ReadingNote
from llmsynth.tables.reading_settings import ReadingSettings
from llmsynth.tables.text_encoding import line_of

HEAD_BYTES = 1 << 20
_DELIMITERS = (b"\t", b";", b"|", b",")
_SAMPLE_RECORDS = 100
_MOST_LINES_BEFORE = 50
_COMMENT = re.compile(rb"\s*(?:#|%|//)")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the bytes of one CSV file become names and rows.

    Args:
        dialect: how cells are told apart.
        names: as the header writes them; made up where there is none.
        body: offset of the first byte behind the header.
        header_line: 1-based; None where there is no header.
        has_comments: whether lines that begin with `#` stood before the header.
        notes: what was decided.
    """

    dialect: Dialect
    names: tuple[str, ...]
    body: int
    header_line: int | None
    has_comments: bool = False
    notes: tuple[ReadingNote, ...] = ()


def find_layout(
    data: bytes, settings: ReadingSettings, *, label: str, quoting: Dialect | None = None
) -> Layout:
    """The layout of a file, from its first MiB alone.

    Args:
        data: UTF-8; only its first `HEAD_BYTES` are looked at.
        quoting: how cells are quoted, where it is not the usual way; its delimiter is not read.

    Raises:
        TableError: no header, or quotes in it that are not closed.
        SettingsError: a header's line that the file does not have.
    """
    head = data[:HEAD_BYTES]
    quoting = quoting or Dialect(delimiter=b",")
    start = _offset_of_line(head, settings.header_line, label) if settings.header_line else 0
    dialect = _with(quoting, _delimiter(head, quoting, settings, start))
    found = _sample(head, dialect, start, is_cut=len(data) > HEAD_BYTES)
    if not found:
        # Raises what is wrong with the first record; else there is none.
        next((r for r in records(head, dialect, label=label, start=start) if not r.is_blank), None)
        raise TableError(f"{label}: the file is empty.", hint="Give a header and rows.")
    if settings.header_line:
        return _with_header(head, dialect, found, 0, ())
    first = 0 if settings.has_header is False else _begin(found)
    before = _notes_before(head, found[:first], found[first])
    texts = [record.texts() for record in found[first : first + _SAMPLE_RECORDS]]
    is_bare = settings.has_header is None and holds_cells(texts[0], texts[1:])
    if settings.has_header is False:
        return _without_header(dialect, found[first], before)
    if is_bare:
        line = line_of(head, found[first].start)
        note = ReadingNote(
            code="no_header",
            text=f"Line {line} holds cells as the rows below do, so the columns are named "
            f"column_1 to column_{len(texts[0])}.",
            change=f"Give --header-line {line} if it holds the names.",
            line=line,
        )
        return _without_header(dialect, found[first], (*before, note))
    return _with_header(head, dialect, found, first, before)


def _with(quoting: Dialect, delimiter: bytes) -> Dialect:
    return Dialect(
        delimiter=delimiter,
        quote=quoting.quote,
        has_escapes=quoting.has_escapes,
        has_blanks=quoting.has_blanks,
    )


def _with_header(
    head: bytes,
    dialect: Dialect,
    found: Sequence[Record],
    first: int,
    notes: tuple[ReadingNote, ...],
) -> Layout:
    header = found[first]
    return Layout(
        dialect=dialect,
        names=tuple(header.texts()),
        body=header.end,
        header_line=line_of(head, header.start),
        has_comments=any(_is_comment(record) for record in found[:first]),
        notes=notes,
    )


def _without_header(dialect: Dialect, first: Record, notes: tuple[ReadingNote, ...]) -> Layout:
    names = tuple(f"column_{number}" for number in range(1, len(first.cells) + 1))
    return Layout(dialect=dialect, names=names, body=first.start, header_line=None, notes=notes)


def _begin(found: Sequence[Record]) -> int:
    """Which record is the first of the table: its header, or its first row where it has none."""
    width = _usual_width(found)
    first = _behind_comments(found, width)
    if width < 2:
        return first
    for at in range(first, min(len(found), _MOST_LINES_BEFORE)):
        before, here = found[first:at], found[at]
        if len(here.cells) != width or here.is_empty:
            continue
        if not before:
            if not _is_title(here, found[at + 1 :], width):
                return at
            continue
        below = [record.texts() for record in found[at + 1 :]]
        is_sparse = all(_filled(record) <= max(1, width // 2) for record in before)
        if is_sparse and looks_like_header(here.texts(), below):
            return at
        return first
    return first


def _behind_comments(found: Sequence[Record], width: int) -> int:
    """How many comment lines stand first; a last one that holds the names is none of them."""
    count = 0
    while count < len(found) and (_is_comment(found[count]) or (count and found[count].is_empty)):
        count += 1
    if not count or count == len(found):
        return 0
    last = found[count - 1]
    if len(last.cells) != width or last.is_empty:
        return count
    below = [record.texts() for record in found[count + 1 :]]
    if below and looks_like_header(found[count].texts(), below, is_proof_needed=width > 1):
        return count
    # "# date,value" above rows of as many cells is the header itself; so is "#id" above ids.
    is_list = width == 1 and count > 1
    return count if is_list else count - 1


def _is_title(record: Record, below: Sequence[Record], width: int) -> bool:
    """Whether a record as wide as the table holds a title and empty cells beside it."""
    after = next((r for r in below if not r.is_empty), None)
    if after is None or _filled(record) > 1 or not record.cells[0] or len(after.cells) != width:
        return False
    rest = [r.texts() for r in below if not r.is_empty][1:]
    return _filled(after) == width and looks_like_header(after.texts(), rest)


def _filled(record: Record) -> int:
    return sum(bool(cell.strip(b' \t"')) for cell in record.cells)


def _is_comment(record: Record) -> bool:
    return _COMMENT.match(record.cells[0]) is not None


def _notes_before(head: bytes, before: Sequence[Record], header: Record) -> tuple[ReadingNote, ...]:
    if not before:
        return ()
    # Empty cells count as lines, too, so that every record of the file is accounted for.
    told = [record for record in before if not record.is_empty] or before
    line = line_of(head, header.start)
    text = head[told[0].start : told[0].end].decode("utf-8", "replace").strip()
    shown = text if len(text) <= 40 else text[:37] + "..."
    note = ReadingNote(
        code="lines_before_table",
        text=f"The table begins in line {line}; {len(before)} line(s) before it were left out.",
        change="Give --header-line N if the names stand elsewhere.",
        line=line,
        count=len(before),
        example=shown,
    )
    return (note,)


def _delimiter(head: bytes, quoting: Dialect, settings: ReadingSettings, start: int) -> bytes:
    """The delimiter that splits most of the first records into as many cells as each other.

    Then the one that makes the most cells; then any other before the comma, which texts and
    numbers hold, too.
    """
    if settings.delimiter is not None:
        return settings.delimiter.encode()
    scores = {mark: _score(head, _with(quoting, mark), start) for mark in _DELIMITERS}
    best = max(scores, key=lambda mark: scores[mark])
    return best if scores[best][1] > 1 else b","


def _score(head: bytes, dialect: Dialect, start: int) -> tuple[float, int]:
    """Share of records of the usual number of cells, and that number; 0 where it is one."""
    found = _sample(head, dialect, start, is_cut=False)
    width = _usual_width(found)
    if width < 2 or not found:
        return (0.0, 1)
    rows = [record for record in found if not record.is_blank]
    # A delimiter that the header lacks, or a title above it, splits what happens to hold it.
    fitting = sum(len(record.cells) == width for record in rows)
    return (round(fitting / len(rows), 2), width)


def _usual_width(found: Sequence[Record]) -> int:
    """The number of cells that most records have; of two as frequent, the first's."""
    counts = Counter(len(r.cells) for r in found if not r.is_blank and not _is_comment(r))
    if not counts:
        counts = Counter(len(r.cells) for r in found if not r.is_blank)
    return counts.most_common(1)[0][0] if counts else 1


def _sample(head: bytes, dialect: Dialect, start: int, *, is_cut: bool) -> list[Record]:
    """The first records that are not blank, up to the first that is broken."""
    found: list[Record] = []
    try:
        for record in records(head, dialect, label="", start=start):
            if is_cut and record.end == len(head) and found:
                break
            if not record.is_blank:
                found.append(record)
            if len(found) > _SAMPLE_RECORDS + _MOST_LINES_BEFORE:
                break
    except TableError:
        pass
    return found


def _offset_of_line(head: bytes, line: int, label: str) -> int:
    ends = re.finditer(rb"\r\n|\r|\n", head)
    offset = 0
    for _ in range(line - 1):
        end = next(ends, None)
        if end is None:
            raise TableError(
                f"{label}: the header was said to be in line {line}, but there is none.",
                hint="Give the number of the line that holds the names.",
            )
        offset = end.end()
    return offset
