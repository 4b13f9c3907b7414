"""Columns whose texts are numbers with marks of their own, or with words among them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema.clock_guesses import guess_clock, guess_offsets
from llmsynth.schema.columns import NumberColumn, QuantityColumn
from llmsynth.schema.evidence import ColumnEvidence
from llmsynth.schema.identifier_patterns import text_pattern
from llmsynth.schema.number_guesses import NumberReading, guess_numbers
from llmsynth.schema.number_spelling import NumberSpelling, read_all
from llmsynth.schema.number_texts import number_grid
from llmsynth.schema.storage import arrow_type

_MOST_CODES = 1000
_ROWS_A_CODE = 10


def with_spelling(column: NumberColumn, found: ColumnEvidence) -> NumberColumn:
    """The column of plain numbers with a spelling, where they would be written otherwise."""
    if _is_written_as_it_came(column, found.distinct):
        return column
    reading = _reading(found)
    if reading is None or reading.words:
        return column
    return replace(column, fixed_scale=False, spelling=reading.spelling.pattern)


def spelled_numbers(found: ColumnEvidence, nullable: bool) -> NumberColumn | None:
    """Numbers with marks or with words among them, or None where the texts are others.

    Memory holds numbers as numbers, and as texts where words stand among them. Whole numbers with
    zeros ahead that name rows, or a known few things ten rows and more hold, are no numbers.
    """
    if not found.outlines.are_few or (reading := _reading(found)) is None:
        return None
    is_word = pc.is_in(found.distinct, value_set=pa.array(reading.words, pa.string()))
    texts = found.distinct.filter(pc.invert(is_word))
    if _is_padded(reading) and _are_names(found, texts):
        return None
    grid = number_grid(read_all(reading.spelling, texts))
    if grid is None:
        return None
    return NumberColumn(
        name=found.name,
        nullable=nullable,
        storage="string" if reading.words else grid.storage,
        scale=grid.scale,
        minimum=grid.minimum,
        maximum=grid.maximum,
        spelling=reading.spelling.pattern,
        words=reading.words,
    )


def clock_quantities(found: ColumnEvidence, nullable: bool) -> QuantityColumn | None:
    """Times, durations, months, quarters and weeks, or None where the texts are others."""
    if not found.outlines.are_few:
        return None
    texts = found.distinct.to_pylist()
    reading = guess_clock(texts, found.outlines.count_cells, found.num_cells)
    return None if reading is None else _quantity(found, nullable, reading)


def moments_with_offsets(
    found: ColumnEvidence, nullable: bool, pattern: str
) -> QuantityColumn | str | None:
    """Moments whose offsets differ; the pattern with the offset in it where there is only one.

    None where the moments cannot be written back as they came.
    """
    texts = found.distinct.to_pylist()
    ends = [re.search("(?:Z|[+-][0-9]{2}:?[0-9]{2})$", text) for text in texts]
    counted = Counter(end[0] for end in ends if end is not None)
    if len(counted) == 1:
        return pattern.replace("%z", next(iter(counted)))
    offsets = [offset for offset, _ in counted.most_common()]
    if (spelling := guess_offsets(texts, pattern, offsets)) is None:
        return None
    return _quantity(found, nullable, NumberReading(spelling=spelling))


def _quantity(found: ColumnEvidence, nullable: bool, reading: NumberReading) -> QuantityColumn:
    is_word = pc.is_in(found.distinct, value_set=pa.array(reading.words, pa.string()))
    texts = found.distinct.filter(pc.invert(is_word))
    ends = pc.min_max(read_all(reading.spelling, texts).cast(pa.int64()))
    return QuantityColumn(
        name=found.name,
        nullable=nullable,
        minimum=str(ends["min"]),
        maximum=str(ends["max"]),
        spelling=reading.spelling.pattern,
        words=reading.words,
    )


def _reading(found: ColumnEvidence) -> NumberReading | None:
    texts = found.distinct.to_pylist()
    return guess_numbers(texts, found.outlines.count_cells, found.num_cells)


def _is_padded(reading: NumberReading) -> bool:
    return isinstance(reading.spelling, NumberSpelling) and reading.spelling.width > 1


def _are_names(found: ColumnEvidence, texts: pa.Array) -> bool:
    if found.is_unique:
        return text_pattern(found.name, texts.to_pylist(), count=found.num_cells) is not None
    is_few = found.is_exact and len(texts) <= _MOST_CODES
    return is_few and found.num_cells >= _ROWS_A_CODE * len(texts)


def _is_written_as_it_came(column: NumberColumn, texts: pa.Array) -> bool:
    if column.fixed_scale:
        return not pc.any(pc.match_substring_regex(texts, r"^-?\.")).as_py()
    kind = arrow_type(column.storage)
    return bool(pc.all(pc.equal(texts.cast(kind).cast(pa.string()), texts)).as_py())
