"""What is settled about groups before their rows are written: own cells, lengths, both ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llmsynth.relational.time_axis import Ticks, TimeAxis


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """Groups whose rows are to be written, or were read.

    own: the cells of each group, one row each.
    lengths: int64 (groups,).
    first, last: int64 (groups,), first and last tick; None where rows have no order.
    """

    own: pa.Table
    lengths: Ticks
    first: Ticks | None = None
    last: Ticks | None = None

    @classmethod
    def timed(
        cls,
        own: pa.Table,
        lengths: Ticks,
        first: Ticks,
        span: Ticks,
        *,
        axis: TimeAxis,
        least_gap: int,
    ) -> GroupPlan:
        """A plan whose rows can lie as close as they must within the axis.

        Args:
            first, span: int64 (groups,), as they were drawn.
        """
        if least_gap:
            # Rows that cannot lie so close end the group at the last moment there is.
            most = np.maximum(axis.last - first, 0) // least_gap + 1
            lengths = np.minimum(lengths, most)
        needed = least_gap * np.maximum(lengths - 1, 0)
        span = np.where(lengths <= 1, 0, np.maximum(span, needed))
        last = np.maximum(np.minimum(first + span, axis.last), first + needed)
        return cls(own=own, lengths=lengths, first=first, last=last)
