"""How a table splits into groups: keys, static columns, what changes, and the group's heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.errors import SchemaError, TableError
from llmsynth.privacy.rare_values import DEFAULT_FLOOR, protect_rare_values
from llmsynth.relational.group_plan import GroupPlan
from llmsynth.relational.group_rows import (
    GroupRows,
    changing_group,
    numbered,
    only_changing,
    sorted_by_group,
    static_columns,
)
from llmsynth.relational.keys import key_column
from llmsynth.relational.sequence_model import SequenceModel
from llmsynth.relational.time_axis import Ticks, TimeAxis
from llmsynth.schema.columns import (
    Column,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
    column_from_json,
)
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform

ROWS, FIRST, SPAN = "#rows", "#first", "#span"
_FEWEST_GROUPS = 20


@dataclass(frozen=True, kw_only=True)
class GroupLayout:
    """Which column plays which part.

    key: the pattern of the group's names.
    names: all columns, in table order.
    static: columns that are the same in all rows of a group.
    named: columns that name single rows, re-invented when all rows are written.
    """

    group_by: str
    order_by: str | None
    key: IdentifierColumn
    names: tuple[str, ...]
    static: tuple[str, ...]
    named: Mapping[str, IdentifierColumn]

    def to_json(self) -> dict[str, object]:
        """The layout as JSON-ready values."""
        return {
            "group_by": self.group_by,
            "order_by": self.order_by,
            "key": self.key.to_json(),
            "names": list(self.names),
            "static": list(self.static),
            "named": [column.to_json() for column in self.named.values()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """A layout from `to_json` output.

        Raises:
            KeyError, TypeError, SchemaError: not a layout.
        """
        named = [_identifier(column) for column in _list(data["named"])]
        order_by = data["order_by"]
        return cls(
            group_by=str(data["group_by"]),
            order_by=None if order_by is None else str(order_by),
            key=_identifier(data["key"]),
            names=tuple(map(str, _list(data["names"]))),
            static=tuple(map(str, _list(data["static"]))),
            named={column.name: column for column in named},
        )


@dataclass(frozen=True, kw_only=True)
class LaidOut:
    """A table split into what its two models learn.

    heads: one row a group: static cells, number of rows, first time and span.
    rows, ticks, plan: the rows in group order, and what is settled before they are written.
    row_schema: of the columns that change, with the constraints among them.
    texts: free text that another model is to learn; all_names: with it, in table order.
    """

    kept: GroupLayout
    heads: pa.Table
    head_schema: TableSchema
    rows: GroupRows
    ticks: Ticks | None
    plan: GroupPlan
    row_schema: TableSchema
    axis: TimeAxis | None
    texts: tuple[Column, ...] = ()
    all_names: tuple[str, ...] = ()

    def model(self, lags: int, heads: TableSchema) -> SequenceModel:
        """An empty model of the rows.

        Args:
            heads: what was learned of the heads, so that it holds no rare value.
        """
        own = [
            column
            for column in heads.columns
            if column.name in self.kept.static and not isinstance(column, IdentifierColumn)
        ]
        return SequenceModel(own=own, columns=self.row_schema.columns, axis=self.axis, lags=lags)


def lay_out(
    table: pa.Table,
    schema: TableSchema | None,
    *,
    group_by: str,
    order_by: str | None,
    static: Sequence[str] | None,
    keep_rare: bool,
    drop_text: bool,
    keep_text: bool = False,
) -> LaidOut:
    """Split a table of groups.

    Args:
        keep_text: leave free text in the rows, for another model.

    Raises:
        TableError: an unknown column, a missing key or time, too few groups, a changing static one.
        SchemaError: free text, or an ordering column that has no order.
    """
    for name in (group_by, *([order_by] if order_by else []), *(static or ())):
        _check(table, name)
    is_inferred = schema is None
    whole = schema or infer_schema(table)
    schema = _without_text(whole, group_by, drop_text or keep_text)
    texts = () if drop_text else tuple(c for c in whole.columns if c.name not in schema.names)
    axis = TimeAxis(schema.column(order_by)) if order_by is not None else None
    if axis is not None:
        schema = schema.with_column(axis.column)
    held = TableSchema(columns=(*schema.columns, *texts))
    table = conform(table.select(list(held.names)), held)
    groups, keys = numbered(table[group_by])
    if (groups < 0).any():
        count = int((groups < 0).sum())
        raise TableError(f"Column {group_by!r} names the group, and {count:,} rows have none.")
    if len(keys) < (1 if keep_rare else _FEWEST_GROUPS):
        raise TableError(
            f"The table has {len(keys)} groups; at least {_FEWEST_GROUPS} are needed.",
            hint="Bring more, or pass keep_rare (--keep-rare) where no group needs protection.",
        )
    ticks = None
    if axis is not None:
        axis, table = _protected(axis, table, groups, floor=1 if keep_rare else DEFAULT_FLOOR)
        ticks = axis.ticks(table[axis.column.name])
    rows, ticks = sorted_by_group(table, groups, ticks, len(keys))
    named = {
        c.name: c
        for c in schema.columns
        if isinstance(c, IdentifierColumn) and c.name != group_by and _names_rows(rows, c.name)
    }
    free = [n for n in schema.names if n not in {group_by, order_by, *named}]
    found = static_columns(rows, free) if static is None else _declared(rows, static)
    rows, row_schema = only_changing(rows, schema, [n for n in free if n not in found])
    heads = rows.heads(list(found))
    head_schema = _head_schema(heads, schema, is_inferred)
    heads, head_schema = _with_extent(heads, head_schema, rows, ticks, axis)
    told = [n for n in found if not isinstance(head_schema.column(n), IdentifierColumn)]
    first = last = None
    if ticks is not None:
        first, last = ticks[rows.first], ticks[rows.first + rows.lengths - 1]
    return LaidOut(
        kept=GroupLayout(
            group_by=group_by,
            order_by=order_by,
            key=key_column(group_by, keys),
            names=schema.names,
            static=found,
            named=named,
        ),
        heads=heads,
        head_schema=head_schema,
        rows=rows,
        ticks=ticks,
        plan=GroupPlan(own=heads.select(told), lengths=rows.lengths, first=first, last=last),
        row_schema=row_schema,
        axis=axis,
        texts=texts,
        all_names=tuple(n for n in whole.names if n in held.names),
    )


def _check(table: pa.Table, name: str) -> None:
    if name not in table.column_names:
        raise TableError(
            f"The table has no column {name!r}; it has {', '.join(map(repr, table.column_names))}."
        )


def _without_text(schema: TableSchema, group_by: str, drop_text: bool) -> TableSchema:
    names = [c.name for c in schema.columns if isinstance(c, TextColumn) and c.name != group_by]
    if names and not drop_text:
        raise SchemaError(
            f"Free text in {', '.join(map(repr, names))}, which the compact model cannot write.",
            hint="Name a pretrained model for it (model='smollm2-135m', --model smollm2-135m), "
            "leave the text out (drop_text, --drop-text), or give it another kind in the schema.",
        )
    taken = [name for name in schema.names if name.startswith("#")]
    if taken:
        raise SchemaError(
            f"Column {taken[0]!r}: names that begin with '#' are used for what groups are made of.",
            hint="Rename the column.",
        )
    return schema.without(names)


def _protected(
    axis: TimeAxis, table: pa.Table, groups: npt.NDArray[np.int64], *, floor: int
) -> tuple[TimeAxis, pa.Table]:
    """Times that stop at the floor-th group's earliest and latest."""
    name = axis.column.name
    alone = TableSchema(columns=(axis.column,))
    found = protect_rare_values(table.select([name]), alone, floor=floor, entities=groups)
    at = table.column_names.index(name)
    return TimeAxis(found.schema.columns[0]), table.set_column(at, name, found.table[name])


