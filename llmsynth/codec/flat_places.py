"""Finds the digit places that hold noise: even, and unrelated to the digits before them.

A model would only overfit them and a sampler would pay a forward pass for each, so they are drawn
evenly within the grammar instead. Coarse bins are no such places: only digits that follow at least
two more significant ones that carry information are looked at.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from llmsynth.codec.column_code import Tokens
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.row_language import RowLanguage

_LEAST_ROWS = 2000
_LEAST_LEADING_TOKENS = 20
_MOST_EXCESS = 2.0


def flat_places(language: RowLanguage, codes: Tokens) -> frozenset[int]:
    """Places whose digits pass as even and as independent of the leading digits.

    Two distances of total variation, on the rows that use the place: of the digit groups from even
    counts, and of (sixteen bands of the leading group, first digit) from independence. Each may be
    twice what sampling noise alone gives, sqrt(cells / (2 pi rows)); repeated values, which a
    significance test would take for structure, stay within that.
    A place is looked at only where every less significant one is flat, from the last place up.

    Args:
        codes: int32 (rows, places), the encoded training rows.
    """
    flat: set[int] = set()
    for index, code in enumerate(language.codes):
        places = language.places(index)
        if not isinstance(code, NumberCode):
            continue
        for place in reversed(places[1:]):
            size = code.place_sizes[place - places.start]
            if not _is_flat(codes[:, places.start], codes[:, place], size):
                break
            flat.add(place)
    return frozenset(flat)


def _is_flat(leading: npt.NDArray[np.int32], digits: npt.NDArray[np.int32], size: int) -> bool:
    used = digits >= 0
    leading, digits = leading[used], digits[used]
    if len(digits) < max(_LEAST_ROWS, 5 * size) or _effective(leading) < _LEAST_LEADING_TOKENS:
        return False
    even = _distance(np.bincount(digits, minlength=size) / len(digits), np.full(size, 1 / size))
    if even > _MOST_EXCESS * _noise(size, len(digits)):
        return False
    bands = np.searchsorted(np.unique(np.quantile(leading, np.linspace(0, 1, 17)[1:-1])), leading)
    joint = np.zeros((int(bands.max()) + 1, 10))
    np.add.at(joint, (bands, digits * 10 // size), 1 / len(digits))
    apart = _distance(joint, joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True))
    return apart <= _MOST_EXCESS * _noise(joint.size, len(digits))


def _distance(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    return float(np.abs(left - right).sum() / 2)


def _noise(cells: int, rows: int) -> float:
    return math.sqrt(cells / (2 * math.pi * rows))


def _effective(tokens: npt.NDArray[np.int32]) -> float:
    shares = np.bincount(tokens) / len(tokens)
    return float(1 / np.square(shares).sum())
