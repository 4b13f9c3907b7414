"""Whether the first record of a table holds names or cells, judged against the records below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_NUMBER = re.compile(r"[+-]?(?:\d[\d.,]*|\.\d+)(?:[eE][+-]?\d+)?%?")
_DAY = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2})?"
)
_FEWEST_ROWS = 3
_YEARS = range(1500, 2200)
_MISSING = frozenset({"", "NA", "NaN", "nan", "NULL", "null", "None", "N/A", "?", "."})


def is_amount(text: str) -> bool:
    """Whether a text is a number, a day or a time of day."""
    text = text.strip()
    return bool(_NUMBER.fullmatch(text) or _DAY.fullmatch(text))


def holds_cells(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first record is a row like those below, so that the table has no header.

    Only where something speaks for it (a number above numbers, a word that comes again below)
    and nothing against it (a word above numbers, an empty or blank-padded name, a run of years).
    """
    rows = [row for row in below if len(row) == len(first)]
    if len(rows) < _FEWEST_ROWS or is_progression(first):
        return False
    support = 0
    for position, cell in enumerate(first):
        cells = [row[position].strip() for row in rows if row[position].strip() not in _MISSING]
        if not cells:
            continue
        are_amounts = sum(map(is_amount, cells)) >= 0.9 * len(cells)
        name = cell.strip()
        if are_amounts:
            if is_amount(name):
                support += 1
            elif name not in _MISSING:
                return False
        elif name and len(set(cells)) < 0.5 * len(cells) and name in cells:
            support += 1
        # A number above words is no evidence: it may be a name such as 2019.
    has_numbers = any(is_amount(cell) for cell in first)
    # Words that come again may be names that stand twice in the file; a number is needed, or two.
    return support > 0 and (has_numbers or support > 1)


def is_progression(cells: Sequence[str]) -> bool:
    """Whether the numbers among the cells are names: years, or a run of whole numbers."""
    numbers = [cell.strip() for cell in cells if is_amount(cell)]
    if not numbers or not all(number.isascii() and number.isdigit() for number in numbers):
        return False
    values = [int(number[:9]) for number in numbers]
    if len(set(values)) != len(values):
        return False
    if all(value in _YEARS for value in values) and (len(values) > 1 or len(cells) > 1):
        return len(values) > 1 or not is_amount(cells[0])
    steps = {later - earlier for earlier, later in pairwise(values)}
    return len(values) > 2 and len(steps) == 1


def looks_like_header(
    cells: Sequence[str], below: Sequence[Sequence[str]], *, is_proof_needed: bool = False
) -> bool:
    """Whether cells could be names: filled, different, and no numbers unless a run of years.

    Args:
        is_proof_needed: a word above a column of numbers is asked for.
    """
    names = [cell.strip() for cell in cells]
    filled = [name for name in names if name]
    if len(filled) < max(1, len(names) - 1) or len(set(filled)) < len(filled):
        return False
    if any(is_amount(name) for name in filled) and not is_progression(names):
        return False
    if not is_proof_needed:
        return True
    rows = [row for row in below if len(row) == len(cells)]
    return any(
        name and not is_amount(name) and _are_amounts([row[position] for row in rows])
        for position, name in enumerate(names)
    )


def _are_amounts(cells: Sequence[str]) -> bool:
    held = [cell for cell in cells if cell.strip() not in _MISSING]
    return bool(held) and sum(map(is_amount, held)) >= 0.9 * len(held)
