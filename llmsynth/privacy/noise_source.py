"""Where the noise of a private fit comes from: the operating system, or a seed that is told."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt

_SUMMED = 4
"""Gaussians added up for one: a single one from floating-point uniforms has gaps that tell the
value under it (Mironov 2012); a sum of four does not (Holohan & Braghin 2021, section 4)."""
_PER_UNIFORM = 2.0**-53


class NoiseSource:
    """Gaussian noise and independent coin flips.

    Args:
        insecure_seed: makes the noise repeatable, and removable by whoever knows the seed; the
            operating system's generator for cryptography when omitted.
    """

    def __init__(self, insecure_seed: int | None = None) -> None:
        self._seeded = None
        if insecure_seed is not None:
            self._seeded = np.random.Generator(np.random.Philox(insecure_seed))

    @property
    def is_secure(self) -> bool:
        """Whether nobody can repeat the noise."""
        return self._seeded is None

    def gaussian(self, size: int, scale: float) -> npt.NDArray[np.float64]:
        """Independent draws of N(0, scale^2); float64 (size,)."""
        total = np.zeros(size)
        for _ in range(_SUMMED):
            # Box-Muller; 1 - u lies above 0, so its logarithm is finite.
            radius = np.sqrt(-2 * np.log1p(-self.uniform(size)))
            total += radius * np.cos(2 * math.pi * self.uniform(size))
        return total * (scale / math.sqrt(_SUMMED))

    def flips(self, size: int, probability: float) -> npt.NDArray[np.bool_]:
        """Which of `size` independent coins came up; bool (size,)."""
        return self.uniform(size) < probability

    def uniform(self, size: int) -> npt.NDArray[np.float64]:
        """Independent draws from [0, 1), multiples of 2^-53; float64 (size,)."""
        if self._seeded is not None:
            return self._seeded.random(size)
        bits = np.frombuffer(os.urandom(8 * size), dtype=np.uint64)
        return (bits >> np.uint64(11)).astype(np.float64) * _PER_UNIFORM
