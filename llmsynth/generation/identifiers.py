"""Re-invents identifiers: new names in the pattern of the old ones, none twice."""

from __future__ import annotations

import math
import random
import re
import string
from dataclasses import dataclass

import pyarrow as pa

from llmsynth.errors import SamplingError, SchemaError
from llmsynth.schema.columns import IdentifierColumn
from llmsynth.schema.storage import arrow_type

_ATOM = re.compile(r"(\[[^\]]+\]|\\d|\\.|[^\\\[\]{}])(?:\{(\d+)(?:,(\d+))?\})?")


@dataclass(frozen=True)
class _Atom:
    """Some characters, between `least` and `most` of them."""

    characters: str
    least: int
    most: int

    @property
    def capacity(self) -> int:
        return sum(len(self.characters) ** count for count in range(self.least, self.most + 1))

    def spell(self, index: int) -> str:
        size = len(self.characters)
        for count in range(self.least, self.most + 1):
            if index < size**count:
                break
            index -= size**count
        out = []
        for _ in range(count):
            index, digit = divmod(index, size)
            out.append(self.characters[digit])
        return "".join(reversed(out))


class IdentifierMaker:
    """Names for row numbers 0, 1, 2, ...: an affine walk through every text of the pattern.

    The walk visits each text once before any repeats, in an order the seed decides.

    Raises:
        SchemaError: the pattern is not made of literals, classes and counts.
    """

    def __init__(self, column: IdentifierColumn, seed: int) -> None:
        self._column = column
        self._atoms = _parse(column)
        self._capacity = math.prod(atom.capacity for atom in self._atoms)
        draw = random.Random(f"{seed}:{column.name}")
        self._start = draw.randrange(self._capacity)
        self._stride = 1
        while self._capacity > 2:
            self._stride = draw.randrange(1, self._capacity)
            if math.gcd(self._stride, self._capacity) == 1:
                break

    def make(self, first_row: int, count: int) -> pa.Array:
        """Names of rows `first_row` to `first_row + count - 1`, in the column's storage type.

        Raises:
            SamplingError: a unique column, and the pattern has too few texts.
        """
        if self._column.unique and first_row + count > self._capacity:
            raise SamplingError(
                f"Column {self._column.name!r}: its pattern {self._column.pattern!r} has "
                f"{self._capacity} texts, fewer than the {first_row + count} rows asked for.",
                hint="Widen `pattern` in the schema, or set `unique` to false.",
            )
        texts = [self._text(row) for row in range(first_row, first_row + count)]
        return pa.array(texts, pa.string()).cast(arrow_type(self._column.storage))

    def _text(self, row: int) -> str:
        index = (self._start + row * self._stride) % self._capacity
        pieces = []
        for atom in reversed(self._atoms):
            index, digit = divmod(index, atom.capacity)
            pieces.append(atom.spell(digit))
        return "".join(reversed(pieces))


def _parse(column: IdentifierColumn) -> list[_Atom]:
    atoms, at = [], 0
    while at < len(column.pattern):
        match = _ATOM.match(column.pattern, at)
        if match is None:
            raise SchemaError(
                f"Column {column.name!r}: pattern {column.pattern!r} is not made of literals, "
                f"classes and counts (character {at}).",
            )
        least = int(match[2] or 1)
        atoms.append(_Atom(_characters(match[1]), least, int(match[3] or least)))
        at = match.end()
    return atoms


def _characters(atom: str) -> str:
    if atom == r"\d":
        return string.digits
    if not atom.startswith("["):
        return atom[-1]
    out, body, at = [], atom[1:-1], 0
    while at < len(body):
        if at + 2 < len(body) and body[at + 1] == "-":
            out += [chr(code) for code in range(ord(body[at]), ord(body[at + 2]) + 1)]
            at += 3
        else:
            out.append(body[at])
            at += 1
    return "".join(dict.fromkeys(out))
