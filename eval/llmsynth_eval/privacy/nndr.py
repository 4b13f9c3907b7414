"""NNDR: is a synthetic row much nearer to one train row than to any other?"""

from __future__ import annotations

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.figure import Figure
from llmsynth_eval.intervals import around
from llmsynth_eval.metric import Measurement
from llmsynth_eval.privacy.distances import Distances
from llmsynth_eval.privacy.evidence import Finding

PERCENTILE = 0.05
RESAMPLES = 200


def nndr(distances: Distances, rng: np.random.Generator) -> Finding:
    """Fifth percentile of the distance to the nearest train row over that to the second.

    The control is the same ratio with the holdout as reference, so that both have as many
    references; a ratio of two equal rows (0 / 0) counts as 1, since neither is singled out.
    """
    to_train, to_holdout = (
        _ratios(n.distances) for n in (distances.to_train, distances.to_holdout)
    )
    value, floor = (float(np.quantile(r, PERCENTILE)) for r in (to_train, to_holdout))
    spreads = []
    for ratios in (to_train, to_holdout):
        drawn = rng.integers(0, len(ratios), size=(RESAMPLES, len(ratios)))
        spreads.append(float(np.quantile(ratios[drawn], PERCENTILE, axis=1).std(ddof=1)))
    figure = Figure(
        name="nndr",
        title="NNDR, fifth percentile",
        value=value,
        interval=around(value, spreads[0], low=0.0, high=1.0),
        floor=floor,
        floor_interval=around(floor, spreads[1], low=0.0, high=1.0),
        goal="higher",
        meaning="Distance to the nearest train row over that to the second nearest, which 5% of "
        "synthetic rows stay below; the floor takes unseen rows for train rows. Lower than the "
        "floor: some rows cling to one train row each.",
    )
    return Finding(measurement=Measurement(figures=(figure,)))


def _ratios(squared: Floats) -> Floats:
    first, second = np.sqrt(squared[:, 0]), np.sqrt(squared[:, 1])
    out: Floats = np.divide(first, second, out=np.ones_like(first), where=second > 0)
    return out
