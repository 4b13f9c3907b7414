"""One row each for many groups: draws under their context, within bounds, and keeps the account."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.relational.past import GAP
from llmsynth.relational.scale import Numbers
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.storage import arrow_type
from llmsynth.synthesizers.synthesizer import Synthesizer

_PARTS = 64
"""Seeds a step may use: its two kinds of rows, and those left by constraints, halved."""

Came = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """How rows are drawn."""

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    max_attempts: int = 20


class RowDrawer:
    """Draws the next rows of groups with one synthesizer.

    Attributes:
        stopped: `complete`, or `time` once the deadline has passed.
        redrawn, dropped: rows drawn again, and groups ended, for declared constraints.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        settings: DrawSettings,
        where: Mapping[str, object],
        deadline: float | None,
    ) -> None:
        self._synthesizer, self._settings = synthesizer, settings
        self._where, self._deadline = where, deadline
        self.stopped = "complete"
        self.redrawn = self.dropped = 0

    def draw(self, context: pa.Table, gaps: Numbers | None, step: int) -> tuple[pa.Table, Came]:
        """The next rows under their contexts, in order, and for which contexts one came.

        Args:
            gaps: float64 (rows,): ticks that are settled, NaN for none, negative where the gap
                is to be drawn; None where rows have no order.
        """
        seed = (self._settings.seed * 1_000_003 + step) * _PARTS
        if gaps is None:
            return self._draw(context, seed)
        came = np.zeros(context.num_rows, dtype=np.bool_)
        tables, places = [], []
        is_open = gaps < 0
        for part, chosen in enumerate((is_open, ~is_open)):
            at = np.flatnonzero(chosen)
            if not len(at):
                continue
            rows = context.take(pa.array(at))
            if part == 1:
                rows = rows.append_column(GAP, self._gap_cells(gaps[at]))
            drawn, own_came = self._draw(rows, seed + part)
            came[at] = own_came
            tables.append(drawn)
            places.append(at[own_came])
        order = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_tables(tables).take(pa.array(order)), came

    def _gap_cells(self, gaps: Numbers) -> pa.Array:
        column = self._synthesizer.schema_.column(GAP)
        missing = np.isnan(gaps)
        whole = np.where(missing, 0, gaps).astype(np.int64)
        if isinstance(column, NumberColumn):
            # The model has learned no gaps beyond these; the time itself is what was settled.
            low, high = (int(bound) for bound in column.bounds)
            whole = np.clip(whole, low, high)
        return pa.array(whole, pa.int64(), mask=missing)

    def _draw(self, context: pa.Table, seed: int) -> tuple[pa.Table, Came]:
        """Rows under every context; halving finds those that constraints leave without one."""
        seconds = None
        if self._deadline is not None:
            seconds = self._deadline - time.perf_counter()
            if seconds <= 0:
                self.stopped = "time"
                return self._empty(), np.zeros(context.num_rows, dtype=np.bool_)
        settings = self._settings
        sample = self._synthesizer.sample(
            given=context,
            where=self._where,
            seed=seed,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_attempts=settings.max_attempts,
            max_seconds=seconds,
        )
        self.redrawn += sample.report.redrawn
        count = context.num_rows
        if len(sample) == count:
            return sample.table, np.ones(count, dtype=np.bool_)
        if sample.report.stopped == "time":
            self.stopped = "time"
            return self._empty(), np.zeros(count, dtype=np.bool_)
        if count == 1:
            self.dropped += 1
            return self._empty(), np.zeros(1, dtype=np.bool_)
        half = count // 2
        left, left_came = self._draw(context.slice(0, half), seed + 2)
        right, right_came = self._draw(context.slice(half), seed + 3)
        return pa.concat_tables([left, right]), np.concatenate([left_came, right_came])

    def _empty(self) -> pa.Table:
        columns = self._synthesizer.schema_.columns
        return pa.schema([(c.name, arrow_type(c.storage)) for c in columns]).empty_table()
