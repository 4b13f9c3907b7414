"""The further parents of a table's rows: drawn in the row itself, or as what is wished of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from llmsynth.relational.cell_numbers import CellNumbers
from llmsynth.relational.inlaid import Inlaid
from llmsynth.relational.matching import Codes, telling_columns
from llmsynth.relational.table_part import TablePart, count_name
from llmsynth.relational.wishes import Wish, coded, codes_of, flags, same_column
from llmsynth.schema.columns import CategoryColumn, Column, DatetimeColumn
from llmsynth.schema.metadata_set import ForeignKey, MetadataSet
from llmsynth.schema.table_schema import TableSchema

Above = Mapping[str, tuple[Column, pa.ChunkedArray]]
"""The first parent's columns, a cell for each row."""


def with_second_parents(
    metadata: MetadataSet, part: TablePart, parts: Mapping[str, TablePart]
) -> TablePart:
    """The part with, for each further foreign key, its rows' parents or what they are like."""
    if part.first_link is None:
        return part
    first = pa.array(part.parent_of[str(part.first_link)])
    own = {c.name: (c, part.cells[c.name]) for c in part.schema.columns if c.name[0] != "#"}
    above = {c.name: (c, part.context[c.name].take(first)) for c in part.context_columns}
    others = [coded(column, cells)[1] for column, cells in (own | above).values()]
    for link in metadata.links_of(part.name)[1:]:
        parent = parts[link.parent]
        if is_inlaid(metadata, link, parent, part.parent_of[str(link)]):
            part = _with_inlay(part, parent, link, above)
        else:
            part = _with_wish(part, parent, link, others, above)
    return part


def is_inlaid(metadata: MetadataSet, link: ForeignKey, parent: TablePart, parent_of: Codes) -> bool:
    """Whether each row of a parent belongs to one row of this table, and to nothing else."""
    counts = np.bincount(parent_of[parent_of >= 0], minlength=parent.cells.num_rows)
    stands_alone = not metadata.links_of(link.parent) and len(metadata.children_of(link.parent)) < 2
    return stands_alone and bool((parent_of >= 0).all()) and bool((counts == 1).all())


def _with_inlay(part: TablePart, parent: TablePart, link: ForeignKey, above: Above) -> TablePart:
    """The part with the columns of a parent of its own in each row."""
    kept = [c for c in parent.schema.columns if c.name != count_name(link)]
    at = pa.array(part.parent_of[str(link)])
    bound = {name for constraint in parent.schema.constraints for name in constraint.columns}
    inlaid = Inlaid(link=link, names=tuple(c.name for c in kept))
    new: list[tuple[Column, pa.ChunkedArray]] = []
    same_as: dict[str, str] = {}
    for column in kept:
        cells = parent.cells[column.name].take(at)
        if column.name not in bound and not isinstance(column, DatetimeColumn):
            alike = {n: pair for n, pair in above.items() if pair[0].storage == column.storage}
            found, codes, _ = coded(column, cells)
            if (other := same_column(column, codes, found, alike)) is not None:
                same_as[column.name] = other
                theirs = codes_of(found, _reader(found.levels, above[other][0]), above[other][1])
                is_same = (codes == theirs) & (codes >= 0)
                new.append(flags(inlaid.same_name(column.name), is_same))
        new.append((replace(column, name=inlaid.cell_name(column.name)), cells))
    inlaid = replace(inlaid, same_as=same_as)
    constraints = tuple(inlaid.constraint(rule) for rule in parent.schema.constraints)
    part = _with_columns(part, new)
    schema = replace(part.schema, constraints=(*part.schema.constraints, *constraints))
    return replace(part, schema=schema, inlaid=(*part.inlaid, inlaid))


def _with_wish(
    part: TablePart, parent: TablePart, link: ForeignKey, others: Sequence[Codes], above: Above
) -> TablePart:
    """The part with what a row's parent of this kind is like, drawn like any other column."""
    at = part.parent_of[str(link)]
    here = at >= 0
    known = [c for c in parent.schema.columns if c.name[0] not in "#@"]
    found = [coded(c, parent.cells[c.name]) for c in known]
    codes = [np.where(here, of[np.maximum(at, 0)], -1) for _, of, _ in found]
    chosen = telling_columns([c[here] for c in codes], [o[here] for o in others])
    same = {n: same_column(known[n], codes[n], found[n][0], above) for n in chosen}
    counts = np.bincount(at[here], minlength=parent.cells.num_rows)
    wish = Wish(
        link=link,
        fields=tuple(found[n][0] for n in chosen),
        same_as={known[n].name: other for n, other in same.items() if other is not None},
        exact=tuple(known[n].name for n in chosen if found[n][2]),
        is_single=bool((counts <= 1).all()),
        is_one_to_one=bool((counts == 1).all()),
        is_optional=not bool(here.all()),
    )
    part = _with_columns(part, _wish_columns(part, wish, [codes[n] for n in chosen], above))
    return replace(part, wishes=(*part.wishes, wish))


def _wish_columns(
    part: TablePart, wish: Wish, codes: Sequence[Codes], above: Above
) -> list[tuple[Column, pa.Array]]:
    new: list[tuple[Column, pa.Array]] = []
    if wish.is_optional:
        new.append(flags(wish.present_name, part.parent_of[str(wish.link)] >= 0))
    for found, code in zip(wish.fields, codes, strict=True):
        if found.name in wish.same_as:
            column, cells = above[wish.same_as[found.name]]
            theirs = codes_of(found, _reader(found.levels, column), cells)
            new.append(flags(wish.same_name(found), (code == theirs) & (code >= 0)))
        missing = code < 0
        value = replace(found.column, name=wish.value_name(found))
        if found.levels is not None:
            new.append((value, found.cells(np.where(missing, np.nan, code.astype(np.float64)))))
        else:
            new.append((value, pa.array(code, mask=missing)))
    return new


def _with_columns(
    part: TablePart, new: Sequence[tuple[Column, pa.Array | pa.ChunkedArray]]
) -> TablePart:
    cells = part.cells
    for column, added in new:
        cells = cells.append_column(column.name, added)
    columns = (*part.schema.columns, *(column for column, _ in new))
    schema = TableSchema(columns=columns, constraints=part.schema.constraints)
    return replace(part, cells=cells, schema=schema)


def _reader(levels: tuple[str, ...] | None, column: Column) -> CellNumbers:
    """Reads another column's cells in the places that these levels have."""
    if levels is not None and isinstance(column, CategoryColumn):
        return CellNumbers(replace(column, categories=levels))
    return CellNumbers(column)
