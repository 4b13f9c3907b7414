"""Do columns that describe a group stay the same in all of its rows?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from llmsynth.errors import TableError
from llmsynth_eval.cells import texts
from llmsynth_eval.figure import Goal, Interval, beside_floor
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.related.families import Families, FamilyRows


@dataclass(frozen=True, kw_only=True)
class Constancy:
    """Share of groups of two rows and more in which a static column changes.

    The interval is Wilson's; the floor is the holdout's share.

    Raises:
        TableError: a named column is not in the children.
    """

    families: Families
    columns: tuple[str, ...]

    name: ClassVar[str] = "constancy"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison | None = None) -> Measurement:
        if not self.columns:
            return Measurement(notes=("Constancy: no column is named static.",))
        found = {role: self._share(rows, role) for role, rows in self.families.rows.items()}
        figure = beside_floor(
            found,
            name="static_changes",
            title="Groups that change what is static",
            meaning=f"Share of groups in which one of {', '.join(self.columns)} changes.",
        )
        return Measurement(figures=(figure,))

    def _share(self, rows: FamilyRows, role: str) -> tuple[float, Interval]:
        first, second = rows.follows()
        changes = np.zeros(len(first), dtype=np.bool_)
        for name in self.columns:
            if name not in rows.children.columns:
                raise TableError(f"The {role} children table has no column {name!r}.")
            codes = pd.factorize(texts(rows.children[name]), use_na_sentinel=False)[0]
            changes |= codes[first] != codes[second]
        groups = len(np.unique(rows.parent_of[first]))
        changed = len(np.unique(rows.parent_of[first][changes]))
        return changed / max(1, groups), wilson(changed, max(1, groups))
