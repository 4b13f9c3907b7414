"""A set of real tables taken apart: keys resolved, counts of children, what each model learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError, TableError
from llmsynth.privacy.rare_values import DEFAULT_FLOOR, protect_rare_values
from llmsynth.relational.child_times import extent_columns, usual_gap
from llmsynth.relational.group_rows import BLANK
from llmsynth.relational.keys import key_column
from llmsynth.relational.second_parents import is_inlaid, with_second_parents
from llmsynth.relational.table_part import TablePart, context_of, count_name
from llmsynth.relational.time_axis import TimeAxis
from llmsynth.schema.columns import (
    Column,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.constraints import Constraint
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.metadata_set import ForeignKey, MetadataSet
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform

_REFUSED_SHOWN = 3


def take_apart(
    metadata: MetadataSet,
    tables: Mapping[str, pa.Table],
    *,
    keep_rare: bool = False,
    drop_text: bool = False,
) -> dict[str, TablePart]:
    """Every table of a set, parents before their children.

    Raises:
        TableError: a table, key or column that is missing, a key used twice, or a row that names a
            parent that does not exist.
        SchemaError: free text, or an ordering column that has no order.
    """
    keys = {name: _keys(metadata, name, tables) for name in metadata.tables}
    parents = {
        str(link): _parents(link, tables[link.table], keys[link.parent], is_first=number == 0)
        for name in metadata.tables
        for number, link in enumerate(metadata.links_of(name))
    }
    plain = {name: _plain(metadata, name, tables[name], drop_text) for name in metadata.order()}
    for name, part in plain.items():
        if part.first_link is not None and metadata.tables[name].order_by is not None:
            groups = parents[str(part.first_link)]
            plain[name] = _ordered(metadata, part, groups, floor=1 if keep_rare else DEFAULT_FLOOR)
    parts: dict[str, TablePart] = {}
    for name, part in plain.items():
        counted = _with_counts(metadata, part, plain, parents)
        context, columns = _context(counted, parts)
        part = replace(
            counted,
            key=_pattern(metadata, name, keys[name]),
            parent_of={str(k): parents[str(k)] for k in metadata.links_of(name)},
            context=context,
            context_columns=columns,
            is_inlaid=_is_inlaid(metadata, counted, parents),
        )
        parts[name] = with_second_parents(metadata, part, parts)
    return parts


def _key(metadata: MetadataSet, name: str) -> str | None:
    return metadata.tables[name].primary_key


def _pattern(metadata: MetadataSet, name: str, keys: pa.Array | None) -> IdentifierColumn | None:
    return None if keys is None else key_column(str(_key(metadata, name)), keys)


def _keys(metadata: MetadataSet, name: str, tables: Mapping[str, pa.Table]) -> pa.Array | None:
    table = tables.get(name)
    if table is None:
        raise TableError(f"The set names a table {name!r}, which was not given.")
    for column in metadata.keys_of(name):
        if column not in table.column_names:
            raise TableError(f"Table {name!r} has no column {column!r}, which is a key.")
    key = _key(metadata, name)
    if key is None:
        return None
    cells = table[key].combine_chunks()
    if cells.null_count or len(cells.unique()) < len(cells):
        raise TableError(f"Table {name!r}: its primary key {key!r} is missing or used twice.")
    return cells


def _parents(
    link: ForeignKey, table: pa.Table, keys: pa.Array | None, *, is_first: bool
) -> npt.NDArray[np.int64]:
    assert keys is not None
    named = table[link.column].combine_chunks()
    found = pc.index_in(named.cast(pa.string()), value_set=keys.cast(pa.string()))
    orphans = pc.and_(found.is_null(), named.is_valid())
    count = int(pc.sum(orphans).as_py() or 0)
    if count:
        shown = named.filter(orphans).slice(0, _REFUSED_SHOWN).to_pylist()
        raise TableError(
            f"{link}: {count:,} rows name a row that does not exist, such as "
            f"{', '.join(map(repr, shown))}.",
            hint="Leave these rows out, or add what they name.",
        )
    if is_first and found.null_count:
        raise TableError(
            f"{link}: {found.null_count:,} rows name nothing, and rows are made under the parent "
            "of their first foreign key.",
            hint="Name another foreign key of the table first, or leave these rows out.",
        )
    return np.asarray(found.cast(pa.int64()).fill_null(-1))


def _plain(metadata: MetadataSet, name: str, table: pa.Table, drop_text: bool) -> TablePart:
    free = [n for n in table.column_names if n not in metadata.keys_of(name)]
    cells = table.select(free)
    odd = [n for n in table.column_names if n.startswith(("#", "@"))]
    if odd:
        raise SchemaError(
            f"Table {name!r}, column {odd[0]!r}: names that begin with '#' or '@' are used for "
            "what ties tables together.",
            hint="Rename the column.",
        )
    declared = metadata.tables[name].schema
    named: tuple[IdentifierColumn, ...] = ()
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    if free:
        schema = infer_schema(cells) if declared is None else declared
        schema = schema.without([n for n in schema.names if n not in free]) if declared else schema
        texts = [c.name for c in schema.columns if isinstance(c, TextColumn)]
        if texts and not drop_text:
            raise SchemaError(
                f"Table {name!r}: free text in {', '.join(map(repr, texts))}; rows of related "
                "tables hold typed columns only.",
                hint="Leave the text out with drop_text (--drop-text), or give the column another "
                "kind in the table's schema.",
            )
        named = tuple(c for c in schema.columns if isinstance(c, IdentifierColumn))
        kept = [c for c in schema.columns if c.name not in texts]
        cells = conform(cells.select([c.name for c in kept]), only(schema, kept))
        columns = tuple(c for c in kept if not isinstance(c, IdentifierColumn))
        constraints = only(schema, columns).constraints if columns else ()
        cells = cells.select([c.name for c in columns])
        free = [c.name for c in kept]
    keys = metadata.keys_of(name)
    # A table of keys alone gets its columns with the counts.
    blank = NumberColumn(name=BLANK)
    return TablePart(
        name=name,
        names=tuple(n for n in table.column_names if n in keys or n in free),
        key=None,
        cells=cells if columns else pa.table({BLANK: np.zeros(table.num_rows, dtype=np.int64)}),
        schema=TableSchema(columns=columns or (blank,), constraints=constraints),
        named=named,
        parent_of={},
        first_link=next(iter(metadata.links_of(name)), None),
    )


def only(schema: TableSchema, columns: Sequence[Column]) -> TableSchema:
    """The schema with some of its columns, and the constraints among them."""
    kept = {column.name for column in columns}
    return schema.without([name for name in schema.names if name not in kept])


def _ordered(
    metadata: MetadataSet, part: TablePart, groups: npt.NDArray[np.int64], *, floor: int
) -> TablePart:
    """The part with the ticks of its ordering column, which stop where enough parents have any."""
    name = str(metadata.tables[part.name].order_by)
    if name not in part.cells.column_names:
        raise TableError(
            f"Table {part.name!r} is ordered by {name!r}, which is none of its plain columns: "
            f"{', '.join(map(repr, part.cells.column_names))}."
        )
    axis = TimeAxis(part.schema.column(name))
    alone = TableSchema(columns=(axis.column,))
    cells = conform(part.cells.select([name]), alone)
    axis.ticks(cells[name])
    if (holders := len(np.unique(groups))) < floor:
        raise TableError(
            f"Table {part.name!r} is ordered by {name!r}, and only {holders} parents have rows in "
            f"it; at least {floor} are needed.",
            hint="Bring more, or pass keep_rare (--keep-rare) where no parent needs protection.",
        )
    found = protect_rare_values(cells, alone, floor=floor, entities=groups)
    axis = TimeAxis(found.schema.columns[0])
    at = part.cells.column_names.index(name)
    return replace(
        part,
        cells=part.cells.set_column(at, name, found.table[name]),
        schema=part.schema.with_column(axis.column),
        axis=axis,
        ticks=axis.ticks(found.table[name]),
        usual_gap=usual_gap(axis.ticks(found.table[name]), groups),
    )


def _is_inlaid(
    metadata: MetadataSet, part: TablePart, parents: Mapping[str, npt.NDArray[np.int64]]
) -> bool:
    return any(
        is_inlaid(metadata, link, part, parents[str(link)])
        for link in metadata.children_of(part.name)
        if link != metadata.links_of(link.table)[0]
    )


def _with_counts(
    metadata: MetadataSet,
    part: TablePart,
    plain: Mapping[str, TablePart],
    parents: Mapping[str, npt.NDArray[np.int64]],
) -> TablePart:
    """The part with how many children of each kind its rows have, and when ordered ones come."""
    cells, columns = part.cells, list(part.schema.columns)
    counted: dict[str, npt.NDArray[np.int64]] = {}
    for link in metadata.children_of(part.name):
        named = parents[str(link)]
        counts = np.bincount(named[named >= 0], minlength=cells.num_rows).astype(np.int64)
        counted[count_name(link)] = counts
        low, high = str(int(counts.min(initial=0))), str(int(counts.max(initial=0)))
        number = NumberColumn(name=count_name(link), minimum=low, maximum=high)
        new: list[tuple[Column, pa.Array]] = [(number, pa.array(counts))]
        child = plain[link.table]
        if child.axis is not None and child.ticks is not None and link == child.first_link:
            gap = child.usual_gap
            new += extent_columns(link, child.axis, child.ticks, named, counts, gap)
        for column, added in new:
            cells = cells.append_column(column.name, added)
            columns.append(column)
    schema = TableSchema(columns=tuple(columns), constraints=part.schema.constraints)
    return replace(part, cells=cells, schema=schema, counts=counted)


def _context(
    part: TablePart, parts: Mapping[str, TablePart]
) -> tuple[pa.Table, tuple[Column, ...]]:
    """The parent's cells and what it was drawn under itself, a row a parent."""
    link = part.first_link
    if link is None:
        return pa.table({}), ()
    parent = parts[link.parent]
    above = None
    if parent.first_link is not None:
        above = parent.context.take(pa.array(parent.parent_of[str(parent.first_link)]))
    table = context_of(parent.name, parent.cells, above)
    known = {f"{parent.name}.{c.name}": c for c in parent.schema.columns}
    known |= {c.name: c for c in parent.context_columns if c.name not in known}
    columns = tuple(replace(known[name], name=name) for name in table.column_names)
    return table, columns
