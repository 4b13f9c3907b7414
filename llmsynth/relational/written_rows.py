"""Rows of many groups as they were written, step by step, put together group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa

from llmsynth.relational.past import Groups
from llmsynth.relational.time_axis import Ticks
from llmsynth.schema.columns import Column
from llmsynth.schema.storage import arrow_type


@dataclass
class Written:
    """Rows of many groups as they were written.

    groups: int64 (rows,), rising; ticks: int64 (rows,) or None.
    unfinished: groups that a bound or a constraint ended early.
    """

    table: pa.Table
    groups: Groups
    ticks: Ticks | None
    unfinished: dict[str, int] = field(default_factory=dict)
    stopped: str = "complete"
    redrawn: int = 0

    @classmethod
    def of(
        cls,
        steps: Sequence[tuple[Groups, Ticks | None, pa.Table]],
        columns: Sequence[Column],
        *,
        is_ordered: bool,
    ) -> Self:
        """The rows of steps, each with the groups it wrote a row for.

        Args:
            columns: of the rows, for where there are none.
        """
        groups = np.concatenate([np.zeros(0, np.int64), *(step[0] for step in steps)])
        order = np.argsort(groups, kind="stable")
        empty = pa.schema([(c.name, arrow_type(c.storage)) for c in columns]).empty_table()
        table = pa.concat_tables([empty, *(step[2] for step in steps)]).take(pa.array(order))
        ticks = None
        if is_ordered:
            every = [step[1] for step in steps if step[1] is not None]
            ticks = np.concatenate([np.zeros(0, np.int64), *every])[order]
        return cls(table=table, groups=groups[order], ticks=ticks)
