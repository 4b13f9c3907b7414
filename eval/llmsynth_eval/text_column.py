"""One column of free text as a metric of a full evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pandas as pd

from llmsynth.errors import TableError
from llmsynth_eval.figure import Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.text import Embedder, measure_text


@dataclass(frozen=True, kw_only=True)
class TextColumnMetric:
    """All that `measure_text` finds of one column, named after it where there are several."""

    column: str
    frames: Mapping[str, pd.DataFrame]
    """The raw tables called `train`, `synthetic` and `holdout`."""
    embedder: Embedder | None = None
    is_only_one: bool = True
    """Whether the table has no other text column, so that figures need no column's name."""

    name: ClassVar[str] = "text"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        try:
            found = measure_text(
                self.frames["train"],
                self.frames["synthetic"],
                self.frames["holdout"],
                column=self.column,
                label=comparison.target,
                seed=comparison.seed,
                with_embedder=self.embedder,
            )
        except TableError as error:
            return Measurement(notes=(f"The texts of {self.column} were left out: {error}",))
        return found if self.is_only_one else self._named(found)

    def _named(self, found: Measurement) -> Measurement:
        key, words = f":{self.column}", f"{self.column}: "
        return Measurement(
            figures=tuple(
                replace(f, name=f.name + key, title=words + f.title) for f in found.figures
            ),
            tables=tuple(
                replace(t, name=t.name + key, title=words + t.title) for t in found.tables
            ),
            curves=tuple(
                replace(c, name=c.name + key, title=words + c.title) for c in found.curves
            ),
            headlines=tuple(
                replace(h, name=h.name + key, question=words + h.question) for h in found.headlines
            ),
            counts={words + name: count for name, count in found.counts.items()},
            notes=tuple(words + note for note in found.notes),
        )
