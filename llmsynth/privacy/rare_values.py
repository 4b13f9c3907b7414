"""Keeps values that few people hold out of what a synthesizer learns and writes.

A category held by fewer rows than a floor is not learned as itself: its cells are left out of their
rows, so that the model fills them from what remains. Numbers, dates and moments stop at the
floor-th smallest and largest; where fewer rows than the floor have any, none is learned. Where it
is known whose row each is, entities are counted instead of rows. This is a release rule, not
differential privacy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
)
from llmsynth.schema.number_spelling import canonical
from llmsynth.schema.number_texts import plain_decimal
from llmsynth.schema.number_views import plain_numbers, spelled_numbers
from llmsynth.schema.table_schema import TableSchema

DEFAULT_FLOOR = 5


@dataclass(frozen=True)
class Protected:
    """A table whose rare values are gone, the schema that holds for it, and what was done.

    left_out: per column, bool (rows,): cells that are not to be learned.
    categories, extremes: per column, how many categories and how many cells were protected.
    """

    table: pa.Table
    schema: TableSchema
    left_out: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)
    extremes: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, object]:
        """What was protected, ready for JSON."""
        return {
            "categories": dict(self.categories),
            "cells_left_out": {name: int(mask.sum()) for name, mask in self.left_out.items()},
            "extreme_cells": dict(self.extremes),
        }


def protect_rare_values(
    table: pa.Table,
    schema: TableSchema,
    *,
    floor: int = DEFAULT_FLOOR,
    entities: npt.NDArray[np.int64] | None = None,
) -> Protected:
    """Apply the rule of the module docstring to every column.

    Args:
        table: columns as the schema has them, in their storage types.
        floor: how many rows must hold a category for it to be learned; 1 protects nothing.
        entities: int64 (rows,), whose row each is; each row is its own entity when omitted.
    """
    if floor <= 1:
        return Protected(table, schema)
    owners = None if entities is None else pa.array(entities)
    left_out: dict[str, npt.NDArray[np.bool_]] = {}
    categories: dict[str, int] = {}
    extremes: dict[str, int] = {}
    for index, column in enumerate(schema.columns):
        cells = table.column(index).combine_chunks()
        new: Column = column
        if isinstance(column, CategoryColumn):
            new, cells, rare = _without_rare(column, cells, owners, floor)
            if rare.any():
                left_out[column.name] = rare
                assert isinstance(new, CategoryColumn)
                categories[column.name] = len(column.categories) - len(new.categories)
        elif isinstance(column, (NumberColumn, DateColumn, DatetimeColumn)):
            if 0 < _num_holders(cells, owners) < floor:
                left_out[column.name] = cells.is_valid().to_numpy(zero_copy_only=False)
                new, cells = _emptied(column), pa.nulls(len(cells), cells.type)
            elif isinstance(column, NumberColumn) and pa.types.is_string(cells.type):
                new, cells, rare, clipped = _without_rare_spelled(column, cells, owners, floor)
                extremes |= {column.name: clipped} if clipped else {}
                if rare.any():
                    left_out[column.name] = rare
                    categories[column.name] = len(column.words) - len(new.words)
            else:
                new, cells, clipped = _without_extremes(column, cells, owners, floor)
                if clipped:
                    extremes[column.name] = clipped
        schema = schema.with_column(new)
        table = table.set_column(index, column.name, cells)
    return Protected(table, schema, left_out, categories, extremes)


def _without_rare(
    column: CategoryColumn, cells: pa.Array, owners: pa.Array | None, floor: int
) -> tuple[CategoryColumn, pa.Array, npt.NDArray[np.bool_]]:
    texts = cells.cast(pa.string())
    held = _holders(texts, owners)
    kept = tuple(text for text in column.categories if held.get(text, 0) >= floor)
    if not kept and not column.nullable:
        column = replace(column, nullable=True)
    common = pc.is_in(texts, value_set=pa.array(kept, pa.string()))
    rare = pc.and_not(texts.is_valid(), common).to_numpy(zero_copy_only=False)
    filler = pa.scalar(kept[0] if kept else None, pa.string()).cast(cells.type)
    return replace(column, categories=kept), pc.if_else(pa.array(~rare), cells, filler), rare


def _holders(texts: pa.Array, owners: pa.Array | None) -> dict[str, int]:
    """How many rows, or owners, hold each text."""
    each = texts
    if owners is not None:
        pairs = pa.table({"text": texts, "owner": owners}).group_by(["text", "owner"])
        each = pairs.aggregate([])["text"]
    counted = pc.value_counts(each.drop_null())
    return {item["values"]: item["counts"] for item in counted.to_pylist()}


def _without_rare_spelled(
    column: NumberColumn, cells: pa.Array, owners: pa.Array | None, floor: int
) -> tuple[NumberColumn, pa.Array, npt.NDArray[np.bool_], int]:
    """Numbers that memory holds as texts stop at the ends; words that few hold are left out."""
    held = _holders(cells, owners)
    kept = tuple(word for word in column.words if held.get(word, 0) >= floor)
    plain = plain_numbers(column, cells)
    kind = pa.decimal128(38, column.scale) if column.scale <= 18 else pa.float64()
    values = plain.cast(kind)
    bounded, _, clipped = _without_extremes(column, values, owners, floor)
    assert isinstance(bounded, NumberColumn)
    low, high = (pa.scalar(bound).cast(kind) for bound in bounded.bounds)
    far = pc.is_in(values, value_set=_sentinels(bounded, kind))
    for bound, beyond in ((low, pc.less(values, low)), (high, pc.greater(values, high))):
        is_outside = pc.and_not(beyond, far)
        text = spelled_numbers(column, pa.array([canonical(_bound_text(bound))]))[0]
        cells = pc.if_else(is_outside.fill_null(False), text, cells)
    common = pc.is_in(cells, value_set=pa.array(kept, pa.string()))
    is_word = pc.and_(cells.is_valid(), plain.is_null())
    rare = pc.and_not(is_word, common).to_numpy(zero_copy_only=False)
    filler = spelled_numbers(column, pa.array([canonical(_bound_text(low))]))[0]
    return replace(bounded, words=kept), pc.if_else(pa.array(~rare), cells, filler), rare, clipped


def _without_extremes(
    column: NumberColumn | DateColumn | DatetimeColumn,
    cells: pa.Array,
    owners: pa.Array | None,
    floor: int,
) -> tuple[NumberColumn | DateColumn | DatetimeColumn, pa.Array, int]:
    if cells.null_count == len(cells):
        return column, cells, 0
    column = _with_common_sentinels(column, cells, owners, floor)
    far = pc.is_in(cells, value_set=_sentinels(column, cells.type))
    kept = pc.if_else(far, pa.scalar(None, cells.type), cells)
    if kept.null_count == len(kept):
        return column, cells, 0
    smallest, largest = _ends(kept, owners)
    size = len(smallest)
    # Below twice the floor both ends meet in the middle.
    low = smallest[min(floor - 1, (size - 1) // 2)]
    high = largest[max(size - floor, size // 2)]
    outside = pc.and_not(pc.or_(pc.less(cells, low), pc.greater(cells, high)), far)
    clipped = int(pc.sum(outside.fill_null(False)).as_py() or 0)
    bounded = pc.if_else(pc.less(cells, low), low, pc.if_else(pc.greater(cells, high), high, cells))
    bounded = pc.if_else(far, cells, bounded)
    minimum, maximum = _bound_text(low), _bound_text(high)
    return replace(column, minimum=minimum, maximum=maximum), bounded, clipped


def _with_common_sentinels(
    column: NumberColumn | DateColumn | DatetimeColumn,
    cells: pa.Array,
    owners: pa.Array | None,
    floor: int,
) -> NumberColumn | DateColumn | DatetimeColumn:
    """The column less sentinels of fewer than `floor` rows, or owners."""
    kept = []
    for text, value in zip(column.sentinels, _sentinels(column, cells.type), strict=True):
        at = pc.equal(cells, value).fill_null(False)
        held = pc.sum(at).as_py() if owners is None else len(pc.unique(owners.filter(at)))
        if (held or 0) >= floor:
            kept.append(text)
    return replace(column, sentinels=tuple(kept))


def _sentinels(column: NumberColumn | DateColumn | DatetimeColumn, kind: pa.DataType) -> pa.Array:
    """The column's sentinels as cells."""
    texts = pa.array(column.sentinels, pa.string())
    if pa.types.is_timestamp(kind) and kind.tz:
        return texts.cast(pa.timestamp(kind.unit)).cast(pa.int64()).cast(kind)
    return texts.cast(kind)


