"""How long free texts may be: as long as the few longest, which stand out by their length."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema.columns import TextColumn
from llmsynth.schema.table_schema import TableSchema


def with_text_bounds(
    table: pa.Table, schema: TableSchema, *, floor: int
) -> tuple[pa.Table, TableSchema]:
    """Bring each text column's `maximum_length` down to the length that `floor` texts reach.

    Longer texts are cut there, at the last blank before the bound. A schema that allows less is
    left alone.
    """
    for column in schema.columns:
        if not isinstance(column, TextColumn) or column.pieces:
            continue
        cells = table.column(column.name)
        lengths = pc.utf8_length(cells.cast(pa.string())).drop_null()
        if len(lengths) < floor:
            continue
        ordered = pc.sort_indices(lengths, sort_keys=[("", "descending")])
        bound = max(lengths[ordered[floor - 1].as_py()].as_py(), 1)
        if bound >= column.maximum_length:
            continue
        cut = pa.array([cut_text(text, bound) for text in cells.to_pylist()], cells.type)
        table = table.set_column(table.schema.get_field_index(column.name), column.name, cut)
        schema = schema.with_column(replace(column, maximum_length=bound))
    return table, schema


def cut_text(text: str | None, bound: int) -> str | None:
    """A text of at most `bound` characters, ended at the last blank before it."""
    if text is None or len(text) <= bound:
        return text
    shorter = text[:bound]
    words, blank, _ = shorter.rpartition(" ")
    return words if blank and words else shorter
