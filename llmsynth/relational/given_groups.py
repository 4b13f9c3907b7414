"""A table of given rows read as groups: names, lengths, static cells, cells of rows, times."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llmsynth.errors import ConditionError, InputError
from llmsynth.relational.given_rows import GivenRows
from llmsynth.relational.group_layout import FIRST, ROWS, SPAN, GroupLayout
from llmsynth.relational.group_rows import GroupRows, changing_group, numbered, sorted_by_group
from llmsynth.relational.time_axis import Ticks, TimeAxis
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform


def given_rows(
    table: pa.Table, layout: GroupLayout, axis: TimeAxis | None, heads: TableSchema
) -> GivenRows:
    """A given table taken apart.

    Args:
        table: has the key column, and may have any other but those that name single rows.
        heads: what was learned of groups.

    Raises:
        ConditionError: an unknown column, a missing key, a static column that changes within a
            group, or times that are missing, go back, or lie where none was learned.
    """
    for name in table.column_names:
        if name not in layout.names or name in layout.named:
            raise ConditionError(
                f"Column {name!r} cannot be given with rows of groups: "
                + ("it names single rows." if name in layout.named else "there is none.")
            )
    groups, names = numbered(table[layout.group_by])
    if (groups < 0).any():
        raise ConditionError(
            f"{int((groups < 0).sum()):,} of the given rows have no {layout.group_by!r}."
        )
    ticks = _ticks(table, axis)
    rows, _ = sorted_by_group(table, groups, None, len(names))
    if ticks is not None:
        ticks = ticks[np.argsort(groups, kind="stable")]
        if ((np.diff(ticks) < 0) & (np.diff(rows.group_of) == 0)).any():
            raise ConditionError(
                f"The given {layout.order_by!r} goes back within a {layout.group_by!r}.",
                hint="Sort the given rows.",
            )
    static = [name for name in layout.static if name in table.column_names]
    for name in static:
        if changing_group(rows, name) is not None:
            raise ConditionError(
                f"Column {name!r} is the same in all rows of a group, and changes within one "
                "of those given."
            )
    changing = [
        n for n in table.column_names if n not in {layout.group_by, layout.order_by, *layout.static}
    ]
    return GivenRows(
        keys=_keys(names, layout),
        heads=_heads(rows, static, ticks, axis, heads),
        rows=GroupRows(table=rows.table.select(changing), first=rows.first, lengths=rows.lengths),
        ticks=ticks,
    )


def _ticks(table: pa.Table, axis: TimeAxis | None) -> Ticks | None:
    if axis is None or axis.column.name not in table.column_names:
        return None
    name = axis.column.name
    alone = TableSchema(columns=(axis.column,))
    try:
        ticks = axis.ticks(conform(table.select([name]), alone)[name])
    except InputError as error:
        raise ConditionError(error.message, hint="Give the order of every row, or none.") from error
    if len(ticks) and (ticks.min() < axis.first or ticks.max() > axis.last):
        raise ConditionError(
            f"The given {name!r} lies outside of {getattr(axis.column, 'minimum', None)} to "
            f"{getattr(axis.column, 'maximum', None)}, between which times were learned."
        )
    return ticks


def _keys(names: pa.Array, layout: GroupLayout) -> pa.Array:
    try:
        return names.cast(arrow_type(layout.key.storage))
    except pa.ArrowInvalid as error:
        raise ConditionError(f"Column {layout.group_by!r}: {error}.") from error


def _heads(
    rows: GroupRows,
    static: list[str],
    ticks: Ticks | None,
    axis: TimeAxis | None,
    schema: TableSchema,
) -> pa.Table:
    """What is given of groups, lengths and spans no further than was learned."""
    heads = {name: rows.heads([name])[name] for name in static}
    heads[ROWS] = _within(rows.lengths, schema, ROWS)
    if ticks is not None and axis is not None:
        first, last = ticks[rows.first], ticks[rows.first + rows.lengths - 1]
        heads[FIRST] = axis.cells(first)
        heads[SPAN] = _within(last - first, schema, SPAN)
    return pa.table(heads)


def _within(numbers: Ticks, schema: TableSchema, name: str) -> pa.Array:
    column = schema.column(name)
    assert isinstance(column, NumberColumn)
    low, high = (int(bound) for bound in column.bounds)
    return pa.array(np.clip(numbers, low, high))
