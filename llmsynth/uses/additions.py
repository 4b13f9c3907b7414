"""How many rows of each group bring a table to the shares that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth.uses.groups import Group

_LARGEST_SHARE = 0.95
"""Of the table, for all growing groups together where there are other rows."""


@dataclass(frozen=True, kw_only=True)
class Addition:
    """How many rows of a group to add."""

    group: Group
    before: int
    """Rows that there are."""
    rows: int


def additions(groups: Sequence[Group], table: pa.Table, schema: TableSchema) -> list[Addition]:
    """How many rows of each group bring it to its share; real rows are never taken away.

    A group that has its share already stays as it is and counts as part of the rest.

    Raises:
        SettingsError: a group without rows, shares that only taking rows away could reach.
    """
    before = [int(pc.sum(group.holds(table, schema)).as_py() or 0) for group in groups]
    for group, count in zip(groups, before, strict=True):
        if not count:
            raise SettingsError(f"The table to learn from holds no row of {group.label}.")
    growing = set(range(len(groups)))
    total = float(table.num_rows)
    while growing:
        rest = table.num_rows - sum(before[n] for n in growing)
        open_share = 1 - sum(groups[n].share for n in growing)
        if rest and open_share < 1 - _LARGEST_SHARE - 1e-9:
            raise SettingsError(
                f"{table.num_rows - rest:,} rows of the groups can have at most "
                f"{_LARGEST_SHARE:.0%} of the table beside {rest:,} others.",
                hint="Ask for smaller shares.",
            )
        total = rest / open_share if rest else max(before[n] / groups[n].share for n in growing)
        full = {n for n in growing if groups[n].share * total < before[n] - 1e-9}
        if not full:
            break
        growing -= full
    if not growing:
        raise SettingsError(
            "Every group has the share already that it is to have: there is nothing to add."
        )
    return [
        Addition(
            group=group,
            before=before[n],
            rows=round(group.share * total) - before[n] if n in growing else 0,
        )
        for n, group in enumerate(groups)
    ]
