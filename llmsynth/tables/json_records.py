"""Tables in JSON: a record a line, a list of records, or a list of cells a column."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.reading_notes import ReadingNote, listed, with_notes

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".geojson")


def is_json(data: bytes, name: str) -> bool:
    """Whether the bytes begin as JSON records do; by their name alone where they are broken."""
    head = data[:65536].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith((b"{", b"[")):
        return False
    if any(ending in name.lower() for ending in _SUFFIXES):
        return True
    inner = head[1:].lstrip()
    return inner.startswith((b'"', b"{", b"}", b"]") if head.startswith(b"{") else b"{")


def parse_json(data: bytes, *, label: str) -> pa.Table:
    """Read records; an object within a record becomes columns `outer.inner`.

    Raises:
        TableError: no JSON, with the line; or JSON that is no table.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{label}: not UTF-8, which JSON has to be ({error.reason} at byte {error.start}).",
            hint="Write the file in UTF-8.",
        ) from error
    return parse_records(_records(text, label), label=label)


def parse_records(records: Sequence[dict[str, object]], *, label: str) -> pa.Table:
    """A table of records; names that some lack are missing cells there.

    Raises:
        TableError: cells that are lists.
    """
    flat = [_flat(record) for record in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    nested = sorted(
        {
            name
            for record, own in zip(flat, records, strict=True)
            for name in record
            if name not in own
        }
    )
    notes = []
    if nested:
        notes.append(
            ReadingNote(
                code="nested_records",
                text=f"Objects within records became columns of their own: {listed(nested)}.",
                count=len(nested),
            )
        )
    columns, mixed = [], []
    for name in names:
        cells, is_mixed = column_of([record.get(name) for record in flat], f"{label}, {name!r}")
        columns.append(cells)
        if is_mixed:
            mixed.append(name)
    if mixed:
        notes.append(mixed_note(mixed))
    return with_notes(pa.table(columns, names=names), notes)


def column_of(cells: Sequence[object], place: str) -> tuple[pa.Array, bool]:
    """Cells as an Arrow array, and whether they had to become texts, as they mix types."""
    cells = [None if isinstance(c, float) and math.isnan(c) else c for c in cells]
    if any(isinstance(cell, list) for cell in cells):
        raise TableError(
            f"{place}: cells that are lists do not fit into a flat table.",
            hint="Unpack them into columns, or leave the column out.",
        )
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return pa.array([_text(cell) for cell in cells], pa.string()), True
    try:
        return pa.array(cells), False
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([_text(cell) for cell in cells], pa.string()), True


def mixed_note(names: Sequence[str]) -> ReadingNote:
    """What is said of columns whose cells became texts."""
    return ReadingNote(
        code="mixed_types",
        text=f"Cells of {listed(names)} mix types, or exceed what numbers hold, and were "
        "read as texts.",
        change="Write them as one type.",
        count=len(names),
    )


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell) if isinstance(cell, bool | int | float) else str(cell)


def _records(text: str, label: str) -> list[dict[str, object]]:
    try:
        whole: object = json.loads(text)
    except RecursionError as error:
        raise _no_table(label) from error
    except ValueError as error:
        return _lines(text, label, error)
    if isinstance(whole, dict):
        lists = {name: held for name, held in whole.items() if isinstance(held, list)}
        of_records = [held for held in lists.values() if held and _are_records(held)]
        if len(of_records) == 1:
            whole = of_records[0]
        elif lists and len(lists) == len(whole) and len({len(h) for h in lists.values()}) == 1:
            rows = zip(*lists.values(), strict=True)
            return [dict(zip(lists, row, strict=True)) for row in rows]
        elif not lists:
            whole = [whole]
    if not isinstance(whole, list) or not whole or not _are_records(whole):
        raise _no_table(label)
    return whole


def _lines(text: str, label: str, error: ValueError) -> list[dict[str, object]]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    records = []
    for number, line in lines:
        try:
            record: object = json.loads(line)
        except (ValueError, RecursionError) as fault:
            whole = f" (and as a whole: {error})" if number == 1 else ""
            raise TableError(
                f"{label}, line {number}: expected one JSON record a line: {fault}{whole}.",
                hint="Mend the line, or write the records again.",
            ) from fault
        if not isinstance(record, dict):
            raise TableError(
                f'{label}, line {number}: expected a record such as {{"a": 1}}, found '
                f"{line.strip()[:40]!r}.",
                hint="Write one object a line.",
            )
        records.append(record)
    return records


def _are_records(held: Sequence[object]) -> bool:
    return all(isinstance(record, dict) for record in held)


def _no_table(label: str) -> TableError:
    return TableError(
        f"{label}: JSON, but no table: expected a list of records, or one record a line.",
        hint='Write it as [{"a": 1}, ...].',
    )


def _flat(record: dict[str, object], prefix: str = "", depth: int = 0) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, cell in record.items():
        if isinstance(cell, dict) and cell and depth < 8:
            found |= _flat(cell, f"{prefix}{name}.", depth + 1)
        else:
            found[f"{prefix}{name}"] = str(cell) if isinstance(cell, dict) else cell
    return found
