"""What a column's cells tell of its kind, gathered batch by batch and merged across shards.

Up to `KEPT` distinct values all of them are kept, and the answer is that of the whole column.
Beyond it the first `KEPT` stay, with every value that can still change the answer: ends, longest
and shortest spellings, finest fractions, counterexamples to what held so far. Distinct values of
texts and keys are then counted by a sketch (HyperLogLog of 2^14 registers, standard error 0.8%).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import MissingExtraError
from llmsynth.schema.clock_texts import ALL_FORMATS, parse_moments
from llmsynth.schema.identifier_patterns import is_key_name
from llmsynth.schema.number_guesses import MOST_WORDS
from llmsynth.schema.number_texts import DECIMAL, WHOLE, are_whole, decimal_places
from llmsynth.schema.text_outlines import TextOutlines

if TYPE_CHECKING:
    from datasketches import hll_sketch

KEPT = 20_000
_SHOWN = 20
_LOG_REGISTERS = 14
_UNIQUE_SHARE = 0.97
"""Least estimated share of distinct cells, five standard errors and more below all of them."""


@dataclass
class ColumnEvidence:
    """One column so far.

    distinct: its distinct values, or beyond `KEPT` of them those that decide.
    outlines: what the column's texts look like.
    """

    name: str
    kind: pa.DataType
    kept: int = KEPT
    num_cells: int = 0
    num_missing: int = 0
    distinct: pa.Array = field(init=False)
    outlines: TextOutlines = field(default_factory=TextOutlines)
    is_exact: bool = True
    is_rising: bool = True
    """Whether every cell is above the one before it."""
    first: int | None = None
    last: int | None = None
    _words: int = 0
    _letters: int = 0
    _sketch: hll_sketch | None = None
    _formats: list[str] | None = None
    """Formats of days and moments that all texts have so far, once not all are kept."""

    def __post_init__(self) -> None:
        self.distinct = pa.array([], self.kind)

    @property
    def num_distinct(self) -> int:
        """Distinct values: exact, or estimated; never more than there are cells."""
        if self.is_exact or self._sketch is None:
            return len(self.distinct)
        return min(round(float(self._sketch.get_estimate())), self.num_cells)

    @property
    def is_unique(self) -> bool:
        """Whether no two cells are the same, as far as can be told."""
        if self.is_exact:
            return len(self.distinct) == self.num_cells
        if self.is_rising:
            return True
        return self._sketch is not None and self.num_distinct >= _UNIQUE_SHARE * self.num_cells

    @property
    def mean_words(self) -> float:
        """Words a cell of a text column."""
        return self._words / max(self.num_cells, 1)

    @property
    def mean_letters(self) -> float:
        """Characters a cell of a text column."""
        return self._letters / max(self.num_cells, 1)

    def add(self, cells: pa.ChunkedArray) -> None:
        """Take in the next cells, in the column's plain type."""
        self.num_missing += cells.null_count
        cells = cells.drop_null()
        if not len(cells):
            return
        self.num_cells += len(cells)
        distinct, counts = cells.value_counts().flatten()
        if pa.types.is_string(self.kind):
            self.outlines.add(distinct, counts)
            words = pc.count_substring_regex(distinct, r"\S+")
            self._words += pc.sum(pc.multiply(words, counts)).as_py()
            self._letters += pc.sum(pc.multiply(pc.utf8_length(distinct), counts)).as_py()
            if are_whole(distinct):
                self._follow(cells.cast(pa.int64()))
            else:
                self.is_rising = False
        elif pa.types.is_integer(self.kind):
            self._follow(cells)
        else:
            self.is_rising = False
        self._take(distinct)

    def merge(self, after: ColumnEvidence) -> None:
        """Take in what was gathered of the cells behind these."""
        if not after.num_cells:
            self.num_missing += after.num_missing
            return
        is_rising = self.is_rising and after.is_rising
        if self.num_cells and is_rising:
            # Neither is known of columns that hold no whole numbers.
            last, first = self.last, after.first
            is_rising = last is not None and first is not None and last < first
        self.first = after.first if not self.num_cells else self.first
        self.is_rising, self.last = is_rising, after.last
        self.num_cells += after.num_cells
        self.num_missing += after.num_missing
        self.outlines.merge(after.outlines)
        self._words += after._words
        self._letters += after._letters
        if self.is_exact and not after.is_exact:
            self._overflow()
        if not after.is_exact and self._sketch is not None and after._sketch is not None:
            self._sketch = _united(self._sketch, after._sketch)
        self._take(after.distinct)
        if self._formats is not None and after._formats is not None:
            self._formats = [one for one in self._formats if one in after._formats]

    def _follow(self, cells: pa.ChunkedArray) -> None:
        values = np.asarray(cells)
        rising = bool(np.all(values[1:] > values[:-1]))
        if self.first is None:
            self.first = int(values[0])
        else:
            rising &= self.last is not None and self.last < int(values[0])
        self.is_rising &= rising
        self.last = int(values[-1])

    def _take(self, distinct: pa.Array) -> None:
        if self._sketch is not None:
            _count(self._sketch, distinct)
        if self.is_exact:
            self.distinct = pa.concat_arrays([self.distinct, distinct]).unique()
            if len(self.distinct) > self.kept:
                self._overflow()
        else:
            self._take_deciding(distinct)

    def _overflow(self) -> None:
        """Go on without keeping every distinct value."""
        self.is_exact = False
        if pa.types.is_string(self.kind) or (
            pa.types.is_integer(self.kind) and is_key_name(self.name)
        ):
            self._sketch = _empty_sketch()
            _count(self._sketch, self.distinct)
        if pa.types.is_string(self.kind):
            self._formats = list(ALL_FORMATS)
        found = self.distinct
        self.distinct = found[: self.kept]
        self._take_deciding(found)

    def _take_deciding(self, distinct: pa.Array) -> None:
        self.distinct = pa.concat_arrays([self.distinct, *self._deciding(distinct)]).unique()

    def _deciding(self, distinct: pa.Array) -> list[pa.Array]:
        """Values that may change the answer."""
        if pa.types.is_string(self.kind):
            return [
                *_deciding_texts(distinct),
                *self._deciding_moments(distinct),
                self.outlines.ends(),
            ]
        if pa.types.is_boolean(self.kind):
            return []
        found = [_ends(distinct, distinct)]
        if pa.types.is_floating(self.kind):
            found.append(_ends(distinct, decimal_places(distinct.cast(pa.string()))))
        elif pa.types.is_timestamp(self.kind):
            found += _finest(distinct, distinct)
        return found

    def _deciding_moments(self, texts: pa.Array) -> list[pa.Array]:
        found: list[pa.Array] = []
        for pattern in list(self._formats or ()):
            # Most formats fit no text, and a few texts say so at a small part of the price.
            is_near = parse_moments(texts[:_SHOWN], pattern).null_count < len(texts[:_SHOWN])
            moments = parse_moments(texts, pattern) if is_near else None
            if moments is None or 2 * moments.null_count > len(texts):
                # A counterexample stays, and no later text needs to be read that way.
                self._formats.remove(pattern)  # type: ignore[union-attr]
                found.append(texts[:1] if moments is None else texts.filter(moments.is_null())[:1])
                continue
            found.append(texts.filter(moments.is_null())[: MOST_WORDS + 1])
            read, moments = texts.filter(moments.is_valid()), moments.drop_null()
            found += [_ends(read, moments), *_finest(read, moments)]
        return found


