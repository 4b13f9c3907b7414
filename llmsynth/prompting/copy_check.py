"""Which new rows repeat an example of the prompt, word for word or nearly so."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.schema.columns import (
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema

_WIDE_TABLE = 6
_NEAR_NUMBERS = 0.01
_FEWEST_WORDS, _MOST_WORDS, _SHARE_OF_WORDS = 4, 8, 0.8
_WORD = re.compile(r"\w+")

Codes = npt.NDArray[np.int8]
Far = npt.NDArray[np.bool_]


class Copy(IntEnum):
    """How much a row repeats of an example."""

    NONE = 0
    NEAR = 1
    VERBATIM = 2


class CopyCheck:
    """Holds rows against all examples.

    A row is verbatim where every cell (identifiers aside) is that of one example, and near where
    at most one cell differs (none in tables of fewer than six columns); numbers and dates within
    1% of their column's range count as the same there, and another text tells rows apart.
    A text of four words or more is verbatim where an example has the same words in the same order,
    and near where it shares a run of eight words with one, or of 80% of its own, if at least four.

    Args:
        examples: columns in their storage types; may have no rows.
    """

    def __init__(self, schema: TableSchema, examples: pa.Table) -> None:
        self._columns = [c for c in schema.columns if not isinstance(c, IdentifierColumn)]
        self._examples = examples
        self._texts = {
            column.name: _Texts(examples.column(column.name).to_pylist())
            for column in self._columns
            if isinstance(column, TextColumn)
        }
        self._most_differing = 1 if len(self._columns) >= _WIDE_TABLE else 0

    def judged(self, table: pa.Table) -> Codes:
        """What each row is, as `Copy`; int8 (rows,)."""
        found = self._rows(table)
        for name, texts in self._texts.items():
            cells = table.column(name).to_pylist()
            told = np.array([texts.judged(cell) for cell in cells], np.int8)
            found = np.maximum(found, told)
        return found

    def _rows(self, table: pa.Table) -> Codes:
        shape = (table.num_rows, self._examples.num_rows)
        unequal, apart = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for column in self._columns:
            new, old = table.column(column.name), self._examples.column(column.name)
            is_other = _differs(new, old)
            unequal += is_other
            if isinstance(column, TextColumn):
                apart += is_other * len(self._columns)
            else:
                apart += is_other & _is_far(column, new, old)
        out = np.zeros(table.num_rows, np.int8)
        out[(apart <= self._most_differing).any(axis=1)] = Copy.NEAR
        out[(unequal == 0).any(axis=1)] = Copy.VERBATIM
        return out


class _Texts:
    """The word runs of one column's example texts."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        split = [_words(text) for text in texts if text is not None]
        self._whole = {tuple(words) for words in split}
        self._runs = {
            size: {run for words in split for run in _runs(words, size)}
            for size in range(_FEWEST_WORDS, _MOST_WORDS + 1)
        }

    def judged(self, text: str | None) -> Copy:
        words = _words(text or "")
        if len(words) < _FEWEST_WORDS:
            return Copy.NONE
        if tuple(words) in self._whole:
            return Copy.VERBATIM
        size = min(_MOST_WORDS, max(_FEWEST_WORDS, math.ceil(_SHARE_OF_WORDS * len(words))))
        known = self._runs[size]
        return Copy.NEAR if any(run in known for run in _runs(words, size)) else Copy.NONE


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def _differs(new: pa.ChunkedArray, old: pa.ChunkedArray) -> Far:
    """Which cells differ; bool (new rows, old rows). Two missing cells do not."""
    both = pa.chunked_array([*new.chunks, *old.chunks], new.type).combine_chunks()
    codes = both.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    mine, theirs = codes[: len(new)], codes[len(new) :]
    return np.asarray(mine[:, None] != theirs[None, :])


def _is_far(column: Column, new: pa.ChunkedArray, old: pa.ChunkedArray) -> Far:
    """Which cells differ by more than a number may; everywhere for other kinds."""
    if not isinstance(column, NumberColumn | DateColumn | DatetimeColumn):
        return np.ones((len(new), len(old)), np.bool_)
    low, high = (float(_as_number(bound)) for bound in column.bounds)
    mine, theirs = _numbers(new), _numbers(old)
    # A missing cell is NaN, which is far from everything.
    return np.asarray(~(np.abs(mine[:, None] - theirs[None, :]) <= _NEAR_NUMBERS * (high - low)))


def _numbers(cells: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if pa.types.is_temporal(cells.type):
        cells = cells.cast(pa.timestamp("us", getattr(cells.type, "tz", None))).cast(pa.int64())
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _as_number(bound: object) -> float:
    if isinstance(bound, int | float):
        return float(bound)
    if hasattr(bound, "year"):
        return float(pa.scalar(bound).cast(pa.timestamp("us")).value)
    return float(str(bound))
