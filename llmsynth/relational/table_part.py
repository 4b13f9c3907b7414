"""One real table of a set as its model learns it, and what its children are drawn under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.relational.inlaid import Inlaid
from llmsynth.relational.time_axis import Ticks, TimeAxis
from llmsynth.relational.wishes import Wish
from llmsynth.schema.columns import Column, IdentifierColumn
from llmsynth.schema.metadata_set import ForeignKey
from llmsynth.schema.table_schema import TableSchema

_MOST_CONTEXT = 40
"""Columns of parents and their parents under which rows are drawn; the nearest come first."""


@dataclass(frozen=True, kw_only=True)
class TablePart:
    """One real table, ready to be learned.

    cells: its columns without keys, identifiers and texts, and a count of each kind of child.
    schema: of these.
    parent_of: int64 (rows,) by foreign key; negative where a row names none.
    context: the cells of its first parent and of that one's first parent, by parent row.
    counts: int64 (rows,), how many rows name each row, by the column that holds it.
    axis, ticks: the column that orders the rows of a parent, and each row's tick; None without.
    usual_gap: ticks between two of them, as a rule.
    inlaid: parents that are drawn as a piece of its rows; is_inlaid: it is such a parent itself.
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
    counts: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    axis: TimeAxis | None = None
    ticks: Ticks | None = None
    usual_gap: int = 0
    inlaid: tuple[Inlaid, ...] = ()
    is_inlaid: bool = False


def count_name(link: ForeignKey) -> str:
    """The column of a parent that holds how many rows name it."""
    return f"#{link.table}.{link.column}"


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
