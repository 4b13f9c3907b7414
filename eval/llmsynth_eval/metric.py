"""The one shape of every metric: a name, a goal, a range, and compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import Curve, DetailTable
from llmsynth_eval.figure import ColumnError, Figure, Goal, PairError
from llmsynth_eval.headline import Headline


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The three tables of a judgement under shared codes, and how to measure them."""

    train: CodedTable
    synthetic: CodedTable
    holdout: CodedTable
    target: str | None = None
    """Column to predict for TSTR and TRTR."""
    seed: int = 0
    """Seed of every resampling, subsample, fold and learner."""
    with_floor: bool = True
    """Whether to measure the holdout in the synthetic table's place as well."""

    def capped(self, max_rows: int) -> Comparison:
        """The same comparison with at most `max_rows` rows of each table, drawn by `seed`."""
        return replace(
            self,
            train=self.train.sample(max_rows, np.random.default_rng((self.seed, 1))),
            synthetic=self.synthetic.sample(max_rows, np.random.default_rng((self.seed, 2))),
            holdout=self.holdout.sample(max_rows, np.random.default_rng((self.seed, 3))),
        )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one metric found."""

    figures: tuple[Figure, ...] = ()
    columns: tuple[ColumnError, ...] = ()
    pairs: tuple[PairError, ...] = ()
    tables: tuple[DetailTable, ...] = ()
    curves: tuple[Curve, ...] = ()
    headlines: tuple[Headline, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Metric(Protocol):
    """A question asked of a synthetic table."""

    @property
    def name(self) -> str: ...

    @property
    def goal(self) -> Goal: ...

    @property
    def range(self) -> tuple[float, float]: ...

    def compute(self, comparison: Comparison) -> Measurement: ...
