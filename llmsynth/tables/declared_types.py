"""Column types that are not learned as they are, in texts or numbers that hold them exactly."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.schema.declared_categories import with_declared_categories
from llmsynth.tables.reading_notes import ReadingNote, notes_of, with_notes

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_HINTS = {
    "binary": 'Turn bytes into text first: frame["x"] = frame["x"].map(bytes.hex, '
    'na_action="ignore"); or leave the column out.',
}


def in_plain_types(table: pa.Table, *, label: str) -> pa.Table:
    """The table with times of day, durations, UUIDs and wide decimals as exact texts or numbers.

    Columns of dictionaries of texts become texts that the table declares to be categories, in the
    order of the dictionary. A note says of each other change.

    Raises:
        TableError: a column of bytes.
    """
    columns, notes = [], list(notes_of(table))
    declared: dict[str, list[str]] = {}
    for name, column in zip(table.column_names, table.itercolumns(), strict=True):
        if categories := _categories(column):
            declared[name] = categories
        plain, what = _plain(column, f"{label}, column {name!r}")
        columns.append(plain)
        if what:
            notes.append(
                ReadingNote(
                    code="type_as_text",
                    text=f"Column {name!r} holds {what}.",
                    change="Convert it before reading to have it otherwise.",
                    column=name,
                )
            )
    made = pa.table(columns, names=table.column_names) if columns else table
    return with_declared_categories(with_notes(made, notes), declared)


def _categories(column: pa.ChunkedArray) -> list[str]:
    """The texts of a dictionary column in its order; none where it holds no texts."""
    if not pa.types.is_dictionary(column.type):
        return []
    kind = column.type.value_type
    if not any(is_text(kind) for is_text in _TEXTS):
        return []
    whole = column.unify_dictionaries()
    if not whole.num_chunks:
        return []
    chunk = whole.chunk(0)
    return [text for text in chunk.dictionary.to_pylist() if text is not None]


def _plain(column: pa.ChunkedArray, place: str) -> tuple[pa.ChunkedArray, str]:
    """The column in a type that can be learned, and what to say of it."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        inner = kind.value_type
        if pa.types.is_string_view(inner):
            # Arrow takes no views out of a dictionary.
            inner = pa.string()
        chunks = [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(inner))
            for chunk in column.chunks
        ]
        decoded = [chunk.dictionary_decode() for chunk in chunks]
        return _plain(pa.chunked_array(decoded, inner), place)
    if pa.types.is_run_end_encoded(kind):
        chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return _plain(pa.chunked_array(chunks, kind.value_type), place)
    if isinstance(kind, pa.BaseExtensionType):
        name = kind.extension_name
        if name == "arrow.bool8":
            chunks = [chunk.storage.cast(pa.bool_()) for chunk in column.chunks]
            return pa.chunked_array(chunks, pa.bool_()), ""
        if name == "arrow.uuid":
            return _by_cell(column, str), "UUIDs, read as texts"
        chunks = [chunk.storage for chunk in column.chunks]
        return _plain(pa.chunked_array(chunks, kind.storage_type), place)
    if pa.types.is_time(kind):
        return _shortest(column).cast(pa.string()), "times of day, read as texts such as 14:05:22"
    if pa.types.is_duration(kind):
        exact = column.cast(pa.duration("ns")).cast(pa.int64())
        spell = partial(_duration, digits=_decimals(exact))
        return _by_cell(exact, spell), "durations, read as texts of hours, minutes and seconds"
    if pa.types.is_decimal(kind) and kind.precision > 38:
        return _decimal(column)
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or (pa.types.is_fixed_size_binary(kind) or pa.types.is_binary_view(kind))
    ):
        raise TableError(f"{place}: cells of bytes cannot be learned.", hint=_HINTS["binary"])
    return column, ""


def _decimal(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    kind = column.type
    if 0 <= kind.scale <= 38:
        try:
            return column.cast(pa.decimal128(38, kind.scale)), ""
        except pa.ArrowInvalid:
            pass
    return _by_cell(column, _plain_digits), "numbers of more than 38 digits, read as texts"


def _plain_digits(number: object) -> str:
    return format(number, "f") if isinstance(number, Decimal) else str(number)


def _by_cell(column: pa.ChunkedArray, spell: Callable[[object], str]) -> pa.ChunkedArray:
    cells = [None if cell is None else spell(cell) for cell in column.to_pylist()]
    return pa.chunked_array([pa.array(cells, pa.string())])


def _shortest(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of day in the coarsest unit that holds them all."""
    for kind in (pa.time32("s"), pa.time32("ms")):
        try:
            return times.cast(kind)
        except pa.ArrowInvalid:
            continue
    return times


def _decimals(nanoseconds: pa.ChunkedArray) -> int:
    """Decimals of a second that all durations need: none, 3 or 9."""
    ticks = nanoseconds.drop_null().to_numpy()
    if not (ticks % 10**9).any():
        return 0
    return 9 if (ticks % 10**6).any() else 3


def _duration(nanoseconds: object, *, digits: int) -> str:
    """Hours (as many as there are), minutes and seconds, with so many decimals."""
    assert isinstance(nanoseconds, int)
    sign, ticks = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    seconds, fraction = divmod(ticks, 10**9)
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{f'{fraction:09d}'[:digits]}" if digits else text


def exact_cell(cell: object) -> str:
    """A Python object of a column that mixes or exceeds types, as a text that says all of it."""
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, uuid.UUID | Decimal | int | str) else repr(cell)
