"""The DCR share of a table of any size: rows placed among the references, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, encode_as, shared_levels
from llmsynth_eval.figure import Figure
from llmsynth_eval.input_tables import ColumnPlan
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy.dcr_share import nearer_and_tied, references, share_figure
from llmsynth_eval.privacy.nearest import Points, Space, nearest_distances
from llmsynth_eval.shards.table_sums import TableSums

BLOCK_ROWS = 100_000
"""References that are searched at once; of all of a row's minima the least counts."""


@dataclass(frozen=True)
class NearCounts:
    """How many rows are nearer to train than to the holdout, and how many as near to both."""

    rows: int = 0
    nearer: int = 0
    tied: int = 0

    def __add__(self, other: NearCounts) -> NearCounts:
        return NearCounts(
            self.rows + other.rows, self.nearer + other.nearer, self.tied + other.tied
        )

    def figure(self) -> Figure:
        """The DCR share with its interval, as `judge` tells it."""
        return share_figure(self.nearer, self.tied, self.rows, with_floor=True)


@dataclass(frozen=True, kw_only=True)
class Records:
    """What rows are held against: as many rows of train as of the holdout, placed in one space."""

    columns: tuple[CodedColumn, ...]
    space: Space
    train: Points
    holdout: Points

    @classmethod
    def of(
        cls,
        frames: Mapping[str, pd.DataFrame],
        sums: Mapping[str, TableSums],
        *,
        seed: int,
        max_rows: int | None,
    ) -> Self:
        """The records of the frames `train` and `holdout`.

        Args:
            sums: counts of these two and of `synthetic`, for the codes of all words.
            max_rows: most rows of either, drawn by the seed as `judge` draws them.
        """
        columns = _columns(sums, sums["train"].plan)
        train, holdout = (
            encode_as(frames[role], columns, role=role) for role in ("train", "holdout")
        )
        # The third table plays no part.
        whole = Comparison(train=train, synthetic=train, holdout=holdout, seed=seed)
        comparison = whole if max_rows is None else whole.capped(max_rows)
        train, holdout = references(comparison)
        space = Space(comparison.train)
        return cls(
            columns=columns, space=space, train=space.place(train), holdout=space.place(holdout)
        )

    def count(self, frame: pd.DataFrame) -> NearCounts:
        """What some rows of the synthetic table are nearer to."""
        rows = self.space.place(encode_as(frame, self.columns, role="synthetic"))
        to_train = nearest_in_blocks(rows, self.train)
        to_holdout = nearest_in_blocks(rows, self.holdout)
        return NearCounts(len(frame), *nearer_and_tied(to_train, to_holdout))


def nearest_in_blocks(rows: Points, among: Points, *, block_rows: int = BLOCK_ROWS) -> Floats:
    """`nearest_distances`, with as many references at a time as memory is to hold."""
    nearest = np.full(len(rows.dense), np.inf)
    for first in range(0, len(among.dense), block_rows):
        block = slice(first, first + block_rows)
        part = Points(dense=among.dense[block], wide=among.wide[block])
        np.minimum(nearest, nearest_distances(rows, part), out=nearest)
    return nearest


def _columns(sums: Mapping[str, TableSums], plan: ColumnPlan) -> tuple[CodedColumn, ...]:
    return tuple(
        CodedColumn(name=name, is_numeric=True, date_format=plan.date_formats.get(name))
        if name in plan.numeric
        else CodedColumn(name=name, is_numeric=False, levels=_levels(sums, name))
        for name in plan.names
    )


def _levels(sums: Mapping[str, TableSums], name: str) -> tuple[str | None, ...]:
    everywhere = {word for table in sums.values() for word in table.words[name]}
    return shared_levels(sums["train"].frequencies(name), everywhere)
