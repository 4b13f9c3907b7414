"""Counts as they probably were before the noise: noisy ones, drawn towards what independence says.

A count's distance from what independence says is taken for a Gaussian process whose size goes with
the expected count, so that many small distances stand for noise and few large ones do not.
Neighbours on an ordered axis lie alike. Size and reach of the process are the ones under which the
noisy counts are most likely (empirical Bayes; Rasmussen & Williams 2006, sections 2.2 and 5.4.1).
Whatever is computed here reads noisy counts alone, so it spends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

_SIZES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Deviations from independence that are tried, as shares of the expected count."""
_REACHES = (0.0, 1.0, 3.0, 8.0)
"""Cells over which an ordered axis changes by a factor of e; none where cells stand alone."""
_LEAST = 0.02
"""Least share of its expected count that a cell keeps."""

Floats = npt.NDArray[np.float64]


def shrunk(
    noisy: Floats, sides: Sequence[Floats], is_ordered: Sequence[bool], deviation: float
) -> Floats:
    """Posterior means of counts, none below a fiftieth of what is expected.

    Args:
        noisy: counts with Gaussian noise, one axis for each of `sides`.
        sides: one array an axis; their outer product is what independence expects.
        is_ordered: whether neighbours on the axis lie alike.
        deviation: standard deviation of the noise on each count.
    """
    expected = np.asarray(reduce(np.multiply.outer, sides), dtype=np.float64)
    apart = noisy - expected
    variance = max(deviation, 1e-9) ** 2
    best = _log_likelihood(apart, np.full(apart.shape, variance))
    found = np.zeros_like(apart)
    for reach in _REACHES if any(is_ordered) else _REACHES[:1]:
        spectra = [
            np.linalg.eigh(_covariance(side, reach if ordered else 0.0))
            for side, ordered in zip(sides, is_ordered, strict=True)
        ]
        spread = np.maximum(reduce(np.multiply.outer, [own.eigenvalues for own in spectra]), 0.0)
        turned = _turned(apart, [own.eigenvectors for own in spectra])
        for size in _SIZES:
            signal = size**2 * spread
            likelihood = _log_likelihood(turned, signal + variance)
            if likelihood > best:
                kept = turned * signal / (signal + variance)
                best = likelihood
                found = _turned(kept, [own.eigenvectors.T for own in spectra])
    return np.asarray(np.maximum(expected + found, _LEAST * expected))


def _covariance(side: Floats, reach: float) -> Floats:
    """How an axis' cells vary together, by the product of what they are expected to hold."""
    places = np.arange(len(side), dtype=np.float64)
    alike = (
        np.exp(-np.abs(places[:, None] - places[None, :]) / reach) if reach else np.eye(len(side))
    )
    return np.asarray(side[:, None] * alike * side[None, :])


def _turned(values: Floats, axes: Sequence[Floats]) -> Floats:
    """Values along new axes, whose columns are given; one matrix a dimension."""
    for axis, vectors in enumerate(axes):
        values = np.moveaxis(np.tensordot(vectors.T, values, axes=(1, axis)), 0, axis)
    return values


def _log_likelihood(values: Floats, variances: Floats) -> float:
    """Of independent Gaussians about 0, less the constant."""
    return -0.5 * float((np.log(variances) + values**2 / variances).sum())