def _deciding_texts(texts: pa.Array) -> list[pa.Array]:
    """Longest and shortest, counterexamples to numbers, and the ends of those that are numbers."""
    found = [_ends(texts, pc.utf8_length(texts))]
    whole = pc.match_substring_regex(texts, WHOLE)
    decimal = pc.match_substring_regex(texts, DECIMAL)
    found += [texts.filter(pc.invert(is_kind))[:1] for is_kind in (whole, decimal)]
    numbers = texts.filter(decimal)
    if len(numbers):
        values = numbers.cast(pa.float64())
        found += [
            _ends(numbers, values),
            _ends(numbers, decimal_places(numbers)),
            numbers.filter(pc.match_substring_regex(numbers, "[eE.]"))[:1],
            numbers.filter(pc.match_substring_regex(numbers, "[eE]"))[:1],
        ]
    return found


def _ends(values: pa.Array, by: pa.Array) -> pa.Array:
    """The values at which `by` is least and greatest."""
    ends = pc.min_max(by)
    at = [pc.index(by, ends[end]).as_py() for end in ("min", "max")]
    return values.take(pa.array(at))


def _finest(values: pa.Array, moments: pa.Array) -> list[pa.Array]:
    """A value each that is no whole minute, second, millisecond, where there is one."""
    unit = moments.type.unit
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    ticks = np.asarray(moments.cast(pa.timestamp(unit)).cast(pa.int64()))
    found = []
    for step in (60 * per_second, per_second, per_second // 1000):
        if step and len(at := np.flatnonzero(ticks % step)):
            found.append(values.take(pa.array(at[:1])))
    return found


def _empty_sketch() -> hll_sketch:
    try:
        # An extra, and only columns of very many texts need it.
        from datasketches import hll_sketch, tgt_hll_type
    except ImportError as error:
        raise MissingExtraError(
            f"Counting very many distinct values needs datasketches: {error}.",
            hint="pip install 'llmsynth[train]'",
        ) from error
    return hll_sketch(_LOG_REGISTERS, tgt_hll_type.HLL_8)


def _count(sketch: hll_sketch, values: pa.Array) -> None:
    for value in values.to_pylist():
        sketch.update(value)


def _united(one: hll_sketch, other: hll_sketch) -> hll_sketch:
    from datasketches import hll_union, tgt_hll_type

    union = hll_union(_LOG_REGISTERS)
    union.update(one)
    union.update(other)
    return union.get_result(tgt_hll_type.HLL_8)
