"""Rows of groups that are fixed in part: one given row for each row that is to be made."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from llmsynth.relational.group_rows import GroupRows
from llmsynth.relational.past import Groups
from llmsynth.relational.time_axis import Ticks


@dataclass(frozen=True, kw_only=True)
class GivenRows:
    """Groups whose names and lengths are given, and some of their cells.

    keys: their names. heads: given static columns and what follows from the rows, one row a group.
    rows: given columns that change, in group order; ticks: int64 (rows,), None where not given.
    """

    keys: pa.Array
    heads: pa.Table
    rows: GroupRows
    ticks: Ticks | None

    def beside(self, context: pa.Table, groups: Groups, step: int) -> pa.Table:
        """The context of these groups' rows of one step, with the given cells of the rows."""
        places = pa.array(self.rows.first[groups] + step)
        for name in self.rows.table.column_names:
            context = context.append_column(name, self.rows.table[name].take(places))
        return context

    def ticks_at(self, groups: Groups, step: int) -> Ticks | None:
        """The given times of these groups' rows of one step."""
        return None if self.ticks is None else self.ticks[self.rows.first[groups] + step]
