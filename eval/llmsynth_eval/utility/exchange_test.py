"""An exact test of two groups of eight equally made figures: could their labels be exchanged?"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from llmsynth_eval.cells import Floats

PARTS = 8
ROUNDING = 1e-12


@cache
def _halves() -> Floats:
    """Every choice of 8 of 16 as a row of +1/8 (chosen) and -1/8, shape (12870, 16)."""
    signs = np.full((12_870, 2 * PARTS), -1 / PARTS)
    for row, chosen in zip(signs, combinations(range(2 * PARTS), PARTS), strict=True):
        row[list(chosen)] = 1 / PARTS
    return signs


def exchange_p_value(first: Floats, second: Floats) -> float:
    """Share of all 12,870 labellings whose mean difference is at least that of `first - second`.

    One-sided and exact: with figures that are exchangeable between the groups it is below any
    level no more often than the level says.

    Args:
        first, second: shape (8,).

    Source: R. A. Fisher (1935), The Design of Experiments, section 21.
    """
    differences = _halves() @ np.concatenate([first, second])
    return float(np.mean(differences >= first.mean() - second.mean() - ROUNDING))
