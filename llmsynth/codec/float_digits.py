"""Which digits of a floating-point column are measured, and which only spell a binary fraction.

A computed double prints with 15 to 17 significant digits, one more or fewer from row to row, so
the last places of its column hold zeros in most rows and noise in the others. They say nothing,
and whatever stands there reads back as one of a few neighbouring doubles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.codec.number_code import NumberCode

_TOLD_DIGITS = {"double": 11, "float": 6, "halffloat": 3}
"""Significant digits by Arrow storage. A number with as many is taken for a computed one; those
behind them are not looked at. Of computed doubles one in ten thousand happens to print with less.
"""
_FEW_ROUND = 0.05


@dataclass(frozen=True, kw_only=True)
class DigitEvidence:
    """Which cells tell something by their digit at a place.

    told: bool (rows, places).
    beyond: bool (rows, places); digits that only spell a binary fraction.
    """

    told: npt.NDArray[np.bool_]
    beyond: npt.NDArray[np.bool_]


def digit_evidence(code: NumberCode, tokens: Tokens) -> DigitEvidence:
    """Sort the used places of a column's cells into evidence and spelling.

    In columns of computed numbers, fewer than one in twenty of another kind are no evidence: their
    zeros would speak for a tail that hardly any number has.

    Args:
        code: of the column.
        tokens: int32 (rows, places of the column).
    """
    used = tokens != SKIPPED
    told = _TOLD_DIGITS.get(code.column.storage)
    if told is None:
        return DigitEvidence(told=used, beyond=np.zeros_like(used))
    first, last = _ends(code, tokens)
    is_computed = (last - first + 1 >= told)[:, None]
    beyond = used & is_computed & (np.cumsum(code.widths) > first[:, None] + told)
    are_few = (used & ~is_computed).sum(0) < _FEW_ROUND * used.sum(0)
    return DigitEvidence(told=used & ~beyond & (is_computed | ~are_few), beyond=beyond)


def _ends(code: NumberCode, tokens: Tokens) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of the first and the last digit that is not zero; both 0 where none is."""
    digits = np.concatenate(
        [_digits(code, place)[tokens[:, place]] for place in range(tokens.shape[1])], axis=1
    )
    is_used = digits > 0
    width = digits.shape[1]
    first = is_used.argmax(1)
    last = np.where(is_used.any(1), width - 1 - is_used[:, ::-1].argmax(1), 0)
    return first, last


def _digits(code: NumberCode, place: int) -> npt.NDArray[np.int8]:
    """int8 (tokens + 1, digits) of each token of a place; zeros for one without digits, and -1."""
    width = code.widths[place]
    table = np.zeros((code.place_sizes[place] + 1, width), dtype=np.int8)
    groups = code.leading_groups if place == 0 else range(code.place_sizes[place])
    offset = code.first_group if place == 0 else 0
    for token, group in enumerate(groups, start=offset):
        table[token] = [int(digit) for digit in str(group).zfill(width)]
    return table
