"""One-to-one scrambling of 64-bit words, on which every order drawn from contents rests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def scrambled(words: Words) -> Words:
    """Words of which every bit depends on every bit of the given ones; 0 stays 0.

    Source: the finaliser of SplitMix64, G. Steele, D. Lea and C. Flood (2014), Fast splittable
    pseudorandom number generators, OOPSLA, section 3.
    """
    out = words ^ (words >> np.uint64(30))
    out *= np.uint64(0xBF58476D1CE4E5B9)
    out ^= out >> np.uint64(27)
    out *= np.uint64(0x94D049BB133111EB)
    out ^= out >> np.uint64(31)
    return out
