"""Finds the digit places that hold noise: even, and unrelated to the digits before them.

A model would only overfit them and a sampler would pay a forward pass for each, so they are drawn
evenly within the grammar instead. Coarse bins are no such places: only digits that follow others
which tell at least twenty values apart are looked at.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from llmsynth.codec.column_code import Tokens
from llmsynth.codec.float_digits import DigitEvidence, digit_evidence
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.row_language import RowLanguage

_LEAST_ROWS = 200
_LEAST_ROWS_A_CELL = 5
_LEAST_PREFIXES = 20
_MOST_EXCESS = 2.0
_MOST_BANDS = 16


def flat_places(language: RowLanguage, codes: Tokens) -> frozenset[int]:
    """Places whose digits pass as even and as independent of the digits before them.

    Distances of total variation, on the rows that use the place: of the digit groups and of their
    first digits from even counts, and of (up to sixteen bands of the digits before, first digit)
    from independence. Each may be twice what sampling noise alone gives, sqrt(cells / (2 pi rows));
    repeated values, which a significance test would take for structure, stay within that. What has
    fewer than five rows a cell is not asked, and fewer than 200 rows say nothing. No digit group
    may have three times its even share and a twentieth of the rows more, which small tables'
    rounded numbers have within the noise of the distance.

    A place is looked at only where every less significant one is flat, from the last place up.
    Digits that only spell a binary fraction are no evidence (`codec.float_digits`).

    Args:
        codes: int32 (rows, places), the encoded training rows.
    """
    flat: set[int] = set()
    for index, code in enumerate(language.codes):
        places = language.places(index)
        if not isinstance(code, NumberCode) or len(places) < 2:
            continue
        tokens = codes[:, places.start : places.stop]
        evidence = digit_evidence(code, tokens)
        for place in range(len(places) - 1, 0, -1):
            if not _is_flat(tokens, evidence, place, code.place_sizes[place]):
                break
            flat.add(places.start + place)
    return frozenset(flat)


def _is_flat(tokens: Tokens, evidence: DigitEvidence, place: int, size: int) -> bool:
    told = evidence.told[:, place]
    digits, prefixes = tokens[told, place], _ranks(tokens[told, :place])
    if len(digits) < min(_LEAST_ROWS, evidence.beyond[:, place].sum()):
        return True  # hardly any number has a digit here
    if len(digits) < _LEAST_ROWS or _effective(prefixes) < _LEAST_PREFIXES:
        return False
    return _is_even(digits, size) and _is_apart(prefixes, digits * 10 // size)


def _is_even(digits: npt.NDArray[np.int32], size: int) -> bool:
    shares = np.bincount(digits, minlength=size) / len(digits)
    if shares.max() > 3 / size + 0.05:
        return False
    firsts = shares.reshape(10, -1).sum(1)
    tested = [firsts, shares] if len(digits) >= _LEAST_ROWS_A_CELL * size else [firsts]
    return all(_is_within(part, np.full(part.shape, 1 / part.size), digits) for part in tested)


def _is_apart(prefixes: npt.NDArray[np.int64], firsts: npt.NDArray[np.int32]) -> bool:
    """Whether first digits are independent of the numbers' bands."""
    bands = min(_MOST_BANDS, len(firsts) // (10 * _LEAST_ROWS_A_CELL))
    edges = np.unique(np.quantile(prefixes, np.linspace(0, 1, bands + 1)[1:-1]))
    band = np.searchsorted(edges, prefixes)
    joint = np.zeros((int(band.max()) + 1, 10))
    np.add.at(joint, (band, firsts), 1 / len(firsts))
    return _is_within(joint, joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True), firsts)


def _is_within(
    found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], rows: npt.NDArray[np.int32]
) -> bool:
    distance = float(np.abs(found - expected).sum() / 2)
    return distance <= _MOST_EXCESS * math.sqrt(found.size / (2 * math.pi * len(rows)))


def _ranks(prefixes: Tokens) -> npt.NDArray[np.int64]:
    """int64 (rows,): of the digits before, equal where they are, in the order of the tokens."""
    rank = prefixes[:, 0].astype(np.int64)
    for column in prefixes.T[1:]:
        rank = np.unique(rank * (int(column.max(initial=0)) + 2) + column, return_inverse=True)[1]
    return rank


def _effective(prefixes: npt.NDArray[np.int64]) -> float:
    shares = np.bincount(prefixes) / len(prefixes)
    return float(1 / np.square(shares).sum())