def _num_holders(cells: pa.Array, owners: pa.Array | None) -> int:
    if owners is None:
        return len(cells) - int(cells.null_count)
    return len(owners.filter(cells.is_valid()).unique())


def _ends(cells: pa.Array, owners: pa.Array | None) -> tuple[pa.Array, pa.Array]:
    """Smallest and largest cell of every entity, each rising; the cells twice without entities."""
    present = cells.drop_null()
    if owners is None:
        ordered = present.take(pc.sort_indices(present))
        return ordered, ordered
    held = pa.table({"cell": present, "owner": owners.filter(cells.is_valid())})
    ends = held.group_by("owner").aggregate([("cell", "min"), ("cell", "max")])
    low, high = ends["cell_min"].combine_chunks(), ends["cell_max"].combine_chunks()
    return low.take(pc.sort_indices(low)), high.take(pc.sort_indices(high))


def _emptied(column: NumberColumn | DateColumn | DatetimeColumn) -> Column:
    """The column without any value: bounds that say nothing, and only missing cells."""
    blank = type(column)(name=column.name)
    return replace(column, nullable=True, minimum=blank.minimum, maximum=blank.maximum)


def _bound_text(value: pa.Scalar) -> str:
    kind = value.type
    if pa.types.is_timestamp(kind):
        ticks = value.cast(pa.timestamp(kind.unit)).cast(pa.timestamp("us"), safe=False)
        return str(np.datetime64(ticks.cast(pa.int64()).as_py(), "us"))
    if pa.types.is_date(kind):
        return str(value.as_py())
    return plain_decimal(value.cast(pa.string()).as_py())
