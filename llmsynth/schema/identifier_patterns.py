"""Names of rows: which columns hold them, and the pattern they are written in."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence

FEWEST_ROWS = 20
"""Below this many rows, distinct values are no evidence of a row name."""
_MANY_ROWS = 100
_LONGEST = 64
_KEY_NAME = re.compile(
    r"(?:^|[^A-Za-z])(?i:id|number|nbr|key|uuid|guid)$|(?<=[a-z0-9])(?:ID|Id|Number|Nbr|Key)$"
)
_CLASSES = (
    (string.digits, r"\d"),
    (string.ascii_uppercase, "[A-Z]"),
    (string.ascii_lowercase, "[a-z]"),
    (string.digits + "abcdef", "[0-9a-f]"),
    (string.digits + "ABCDEF", "[0-9A-F]"),
    (string.digits + string.ascii_lowercase, "[0-9a-z]"),
    (string.digits + string.ascii_uppercase, "[0-9A-Z]"),
    (string.ascii_letters, "[A-Za-z]"),
    (string.digits + string.ascii_letters, "[0-9A-Za-z]"),
)
_RUN = re.compile(r"[0-9]+|[A-Z]+|[a-z]+|[^0-9A-Za-z]+")


def is_key_name(name: str) -> bool:
    """Whether a column name says that it names rows (`id`, `PassengerId`, `patient_nbr`)."""
    return _KEY_NAME.search(name) is not None


def row_number_pattern(
    name: str, *, count: int, lowest: int, highest: int, first: object, is_rising: bool
) -> str | None:
    """Pattern of distinct integers that only name rows, or None where they may mean something.

    They name rows when none is negative, and they either count rows from 0 or 1 or stand under a
    key name (and rise strictly, or number at least 100).

    Args:
        first: the first row's.
        is_rising: whether each is above the one before it.
    """
    if count < FEWEST_ROWS or lowest < 0:
        return None
    counts_rows = is_rising and first in (0, 1) and highest == lowest + count - 1
    if not counts_rows and not (is_key_name(name) and (is_rising or count >= _MANY_ROWS)):
        return None
    fewest = len(str(lowest)) - 1
    # Numbers that use up their digits leave nothing to re-invent: make room for new ones.
    most = max(len(str(highest)), len(str(10 * count))) - 1
    return r"[1-9]\d" + _count(fewest, most)


def text_pattern(name: str, texts: Sequence[str], *, count: int | None = None) -> str | None:
    """Pattern of distinct texts that all have one shape, or None where they have none.

    Without a key name the shape needs a digit, and its runs of letters a fixed length: names of
    people and places are distinct as well, and carry meaning.

    Args:
        count: how many there are, where `texts` are only some of them.
    """
    if len(texts) < FEWEST_ROWS or any(not 1 <= len(text) <= _LONGEST for text in texts):
        return None
    is_named = is_key_name(name)
    atoms = _atoms_by_position(texts) or _atoms_by_run(texts, letters_may_vary=is_named)
    if atoms is None and is_named:
        atoms = _one_atom(texts)
    if atoms is None or not (is_named or any("0-9" in a or r"\d" in a for a, _, _ in atoms)):
        return None
    if _capacity(atoms) < 2 * (count or len(texts)):
        return None
    return "".join(atom + _count(low, high) for atom, low, high in atoms)


Atom = tuple[str, int, int]


def _atoms_by_position(texts: Sequence[str]) -> list[Atom] | None:
    length = len(texts[0])
    if any(len(text) != length for text in texts):
        return None
    atoms: list[Atom] = []
    for characters in zip(*texts, strict=True):
        atom = _atom(set(characters))
        if atom is None:
            return None
        if atoms and atoms[-1][0] == atom and not _is_literal(atom):
            atoms[-1] = (atom, atoms[-1][1] + 1, atoms[-1][2] + 1)
        else:
            atoms.append((atom, 1, 1))
    return atoms


def _atoms_by_run(texts: Sequence[str], *, letters_may_vary: bool) -> list[Atom] | None:
    split = [_RUN.findall(text) for text in texts]
    if any(len(runs) != len(split[0]) for runs in split):
        return None
    atoms: list[Atom] = []
    for runs in zip(*split, strict=True):
        if len(set(runs)) == 1 and not runs[0].isdigit():
            atoms.append((_literal(runs[0]), 1, 1))
            continue
        atom = _atom(set("".join(runs)))
        lengths = {len(run) for run in runs}
        if atom is None or _is_literal(atom) or not _is_one_class(runs):
            return None
        if atom != r"\d" and len(lengths) > 1 and not letters_may_vary:
            return None
        atoms.append((atom, min(lengths), max(lengths)))
    return atoms


def _one_atom(texts: Sequence[str]) -> list[Atom] | None:
    """A single class for names without a common shape, such as `[0-9a-z'-]{5,9}`."""
    characters = set("".join(texts))
    marks = characters & set("_.'-")
    atom = _atom(characters - marks)
    if atom is None or _is_literal(atom):
        return None
    lengths = [len(text) for text in texts]
    members = (r"[0-9]" if atom == r"\d" else atom)[1:-1]
    # The hyphen goes last, where it cannot mean a range.
    ordered = sorted(marks, key=lambda mark: (mark == "-", mark))
    return [(f"[{members}{''.join(ordered)}]", min(lengths), max(lengths))]


def _atom(characters: set[str]) -> str | None:
    if len(characters) == 1 and not characters & set(string.digits):
        return _literal(characters.pop())
    for members, name in _CLASSES:
        if characters <= set(members):
            return name
    return None


def _literal(text: str) -> str:
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _is_literal(atom: str) -> bool:
    return atom != r"\d" and not (atom.startswith("[") and atom.endswith("]"))


def _is_one_class(runs: Sequence[str]) -> bool:
    return len({(r[0].isdigit(), r[0].isupper(), r[0].islower()) for r in runs}) == 1


def _capacity(atoms: Sequence[Atom]) -> float:
    sizes = {name: len(members) for members, name in _CLASSES}
    # A class with marks is no smaller than the ten digits.
    return math.prod(
        float(sizes.get(atom, 1 if _is_literal(atom) else 10)) ** high for atom, _, high in atoms
    )


def _count(low: int, high: int) -> str:
    if low == high:
        return "" if low == 1 else f"{{{low}}}"
    return f"{{{low},{high}}}"
