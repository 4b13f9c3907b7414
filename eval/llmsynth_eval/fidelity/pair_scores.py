"""What the contingency tables of all pairs say: distances, information, association."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.fidelity.pair_bins import Layout


def pair_distances(first: Floats, second: Floats, layout: Layout) -> Floats:
    """TV distance of the joint distribution of every two columns, (..., columns, columns).

    Args:
        first, second: counts of shape (..., bins, bins).
    """
    return layout.over_pairs(np.abs(_shares(first, layout) - _shares(second, layout))) / 2


@dataclass(frozen=True, kw_only=True)
class Information:
    """Entropies in nats of one table's columns and what they share."""

    mutual: Floats
    """Mutual information of every two columns, (..., columns, columns)."""
    entropy: Floats
    """Entropy of each column, (..., columns)."""

    @property
    def normalised(self) -> Floats:
        """Mutual information over the geometric mean of the entropies, in [0, 1].

        Source: Strehl and Ghosh (2002), JMLR 3, 583-617. 0 where a column is constant.
        """
        scale = np.sqrt(self.entropy[..., :, None] * self.entropy[..., None, :])
        return _ratio(self.mutual, scale)

    @property
    def theils_u(self) -> Floats:
        """Entry (i, j): the part of column i's entropy that column j explains, in [0, 1].

        Source: Theil (1972), Statistical Decomposition Analysis, chapter 1.
        """
        return _ratio(self.mutual, np.broadcast_to(self.entropy[..., None], self.mutual.shape))


def information(counts: Floats, layout: Layout) -> Information:
    """Entropy and mutual information from counts of shape (..., bins, bins)."""
    joint = layout.over_pairs(_plogp(_shares(counts, layout)))
    own = np.diagonal(joint, axis1=-2, axis2=-1)
    mutual = joint - own[..., :, None] - own[..., None, :]
    return Information(mutual=np.maximum(0.0, mutual), entropy=np.maximum(0.0, -own))


def cramers_v(counts: Floats, layout: Layout) -> Floats:
    """Bias-corrected Cramér's V of every two columns, (..., columns, columns).

    Source: Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328.
    """
    sizes = np.diagonal(counts, axis1=-2, axis2=-1)
    # of one row, and of none, no association is known: two keeps the fractions finite
    num_rows = np.maximum(layout.over_columns(sizes)[..., :1, None], 2.0)
    expected = sizes[..., :, None] * sizes[..., None, :] / num_rows
    phi = layout.over_pairs(_ratio(counts**2, expected)) / num_rows - 1
    levels = layout.over_columns((sizes > 0).astype(np.float64))
    spare = (levels[..., :, None] - 1) * (levels[..., None, :] - 1) / (num_rows - 1)
    tall = levels - (levels - 1) ** 2 / (num_rows[..., 0] - 1)
    limit = np.minimum(tall[..., :, None], tall[..., None, :]) - 1
    strength = _ratio(np.maximum(0.0, phi - spare), np.maximum(limit, 0.0))
    return np.minimum(1.0, np.sqrt(strength))


def _shares(counts: Floats, layout: Layout) -> Floats:
    own = np.diagonal(counts, axis1=-2, axis2=-1)[..., : int(layout.sizes[0])]
    shares: Floats = counts / np.maximum(own.sum(axis=-1), 1.0)[..., None, None]
    return shares


def _plogp(shares: Floats) -> Floats:
    out: Floats = shares * np.log(np.where(shares > 0, shares, 1.0))
    return out


def _ratio(above: Floats, below: Floats) -> Floats:
    out: Floats = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 1e-12)
    return out
