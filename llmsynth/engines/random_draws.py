"""Counter-based random numbers: a draw depends on (seed, row, step) and on nothing else.

A row therefore gets the same draws whichever batch it lands in, and on every platform:
the arithmetic is 64-bit integer until the last, exact, multiplication.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 1 << 64
_HALF_WORD = 1 << 63
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_FIRST_MULTIPLIER = 0xBF58476D1CE4E5B9
_SECOND_MULTIPLIER = 0x94D049BB133111EB


def uniforms(seed: int, rows: Tensor, step: int | Tensor) -> Tensor:
    """Return one uniform number in [0, 1) for each row at the given step.

    Two nested SplitMix64 streams (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014): the seed's stream gives each row a key, and the key's stream gives
    each step a number, of which the upper 53 bits are kept.

    Args:
        seed: any Python integer; taken modulo 2**64.
        rows: int64 (n,), row numbers counted over the whole run, not within a batch.
        step: position within a row, an integer or int64 (n,).

    Returns:
        float64 (n,), multiples of 2**-53, on the device of `rows`.
    """
    seed_key = torch.tensor(_signed(seed), dtype=torch.int64, device=rows.device)
    row_keys = _splitmix(seed_key, rows.to(torch.int64))
    steps = torch.as_tensor(step, dtype=torch.int64, device=rows.device)
    return _shifted_right(_splitmix(row_keys, steps), 11).to(torch.float64) * 2.0**-53


def _splitmix(key: Tensor, index: Tensor) -> Tensor:
    """Return output number `index` (from 0) of the SplitMix64 stream whose state starts at `key`.

    int64 products and sums wrap modulo 2**64, which is what the algorithm asks for.
    """
    word = key + (index + 1) * _signed(_GOLDEN_GAMMA)
    word = (word ^ _shifted_right(word, 30)) * _signed(_FIRST_MULTIPLIER)
    word = (word ^ _shifted_right(word, 27)) * _signed(_SECOND_MULTIPLIER)
    return word ^ _shifted_right(word, 31)


def _shifted_right(word: Tensor, bits: int) -> Tensor:
    """Return the logical right shift; torch's own keeps the sign bit."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """Return the int64 with the bits of an unsigned 64-bit integer."""
    return (value + _HALF_WORD) % _WORD - _HALF_WORD
