"""The numbers behind a column's cells, where memory holds them as texts, and back."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.number_spelling import Spelling, number_spelling, read_all, write_all

PLAIN = "0.#"
"""The pattern of numbers without marks."""


def spelling_of(column: NumberColumn) -> Spelling:
    """How the column spells its numbers; plainly where it does not say."""
    return number_spelling(column.spelling or PLAIN)


def plain_numbers(column: NumberColumn, texts: pa.Array) -> pa.Array:
    """Texts as plain decimals such as `-1234.5`; null where missing, a word or no number."""
    return read_all(spelling_of(column), texts)


def spelled_numbers(column: NumberColumn, plain: pa.Array) -> pa.Array:
    """Plain decimals as the column spells them; null stays null."""
    return write_all(spelling_of(column), plain)


def words_among(column: NumberColumn, cells: pa.Array) -> pa.Array:
    """Which word of the column each cell is; int32, null where it is none."""
    if not column.words or not pa.types.is_string(cells.type):
        return pa.nulls(len(cells), pa.int32())
    return pc.index_in(cells, value_set=pa.array(column.words, pa.string()))


def numbers(column: NumberColumn, cells: pa.Array) -> pa.Array:
    """Cells of the column as float64; null where missing, a word or no number."""
    if pa.types.is_string(cells.type):
        cells = plain_numbers(column, cells)
    return cells.cast(pa.float64())
