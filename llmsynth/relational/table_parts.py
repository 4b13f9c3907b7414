"""A set of real tables taken apart: keys resolved, counts of children, what each model learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError, TableError
from llmsynth.relational.cell_numbers import CellNumbers
from llmsynth.relational.keys import key_column
from llmsynth.relational.matching import Codes, telling_columns
from llmsynth.relational.wishes import Wish, coded, codes_of, flags, same_column
from llmsynth.schema.columns import (
    CategoryColumn,
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

_MOST_CONTEXT = 40
"""Columns of parents and their parents under which rows are drawn; the nearest come first."""
_REFUSED_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class TablePart:
    """One real table, ready to be learned.

    cells: its columns without keys, identifiers and texts, and a count of each kind of child.
    schema: of these.
    parent_of: int64 (rows,) by foreign key; negative where a row names none.
    context: the cells of its first parent and of that one's first parent, by parent row.
    """

    name: str
    names: tuple[str, ...]
    key: IdentifierColumn | None
    cells: pa.Table
    schema: TableSchema
    named: tuple[IdentifierColumn, ...]
    parent_of: Mapping[str, npt.NDArray[np.int64]]
    first_link: ForeignKey | None
    wishes: tuple[Wish, ...] = ()
    context: pa.Table = field(default_factory=lambda: pa.table({}))
    context_columns: tuple[Column, ...] = ()


def count_name(link: ForeignKey) -> str:
    """The column of a parent that holds how many rows name it."""
    return f"#{link.table}.{link.column}"


def take_apart(
    metadata: MetadataSet, tables: Mapping[str, pa.Table], *, drop_text: bool
) -> dict[str, TablePart]:
    """Every table of a set, parents before their children.

    Raises:
        TableError: a table, key or column that is missing, a key used twice, or a row that names a
            parent that does not exist.
        SchemaError: free text.
    """
    keys = {name: _keys(metadata, name, tables) for name in metadata.tables}
    parents = {
        str(link): _parents(link, tables[link.table], keys[link.parent], is_first=number == 0)
        for name in metadata.tables
        for number, link in enumerate(metadata.links_of(name))
    }
    parts: dict[str, TablePart] = {}
    for name in metadata.order():
        plain = _plain(metadata, name, tables[name], drop_text)
        counted = _with_counts(metadata, name, plain, parents)
        context, columns = _context(counted, parts)
        part = replace(
            counted,
            key=_pattern(metadata, name, keys[name]),
            parent_of={str(k): parents[str(k)] for k in metadata.links_of(name)},
            context=context,
            context_columns=columns,
        )
        parts[name] = _with_wishes(metadata, part, parts)
    return parts


def context_of(part_name: str, cells: pa.Table, above: pa.Table | None) -> pa.Table:
    """What rows under this table are drawn under: its cells, then those of its own parents.

    Args:
        above: the same of its first parent, one row for each row of `cells`.
    """
    columns = {f"{part_name}.{name}": cells[name] for name in cells.column_names}
    if above is not None:
        columns |= {name: above[name] for name in above.column_names if name not in columns}
    kept = list(columns)[:_MOST_CONTEXT]
    return pa.table({name: columns[name] for name in kept})


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
    blank = NumberColumn(name="#")
    return TablePart(
        name=name,
        names=tuple(n for n in table.column_names if n in keys or n in free),
        key=None,
        cells=cells if columns else pa.table({"#": np.zeros(table.num_rows, dtype=np.int64)}),
        schema=TableSchema(columns=columns or (blank,), constraints=constraints),
        named=named,
        parent_of={},
        first_link=next(iter(metadata.links_of(name)), None),
    )


def only(schema: TableSchema, columns: Sequence[Column]) -> TableSchema:
    """The schema with some of its columns, and the constraints among them."""
    kept = {column.name for column in columns}
    return schema.without([name for name in schema.names if name not in kept])


def _with_counts(
    metadata: MetadataSet,
    name: str,
    part: TablePart,
    parents: Mapping[str, npt.NDArray[np.int64]],
) -> TablePart:
    cells, columns = part.cells, list(part.schema.columns)
    for link in metadata.children_of(name):
        named = parents[str(link)]
        counts = np.bincount(named[named >= 0], minlength=cells.num_rows).astype(np.int64)
        cells = cells.append_column(count_name(link), pa.array(counts))
        low, high = str(int(counts.min(initial=0))), str(int(counts.max(initial=0)))
        columns.append(NumberColumn(name=count_name(link), minimum=low, maximum=high))
    schema = TableSchema(columns=tuple(columns), constraints=part.schema.constraints)
    return replace(part, cells=cells, schema=schema)


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


def _with_wishes(
    metadata: MetadataSet, part: TablePart, parts: Mapping[str, TablePart]
) -> TablePart:
    """The part with, for each further foreign key, what its rows' parents are like."""
    if part.first_link is None:
        return part
    first = pa.array(part.parent_of[str(part.first_link)])
    own = {c.name: (c, part.cells[c.name]) for c in part.schema.columns if c.name[0] != "#"}
    above = {c.name: (c, part.context[c.name].take(first)) for c in part.context_columns}
    others = [coded(column, cells)[1] for column, cells in (own | above).values()]
    for link in metadata.links_of(part.name)[1:]:
        parent, at = parts[link.parent], part.parent_of[str(link)]
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
        part = _with_wish(part, wish, [codes[n] for n in chosen], above)
    return part


def _with_wish(
    part: TablePart,
    wish: Wish,
    codes: Sequence[Codes],
    above: Mapping[str, tuple[Column, pa.ChunkedArray]],
) -> TablePart:
    """The part with the wish's columns, which its model draws like any other."""
    new: list[tuple[Column, pa.Array]] = []
    if wish.is_optional:
        new.append(flags(wish.present_name, part.parent_of[str(wish.link)] >= 0))
    for found, code in zip(wish.fields, codes, strict=True):
        if found.name in wish.same_as:
            column, cells = above[wish.same_as[found.name]]
            theirs = codes_of(found, CellNumbers(column), cells)
            if found.levels is not None and isinstance(column, CategoryColumn):
                alike = CellNumbers(replace(column, categories=found.levels))
                theirs = codes_of(found, alike, cells)
            new.append(flags(wish.same_name(found), (code == theirs) & (code >= 0)))
        missing = code < 0
        value = replace(found.column, name=wish.value_name(found))
        if found.levels is not None:
            new.append((value, found.cells(np.where(missing, np.nan, code.astype(np.float64)))))
        else:
            new.append((value, pa.array(code, mask=missing)))
    cells = part.cells
    for column, added in new:
        cells = cells.append_column(column.name, added)
    columns = (*part.schema.columns, *(column for column, _ in new))
    schema = TableSchema(columns=columns, constraints=part.schema.constraints)
    return replace(part, cells=cells, schema=schema, wishes=(*part.wishes, wish))
