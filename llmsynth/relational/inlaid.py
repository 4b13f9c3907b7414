"""A parent that has exactly one row of a table: drawn as a piece of that row, not found for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.schema.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
)
from llmsynth.schema.constraints import Constraint, constraint_from_json, constraint_to_json
from llmsynth.schema.metadata_set import ForeignKey
from llmsynth.schema.storage import arrow_type

_NOT_NAMES = ("kind", "strict", "equals", "combinations")
"""Fields of constraints that hold no column's name."""


@dataclass(frozen=True, kw_only=True)
class Inlaid:
    """The columns of one foreign key's parent among those of the row.

    names: the parent's columns.
    same_as: those of them that often hold what a column of the row's first parent does.
    """

    link: ForeignKey
    names: tuple[str, ...]
    same_as: Mapping[str, str] = field(default_factory=dict)

    def cell_name(self, name: str) -> str:
        """The drawn column that is a column of the parent's."""
        return f"@{self.link.column} {name}"

    def same_name(self, name: str) -> str:
        """The drawn column that says whether both parents agree."""
        return f"@{self.link.column} same {name}"

    def settled(
        self, cells: pa.Table, context: pa.Table, columns: Mapping[str, Column]
    ) -> pa.Table:
        """Drawn rows in which both parents agree wherever that was drawn.

        Args:
            context: of each row's first parent; columns: what was learned of the drawn ones.
        """
        for name, other in self.same_as.items():
            own = self.cell_name(name)
            copied = _held(columns[own], context[other].combine_chunks())
            is_same = pc.equal(cells[self.same_name(name)], 1).combine_chunks()
            takes = pc.and_(pc.fill_null(is_same, False), copied.is_valid())
            drawn = cells[own].combine_chunks()
            at = cells.column_names.index(own)
            cells = cells.set_column(at, own, pc.if_else(takes, copied, drawn))
        return cells

    def parents(self, cells: pa.Table) -> pa.Table:
        """The parent of each drawn row, as a table of the parent's columns."""
        return pa.table({name: cells[self.cell_name(name)] for name in self.names})

    def columns(self, learned: Mapping[str, Column]) -> tuple[Column, ...]:
        """What was learned of the parent's columns."""
        return tuple(replace(learned[self.cell_name(name)], name=name) for name in self.names)

    def constraint(self, constraint: Constraint) -> Constraint:
        """A constraint of the parent's as one of the row's."""
        data = constraint_to_json(constraint)
        for key in set(data) - set(_NOT_NAMES):
            value = data[key]
            if isinstance(value, str):
                data[key] = self.cell_name(value)
            elif isinstance(value, tuple | list):
                data[key] = [self.cell_name(str(name)) for name in value]
        return constraint_from_json(data)

    def to_json(self) -> dict[str, object]:
        """The inlay as JSON-ready values."""
        return {
            "column": self.link.column,
            "names": list(self.names),
            "same_as": dict(self.same_as),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object], links: tuple[ForeignKey, ...]) -> Self:
        """An inlay from `to_json` output.

        Raises:
            KeyError, TypeError, StopIteration: not an inlay.
        """
        names, same_as = data["names"], data["same_as"]
        if not (isinstance(names, list) and isinstance(same_as, dict)):
            raise TypeError(f"expected an inlaid parent, got {data!r}")
        return cls(
            link=next(link for link in links if link.column == data["column"]),
            names=tuple(map(str, names)),
            same_as={str(k): str(v) for k, v in same_as.items()},
        )


def _held(column: Column, cells: pa.Array) -> pa.Array:
    """Cells in the column's storage; missing where the column cannot hold them."""
    kind = arrow_type(column.storage)
    if isinstance(column, CategoryColumn):
        texts = cells.cast(pa.string())
        is_held = pc.is_in(texts, value_set=pa.array(column.categories, pa.string()))
        return pc.if_else(is_held, texts, pa.scalar(None, pa.string())).cast(kind)
    cells = cells.cast(kind, safe=False)
    if not isinstance(column, NumberColumn | DateColumn):
        return cells
    if isinstance(column, NumberColumn):
        compared = cells.cast(pa.float64())
        ends = pa.array([float(bound) for bound in column.bounds])
    else:
        compared, ends = cells, pa.array(list(column.bounds)).cast(kind)
    is_held = pc.and_(pc.greater_equal(compared, ends[0]), pc.less_equal(compared, ends[1]))
    return pc.if_else(is_held, cells, pa.scalar(None, kind))
