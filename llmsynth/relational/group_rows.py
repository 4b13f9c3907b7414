"""Rows sorted by the group they belong to, and which columns never change within one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.relational.time_axis import Ticks
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.table_schema import TableSchema

BLANK = "#"
"""A column of zeros, for rows of keys and times alone."""
_FEWEST_LONG_GROUPS = 20
"""Groups of two rows and more that it takes to call a column static."""


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """Rows in group order; those of one group follow each other.

    table: the rows, sorted by group and then in order.
    first, lengths: int64 (groups,), place of each group's first row, and its number of rows.
    """

    table: pa.Table
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @property
    def group_of(self) -> npt.NDArray[np.int64]:
        """int64 (rows,), the group of each row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def heads(self, names: list[str]) -> pa.Table:
        """Some columns of each group's first row."""
        return self.table.select(names).take(pa.array(self.first))


def sorted_by_group(
    table: pa.Table, groups: npt.NDArray[np.int64], ticks: Ticks | None, num_groups: int
) -> tuple[GroupRows, Ticks | None]:
    """Rows and their ticks in group order, and within a group by tick or as they came.

    Args:
        groups: int64 (rows,), group of each row, 0 to `num_groups` - 1; a group may have no row.
    """
    rows = np.arange(len(groups))
    order = np.lexsort((rows, rows if ticks is None else ticks, groups))
    lengths = np.bincount(groups, minlength=num_groups).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    rows_of = GroupRows(table=table.take(pa.array(order)), first=first, lengths=lengths)
    return rows_of, None if ticks is None else ticks[order]


def only_changing(
    rows: GroupRows, schema: TableSchema, names: Sequence[str]
) -> tuple[GroupRows, TableSchema]:
    """Rows, and the schema of the columns that a model of them draws, which must be one at least.

    Args:
        names: columns that change within a group, the ordering one left out.
    """
    if names:
        return rows, schema.without([name for name in schema.names if name not in names])
    zeros = pa.array(np.zeros(rows.table.num_rows, dtype=np.int64))
    blank = replace(rows, table=rows.table.append_column(BLANK, zeros))
    return blank, TableSchema(columns=(NumberColumn(name=BLANK),))


def static_columns(rows: GroupRows, names: list[str]) -> tuple[str, ...]:
    """Those of `names` whose cell is the same in all rows of every group; none of few groups."""
    if int((rows.lengths > 1).sum()) < _FEWEST_LONG_GROUPS:
        return ()
    return tuple(name for name in names if changing_group(rows, name) is None)


def changing_group(rows: GroupRows, name: str) -> int | None:
    """The first group in which a column changes; None where it never does."""
    cells = rows.table.column(name).combine_chunks().dictionary_encode("encode")
    codes = np.asarray(cells.indices)
    if len(codes) < 2:
        return None
    group_of = rows.group_of
    changes = (codes[1:] != codes[:-1]) & (group_of[1:] == group_of[:-1])
    return int(group_of[1:][np.argmax(changes)]) if changes.any() else None


def numbered(cells: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """A number for each distinct cell in order of appearance, and the distinct cells."""
    coded = cells.combine_chunks().dictionary_encode()
    numbers = coded.indices.cast(pa.int64())
    return np.asarray(pc.fill_null(numbers, -1)), coded.dictionary
