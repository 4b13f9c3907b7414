"""Does every child name a parent that exists, and every parent have a key of its own?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth_eval.figure import Figure, Goal, Interval, beside_floor
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families, FamilyRows


@dataclass(frozen=True, kw_only=True)
class KeyIntegrity:
    """Shares of orphans, of children without a key, and of parents without a key of their own.

    An orphan names a parent that the parent table lacks. Intervals are Wilson's; the floor is the
    holdout's share.
    """

    families: Families

    name: ClassVar[str] = "key_integrity"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        figures = [self._figure("missing_keys", "Children without a key", _missing)]
        if self.families.link.parent_key is not None:
            figures.append(self._figure("orphans", "Orphans", _orphans))
            figures.append(
                self._figure("repeated_keys", "Parents without their own key", _repeated)
            )
        return Measurement(figures=tuple(figures))

    def _figure(
        self, name: str, title: str, count: Callable[[FamilyRows], tuple[int, int]]
    ) -> Figure:
        shares: dict[str, tuple[float, Interval]] = {}
        for role, rows in self.families.rows.items():
            faults, size = count(rows)
            shares[role] = faults / size, wilson(faults, size)
        return beside_floor(
            shares,
            name=name,
            title=title,
            meaning=f"Share of rows that break a key in the synthetic tables; in train it is "
            f"{shares['train'][0]:.4f}.",
        )


def _missing(rows: FamilyRows) -> tuple[int, int]:
    return rows.num_missing_keys, rows.num_missing_keys + len(rows.parent_of)


def _orphans(rows: FamilyRows) -> tuple[int, int]:
    orphans = int(np.count_nonzero(~rows.is_listed[rows.parent_of]))
    return orphans, max(1, len(rows.parent_of))


def _repeated(rows: FamilyRows) -> tuple[int, int]:
    return rows.num_repeated_keys, rows.num_parent_rows