def _names_rows(rows: GroupRows, name: str) -> bool:
    """Whether an identifier names rows rather than groups."""
    return changing_group(rows, name) is not None or bool((rows.lengths == 1).all())


def _declared(rows: GroupRows, static: Sequence[str]) -> tuple[str, ...]:
    for name in static:
        group = changing_group(rows, name)
        if group is not None:
            raise TableError(
                f"Column {name!r} is named static, and changes within a group (the "
                f"{group + 1:,}th of them).",
                hint="Leave it out of static, or correct the rows.",
            )
    return tuple(static)


def _head_schema(heads: pa.Table, schema: TableSchema, is_inferred: bool) -> TableSchema | None:
    """What static columns hold, judged by group rather than by row where nobody declared it."""
    if not heads.num_columns:
        return None
    if is_inferred:
        return infer_schema(heads)
    return schema.without([n for n in schema.names if n not in heads.column_names])


def _with_extent(
    heads: pa.Table,
    schema: TableSchema | None,
    rows: GroupRows,
    ticks: Ticks | None,
    axis: TimeAxis | None,
) -> tuple[pa.Table, TableSchema]:
    columns: list[Column] = [] if schema is None else list(schema.columns)
    extent: dict[str, pa.Array] = {ROWS: pa.array(rows.lengths)}
    if axis is not None and ticks is not None:
        first, last = ticks[rows.first], ticks[rows.first + rows.lengths - 1]
        extent |= {FIRST: axis.cells(first), SPAN: pa.array(last - first)}
    # Put together anew: a table without columns has no rows to append to.
    cells_of = {name: heads[name] for name in heads.column_names} | extent
    for name, cells in extent.items():
        if name == FIRST and axis is not None:
            columns.append(replace(axis.column, name=FIRST))
        else:
            ends = np.asarray(cells)
            low, high = str(int(ends.min())), str(int(ends.max()))
            columns.append(NumberColumn(name=name, minimum=low, maximum=high))
    constraints = () if schema is None else schema.constraints
    return pa.table(cells_of), TableSchema(columns=tuple(columns), constraints=constraints)


def _identifier(data: object) -> IdentifierColumn:
    if isinstance(data, Mapping):
        column = column_from_json(data)
        if isinstance(column, IdentifierColumn):
            return column
    raise TypeError(f"expected an identifier column, got {data!r}")


def _list(data: object) -> list[object]:
    if isinstance(data, list):
        return data
    raise TypeError(f"expected a list, got {data!r}")
