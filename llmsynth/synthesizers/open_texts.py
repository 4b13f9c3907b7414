"""Which columns of a table the compact model spells, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.text_pieces import SpelledTexts, spelled_texts
from llmsynth.schema.columns import CategoryColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema

_MOST_SLOTS_OF_A_ROW = 192
_MOST_SLOTS, _FEWEST_SLOTS = 64, 8
_MOST_LEFT_OUT = 0.1
"""Share of a category column's cells that protection may leave out before it becomes open text."""
_FEWEST_LEFT_OUT = 20


@dataclass(frozen=True, kw_only=True)
class OpenTexts:
    """A table whose open texts can be spelled, and an account by column.

    Attributes:
        opened: category columns that became open texts, to the cells that would have been emptied.
    """

    table: pa.Table
    schema: TableSchema
    spelled: Mapping[str, SpelledTexts] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, object]]:
        """Counts by column, for the record; no text of anybody."""
        return {
            name: {
                "common_texts": len(own.column.common),
                "pieces": len(own.column.pieces),
                "slots": own.column.maximum_pieces,
                "cells_of_common_texts": own.common_cells,
                "cells_cut": own.cut_cells,
                "cells_respelled": own.respelled_cells,
                "cells_left_out": int(own.left_out.sum()),
                "rare_texts": len(own.rare),
                "coincidence": round(own.coincidence, 4),
                "would_have_been_emptied": self.opened.get(name, 0),
            }
            for name, own in self.spelled.items()
        }


def with_open_texts(
    table: pa.Table,
    schema: TableSchema,
    *,
    floor: int,
    fixed: Collection[str] = (),
    entities: npt.NDArray[np.int64] | None = None,
) -> OpenTexts:
    """Give every text column a vocabulary; category columns whose levels are mostly rare, too.

    Args:
        table: columns as the schema has them, in their storage types.
        fixed: columns whose kind stays, such as the target.
        entities: int64 (rows,), whose row each is.
    """
    owners = None if entities is None else pa.array(entities)
    opened: dict[str, int] = {}
    bound = {name for constraint in schema.constraints for name in constraint.columns}
    for column in schema.columns:
        if isinstance(column, CategoryColumn) and column.name not in {*fixed, *bound}:
            count = rare_cells(column, table[column.name].combine_chunks(), owners, floor)
            if _is_opened(column, count, len(table) - table[column.name].null_count):
                opened[column.name] = count
                schema = schema.with_column(_as_text(column))
    texts = [c for c in schema.columns if isinstance(c, TextColumn)]
    slots = _MOST_SLOTS_OF_A_ROW // max(len(texts), 1)
    spelled: dict[str, SpelledTexts] = {}
    for text in texts:
        done = spelled_texts(
            replace(text, common=(), pieces=(), maximum_pieces=0),
            table[text.name].combine_chunks(),
            floor=floor,
            most_pieces=min(max(slots, _FEWEST_SLOTS), _MOST_SLOTS),
            entities=entities,
        )
        spelled[text.name] = done
        schema = schema.with_column(done.column)
        at = table.column_names.index(text.name)
        table = table.set_column(at, text.name, done.cells.cast(table.schema.field(at).type))
    return OpenTexts(table=table, schema=schema, spelled=spelled, opened=opened)


def rare_cells(column: CategoryColumn, cells: pa.Array, owners: pa.Array | None, floor: int) -> int:
    """Cells whose category fewer than `floor` rows or owners hold."""
    texts = cells.cast(pa.string())
    held = pc.value_counts(texts.drop_null())
    if owners is not None:
        each = pa.table({"text": texts, "owner": owners}).group_by(["text", "owner"]).aggregate([])
        counts = pc.value_counts(each["text"].combine_chunks().drop_null())
        rare = counts.field("values").filter(pc.less(counts.field("counts"), floor))
    else:
        rare = held.field("values").filter(pc.less(held.field("counts"), floor))
    return int(pc.sum(pc.is_in(texts, value_set=rare)).as_py() or 0)


def _is_opened(column: CategoryColumn, count: int, present: int) -> bool:
    if column.storage not in ("string", "large_string"):
        return False
    return count >= _FEWEST_LEFT_OUT and count > _MOST_LEFT_OUT * present


def _as_text(column: CategoryColumn) -> TextColumn:
    return TextColumn(
        name=column.name,
        nullable=column.nullable,
        storage=column.storage,
        description=column.description,
        maximum_length=max((len(text) for text in column.categories), default=1) or 1,
    )
