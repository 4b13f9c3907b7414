"""Standard errors of a figure from leaving out one block of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.figure import Interval
from llmsynth_eval.intervals import around


def left_out(blocks: Floats) -> Floats:
    """Totals less one block each: shape (blocks, ...), from counts of shape (blocks, ...)."""
    rest: Floats = blocks.sum(axis=0) - blocks
    return rest


def two_sample_replicates(
    first: Floats, second: Floats, distance: Callable[[Floats, Floats], Floats]
) -> Floats:
    """A distance with each block of either table left out, shape (2, blocks).

    Args:
        first, second: counts of shape (blocks, ...).
        distance: of two counts whose first axis is one entry per replicate.
    """
    whole = first.sum(axis=0, keepdims=True), second.sum(axis=0, keepdims=True)
    return np.stack([distance(left_out(first), whole[1]), distance(whole[0], left_out(second))])


def standard_error(replicates: Floats) -> float:
    """Delete-a-block jackknife standard error of a figure of two independent samples.

    Args:
        replicates: shape (samples, blocks); each sample's variance is estimated apart.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 11.5.
    """
    num_blocks = replicates.shape[-1]
    apart = replicates - replicates.mean(axis=-1, keepdims=True)
    return math.sqrt((num_blocks - 1) / num_blocks * float((apart**2).sum()))


def jackknife_interval(
    value: float, replicates: Floats, *, low: float = 0.0, high: float = 1.0
) -> Interval:
    """95% interval of a figure from its replicates, cut to [low, high]."""
    return around(value, standard_error(replicates), low=low, high=high)
