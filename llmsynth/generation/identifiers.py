"""Re-invents identifiers: new names in the pattern of the old ones, none twice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pyarrow as pa

from llmsynth.codec.identifier_pattern import Atom, read_pattern
from llmsynth.errors import SamplingError
from llmsynth.schema.columns import IdentifierColumn
from llmsynth.schema.storage import arrow_type


class IdentifierMaker:
    """Names for row numbers 0, 1, 2, ...: an affine walk through every text of the pattern.

    The walk visits each text once before any repeats, in an order the seed decides.

    Raises:
        SchemaError: the pattern is not made of literals, classes and counts.
    """

    def __init__(self, column: IdentifierColumn, seed: int) -> None:
        self._column = column
        self._spellers = [_Speller(atom) for atom in read_pattern(column)]
        self._capacity = math.prod(speller.capacity for speller in self._spellers)
        draw = random.Random(f"{seed}:{column.name}")
        self._start = draw.randrange(self._capacity)
        self._stride = 1
        while self._capacity > 2:
            self._stride = draw.randrange(1, self._capacity)
            if math.gcd(self._stride, self._capacity) == 1:
                break

    def check(self, num_rows: int) -> None:
        """Refuse more rows than there are names.

        Raises:
            SamplingError: a unique column, and the pattern has too few texts.
        """
        if self._column.unique and num_rows > self._capacity:
            raise SamplingError(
                f"Column {self._column.name!r}: its pattern {self._column.pattern!r} has "
                f"{self._capacity} texts, fewer than the {num_rows} rows asked for.",
                hint="Widen `pattern` in the schema, or set `unique` to false.",
            )

    def make(self, first_row: int, count: int) -> pa.Array:
        """Names of rows `first_row` to `first_row + count - 1`, in the column's storage type.

        Raises:
            SamplingError: a unique column, and the pattern has too few texts.
        """
        self.check(first_row + count)
        texts = [self._text(row) for row in range(first_row, first_row + count)]
        return pa.array(texts, pa.string()).cast(arrow_type(self._column.storage))

    def _text(self, row: int) -> str:
        index = (self._start + row * self._stride) % self._capacity
        return "".join(reversed(list(self._pieces(index))))

    def _pieces(self, index: int) -> Iterator[str]:
        for speller in reversed(self._spellers):
            index, own = divmod(index, speller.capacity)
            yield speller.spell(own)


class _Speller:
    """The texts of an atom by number, the short ones first."""

    def __init__(self, atom: Atom) -> None:
        self._characters = atom.characters
        size = len(atom.characters)
        self._sizes = [(count, size**count) for count in range(atom.least, atom.most + 1)]
        self.capacity = sum(texts for _, texts in self._sizes)

    def spell(self, index: int) -> str:
        length = 0
        for count, texts in self._sizes:
            length = count
            if index < texts:
                break
            index -= texts
        out = []
        for _ in range(length):
            index, digit = divmod(index, len(self._characters))
            out.append(self._characters[digit])
        return "".join(reversed(out))
