"""Which cells will be written otherwise than they came, though their value is kept."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema import Column, NumberColumn, TableSchema
from llmsynth.schema.number_views import plain_numbers, spelled_numbers, words_among
from llmsynth.tables.cells import format_cells


class RespellingWarning(UserWarning):
    """Cells of a column will be written otherwise than they came."""


def respelled_lines(raw: pa.Table, typed: pa.Table, schema: TableSchema) -> list[str]:
    """A line for each column of texts some of which a CSV file would not get back as they came.

    Args:
        raw: the table as it was read.
        typed: the same rows in the schema's types.
    """
    lines = []
    for column in schema.columns:
        texts = raw.column(column.name) if column.name in raw.column_names else None
        if texts is None or not pa.types.is_string(texts.type):
            continue
        whole = texts.combine_chunks()
        written = _written(column, typed.column(column.name).combine_chunks())
        changed = pc.and_(whole.is_valid(), pc.not_equal(whole, written).fill_null(True))
        count = int(pc.sum(changed).as_py() or 0)
        if count:
            at = pc.index(changed, True).as_py()
            lines.append(
                f"Column {column.name!r}: {count:,} of {len(whole):,} cells will be written "
                f"otherwise than they came, such as {whole[at].as_py()!r} as "
                f"{written[at].as_py()!r}; the column's spelling or format in the schema says how, "
                "and the kind text keeps every cell."
            )
    return lines


def _written(column: Column, cells: pa.Array) -> pa.Array:
    if isinstance(column, NumberColumn) and pa.types.is_string(cells.type):
        numbers = spelled_numbers(column, plain_numbers(column, cells))
        is_word = words_among(column, cells).is_valid()
        return pc.if_else(is_word, cells, numbers)
    return format_cells(column, cells)
