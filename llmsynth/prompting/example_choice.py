"""Which example rows stand in one prompt, and in which order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def chosen_examples(
    strata: Sequence[Hashable], count: int, generator: np.random.Generator
) -> list[int]:
    """Places of up to `count` examples: as many of each stratum as there are, in shuffled order.

    Strata take turns, so that a rare class stands in every prompt (EPIC, arXiv 2404.12404, reports
    that examples balanced over the classes serve all of them best).

    Args:
        strata: what each example belongs to, such as its class.
    """
    waiting: dict[Hashable, list[int]] = {}
    for place in generator.permutation(len(strata)).tolist():
        waiting.setdefault(strata[place], []).append(place)
    taken: list[int] = []
    for turn in range(max(map(len, waiting.values()), default=0)):
        taken += [places[turn] for places in waiting.values() if turn < len(places)]
    chosen = taken[:count]
    generator.shuffle(chosen)
    return chosen
