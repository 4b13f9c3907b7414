"""Cells as CSV spells them: texts to the Arrow type of a column, and back without loss."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema import (
    BooleanColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.clock_texts import format_moments, parse_moments
from llmsynth.schema.number_texts import plain_decimal
from llmsynth.schema.number_views import plain_numbers, spelled_numbers, words_among
from llmsynth.schema.storage import arrow_type, is_number

_WHOLE = r"^[+-]?[0-9]+(?:\.0*)?$"
_DECIMAL = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_FRACTION_DIGITS = {"minute": 3, "second": 3, "millisecond": 3, "microsecond": 6}


def parse_cells(column: Column, texts: pa.Array) -> pa.Array:
    """Read texts as cells of `column`, in its storage type.

    A text that is no such cell becomes null, so that the caller can tell which one it was.
    """
    kind = arrow_type(column.storage)
    if isinstance(column, NumberColumn) and pa.types.is_string(kind):
        known = pc.or_(
            plain_numbers(column, texts).is_valid(), words_among(column, texts).is_valid()
        )
        return pc.if_else(known, texts, pa.scalar(None, pa.string()))
    if pa.types.is_string(kind):
        return texts
    if isinstance(column, NumberColumn) and column.spelling:
        texts = plain_numbers(column, texts)
    if pa.types.is_boolean(kind):
        return _parse_booleans(column, texts)
    if is_number(kind):
        return _parse_numbers(texts, kind)
    pattern = _pattern(column)
    if pa.types.is_timestamp(kind):
        moments = parse_moments(texts, pattern, unit=kind.unit)
        return moments.cast(kind)
    days = parse_moments(texts, pattern, unit="s")
    is_midnight = pc.equal(days, pc.floor_temporal(days, unit="day"))
    return pc.if_else(is_midnight, days.cast(pa.date32(), safe=False), None).cast(kind)


def format_cells(column: Column, cells: pa.Array) -> pa.Array:
    """Write cells as the texts that `parse_cells` reads back; null stays null.

    Numbers come out in the column's spelling; without one floats take their shortest form,
    padded with zeros where the column has a fixed scale. Zoned moments in UTC.
    """
    kind = cells.type
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_boolean(kind):
        true_text, false_text = _boolean_texts(column)
        return pc.if_else(cells, true_text, false_text)
    if is_number(kind):
        texts = cells.cast(pa.string())
        if isinstance(column, NumberColumn) and column.spelling:
            return spelled_numbers(column, _plain(texts))
        if pa.types.is_floating(kind) and isinstance(column, NumberColumn):
            return _padded(texts, column.scale) if column.fixed_scale else texts
        return texts
    if pa.types.is_date(kind):
        return format_moments(cells.cast(pa.timestamp("s")), _pattern(column))
    resolution = column.resolution if isinstance(column, DatetimeColumn) else "microsecond"
    digits = max(_FRACTION_DIGITS[resolution], _fraction_digits(cells))
    return format_moments(cells, _pattern(column), fraction_digits=digits)


def default_column(name: str, kind: pa.DataType) -> Column:
    """A column that spells cells of this Arrow type without loss, for tables without a schema."""
    storage = str(kind)
    if pa.types.is_string(kind):
        return TextColumn(name=name)
    if pa.types.is_boolean(kind):
        return BooleanColumn(name=name)
    if is_number(kind):
        return NumberColumn(name=name, storage=storage)
    if pa.types.is_date(kind):
        return DateColumn(name=name, storage=storage)
    fraction = "" if kind.unit == "s" else ".%f"
    zone = "%z" if kind.tz else ""
    pattern = f"%Y-%m-%dT%H:%M:%S{fraction}{zone}"
    return DatetimeColumn(name=name, storage=storage, resolution="millisecond", format=pattern)


def cast_or_null(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast without loss; a cell that cannot be becomes null."""
    try:
        return cells.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if not len(cells):
            return pa.nulls(0, kind)
        return pa.concat_arrays([_cast_one(cells.slice(i, 1), kind) for i in range(len(cells))])


def _cast_one(cell: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return cell.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(1, kind)


def _parse_numbers(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    is_whole = pa.types.is_integer(kind)
    matches = pc.match_substring_regex(texts, _WHOLE if is_whole else _DECIMAL)
    texts = pc.if_else(matches, texts, pa.scalar(None, pa.string()))
    if is_whole:
        texts = pc.replace_substring_regex(texts, r"^\+|\.0*$", "")
    numbers = cast_or_null(texts, kind)
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, kind))
    return numbers


def _boolean_texts(column: Column) -> tuple[str, str]:
    if isinstance(column, BooleanColumn):
        return column.true_text, column.false_text
    return "true", "false"


def _parse_booleans(column: Column, texts: pa.Array) -> pa.Array:
    true_text, false_text = _boolean_texts(column)
    is_true, is_false = pc.equal(texts, true_text), pc.equal(texts, false_text)
    return pc.if_else(pc.or_(is_true, is_false), is_true, pa.scalar(None, pa.bool_()))


def _pattern(column: Column) -> str:
    if isinstance(column, DateColumn | DatetimeColumn):
        return column.format
    is_day = column.storage.startswith("date")
    return DateColumn.format if is_day else DatetimeColumn.format


def _padded(texts: pa.Array, scale: int) -> pa.Array:
    """Zeros after the last decimal, up to `scale` decimals; `1e-07` first becomes plain."""
    if scale == 0:
        return texts
    texts = _without_exponent(texts)
    parts = pc.extract_regex(texts, r"^(?P<whole>[^.]*)\.?(?P<fraction>[0-9]*)$")
    whole, fraction = parts.flatten()
    return pc.binary_join_element_wise(whole, pc.utf8_rpad(fraction, scale, padding="0"), ".")


def _without_exponent(texts: pa.Array) -> pa.Array:
    has_exponent = pc.fill_null(pc.match_substring_regex(texts, "[eE]"), False)
    if not pc.any(has_exponent).as_py():
        return texts
    plain = [None if text is None else plain_decimal(text) for text in texts.to_pylist()]
    return pa.array(plain, pa.string())


def _plain(texts: pa.Array) -> pa.Array:
    """Numbers as Arrow writes them in plain decimals, without zeros that say nothing."""
    texts = _without_exponent(texts)
    has_mark = pc.match_substring(texts, ".")
    shortened = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    texts = pc.if_else(has_mark, shortened, texts)
    return pc.if_else(pc.equal(texts, "-0"), "0", texts)


def _fraction_digits(cells: pa.Array) -> int:
    """Decimals of a second needed to write every moment: 3, 6 or 9."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[cells.type.unit]
    # Nulls go first: with them numpy would hold the ticks as floats, and round them.
    ticks = np.asarray(cells.drop_null().cast(pa.int64()))
    for digits in (3, 6):
        step = per_second // 10**digits
        if step <= 1 or not (ticks % step).any():
            return digits
    return 9
