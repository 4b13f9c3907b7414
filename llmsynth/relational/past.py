"""What is remembered of every group while its rows are read or written one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from llmsynth.relational.scale import Numbers
from llmsynth.relational.time_axis import Ticks, TimeAxis

GAP = "#gap"
"""Ticks since the row before; missing in a group's first row."""

Groups = npt.NDArray[np.int64]


class Past:
    """The state of many groups at once; the same code serves training and sampling.

    Args:
        lengths: int64 (groups,), rows each group has or will have.
        columns: names of the columns to remember.
        averaged: those of them whose mean so far means something.
        lags: how many rows back are remembered one by one.
        axis, first, last: the ordering column, and each group's first and last tick; None without.
    """

    def __init__(
        self,
        lengths: Ticks,
        *,
        columns: Sequence[str],
        averaged: Sequence[str],
        lags: int,
        axis: TimeAxis | None = None,
        first: Ticks | None = None,
        last: Ticks | None = None,
    ) -> None:
        self._lengths = lengths
        self._axis = axis
        self._last = last
        self.now = None if first is None else first.copy()
        self._done = np.zeros(len(lengths), dtype=np.int64)
        self._lags = {name: np.full((lags, len(lengths)), np.nan) for name in columns}
        self._sums = {name: np.zeros((2, len(lengths))) for name in averaged}

    def read(self, groups: Groups) -> dict[str, Numbers]:
        """What precedes the next row of these groups, by name; NaN where there is nothing yet."""
        out: dict[str, Numbers] = {}
        for name, kept in self._lags.items():
            for lag, numbers in enumerate(kept):
                out[f"#{lag + 1} {name}"] = numbers[groups]
        for name, (total, count) in self._sums.items():
            present = np.where(count[groups] > 0, count[groups], np.nan)
            out[f"#mean {name}"] = total[groups] / present
        out["#row"] = self._done[groups].astype(np.float64)
        out["#left"] = (self._lengths - self._done)[groups].astype(np.float64)
        if self.now is not None and self._last is not None and self._axis is not None:
            now = self.now[groups]
            out["#now"] = now.astype(np.float64)
            out["#remaining"] = (self._last[groups] - now).astype(np.float64)
            # What a gap is mostly about, ready made: few rows teach no division.
            out["#pace"] = out["#remaining"] / np.maximum(out["#left"], 1)
            for part, values in self._axis.calendar(now).items():
                out[f"#{part}"] = values.astype(np.float64)
        return out

    def add(
        self, groups: Groups, numbers: Mapping[str, Numbers], ticks: Ticks | None = None
    ) -> None:
        """Remember the next row of each of these groups."""
        for name, kept in self._lags.items():
            kept[1:, groups] = kept[:-1, groups]
            kept[0, groups] = numbers[name]
        for name, sums in self._sums.items():
            here = ~np.isnan(numbers[name])
            sums[0, groups[here]] += numbers[name][here]
            sums[1, groups[here]] += 1
        self._done[groups] += 1
        if self.now is not None and ticks is not None:
            self.now[groups] = ticks
