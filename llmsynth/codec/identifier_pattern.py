"""Identifier patterns taken apart: which characters stand where, and how many of them."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa

from llmsynth.codec.cell_text import escape
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import IdentifierColumn
from llmsynth.schema.storage import arrow_type

_COUNTED = re.compile(
    r"(?P<atom>\[[^\]\[\\^][^\]\[\\]*\]|\\d|\\[^0-9A-Za-z]|[^\\\[\]{}()|*+?^$.])"
    r"(?:\{(?P<least>[0-9]{1,3})(?:,(?P<most>[0-9]{1,3}))?\})?"
)


@dataclass(frozen=True)
class Atom:
    """Some characters, between `least` and `most` of them."""

    characters: str
    least: int
    most: int

    def regex(self) -> str:
        """A regular expression of those texts inside a JSON string."""
        pieces = [escape(json.dumps(c, ensure_ascii=False)[1:-1]) for c in self.characters]
        is_class = all(len(piece) == 1 for piece in pieces)
        one = f"[{''.join(pieces)}]" if is_class else f"(?:{'|'.join(pieces)})"
        return one if self.least == self.most == 1 else f"{one}{{{self.least},{self.most}}}"


def read_pattern(column: IdentifierColumn) -> tuple[Atom, ...]:
    """The atoms of a column's pattern, narrowed to what its storage can hold.

    Raises:
        SchemaError: the pattern is not made of literals, classes and counts; it may spell one
            text in two ways, although names are to be unique; or the storage holds none of it.
    """
    atoms: list[Atom] = []
    at = 0
    while at < len(column.pattern):
        match = _COUNTED.match(column.pattern, at)
        atom = None if match is None else _atom(match)
        if match is None or atom is None:
            raise SchemaError(
                f"Column {column.name!r}: pattern {column.pattern!r} is not made of literals, "
                f"classes such as [A-Z] or \\d, and counts such as {{2,4}} (character {at}).",
                hint="Correct `pattern` in the schema; escape marks such as '.' with a backslash.",
            )
        atoms.append(atom)
        at = match.end()
    if pa.types.is_integer(arrow_type(column.storage)):
        atoms = _whole_numbers(column, atoms)
    elif column.storage != "string":
        raise SchemaError(
            f"Column {column.name!r}: identifiers are strings or integers, not {column.storage}."
        )
    if column.unique and not _has_one_reading(atoms):
        raise SchemaError(
            f"Column {column.name!r}: pattern {column.pattern!r} can spell one text in two ways, "
            "so its names would not be unique.",
            hint="Fix the counts in the pattern, or set `unique` to false.",
        )
    return tuple(atoms)


def _atom(match: re.Match[str]) -> Atom | None:
    least = int(match["least"] or 1)
    most = int(match["most"] or least)
    characters = _characters(match["atom"])
    return Atom(characters, least, most) if characters and least <= most else None


def _characters(atom: str) -> str:
    if atom == r"\d":
        return string.digits
    if not atom.startswith("["):
        return atom[-1]
    out: list[str] = []
    body, at = atom[1:-1], 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            members = range(ord(body[at]), ord(body[at + 2]) + 1)
            if not members:
                return ""
            out += map(chr, members)
            at += 3
        else:
            out.append(body[at])
            at += 1
    return "".join(dict.fromkeys(out))


def _whole_numbers(column: IdentifierColumn, atoms: Sequence[Atom]) -> list[Atom]:
    """The atoms less leading zeros, which a number does not keep, and numbers too large."""
    largest = int(np.iinfo(arrow_type(column.storage).to_pandas_dtype()).max)
    narrowed = _without_leading_zero(atoms)
    if narrowed and all(set(atom.characters) <= set(string.digits) for atom in narrowed):
        narrowed = _with_smaller_digits(_shortened(narrowed, largest), largest)
        if _largest(narrowed) <= largest:
            return narrowed
    raise SchemaError(
        f"Column {column.name!r}: pattern {column.pattern!r} spells no numbers that "
        f"{column.storage} can hold.",
        hint="Correct `pattern` in the schema, or set `storage` to string.",
    )


def _shortened(atoms: Sequence[Atom], largest: int) -> list[Atom]:
    out = list(atoms)
    for index in reversed(range(len(out))):
        while _largest(out) > largest and out[index].least < out[index].most:
            out[index] = replace(out[index], most=out[index].most - 1)
    return out


def _with_smaller_digits(atoms: Sequence[Atom], largest: int) -> list[Atom]:
    if _largest(atoms) <= largest:
        return list(atoms)
    # Nothing varies in length any more: one atom for each digit, the first ones narrowed first.
    out = [replace(atom, least=1, most=1) for atom in atoms for _ in range(atom.most)]
    for index in range(len(out)):
        while _largest(out) > largest and len(out[index].characters) > 1:
            fewer = "".join(sorted(out[index].characters)[:-1])
            out[index] = replace(out[index], characters=fewer)
    return out


def _without_leading_zero(atoms: Sequence[Atom]) -> list[Atom]:
    if not atoms or atoms[0].least < 1:
        return []
    head, *rest = atoms
    first = Atom(head.characters.replace("0", ""), 1, 1)
    others = [Atom(head.characters, head.least - 1, head.most - 1)] if head.most > 1 else []
    return [first, *others, *rest] if first.characters else []


def _largest(atoms: Sequence[Atom]) -> int:
    return int("".join(max(atom.characters) * atom.most for atom in atoms))


def _has_one_reading(atoms: Sequence[Atom]) -> bool:
    """Whether a text tells how long each of its atoms is.

    The last atom of varying length follows from the whole; one before it ends where a character
    begins that it cannot hold.
    """
    varying = [index for index, atom in enumerate(atoms) if atom.least < atom.most]
    return all(
        here.most == here.least
        or (after.least > 0 and not set(here.characters) & set(after.characters))
        for here, after in pairwise(atoms[: varying[-1] + 1] if varying else ())
    )
